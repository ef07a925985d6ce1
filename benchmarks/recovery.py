"""From the death of an ODP to its greeting: ours beside others, in one run: `python -m benchmarks.recovery`.

Every contender watches ODPs of its own behind a real HAProxy of its own, while
a client connects through it every 20 ms. Ours is the whole way, with every
guard on: exporter, real Alertmanager with the sample's repair route,
remediator, load balancer. The same ODP is started by hand in between, so that
every figure can be given as a multiple of what ODP itself takes.

`ROUNDS=5` makes it short; 30 rounds take about twelve minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

import yaml
from odp_exporter.simulator import tied
from odp_exporter.simulator.exporter import exporter, naming
from odp_exporter.simulator.fleet import Fleet, Odp
from odp_exporter.simulator.fleet.ports import free_port
from odp_exporter.simulator.stack.alertmanager import Alertmanager, alertmanager
from odp_exporter.simulator.stack.chain import rewired
from odp_exporter.simulator.stack.haproxy import BACKEND, Haproxy, Server, haproxy
from odp_exporter.simulator.stack.prometheus import Job, prometheus, watching

from benchmarks import page

ROUNDS = int(os.environ.get("ROUNDS", "30"))
RULES = Path(__file__).parents[1] / "rules"
TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - guards nothing
POOL = 10
"""ODPs behind each HAProxy; they are struck in turn. With fewer, the same one would fail again within the half minute
for which Alertmanager up to 0.28 keeps its group, and wait for `group_interval`, a second: that is told in the text."""
CLIENT_SECONDS = 0.02
PATIENCE_SECONDS = 60.0
SUPERVISOR_SECONDS = 0.1
_GREETING_BYTES = 5


@dataclass(frozen=True)
class Attempt:
    """One connection of the client: when it began and ended, of the monotonic clock, and whether it was greeted."""

    began: float
    ended: float
    is_greeted: bool


@dataclass
class Client:
    """Connects through HAProxy again and again, and waits for none of its connections before it makes the next."""

    port: int
    attempts: list[Attempt] = field(default_factory=list)
    under_way: set[float] = field(default_factory=set)
    """When those began that have not ended."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._once())
                await asyncio.sleep(CLIENT_SECONDS)

    def errors(self, since: float, until: float) -> int:
        return sum(since <= it.began <= until and not it.is_greeted for it in self.attempts)

    def hangs(self, since: float, until: float, seconds: float = 1.0) -> int:
        return sum(since <= it.began <= until and it.ended - it.began > seconds for it in self.attempts)

    async def _once(self) -> None:
        began, is_greeted = time.monotonic(), False
        self.under_way.add(began)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(3):
                is_greeted = await greeted(self.port)
        self.under_way.discard(began)
        self.attempts.append(Attempt(began, time.monotonic(), is_greeted))


async def greeted(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        header = await reader.readexactly(_GREETING_BYTES)
        await reader.readexactly(int.from_bytes(header[:3], "little") - 1)
    except asyncio.IncompleteReadError:
        return False
    finally:
        writer.transport.abort()
    return header[4] == 10  # noqa: PLR2004 - a greeting of protocol 10


@dataclass(frozen=True)
class Sample:
    """Seconds from the stroke to the first whole greeting of the successor, and what clients met until the end."""

    greeting: float
    whole: float
    """Until it takes sessions again."""
    errors: int
    hangs: int = 0


@dataclass(frozen=True)
class Scene:
    """A contender with its ODPs."""

    odps: Sequence[Odp]
    haproxy: Haproxy
    client: Client
    settled: Callable[[Odp], Awaitable[bool]]
    """Nothing is under way any more that the last stroke began."""


async def until(what: Callable[[], Awaitable[bool]], *, pause: float = 0.05) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await what():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(pause)


async def serves_anew(odp: Odp, before: int) -> float:
    """The moment of the first whole greeting of another process than *before*."""
    while odp.pid == before:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.001)
    while True:
        with contextlib.suppress(OSError):
            if await greeted(odp.address[1]):
                return time.monotonic()


async def stroke(scene: Scene, odp: Odp, number: signal.Signals) -> Sample:
    """Strike *odp*, and come back when all is as it was."""
    before, began = odp.pid, time.monotonic()
    os.kill(before, number)
    async with asyncio.timeout(PATIENCE_SECONDS):
        greeting = await serves_anew(odp, before)
    await until(lambda: is_up(scene.haproxy, odp), pause=0.02)
    whole = time.monotonic()
    await until(lambda: scene.settled(odp))
    await until(lambda: none_since(scene.client, whole))
    await asyncio.sleep(0.5)
    errors, hangs = scene.client.errors(began, whole), scene.client.hangs(began + DETECTION_SECONDS, whole)
    return Sample(greeting - began, whole - began, errors, hangs)


async def none_since(client: Client, moment: float) -> bool:
    """Every connection that the client began before *moment* has ended."""
    return not any(began <= moment for began in client.under_way)


DETECTION_SECONDS = 1.0


async def is_up(balancer: Haproxy, odp: Odp) -> bool:
    lines = (await balancer.ask(f"show stat {BACKEND} 4 -1")).splitlines()
    names = lines[0].removeprefix("# ").split(",")
    rows = (dict(zip(names, line.split(","), strict=False)) for line in lines[1:] if line)
    return any(row["svname"] == odp.name and row["status"].startswith("UP") and row["weight"] == "1" for row in rows)


@asynccontextmanager
async def behind_haproxy(directory: Path, odps: Sequence[Odp]) -> AsyncIterator[tuple[Haproxy, Client]]:
    (directory / "haproxy").mkdir()
    servers = [Server(odp.name, odp.address[1]) for odp in odps]
    async with haproxy(shutil.which("haproxy") or "haproxy", directory / "haproxy", servers) as balancer:
        client = Client(balancer.ports.sql)
        async with asyncio.TaskGroup() as group:
            connecting = group.create_task(client.run(), name="client")
            try:
                yield balancer, client
            finally:
                connecting.cancel()


@asynccontextmanager
async def ours(directory: Path, *, pushes: bool = True) -> AsyncIterator[Scene]:
    """Exporter, Alertmanager, remediator; or, if nothing *pushes*, Prometheus between the first two."""
    await asyncio.to_thread(directory.mkdir)
    (directory / "token").write_text(TOKEN, encoding="ascii")
    port = free_port("127.0.0.1")
    routes = rewired((RULES / "alertmanager.yml").read_text(), f"http://127.0.0.1:{port}/v1", directory / "token")
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(directory / "fleet"))
        ocp = await fleet.start_ocp({"ob1": [str(await fleet.start_observer())]})
        odps = [await fleet.start_odp(f"odp-{number}", ocp=ocp) for number in range(POOL)]
        balancer, client = await stack.enter_async_context(behind_haproxy(directory, odps))
        routing = await stack.enter_async_context(alertmanager(directory, repairing(routes, port)))
        watched = f"ocp: [{{name: ocp, url: '{ocp.url}'}}]\nstate_directory: {directory / 'exporter'}\n"
        watched += "pools: {trade: {lb: edge}}\n"
        if pushes:
            # Alone, the push must also end the alert; beside Prometheus a minute is right.
            watched += f"alertmanagers: ['{routing.url}']\n"
            watched += "notify: {resend_interval: 1s, end_after: 1s, expire_after: 2s}\n"
        it = await stack.enter_async_context(exporter(directory, named(odps) + watched))
        if not pushes:
            rules, job = [without_crash_loops(directory)], Job("odp-exporter", [it.url])
            config = watching(job, rules=rules, alertmanagers=[routing.url])
            await stack.enter_async_context(prometheus(directory, config))
        (directory / "remediator.yml").write_text(remediating(odps, balancer, routing, it.url, directory, port))
        asked = await stack.enter_async_context(remediator(directory, port))
        await asyncio.sleep(3)

        async def settled(odp: Odp) -> bool:
            stages = {each["odp"]: each["stage"] for each in (await asked("/v1/status"))["odps"]}
            return stages[odp.name] in {"idle", "waiting"} and not await routing.alerts()

        yield Scene(odps, balancer, client, settled)


def without_crash_loops(directory: Path) -> Path:
    """The repair rules of the fast profile; the one that takes a crash looping ODP out would end such a series."""
    document = yaml.safe_load((RULES / "fast/repair.yml").read_text())
    for group in document["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule.get("alert") != "OdpCrashLooping"]
    file = directory / "repair.yml"
    file.write_text(yaml.safe_dump(document))
    return file


def repairing(routes: str, port: int) -> str:
    """The sample, with the repair route's receiver at the remediator's own path."""
    document = json.loads(routes)
    for each in document["receivers"]:
        if each["name"] == "remediator":
            each["webhook_configs"][0]["url"] = f"http://127.0.0.1:{port}/v1/alertmanager"
    return json.dumps(document)


def named(odps: Sequence[Odp]) -> str:
    return naming(*odps).replace("'}", "', pool: trade}")


def remediating(  # noqa: PLR0913, PLR0917 - everything that there is to name
    odps: Sequence[Odp], balancer: Haproxy, routing: Alertmanager, url: str, directory: Path, port: int
) -> str:
    """Every guard is on; budgets and pauses alone are such that one ODP may be struck again and again."""
    names = "".join(
        f"  - {{name: {odp.name}, address: '127.0.0.1:{odp.address[1]}', home: {odp.home}, pool: trade}}\n"
        for odp in odps
    )
    sockets = f"sockets: [{balancer.admin_socket}], master_sockets: [{balancer.master_socket}]"
    return (
        f"odps:\n{names}pools: {{trade: {{lb: edge}}}}\nalertmanagers: ['{routing.url}']\n"
        f"remediation:\n  listen_address: 127.0.0.1:{port}\n  token_file: token\n  journal: journal.db\n"
        f"  receivers: [remediator]\n"
        f"  lbs: {{edge: {{type: haproxy, {sockets}, backend: {BACKEND}}}}}\n"
        f"  actuators: {{default: {{type: local, state_directory: {directory / 'actuator'}}}}}\n"
        f"  exporters: {{default: '{url}'}}\n"
        "  policy: {target_budget: 10000, fleet_budget: 10000, cool_down: 1s}\n"
    )


@asynccontextmanager
async def remediator(directory: Path, port: int) -> AsyncIterator[Callable[[str], Awaitable[dict[str, Any]]]]:
    """Give what asks it for a page."""
    with (directory / "remediator.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-IS", tied.__file__, str(os.getpid())),
            *(sys.executable, "-m", "odp_exporter.remediator_cli", "run"),
            *("--config.file", str(directory / "remediator.yml")),
            stderr=log,
            start_new_session=True,
        )

    def asked(path: str) -> dict[str, Any]:
        request = Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        with urlopen(request, timeout=10) as reply:
            return dict(json.loads(reply.read()))

    async def ready() -> bool:
        with contextlib.suppress(OSError):
            await asyncio.to_thread(asked, "/v1/status")
            return True
        return False

    try:
        await until(ready)
        yield lambda path: asyncio.to_thread(asked, path)
    finally:
        process.terminate()
        await process.wait()


Watch = Callable[[Fleet, Odp], Awaitable[None]]


@asynccontextmanager
async def theirs(directory: Path, watch: Watch, *, foreground: bool, ready_after: float) -> AsyncIterator[Scene]:
    """ODPs that something else watches, which is begun for each by *watch*."""
    await asyncio.to_thread(directory.mkdir)
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(directory / "fleet"))
        ocp = await fleet.start_ocp({"ob1": [str(await fleet.start_observer())]})
        odps = [await fleet.start_odp(f"odp-{number}", ocp=ocp, foreground=foreground) for number in range(POOL)]
        balancer, client = await stack.enter_async_context(behind_haproxy(directory, odps))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_forever(watch(fleet, odp))) for odp in odps]
            await asyncio.sleep(ready_after)
            yield Scene(odps, balancer, client, _at_once)
            for task in tasks:
                task.cancel()


async def _forever(watching: Awaitable[None]) -> None:
    await watching


async def _at_once(_odp: Odp) -> bool:
    return True


async def obproxyd(fleet: Fleet, odp: Odp) -> None:
    """The shipped watchdog; its first start, after which it sleeps for 8 s, is soon behind it."""
    await fleet.watchdog(odp)
    odp.kill()


async def restart_always(_fleet: Fleet, odp: Odp) -> None:
    """A supervisor whose child it is: it starts it anew 100 ms after its end, as RestartSec does."""
    while True:
        await odp.exit_status(within_seconds=3600)
        await asyncio.sleep(SUPERVISOR_SECONDS)
        await odp.start(waits=False)


async def bare(odp: Odp) -> float:
    """Seconds that ODP itself takes, started by hand."""
    before = odp.pid
    odp.kill()
    await odp.wait_gone()
    began = time.monotonic()
    start = asyncio.create_task(odp.start(waits=False))
    seconds = await serves_anew(odp, before) - began
    await start
    return seconds


async def struck(name: str, scene: Scene, number: signal.Signals, between: Odp | None = None) -> Row:
    """Each ODP in its turn, ROUNDS times in all; in between, *between* is started by hand."""
    samples, bares = [], []
    for index in range(ROUNDS):
        samples.append(await stroke(scene, scene.odps[index % POOL], number))
        say(f"{name}: {samples[-1]}")
        if between:
            bares.append(await bare(between))
    return Row(name, samples, bares)


@dataclass(frozen=True)
class Row:
    """What was measured of one contender."""

    name: str
    samples: Sequence[Sample]
    bares: Sequence[float]


async def measured(directory: Path) -> list[Row]:
    rows = []
    async with Fleet(directory / "bare") as fleet, ours(directory / "ours") as scene:
        ocp = await fleet.start_ocp({"ob1": [str(await fleet.start_observer())]})
        between = await fleet.start_odp("bare", ocp=ocp)
        rows.append(await struck("this kit, kill -9", scene, signal.SIGKILL, between))
        if "hang" in CONTENDERS:
            rows.append(await struck("this kit, SIGSTOP", scene, signal.SIGSTOP, between))
    if "others" in CONTENDERS:
        async with theirs(directory / "supervisor", restart_always, foreground=True, ready_after=3) as scene:
            rows.append(await struck("Restart=always after 100 ms, kill -9", scene, signal.SIGKILL))
        async with theirs(directory / "obproxyd", obproxyd, foreground=False, ready_after=14) as scene:
            rows.append(await struck("obproxyd.sh, kill -9", scene, signal.SIGKILL))
        async with ours(directory / "prometheus", pushes=False) as scene:
            rows.append(await struck("this kit without the push, by Prometheus, kill -9", scene, signal.SIGKILL))
    return rows


def text(rows: Sequence[Row]) -> str:
    bares = [seconds for row in rows for seconds in row.bares]
    ratio = statistics.median(bares)
    lines = [["ODP alone, started by hand", *figures(bares, ratio), "", ""]]
    for row in rows:
        seconds = [sample.greeting for sample in row.samples]
        errors = [sample.errors for sample in row.samples]
        whole = statistics.median(sample.whole for sample in row.samples)
        lines.append(
            [row.name, *figures(seconds, ratio), f"{whole:.2f} s", f"{statistics.mean(errors):.1f}, {max(errors)}"]
        )
    hung = [sample.hangs for row in rows for sample in row.samples if "SIGSTOP" in row.name]
    head = (
        "",
        "n",
        "median",
        "p95",
        "worst",
        "median, of ODP's own",
        "p95, of ODP's own",
        "in the load balancer again",
        "client errors: mean, worst",
    )
    versions = {
        "HAProxy": page.version("haproxy", "-v"),
        "Alertmanager": page.version("prometheus-alertmanager"),
        "Prometheus": page.version("prometheus"),
    }
    return f"""\
From the stroke to the first whole greeting of the successor, {ROUNDS} times each, through a real HAProxy in front of
{POOL} simulated ODPs, to which a client connects every 20 ms. With the exporter's and the remediator's defaults
(`probe.interval` 5 s) but for what would stop such a series or make it last: no budgets, a `cool_down` of 1 s, and
pushed alerts that are said again each second and expire after 2 s. HAProxy checks every 300 ms (`deploy/haproxy.cfg`:
2 s), which counts in the last two columns; the actuator is `local`, and ssh adds its login. OdpCrashLooping, which ten
deaths in a row are, is left out of Prometheus' rules.

{page.table(head, lines)}

obproxyd.sh never cures a hang; nor does a supervisor. Neither takes an ODP out of the load balancer, proves that it
serves, or stops at a crash loop. An ODP that fails again within half a minute of its repair waits up to a second more:
Alertmanager up to 0.28 keeps its group for so long, and tells it at the end of `group_interval`. Of the client's
connections that began later than {DETECTION_SECONDS:g} s after a SIGSTOP, {sum(hung)} hung longer than 1 s.

{page.machine(versions)}
"""


def figures(seconds: Sequence[float], ratio: float) -> list[str]:
    median, high = statistics.median(seconds), page.p95(seconds)
    times = [f"{each:.3f} s" for each in (median, high, max(seconds))]
    return [str(len(seconds)), *times, f"{median / ratio:.2f}", f"{high / ratio:.2f}"]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


CONTENDERS = os.environ.get("CONTENDERS", "hang,others").split(",")
"""What is measured besides the kill."""


def main() -> None:
    with TemporaryDirectory(prefix="odp-recovery-") as directory:
        rows = asyncio.run(measured(Path(directory)))
    said = text(rows)
    print(said)
    if ROUNDS >= PUBLISHED:
        page.write("recovery", said)


PUBLISHED = 30
"""Fewer rounds are for trying, and are not written down."""

if __name__ == "__main__":
    main()
