"""What the exporter costs beside one ODP that is probed each second: `make bench`.

Writes the figures down if it watched for a minute. Seconds of processor time
are those of the kernel's own account of the exporter's process; the ODP and
the OCP are simulated. Every other ODP of the host is looked at as well: where
there are some, give it a process table of its own, as `unshare --pid --fork
--mount-proc` does.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from odp_exporter.simulator.exporter import Exporter, exporter, naming
from odp_exporter.simulator.fleet import Fleet

from benchmarks import page

WATCHED_SECONDS = float(os.environ.get("WATCHED_SECONDS", "60"))
PUBLISHED = 60
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


async def measure(directory: Path) -> list[list[str]]:
    """Rows of figure, measured, limit."""
    async with Fleet(directory / "fleet") as fleet:
        ocp = await fleet.start_ocp({"trade": ["127.0.0.1:2881"]})
        odp = await fleet.start_odp("odp-1", ocp=ocp)
        more = (
            f"probe: {{interval: 1s}}\nstate_directory: {directory / 'state'}\nocp: [{{name: ocp, url: '{ocp.url}'}}]\n"
        )
        began = time.monotonic()
        async with exporter(directory, naming(odp, more=more)) as running:
            ready = time.monotonic() - began
            pid = running.process.pid
            busy = Account.of(pid).cpu_seconds
            cpu = await idle(pid)
            memory = Account.of(pid).resident_bytes
            scrapes = [await asyncio.to_thread(scrape, running) for _ in range(SCRAPES)]
            after = Account.of(pid).resident_bytes
    return [
        ["start to the first complete `/metrics`", f"{ready:.2f} s", "1.5 s"],
        ["processor time of that start", f"{busy:.2f} s", ""],
        [f"processor, of one core, over {WATCHED_SECONDS:.0f} s", f"{cpu:.2%}", "1 %"],
        ["resident memory", f"{memory / 2**20:.1f} MiB", "60 MiB"],
        [f"resident memory after {SCRAPES} scrapes", f"{after / 2**20:.1f} MiB", "60 MiB"],
        [f"one scrape, median of {SCRAPES}", f"{statistics.median(scrapes) * 1000:.1f} ms", "10 ms"],
        [f"one scrape, worst of {SCRAPES}", f"{max(scrapes) * 1000:.1f} ms", "10 ms"],
    ]


async def idle(pid: int) -> float:
    """Share of one core."""
    before, began = Account.of(pid), time.monotonic()
    await asyncio.sleep(WATCHED_SECONDS)
    after, seconds = Account.of(pid), time.monotonic() - began
    return (after.cpu_seconds - before.cpu_seconds) / seconds


def scrape(running: Exporter) -> float:
    began = time.perf_counter()
    with urlopen(running.url + "/metrics", timeout=10) as reply:
        reply.read()
    return time.perf_counter() - began


def main() -> None:
    with TemporaryDirectory(prefix="odp-bench-") as temporary:
        rows = asyncio.run(measure(Path(temporary)))
    said = f"{page.table(('figure', 'measured', 'limit'), rows)}\n\n{page.machine()}\n"
    print(said)
    if WATCHED_SECONDS >= PUBLISHED:
        page.write("limits", said)


if __name__ == "__main__":
    main()
