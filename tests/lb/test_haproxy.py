"""The HAProxy driver before real HAProxies: what they forget, hide and refuse."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.lb.driver import Admin, Health, LbRefused, LbUnconfirmed, LbUnreachable, LoadBalancer, Member
from odp_exporter.lb.haproxy import Haproxy, HaproxySettings
from odp_exporter.lb.haproxy_cli import Endpoint
from odp_exporter.simulator.stack import haproxy as stack
from odp_exporter.simulator.stack.haproxy import BACKEND, Server, haproxy
from odp_exporter.targets import Address, Target

from .conftest import patient

PATIENCE_SECONDS = 15.0
GREETING_BYTES = 78
TARGETS = [Target(name, Address("127.0.0.1", 2883)) for name in ("odp-1", "odp-2", "odp-3")]


def driver(
    *running: stack.Haproxy, sockets: Sequence[Endpoint] = (), has_master: bool = True, seconds: float = 10.0
) -> Haproxy:
    """Of all that are *running*, or over other sockets."""
    settings = HaproxySettings(
        sockets=tuple(sockets) or tuple(one.admin_socket for one in running),
        master_sockets=tuple(one.master_socket for one in running) if has_master else (),
        backend=BACKEND,
        timeout=timedelta(seconds=seconds),
    )
    return Haproxy(settings, TARGETS)


@pytest.fixture
async def one(tmp_path: Path, debian: Callable[[str], str], pool: Sequence[Server]) -> AsyncIterator[stack.Haproxy]:
    """A HAProxy whose servers are up."""
    (tmp_path / "1").mkdir()
    async with running_in(tmp_path / "1", debian("haproxy"), pool) as running:
        yield running


@pytest.fixture
async def other(tmp_path: Path, debian: Callable[[str], str], pool: Sequence[Server]) -> AsyncIterator[stack.Haproxy]:
    """A second instance before the same servers."""
    (tmp_path / "2").mkdir()
    async with running_in(tmp_path / "2", debian("haproxy"), pool) as running:
        yield running


@contextlib.asynccontextmanager
async def running_in(directory: Path, program: str, pool: Sequence[Server]) -> AsyncIterator[stack.Haproxy]:
    ports = stack.Ports()
    text = patient(stack.config(directory, pool, ports, keeps_state=True))
    async with haproxy(program, directory, pool, ports=ports, text=text) as running:
        await eventually(lambda: is_up(driver(running)))
        yield running


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.02)


async def is_up(balancer: LoadBalancer) -> bool:
    return all(member.health is Health.UP for member in (await balancer.members()).values())


async def admin(balancer: LoadBalancer, odp: str = "odp-1") -> Admin:
    return (await balancer.members())[odp].admin


async def sessions(balancer: LoadBalancer) -> dict[str, int | None]:
    return {name: member.sessions for name, member in (await balancer.members()).items()}


@dataclass(slots=True)
class Clients:
    """Greeted connections."""

    streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def connect(self, port: int, count: int) -> None:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            self.streams.append((reader, writer))
            await asyncio.wait_for(reader.readexactly(GREETING_BYTES), PATIENCE_SECONDS)

    async def ended(self, expected: int) -> int:
        """How many have ended, once as many have as are *expected*."""
        await eventually(lambda: self._have_ended(expected))
        return self._count()

    async def _have_ended(self, expected: int) -> bool:
        return self._count() >= expected

    def _count(self) -> int:
        return sum(reader.at_eof() or reader.exception() is not None for reader, _ in self.streams)

    def close(self) -> None:
        for _, writer in self.streams:
            writer.transport.abort()


@pytest.fixture
def clients() -> Iterator[Clients]:
    made = Clients()
    yield made
    made.close()


# What a reload does


async def test_a_reload_loses_the_drain_and_members_says_what_is_true(one: stack.Haproxy) -> None:
    """HAProxy issue 2085: works as designed; hence the agent, and a reconciler."""
    await driver(one).drain("odp-1")
    before = await driver(one).started()
    await asyncio.sleep(1)
    await one.reload()

    assert Admin.READY is await admin(driver(one))
    assert before is not None
    assert before < (await driver(one).started() or before)


async def test_members_that_a_fresh_worker_has_not_checked_yet_are_of_unknown_health(
    one: stack.Haproxy, pool: Sequence[Server]
) -> None:
    """HAProxy itself calls them up, and sends clients there."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = [Server(server.name, silent.getsockname()[1]) for server in pool]
        one.configure(stack.config(one.directory, mute, one.ports).replace("timeout check 1s", "timeout check 1h"))
        await one.reload()

        assert {Health.UNKNOWN} == {member.health for member in (await driver(one).members()).values()}
        assert 3 == (await one.ask("show stat odp 4 -1")).count(",UP 1/2,")


async def test_sessions_in_old_workers_are_counted(one: stack.Haproxy, clients: Clients) -> None:
    await clients.connect(one.ports.sql, 12)
    await one.reload()
    await clients.connect(one.ports.sql, 12)
    await one.reload()

    members = await driver(one).members()

    assert 3 == len(await one.workers())
    assert 24 == sum(member.sessions or 0 for member in members.values())
    assert {None} == {member.sessions for member in (await driver(one, has_master=False).members()).values()}


async def test_sessions_in_old_workers_are_killed_and_no_others(one: stack.Haproxy, clients: Clients) -> None:
    await clients.connect(one.ports.sql, 12)
    await one.reload()
    await clients.connect(one.ports.sql, 12)
    steered = driver(one)
    await steered.drain("odp-1")
    before = await sessions(steered)

    await steered.kill_sessions("odp-1")

    assert {**before, "odp-1": 0} == await sessions(steered)
    assert before["odp-1"]
    assert before["odp-1"] == await clients.ended(before["odp-1"])


async def test_what_ends_sessions_elsewhere_does_nothing_in_an_old_worker(one: stack.Haproxy, clients: Clients) -> None:
    """The reason for killing them one by one."""
    await clients.connect(one.ports.sql, 3)
    await one.reload()
    _, old = await one.workers()

    answer = await one.ask(f"@!{old} shutdown sessions server {BACKEND}/odp-1", of=one.master_socket)

    assert "Proxy is disabled." == answer.strip()
    assert 3 == sum(member.sessions or 0 for member in (await driver(one).members()).values())


async def test_without_the_master_it_claims_neither_to_count_nor_to_kill(one: stack.Haproxy) -> None:
    alone = driver(one, has_master=False)

    with pytest.raises(LbRefused, match="give 'master_sockets'"):
        await alone.kill_sessions("odp-1")
    assert (False, False) == (alone.capabilities.counts_sessions, alone.capabilities.kills_sessions)


async def test_a_stale_state_file_brings_an_old_drain_back_to_life(one: stack.Haproxy) -> None:
    """A fresh start tells of itself, so that an orphan can be told from a person's drain."""
    steered = driver(one)
    await steered.drain("odp-1")
    await one.save_state()
    await steered.enable("odp-1", None)
    before = await steered.started()
    await asyncio.sleep(1)
    await one.stop()
    await one.start()

    assert Admin.DRAIN is await admin(steered)
    assert before is not None
    assert before < (await steered.started() or before)

    await steered.enable("odp-1", None)
    assert Admin.READY is await admin(steered)


# Several instances: all or none


async def test_the_worst_word_of_all_instances_counts(one: stack.Haproxy, other: stack.Haproxy) -> None:
    await one.ask(f"set server {BACKEND}/odp-1 state drain")
    await other.ask(f"set server {BACKEND}/odp-2 state maint")
    await other.ask(f"set server {BACKEND}/odp-3 weight 0")

    members = await driver(one, other).members()

    assert {"odp-1": Admin.DRAIN, "odp-2": Admin.MAINT, "odp-3": Admin.READY} == {
        name: member.admin for name, member in members.items()
    }
    assert [False, False, False] == [member.takes_sessions for member in members.values()]


async def test_enabling_leaves_weights_that_differ_between_instances(one: stack.Haproxy, other: stack.Haproxy) -> None:
    await other.ask(f"set server {BACKEND}/odp-1 weight 40")
    both = driver(one, other)
    weight = (await both.members())["odp-1"].weight
    await both.drain("odp-1")
    await both.enable("odp-1", weight)

    assert [10, 40] == [(await driver(each).members())["odp-1"].weight for each in (one, other)]


async def test_an_instance_that_refuses_has_the_others_put_back(one: stack.Haproxy, other: stack.Haproxy) -> None:
    part = driver(one, other, sockets=(one.admin_socket, other.operator_socket), has_master=False)

    with pytest.raises(LbUnconfirmed, match=r"Permission denied.*level admin.*the others were put back"):
        await part.drain("odp-1")
    assert [Admin.READY, Admin.READY] == [await admin(driver(each)) for each in (one, other)]


async def test_an_enable_on_a_part_is_taken_back_with_its_weight(one: stack.Haproxy, other: stack.Haproxy) -> None:
    await driver(one, other).drain("odp-1")
    part = driver(one, other, sockets=(one.admin_socket, other.operator_socket), has_master=False)

    with pytest.raises(LbUnconfirmed, match="the others were put back"):
        await part.enable("odp-1", 77)
    assert [(Admin.DRAIN, 10)] * 2 == [
        ((await driver(each).members())["odp-1"].admin, (await driver(each).members())["odp-1"].weight)
        for each in (one, other)
    ]


async def test_an_instance_that_is_gone_has_nothing_done_on_the_others(
    one: stack.Haproxy, other: stack.Haproxy
) -> None:
    await other.stop()

    with pytest.raises(LbUnreachable, match=r"2/admin.sock: connection refused"):
        await driver(one, other).drain("odp-1")
    assert Admin.READY is await admin(driver(one))


async def test_a_drain_that_an_instance_forgot_is_repeated_there_only(one: stack.Haproxy, other: stack.Haproxy) -> None:
    both = driver(one, other)
    await both.drain("odp-1")
    await other.reload()
    await both.drain("odp-1")

    assert [Admin.DRAIN, Admin.DRAIN] == [await admin(driver(each)) for each in (one, other)]


# What it refuses, and what it says


async def test_an_operators_socket_does_not_pass_the_check(one: stack.Haproxy) -> None:
    limited = driver(sockets=(one.operator_socket,))

    with pytest.raises(LbRefused, match=r"operator.sock: its level is 'operator' \(it needs 'level admin'\)"):
        await limited.check()


async def test_a_backend_that_is_not_there_is_named(one: stack.Haproxy) -> None:
    settings = HaproxySettings(sockets=(one.admin_socket,), backend="opd")

    with pytest.raises(LbRefused, match=r"'show servers state opd' was refused: \"Can't find backend.\""):
        await Haproxy(settings, TARGETS).check()


async def test_a_server_that_is_not_there_is_named(one: stack.Haproxy) -> None:
    settings = HaproxySettings(sockets=(one.admin_socket,), backend=BACKEND, servers={"odp-2": "srv2"})

    with pytest.raises(LbRefused, match="backend 'odp' has no server 'srv2'"):
        await Haproxy(settings, TARGETS).check()


async def test_servers_may_have_names_of_their_own(one: stack.Haproxy) -> None:
    settings = HaproxySettings(sockets=(one.admin_socket,), backend=BACKEND, servers={"trade 1": "odp-3"})
    steered = Haproxy(settings, [Target("trade 1", Address("127.0.0.1", 2883))])
    await steered.drain("trade 1")

    assert {"trade 1": Member("trade 1", Admin.DRAIN, Health.UP, 30)} == await steered.members()
    assert Admin.DRAIN is await admin(driver(one), "odp-3")


async def test_the_api_may_listen_on_tcp(one: stack.Haproxy) -> None:
    steered = driver(sockets=(Address("127.0.0.1", one.ports.admin),))
    await steered.check()
    await steered.drain("odp-1")

    assert Admin.DRAIN is await admin(driver(one))


async def test_a_master_of_another_haproxy_is_found_out(one: stack.Haproxy, other: stack.Haproxy) -> None:
    """Its counts would say that nobody is left."""
    settings = HaproxySettings(sockets=(one.admin_socket,), master_sockets=(other.master_socket,), backend=BACKEND)

    with pytest.raises(LbUnreachable, match="knows no worker"):
        await Haproxy(settings, TARGETS).members()


async def test_a_weight_that_haproxy_cannot_give_is_refused_and_nothing_changes(one: stack.Haproxy) -> None:
    steered = driver(one)
    await steered.drain("odp-1")

    with pytest.raises(LbRefused, match="between 0 and 256"):
        await steered.enable("odp-1", 300)
    assert Member("odp-1", Admin.DRAIN, Health.UP, 10, 0) == (await steered.members())["odp-1"]


async def test_a_server_that_the_file_disabled_and_a_person_made_ready_is_ready(
    one: stack.Haproxy, pool: Sequence[Server]
) -> None:
    """HAProxy remembers the file's word in a bit of its own, which means nothing any more."""
    text = stack.config(one.directory, pool, one.ports)
    one.configure(text.replace("check weight 10", "check weight 10 disabled"))
    await one.reload()
    at_first = await admin(driver(one))
    await one.ask(f"set server {BACKEND}/odp-1 state ready")

    assert (Admin.MAINT, Admin.READY) == (at_first, await admin(driver(one)))


async def test_a_server_without_a_check_is_of_unknown_health(one: stack.Haproxy, pool: Sequence[Server]) -> None:
    text = stack.config(one.directory, pool, one.ports)
    one.configure(text.replace("check weight 10", "weight 10"))
    await one.reload()

    member = (await driver(one).members())["odp-1"]

    assert (Health.UNKNOWN, False) == (member.health, member.takes_sessions)


async def test_enabling_does_not_fight_the_checks(
    tmp_path: Path, debian: Callable[[str], str], pool: Sequence[Server]
) -> None:
    """One server of three is not there."""
    gone = [Server("odp-1", 1), *pool[1:]]
    (tmp_path / "1").mkdir()
    async with haproxy(debian("haproxy"), tmp_path / "1", gone) as running:
        steered = driver(running)
        await steered.drain("odp-1")
        await steered.enable("odp-1", None)
        await eventually(lambda: is_down(steered))
        member = (await steered.members())["odp-1"]

    assert (Admin.READY, Health.DOWN, False) == (member.admin, member.health, member.takes_sessions)


async def is_down(balancer: LoadBalancer) -> bool:
    return (await balancer.members())["odp-1"].health is Health.DOWN


async def test_a_frozen_haproxy_is_unreachable_within_the_deadline(one: stack.Haproxy) -> None:
    for pid in await one.workers():
        os.kill(pid, signal.SIGSTOP)
    async with asyncio.timeout(10):
        with pytest.raises(LbUnreachable, match=r"no answer to 'show .*' within 0.2s"):
            await driver(one, seconds=0.2).drain("odp-1")
