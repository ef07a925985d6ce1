"""What the exporter costs beside one ODP that is probed each second: `make bench`.

Prints one line a figure. Seconds of processor time are those of the kernel's
own account of the exporter's process; the ODP and the OCP are simulated.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from odp_exporter.simulator.exporter import Exporter, exporter, naming
from odp_exporter.simulator.fleet import Fleet

WATCHED_SECONDS = float(os.environ.get("SECONDS_WATCHED", "60"))
SCRAPES = 100
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Account:
    """What the kernel says of a process."""

    cpu_seconds: float
    resident_bytes: int

    @classmethod
    def of(cls, pid: int) -> Account:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls((int(fields[11]) + int(fields[12])) / _TICKS, pages * os.sysconf("SC_PAGE_SIZE"))


async def measure(directory: Path) -> None:
    async with Fleet(directory / "fleet") as fleet:
        ocp = await fleet.start_ocp({"trade": ["127.0.0.1:2881"]})
        odp = await fleet.start_odp("odp-1", ocp=ocp)
        more = (
            f"probe: {{interval: 1s}}\nstate_directory: {directory / 'state'}\nocp: [{{name: ocp, url: '{ocp.url}'}}]\n"
        )
        began = time.monotonic()
        async with exporter(directory, naming(odp, more=more)) as running:
            say("start to the first complete /metrics", f"{time.monotonic() - began:.2f} s")
            await idle(running)
            scrapes = [await asyncio.to_thread(scrape, running) for _ in range(SCRAPES)]
            say(f"one scrape, median of {SCRAPES}", f"{statistics.median(scrapes) * 1000:.1f} ms")
            say(f"one scrape, worst of {SCRAPES}", f"{max(scrapes) * 1000:.1f} ms")
            say("resident memory after the scrapes", mebibytes(Account.of(running.process.pid)))


async def idle(running: Exporter) -> None:
    before, began = Account.of(running.process.pid), time.monotonic()
    await asyncio.sleep(WATCHED_SECONDS)
    after, seconds = Account.of(running.process.pid), time.monotonic() - began
    say(f"of one core, over {seconds:.0f} s", f"{(after.cpu_seconds - before.cpu_seconds) / seconds:.2%}")
    say("resident memory", mebibytes(after))


def scrape(running: Exporter) -> float:
    began = time.perf_counter()
    with urlopen(running.url + "/metrics", timeout=10) as reply:
        reply.read()
    return time.perf_counter() - began


def mebibytes(account: Account) -> str:
    return f"{account.resident_bytes / 2**20:.1f} MiB"


def say(what: str, figure: str) -> None:
    print(f"{what:<40}{figure:>12}", flush=True)


if __name__ == "__main__":
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, Linux {os.uname().release}")
    with TemporaryDirectory(prefix="odp-bench-") as temporary:
        asyncio.run(measure(Path(temporary)))
