"""The whole remediator in the test's own process, over a load balancer in memory and ODPs that are real sockets."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from inspect import isawaitable
from pathlib import Path

import aiohttp
from aiohttp import web
from odp_exporter.actuators.actuator import HostView, Order, Restarted, StartFailed
from odp_exporter.clock import wall_clock
from odp_exporter.config import Config
from odp_exporter.lb.agent import AgentSettings
from odp_exporter.lb.memory import Memory
from odp_exporter.observations import Identity
from odp_exporter.remediation.journal import Journal
from odp_exporter.remediation.model import Fleet
from odp_exporter.remediation.policy import Inventory, Policy
from odp_exporter.remediation.settings import Remediation
from odp_exporter.remediation.world import World
from odp_exporter.remediator import Options, Parts, parts
from odp_exporter.remediator_loading import Loaded
from odp_exporter.simulator.fleet.ports import free_port
from odp_exporter.simulator.odp.packets import greeting
from odp_exporter.targets import Address, Pool, Target

TOKEN = "0123456789abcdef0123456789abcdef"
QUICK = Policy(
    look_again=timedelta(seconds=1),
    cool_down=timedelta(seconds=1),
    session_wait=timedelta(milliseconds=100),
    verify_over=timedelta(milliseconds=200),
    verify_deadline=timedelta(seconds=20),
    enable_deadline=timedelta(seconds=20),
    hold=timedelta(seconds=2),
    survey_grace=timedelta(milliseconds=100),
)


class Life(Enum):
    """How an ODP is."""

    SERVING = auto()
    SILENT = auto()
    DEAD = auto()


class Odp:
    """An ODP: a listening socket that greets, or not, and the process behind it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.life = Life.SERVING
        self.is_frozen = False
        self.pid = 100
        self.port = free_port("127.0.0.1")
        """One that no connection of anybody takes while it is dead."""
        self.visits = 0
        """How many connections it has accepted."""
        self._server: asyncio.Server | None = None

    async def become(self, life: Life) -> None:
        """From now on it is like that."""
        self.life = life
        if life is Life.DEAD and self._server:
            self._server.close()
            self._server = None
        if life is not Life.DEAD and not self._server:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    @property
    def identity(self) -> Identity:
        """Its present process."""
        return Identity("boot", self.pid, self.pid, "obproxy")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        with suppress(OSError):
            if self.life is Life.SERVING:
                writer.write(greeting(1))
                await writer.drain()
            async with asyncio.timeout(10):
                await reader.read()
        writer.transport.abort()


def _opened() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


async def _begin_anew(odp: Odp) -> None:
    odp.pid += 1
    odp.is_frozen = False
    await odp.become(Life.DEAD)
    await odp.become(Life.SERVING)


@dataclass
class Host:
    """An actuator over ODPs of this process; `gate` holds up restarts, `failure` lets them fail."""

    odps: dict[str, Odp]
    begun: list[str] = field(default_factory=list)
    """Of which restarts were asked for, whatever came of it."""
    restarts: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=_opened)
    failure: Exception | None = None
    blindness: Exception | None = None
    """Why its processes cannot be seen."""
    kills: list[Identity | None] = field(default_factory=list)
    is_stopped: bool = False
    """SIGSTOP has met its ODPs."""

    async def look(self, target: Target) -> HostView:
        """What runs."""
        if self.blindness:
            raise self.blindness
        odp = self.odps[target.name]
        alive = odp.life is not Life.DEAD
        if not alive:
            return HostView((), None)
        return HostView((odp.identity,), odp.identity, is_stopped=self.is_stopped)

    async def restart(self, order: Order) -> Restarted:
        """A new process that serves; one that was replaced already counts as done."""
        odp = self.odps[order.target.name]
        self.begun.append(odp.name)
        await self.gate.wait()
        if self.failure:
            raise self.failure
        was_done = odp.life is Life.SERVING and order.kill != odp.identity
        if not was_done:
            self.restarts.append(odp.name)
            self.kills.append(order.kill)
            # A remediator that is killed meanwhile does not keep the new process from starting.
            await asyncio.shield(asyncio.ensure_future(_begin_anew(odp)))
        return Restarted(odp.identity, wall_clock(), was_done=was_done)

    async def check(self) -> None:
        """Nothing is missing."""


@dataclass
class Rig:
    """What a test has in its hands."""

    url: str
    parts: Parts
    odps: dict[str, Odp]
    host: Host
    lb: Memory
    session: aiohttp.ClientSession
    agent: Address

    async def asked(self, odp: str) -> bytes:
        """What HAProxy would be told of *odp*."""
        reader, writer = await asyncio.open_connection(self.agent.host, self.agent.port)
        try:
            writer.write(f"{odp}\n".encode())
            return await reader.read()
        finally:
            writer.transport.abort()

    @property
    def fleet(self) -> Fleet:
        """What is believed."""
        return self.parts.engine.fleet

    async def post(self, path: str, body: bytes, token: str | None = TOKEN, **headers: str) -> tuple[int, str]:
        """Status and text of the reply."""
        given = {"Content-Type": "application/json", **headers}
        if token:
            given["Authorization"] = f"Bearer {token}"
        async with self.session.post(self.url + path, data=io.BytesIO(body), headers=given) as reply:
            return reply.status, (await reply.text()).strip()

    async def get(self, path: str, token: str | None = TOKEN) -> tuple[int, str]:
        """Status and text of the reply."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.session.get(self.url + path, headers=headers) as reply:
            return reply.status, (await reply.text()).strip()

    async def until(self, what: Callable[[], object], *, seconds: float = 30) -> None:
        """Wait until *what* is true, or gives something awaitable that is."""
        async with asyncio.timeout(seconds):
            while not (await found if isawaitable(found := what()) else found):  # noqa: ASYNC110 - what is awaited is of any kind
                await asyncio.sleep(0.02)

    async def metric(self, line: str) -> str:
        """The value of the sample that begins with *line*; empty if there is none."""
        _, page = await self.get("/metrics", None)
        return next((each.rpartition(" ")[2] for each in page.splitlines() if each.startswith(line)), "")


@asynccontextmanager
async def exporter(odps: dict[str, Odp], safe: dict[str, bool | None], reason: str) -> AsyncIterator[str]:
    """An exporter that says what *safe* says of a restart; gives its URL."""

    async def report(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        state = {Life.SERVING: "serving", Life.SILENT: "hung", Life.DEAD: "down"}[odps[name].life]
        pid = odps[name].identity
        process = {"boot_id": pid.boot_id, "pid": pid.pid, "start_ticks": pid.start_ticks, "executable": "elsewhere"}
        reasons = [{"reason": reason, "cluster": None, "detail": "", "sentence": "", "way_out": ""}]
        told = {
            "at": time.time(),
            "state": state,
            "restart_safe": safe.get(name, True),
            "reasons": reasons,
            "is_memory_frozen": odps[name].is_frozen,
            "processes": [process],
        }
        return web.json_response(told)

    app = web.Application()
    app.router.add_get("/api/v1/odps/{name}", report)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def odps(names: Sequence[str]) -> AsyncIterator[dict[str, Odp]]:
    """ODPs that serve."""
    running = {name: Odp(name) for name in names}
    try:
        for odp in running.values():
            await odp.become(Life.SERVING)
        yield running
    finally:
        for odp in running.values():
            await odp.become(Life.DEAD)


@asynccontextmanager
async def rig(
    directory: Path,
    running: dict[str, Odp],
    *,
    host: Host | None = None,
    lb: Memory | None = None,
    alertmanagers: tuple[str, ...] = (),
    policy: Policy = QUICK,
    is_dry: bool = False,
    wait: bool = True,
    safe: dict[str, bool | None] | None = None,
    reason: str = "ocp_down",
    ask_every: timedelta = timedelta(milliseconds=200),
    journal_at: Callable[[Path], Journal] = Journal,
) -> AsyncIterator[Rig]:
    """A remediator that acts on *running*; its journal is in *directory*."""
    targets = {
        name: Target(name=name, address=Address("127.0.0.1", odp.port), pool="trade") for name, odp in running.items()
    }
    pools = {"trade": Pool(name="trade", lb="edge")}
    hands, balancer = host or Host(running), lb or Memory.of(*running)
    world = World(targets, pools, {"trade": balancer}, dict.fromkeys(targets, hands))
    options = Options(directory / "none", (Address("127.0.0.1", 0),), is_dry=is_dry)
    bound: asyncio.Future[tuple[Address, ...]] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(exporter(running, safe or {}, reason))
        config, settings = Config(alertmanagers=alertmanagers), _settings(directory, policy, url, ask_every)
        loaded = Loaded(config, settings, world, Inventory(targets, pools))
        made = await stack.enter_async_context(parts(options, loaded, wall_clock, journal_at=journal_at))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        group = await stack.enter_async_context(asyncio.TaskGroup())
        group.create_task(made.run(stop, bound.set_result), name="remediator")
        assert settings.agent is not None
        agent = settings.agent.listen_address
        held = Rig(f"http://{(await bound)[0]}", made, running, hands, balancer, session, agent)
        if wait:
            await held.until(lambda: made.engine.is_running)
        try:
            yield held
        finally:
            stop.set()


def _settings(directory: Path, policy: Policy, exporter_url: str, ask_every: timedelta) -> Remediation:
    token = directory / "token"
    token.write_text(TOKEN, encoding="ascii")
    token.chmod(0o600)
    return Remediation(
        token_file=token,
        journal=directory / "journal.db",
        policy=policy,
        survey_interval=timedelta(milliseconds=200),
        alertmanager_interval=ask_every,
        exporters={"default": exporter_url},
        agent=AgentSettings(Address("127.0.0.1", free_port("127.0.0.1"))),
    )


__all__ = ["TOKEN", "Host", "Life", "Odp", "Rig", "StartFailed", "odps", "rig"]
