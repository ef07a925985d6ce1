"""What a probe costs, beside Debian's blackbox_exporter and HAProxy's checks: `python -m benchmarks.probe_cost`.

The same targets, each once a second, in one run: every prober has them for
itself for some time, one after the other, and so several times over. Seconds
of processor time are those of the kernel's own account of the prober's
processes. Takes about three minutes; `TARGETS` and `WATCHED_SECONDS` change that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from odp_exporter.simulator import tied
from odp_exporter.simulator.exporter import exporter
from odp_exporter.simulator.fleet.ports import free_port
from odp_exporter.simulator.fleet.processes import end_all_below
from odp_exporter.simulator.odp.packets import greeting

from benchmarks import page
from benchmarks.limits import Account

TARGETS = int(os.environ.get("TARGETS", "300"))
WATCHED_SECONDS = float(os.environ.get("WATCHED_SECONDS", "12"))
TURNS = int(os.environ.get("TURNS", "3"))
WARM_UP_SECONDS = 5
PUBLISHED = 300
_PER_NETWORK = 250


class Greeters:
    """Every target: one socket that greets whoever comes to any address of loopback, and notes when."""

    def __init__(self) -> None:
        self.port = 0
        self.came: defaultdict[str, list[float]] = defaultdict(list)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        hello = greeting(1)
        came = self.came

        class Greeter(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                came[transport.get_extra_info("sockname")[0]].append(time.monotonic())
                if isinstance(transport, asyncio.WriteTransport):
                    transport.write(hello)

        server = await asyncio.get_running_loop().create_server(Greeter, "0.0.0.0", 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield


def addresses(targets: int, port: int) -> list[str]:
    return [f"127.1.{n // _PER_NETWORK}.{n % _PER_NETWORK + 1}:{port}" for n in range(targets)]


@dataclass(frozen=True)
class Measured:
    """One prober in one turn."""

    probes: int
    seconds: float
    cpu_seconds: float
    resident_bytes: int
    lateness: Sequence[float]
    """By how much each probe came later, or earlier, than an interval after the one before; in seconds."""

    @property
    def cpu_per_probe(self) -> float:
        return self.cpu_seconds / self.probes


async def watched(greeters: Greeters, pids: Sequence[int]) -> Measured:
    await asyncio.sleep(WARM_UP_SECONDS)
    greeters.came.clear()
    before, began = [Account.of(pid) for pid in pids], time.monotonic()
    await asyncio.sleep(WATCHED_SECONDS)
    after, seconds = [Account.of(pid) for pid in pids], time.monotonic() - began
    came = list(greeters.came.values())
    gaps = [abs(later - earlier - 1) for times in came for earlier, later in pairwise(times)]
    cpu = sum(each.cpu_seconds for each in after) - sum(each.cpu_seconds for each in before)
    return Measured(sum(map(len, came)), seconds, cpu, sum(each.resident_bytes for each in after), gaps)


@asynccontextmanager
async def ours(directory: Path, targets: Sequence[str]) -> AsyncIterator[list[int]]:
    """Looks at this host's processes are put off: in a fleet these targets would be on others."""
    config = "odps:\n" + "".join(f"  - address: {address}\n" for address in targets)
    config += (
        "probe: {interval: 1s, timeout: 900ms}\nprocess: {interval: 1h, queue_interval: 1h}\ncache: {interval: 1h}\n"
    )
    async with exporter(directory, config + f"state_directory: {directory / 'state'}\n", "--log.level", "ERROR") as it:
        yield [it.process.pid]


@asynccontextmanager
async def blackbox(directory: Path, targets: Sequence[str]) -> AsyncIterator[list[int]]:
    """Its tcp module, which connects and reads nothing, asked as Prometheus would."""
    file, port = directory / "blackbox.yml", free_port("127.0.0.1")
    file.write_text("modules: {tcp: {prober: tcp, timeout: 900ms}}\n")
    program = shutil.which("prometheus-blackbox-exporter") or "blackbox_exporter"
    command = [program, f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    async with started(command, directory) as pid, aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        await listening(port)
        url = f"http://127.0.0.1:{port}/probe"
        tasks = [
            group.create_task(scraping(session, url, address, index / len(targets)))
            for index, address in enumerate(targets)
        ]
        yield [pid]
        for task in tasks:
            task.cancel()


async def scraping(session: aiohttp.ClientSession, url: str, address: str, place: float) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time() + place
    while True:
        await asyncio.sleep(due - loop.time())
        due += 1
        async with session.get(url, params={"module": "tcp", "target": address}) as reply:
            await reply.read()


@asynccontextmanager
async def haproxy(directory: Path, targets: Sequence[str]) -> AsyncIterator[list[int]]:
    """Its check that expects a greeting, which gives a state and no times; without any traffic."""
    servers = "".join(f"    server s{n} {address} check inter 1s\n" for n, address in enumerate(targets))
    (directory / "haproxy.cfg").write_text(
        "defaults\n    mode tcp\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\n"
        f"frontend f\n    bind 127.0.0.1:{free_port('127.0.0.1')}\n    default_backend b\n"
        "backend b\n    option tcp-check\n    tcp-check connect linger\n    tcp-check expect rbinary ^[0-9A-F]{8}0A\n"
        f"{servers}"
    )
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") or "haproxy"
    async with started([program, "-db", "-f", str(directory / "haproxy.cfg")], directory) as pid:
        yield [pid]


@asynccontextmanager
async def started(command: Sequence[str], directory: Path) -> AsyncIterator[int]:
    with (directory / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-IS", tied.__file__, str(os.getpid()), *command), cwd=directory, stdout=log, stderr=log
        )
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        await end_all_below(directory)


async def listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


Prober = Callable[[Path, Sequence[str]], AbstractAsyncContextManager[list[int]]]
PROBERS: dict[str, Prober] = {
    "this exporter: connect, whole greeting, 40 series": ours,
    "blackbox_exporter, tcp module: connect": blackbox,
    "HAProxy, tcp-check: connect, first bytes": haproxy,
}
PROBERS = {
    name: each for name, each in PROBERS.items() if not os.environ.get("ONLY") or each.__name__ == os.environ["ONLY"]
}


async def measured(directory: Path) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {name: [] for name in PROBERS}
    greeters = Greeters()
    async with greeters.serving():
        for turn in range(TURNS):
            for name, prober in PROBERS.items():
                place = directory / f"{prober.__name__}-{turn}"
                place.mkdir()
                async with prober(place, addresses(TARGETS, greeters.port)) as pids:
                    one = await watched(greeters, pids)
                found[name].append(one)
                say(f"{name}: {one.cpu_per_probe * 1e3:.3f} ms, {one.probes / one.seconds:.0f}/s, {mebibytes(one)}")
    return found


def text(found: dict[str, list[Measured]]) -> str:
    reference = statistics.median(each.cpu_per_probe for each in found["blackbox_exporter, tcp module: connect"])
    rows = []
    for name, turns in found.items():
        cpu = statistics.median(each.cpu_per_probe for each in turns)
        late = sorted(gap for each in turns for gap in each.lateness)
        rate = sum(each.probes for each in turns) / sum(each.seconds for each in turns)
        rows.append(
            [
                name,
                f"{cpu * 1e3:.3f} ms",
                f"{cpu / reference:.2f}",
                f"{rate:.0f}",
                f"{late[len(late) // 2] * 1e3:.1f} ms",
                f"{late[int(len(late) * 0.99)] * 1e3:.1f} ms",
                mebibytes(max(turns, key=lambda each: each.resident_bytes)),
            ]
        )
    head = (
        "prober",
        "processor a probe",
        "of blackbox_exporter's",
        "probes a second",
        "off its time, median",
        "99th percentile",
        "memory",
    )
    versions = {
        "blackbox_exporter": page.version("prometheus-blackbox-exporter"),
        "HAProxy": page.version("haproxy", "-v"),
    }
    return f"""\
{TARGETS} targets on loopback, each probed once a second, {TURNS} times {WATCHED_SECONDS:g} s for each in turn. The
processor time is all of the prober's process, kernel included, the median of the turns; what a scrape by Prometheus
costs us comes on top (below), and is in blackbox_exporter's figure, where each probe is a scrape.

{page.table(head, rows)}

{page.machine(versions)}
"""


def mebibytes(one: Measured) -> str:
    return f"{one.resident_bytes / 2**20:.0f} MiB"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    with TemporaryDirectory(prefix="odp-probes-") as directory:
        found = asyncio.run(measured(Path(directory)))
    if len(found) < 3:  # noqa: PLR2004 - one was left out, for trying
        return
    said = text(found)
    print(said)
    if TARGETS >= PUBLISHED:
        page.write("probe cost", said)


if __name__ == "__main__":
    main()
