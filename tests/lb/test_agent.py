"""The agent, asked by a real HAProxy and by others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.lb.agent import Agent, AgentSettings, Intent, Wishes
from odp_exporter.lb.driver import Admin, Health, LbUnreachable
from odp_exporter.lb.haproxy import Haproxy, HaproxySettings
from odp_exporter.simulator.stack import haproxy as stack
from odp_exporter.simulator.stack.haproxy import BACKEND, Server, haproxy
from odp_exporter.targets import Address, Target

PATIENCE_SECONDS = 15.0
ANY_PORT = AgentSettings(Address("127.0.0.1", 0), timeout=timedelta(seconds=10))
BRISK = replace(ANY_PORT, timeout=timedelta(seconds=2))
"""For those who are not answered, or do not say what they want."""
TARGETS = [Target(name, Address("127.0.0.1", 2883)) for name in ("odp-1", "odp-2", "odp-3")]
SEVERAL_ASKS = 1.0
"""Seconds; HAProxy asks every 200 ms here."""


@dataclass(slots=True)
class World:
    """What is wanted and what the load balancer shows; tests change it."""

    intents: dict[str, Intent] = field(default_factory=dict)
    shown: Callable[[str], Awaitable[Admin]] | None = None
    asked: list[str] = field(default_factory=list)

    def intent(self, odp: str) -> Intent:
        self.asked.append(odp)
        return self.intents.get(odp, Intent.NEUTRAL)

    async def admin(self, odp: str) -> Admin:
        return Admin.READY if self.shown is None else await self.shown(odp)


@contextlib.asynccontextmanager
async def serving(world: World, settings: AgentSettings = ANY_PORT) -> AsyncIterator[Address]:
    listening: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    agent = Agent(settings, Wishes(world.intent, world.admin))
    task = asyncio.create_task(agent.run(listening=listening), name="agent")
    try:
        yield await asyncio.wait_for(listening, PATIENCE_SECONDS)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def told(address: Address, said: bytes, *, ends: bool = True) -> bytes:
    """What the agent answers to what is *said*."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(said)
        if ends:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
    finally:
        writer.transport.abort()


async def always(admin: Admin) -> Admin:
    return admin


async def fails(_odp: str) -> Admin:
    raise LbUnreachable("gone")


async def hangs(_odp: str) -> Admin:
    await asyncio.sleep(60)
    return Admin.READY


@pytest.mark.parametrize(
    ("intent", "shown", "word"),
    [
        (Intent.DRAIN, Admin.READY, b"drain\n"),
        (Intent.DRAIN, Admin.DRAIN, b"\n"),
        (Intent.DRAIN, Admin.MAINT, b"\n"),
        (Intent.READY, Admin.DRAIN, b"ready\n"),
        (Intent.READY, Admin.READY, b"\n"),
        (Intent.READY, Admin.MAINT, b"\n"),
        (Intent.NEUTRAL, Admin.READY, b"\n"),
        (Intent.NEUTRAL, Admin.DRAIN, b"\n"),
        (Intent.NEUTRAL, Admin.MAINT, b"\n"),
    ],
)
async def test_it_says_what_is_wanted_where_that_is_not_shown_and_never_in_maintenance(
    intent: Intent, shown: Admin, word: bytes
) -> None:
    world = World({"odp-1": intent}, lambda _: always(shown))
    async with serving(world) as address:
        assert word == await told(address, b"odp-1\n")


@pytest.mark.parametrize("shown", [fails, hangs])
@pytest.mark.parametrize(("intent", "word"), [(Intent.DRAIN, b"drain\n"), (Intent.READY, b"\n")])
async def test_where_the_load_balancer_cannot_be_asked_only_a_drain_is_said(
    shown: Callable[[str], Awaitable[Admin]], intent: Intent, word: bytes
) -> None:
    async with serving(World({"odp-1": intent}, shown), BRISK) as address:
        assert word == await told(address, b"odp-1\n")


@pytest.mark.parametrize(
    "said",
    [b"odp-2\n", b"\n", b"", b"odp-1 drain\n", b"\xff\xfe\0\n", b"x" * 100_000, b"x" * 100_000 + b"\nodp-1\n"],
)
async def test_whatever_else_comes_is_answered_by_an_empty_line(said: bytes) -> None:
    async with serving(World({"odp-1": Intent.DRAIN})) as address:
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # a line without end may be cut off
            answer = await told(address, said)

        assert answer in {b"\n", b""}
        assert b"drain\n" == await told(address, b"odp-1\n")


async def test_who_says_nothing_is_not_waited_for_and_holds_nobody_up() -> None:
    async with serving(World({"odp-1": Intent.DRAIN}), BRISK) as address, asyncio.TaskGroup() as group:
        mute = [group.create_task(told(address, b"odp-", ends=False)) for _ in range(50)]
        answer = await told(address, b"odp-1\r\n")

    assert b"drain\n" == answer
    assert {b"\n"} == {task.result() for task in mute}


# Before a real HAProxy


@dataclass(frozen=True, slots=True)
class Scene:
    haproxy: stack.Haproxy
    world: World
    driver: Haproxy

    async def admin(self, odp: str = "odp-1") -> Admin:
        return (await self.driver.members())[odp].admin

    async def eventually(self, admin: Admin) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.admin() is not admin:  # noqa: ASYNC110 - other processes set no event of ours
                await asyncio.sleep(0.02)

    async def is_asked_again(self) -> None:
        """Three times more, at least: what the agent says has had its effect."""
        before = self.world.asked.count("odp-1")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.world.asked.count("odp-1") < before + 3:  # noqa: ASYNC110 - HAProxy sets no event of ours
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def scene(directory: Path, program: str, pool: Sequence[Server], world: World) -> AsyncIterator[Scene]:
    async with serving(world) as address, haproxy(program, directory, pool, agent_port=address.port) as running:
        settings = HaproxySettings(
            sockets=(running.admin_socket,), master_sockets=(running.master_socket,), backend=BACKEND
        )
        driver = Haproxy(settings, TARGETS)

        async def shown(odp: str) -> Admin:
            return (await driver.members())[odp].admin

        world.shown = world.shown or shown
        yield Scene(running, world, driver)


@pytest.fixture
async def asked(tmp_path: Path, debian: Callable[[str], str], pool: Sequence[Server]) -> AsyncIterator[Scene]:
    """A HAProxy that asks the agent, which knows what it shows."""
    async with scene(tmp_path, debian("haproxy"), pool, World()) as made:
        yield made


async def test_an_empty_line_leaves_a_member_to_its_checks(asked: Scene) -> None:
    await asked.is_asked_again()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (member := (await asked.driver.members())["odp-1"]).health is not Health.UP:  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.02)

    assert member.takes_sessions
    assert "No status change" in await asked.haproxy.ask(f"show stat {BACKEND} 4 -1")


async def test_a_reload_while_drained_heals_itself(asked: Scene) -> None:
    """No reconciler is needed for that: the fresh worker asks at its start."""
    asked.world.intents["odp-1"] = Intent.DRAIN
    await asked.driver.drain("odp-1")
    await asked.haproxy.reload()

    await asked.eventually(Admin.DRAIN)

    assert Admin.READY is await asked.admin("odp-2")


async def test_the_agent_alone_drains_and_takes_it_back(asked: Scene) -> None:
    asked.world.intents["odp-1"] = Intent.DRAIN
    await asked.eventually(Admin.DRAIN)
    asked.world.intents["odp-1"] = Intent.READY
    await asked.eventually(Admin.READY)

    assert Admin.READY is await asked.admin()


@pytest.mark.parametrize("intent", list(Intent))
async def test_a_persons_maintenance_stays_whatever_we_want(asked: Scene, intent: Intent) -> None:
    """Begun while we drain, it would else be gone 2 s later (S16)."""
    asked.world.intents["odp-1"] = Intent.DRAIN
    await asked.eventually(Admin.DRAIN)
    await asked.haproxy.ask(f"set server {BACKEND}/odp-1 state maint")
    asked.world.intents["odp-1"] = intent
    await asked.is_asked_again()

    assert Admin.MAINT is await asked.admin()


async def test_a_persons_drain_stays_where_we_want_nothing(asked: Scene) -> None:
    await asked.haproxy.ask(f"set server {BACKEND}/odp-1 state drain")
    await asked.is_asked_again()

    assert Admin.DRAIN is await asked.admin()


async def test_haproxy_itself_lets_an_agent_end_a_maintenance(
    tmp_path: Path, debian: Callable[[str], str], pool: Sequence[Server]
) -> None:
    """The trap: an agent that does not look first, and says drain all the time."""
    world = World({"odp-1": Intent.DRAIN}, lambda _: always(Admin.READY))
    async with scene(tmp_path, debian("haproxy"), pool, world) as blind:
        await blind.haproxy.ask(f"set server {BACKEND}/odp-1 state maint")
        await blind.is_asked_again()

        assert Admin.DRAIN is await blind.admin()


async def test_an_agent_that_dies_leaves_things_as_they_are(
    tmp_path: Path, debian: Callable[[str], str], pool: Sequence[Server]
) -> None:
    """Fail-static: what is drained stays drained, until the Runtime API or an agent says otherwise."""
    world = World({"odp-1": Intent.DRAIN})
    async with contextlib.AsyncExitStack() as exits:
        agent = await exits.enter_async_context(contextlib.AsyncExitStack())
        address = await agent.enter_async_context(serving(world))
        running = await exits.enter_async_context(haproxy(debian("haproxy"), tmp_path, pool, agent_port=address.port))
        driver = Haproxy(HaproxySettings(sockets=(running.admin_socket,), backend=BACKEND), TARGETS)
        made = Scene(running, world, driver)
        await made.eventually(Admin.DRAIN)
        await agent.aclose()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "L4CON" not in await running.ask(f"show stat {BACKEND} 4 -1"):  # noqa: ASYNC110 - other processes set no event of ours
                await asyncio.sleep(0.02)
        while_dead = {name: member.admin for name, member in (await driver.members()).items()}
        await driver.enable("odp-1", None)
        await asyncio.sleep(SEVERAL_ASKS)

        assert {"odp-1": Admin.DRAIN, "odp-2": Admin.READY, "odp-3": Admin.READY} == while_dead
        assert Admin.READY is await made.admin()
