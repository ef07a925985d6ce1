"""What the tests of load balancers share: pools that greet, behind each kind of load balancer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.lb.driver import Admin, Health, LoadBalancer, Member
from odp_exporter.lb.exec import Exec, ExecSettings
from odp_exporter.lb.haproxy import Haproxy, HaproxySettings
from odp_exporter.lb.memory import Memory
from odp_exporter.simulator.stack import haproxy as stack
from odp_exporter.simulator.stack.balancer import balancer
from odp_exporter.simulator.stack.haproxy import Server, haproxy
from odp_exporter.targets import Address, Target

GREETING = bytes.fromhex(
    "4a0000000a352e362e32350002000000616161616161616100dff72e00009f0015"
    "00000000000000000000626262626262626262626262006d7973716c5f6e61746976655f70617373776f726400"
)
PATIENCE_SECONDS = 15.0
WEIGHTS = {"odp-1": 10, "odp-2": 20, "odp-3": 30}
TARGETS = [Target(name, Address("127.0.0.1", 2883)) for name in WEIGHTS]

SCRIPT = """\
import json, pathlib, sys
verb, path, *rest = sys.argv[1:]
state = json.loads(pathlib.Path(path).read_text())
if verb == "members":
    print(json.dumps({"members": [{"name": name, **member} for name, member in state.items()],
                      "started": "2026-11-22T12:00:00Z", "more": "of it"}))
else:
    odp, *more = rest
    change = {
        "drain": lambda: {"admin": "drain"},
        "enable": lambda: {"admin": "ready", "weight": int(more[0])},
        "kill": lambda: {"sessions": 0},
    }[verb]()
    state[odp].update(change)
    pathlib.Path(path).write_text(json.dumps(state))
"""


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Come back once it *holds*; a test that waits in vain has failed."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.02)


def abort(writers: Iterable[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def greeting_servers(names: Iterable[str] = WEIGHTS) -> AsyncIterator[dict[str, int]]:
    """Servers that greet and then wait, by name: their ports."""
    open_now: set[asyncio.StreamWriter] = set()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(writer)
        with contextlib.suppress(OSError):
            writer.write(GREETING)
            await reader.read()
        writer.transport.abort()
        open_now.discard(writer)

    async with contextlib.AsyncExitStack() as exits:
        servers = {name: await asyncio.start_server(greet, "127.0.0.1", 0) for name in names}
        for server in servers.values():
            exits.push_async_callback(server.wait_closed)
            exits.callback(server.close)
        exits.callback(abort, open_now)
        yield {name: server.sockets[0].getsockname()[1] for name, server in servers.items()}


@dataclass(slots=True)
class Clients:
    """Connections of applications to one address."""

    port: int
    open: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def connect(self, count: int) -> None:
        """So many more, each greeted."""
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.open.append((reader, writer))
            await asyncio.wait_for(reader.readexactly(len(GREETING)), PATIENCE_SECONDS)

    def close(self) -> None:
        abort(writer for _, writer in self.open)


@dataclass(frozen=True, slots=True)
class Rig:
    """A driver and the load balancer behind it."""

    driver: LoadBalancer
    by_hand: Callable[[str, Admin], Awaitable[None]]
    """What a person does, past the driver."""
    connect: Callable[[int], Awaitable[None]]
    """Sessions of applications, spread over the members."""


Stack = contextlib.AsyncExitStack


def servers_of(ports: dict[str, int]) -> Sequence[Server]:
    return [Server(name, port, WEIGHTS[name]) for name, port in ports.items()]


def patient(text: str) -> str:
    """A configuration that does not call servers of this process down because it had no turn for a while."""
    return text.replace("timeout check 1s", "timeout check 20s")


def driver_of(*running: stack.Haproxy) -> Haproxy:
    masters = tuple(one.master_socket for one in running)
    sockets = tuple(one.admin_socket for one in running)
    settings = HaproxySettings(
        sockets=sockets, master_sockets=masters, backend=stack.BACKEND, timeout=timedelta(seconds=10)
    )
    return Haproxy(settings, TARGETS)


async def _on_haproxy(exits: Stack, directory: Path, program: str, instances: int) -> Rig:
    ports = await exits.enter_async_context(greeting_servers())
    running = []
    for number in range(instances):
        own = directory / str(number)
        own.mkdir()
        where = stack.Ports()
        text = patient(stack.config(own, servers_of(ports), where))
        running.append(await exits.enter_async_context(haproxy(program, own, [], ports=where, text=text)))
    every = [Clients(one.ports.sql) for one in running]

    async def by_hand(odp: str, admin: Admin) -> None:
        for one in running:
            assert (await one.ask(f"set server odp/{odp} state {admin}")).strip() == ""

    async def connect(count: int) -> None:
        for clients in every:
            exits.callback(clients.close)
            await clients.connect(count // instances)

    return Rig(driver_of(*running), by_hand, connect)


async def _on_look_alike(exits: Stack, directory: Path) -> Rig:
    ports = await exits.enter_async_context(greeting_servers())
    running = await exits.enter_async_context(balancer(directory, servers_of(ports)))
    clients = Clients(running.port)
    exits.callback(clients.close)

    async def by_hand(odp: str, admin: Admin) -> None:
        assert running.answer(f"set server odp/{odp} state {admin}").strip() == ""

    settings = HaproxySettings(
        sockets=(running.admin_socket,), master_sockets=(running.master_socket,), backend=stack.BACKEND
    )
    return Rig(Haproxy(settings, TARGETS), by_hand, clients.connect)


def on_exec(directory: Path) -> Rig:
    """The driver of programs, with a small one that keeps its members in a file."""
    program, file = directory / "lb.py", directory / "state.json"
    program.write_text(SCRIPT)
    state = {
        name: {"admin": "ready", "health": "up", "weight": weight, "sessions": 0} for name, weight in WEIGHTS.items()
    }
    file.write_text(json.dumps(state))
    command = (sys.executable, "-IS", str(program))
    settings = ExecSettings(
        members=(*command, "members", str(file)),
        drain=(*command, "drain", str(file), "{odp}"),
        enable=(*command, "enable", str(file), "{odp}", "{weight}"),
        kill_sessions=(*command, "kill", str(file), "{odp}"),
        counts_sessions=True,
    )

    async def change(odp: str, **values: object) -> None:
        now = json.loads(file.read_text())
        now[odp].update(values)
        file.write_text(json.dumps(now))

    async def connect(count: int) -> None:
        for name in WEIGHTS:
            await change(name, sessions=count // len(WEIGHTS))

    return Rig(Exec(settings, TARGETS), lambda odp, admin: change(odp, admin=str(admin)), connect)


def on_memory() -> Rig:
    """The fake."""
    memory = Memory(Member(name, Admin.READY, Health.UP, weight, sessions=0) for name, weight in WEIGHTS.items())

    async def by_hand(odp: str, admin: Admin) -> None:
        member = (await memory.members())[odp]
        memory.put(Member(odp, admin, member.health, member.weight, member.sessions))

    async def connect(count: int) -> None:
        for member in (await memory.members()).values():
            memory.put(Member(member.odp, member.admin, member.health, member.weight, count // len(WEIGHTS)))

    return Rig(memory, by_hand, connect)


@pytest.fixture(params=["haproxy", "two haproxies", "look-alike", "exec", "memory"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path, debian: Callable[[str], str]) -> AsyncIterator[Rig]:
    """Each driver in turn, before a pool that is up."""
    async with contextlib.AsyncExitStack() as exits:
        match request.param:
            case "haproxy" | "two haproxies" as kind:
                made = await _on_haproxy(exits, tmp_path, debian("haproxy"), 1 if kind == "haproxy" else 2)
            case "look-alike":
                made = await _on_look_alike(exits, tmp_path)
            case "exec":
                made = on_exec(tmp_path)
            case _:
                made = on_memory()
        await eventually(lambda: all_up(made.driver))
        yield made


@pytest.fixture
async def pool() -> AsyncIterator[Sequence[Server]]:
    """Servers that greet, as HAProxy's configuration names them."""
    async with greeting_servers() as ports:
        yield servers_of(ports)


async def all_up(driver: LoadBalancer) -> bool:
    return all(member.health is Health.UP for member in (await driver.members()).values())
