"""A whole fleet from one exporter: `python -m benchmarks.fleet`.

1,000 targets each second, and 10,000 every ten seconds, scraped meanwhile.
What came when is noted by the targets themselves. Takes about two minutes.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from odp_exporter.simulator.exporter import Exporter, exporter

from benchmarks import page
from benchmarks.limits import Account, scrape
from benchmarks.probe_cost import Greeters, addresses

WATCHED_SECONDS = float(os.environ.get("WATCHED_SECONDS", "30"))
SCRAPE_SECONDS = 5.0
FLEETS = ((1_000, 1), (10_000, 10))
"""Number of targets, and seconds from one probe of a target to the next."""
PUBLISHED = 30


@dataclass(frozen=True)
class Watched:
    """What an exporter did with a fleet."""

    targets: int
    interval: int
    came: Sequence[Sequence[float]]
    cpu: float
    """Share of one core."""
    resident_bytes: int
    scrapes: Sequence[float]
    overruns: float

    @property
    def off(self) -> list[float]:
        """By how much each probe came later or earlier than an interval after the one before it."""
        return sorted(abs(later - earlier - self.interval) for times in self.came for earlier, later in pairwise(times))

    @property
    def busiest(self) -> float:
        """The fullest tenth of a second, as a multiple of the mean one."""
        moments = [moment for times in self.came for moment in times]
        tenths: dict[int, int] = {}
        for moment in moments:
            tenths[int(moment * 10)] = tenths.get(int(moment * 10), 0) + 1
        return max(tenths.values()) / (len(moments) / len(tenths))

    @property
    def rate(self) -> float:
        return sum(map(len, self.came)) / WATCHED_SECONDS


async def watched(directory: Path, targets: int, interval: int) -> Watched:
    await asyncio.to_thread(directory.mkdir)
    greeters = Greeters()
    async with greeters.serving():
        names = addresses(targets, greeters.port)
        config = "odps:\n" + "".join(f"  - address: {address}\n" for address in names)
        config += f"probe: {{interval: {interval}s, timeout: 900ms}}\nstate_directory: {directory / 'state'}\n"
        config += "process: {interval: 1h, queue_interval: 1h}\ncache: {interval: 1h}\n"
        async with exporter(directory, config, "--log.level", "ERROR") as it:
            await asyncio.sleep(2 * interval + 3)
            before, overruns = Account.of(it.process.pid), await overruns_of(it)
            greeters.came.clear()
            scrapes = await scraped(it, time.monotonic() + WATCHED_SECONDS)
            came = [list(times) for times in greeters.came.values()]
            after = Account.of(it.process.pid)
            cpu = (after.cpu_seconds - before.cpu_seconds) / WATCHED_SECONDS
            more = await overruns_of(it) - overruns
            return Watched(targets, interval, came, cpu, after.resident_bytes, scrapes, more)


async def scraped(it: Exporter, until: float) -> list[float]:
    took = []
    while (left := until - time.monotonic()) > 0:
        took.append(await asyncio.to_thread(scrape, it))
        await asyncio.sleep(min(SCRAPE_SECONDS, left))
    return took


async def overruns_of(it: Exporter) -> float:
    # Not parsed as a whole: that takes seconds, in which the targets would not answer.
    _, whole = await it.request("/metrics")
    found = re.search(r'^odp_exporter_probe_overruns_total\{probe="greeting"\} (\S+)', whole, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def measured(directory: Path) -> list[Watched]:
    found = []
    for targets, interval in FLEETS:
        found.append(await watched(directory / str(targets), targets, interval))
        print(row(found[-1]), file=sys.stderr, flush=True)
    return found


def row(one: Watched) -> list[str]:
    off = one.off
    return [
        f"{one.targets:,} every {one.interval} s",
        f"{one.rate:.0f}",
        f"{one.cpu:.0%}",
        f"{off[len(off) // 2] * 1e3:.1f} ms",
        f"{off[int(len(off) * 0.99)] * 1e3:.0f} ms",
        f"{one.busiest:.1f}",
        f"{one.overruns:.0f}",
        f"{one.resident_bytes / 2**20:.0f} MiB",
        f"{statistics.median(one.scrapes) * 1e3:.0f} ms",
    ]


def text(found: Sequence[Watched]) -> str:
    head = (
        *("targets", "probes a second", "of one core", "off its time, median", "99th percentile"),
        *("fullest tenth of a second, of the mean", "missed turns", "memory", "a scrape"),
    )
    return f"""\
One exporter process, watched for {WATCHED_SECONDS:g} s and scraped every {SCRAPE_SECONDS:g} s; the targets are
addresses of loopback that greet. The time of a scrape is from its request to its last byte. The targets' own process
and the load of the machine share its cores.

{page.table(head, [row(one) for one in found])}

{page.machine()}
"""


def main() -> None:
    with TemporaryDirectory(prefix="odp-fleet-") as directory:
        said = text(asyncio.run(measured(Path(directory))))
    print(said)
    if WATCHED_SECONDS >= PUBLISHED:
        page.write("fleet", said)


if __name__ == "__main__":
    main()
