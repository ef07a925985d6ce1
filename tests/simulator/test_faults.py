from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

import pytest
from odp_exporter.simulator.fleet import Fault, Fleet, StartFailed
from odp_exporter.simulator.fleet.processes import eventually

Greet = Callable[[tuple[str, int]], Awaitable[bytes]]


async def test_refused_starts_last_until_they_are_cleared(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1")
    await odp.fault(Fault.REFUSE_START)
    odp.kill()
    await odp.wait_gone()
    for _ in range(2):
        with pytest.raises(StartFailed):
            await odp.start()
    await odp.clear()
    await odp.start()

    assert odp.is_running
    assert 2 == odp.log("obproxy_diagnosis.log").count("reboot failed")


async def test_a_slow_start_refuses_connections_while_the_process_lives(fleet: Fleet, greet: Greet) -> None:
    odp = await fleet.start_odp("odp-1", waiting_faults={Fault.SLOW_START: 5.0}, waits=False)
    await eventually(lambda: odp.pids != [], "a process", within_seconds=20)
    with pytest.raises(ConnectionRefusedError):
        await greet(odp.address)
    await odp.wait_listening()

    assert 78 == len(await greet(odp.address))


async def test_hung_it_accepts_and_stays_silent(fleet: Fleet, greet: Greet, glimpse: Greet) -> None:
    odp = await fleet.start_odp("odp-1")
    await odp.fault(Fault.HANG)
    hung = await glimpse(odp.address)
    await odp.clear()

    assert b"" == hung
    assert 78 == len(await greet(odp.address))


async def test_at_the_memory_limit_4_3_freezes(fleet: Fleet, glimpse: Greet) -> None:
    odp = await fleet.start_odp("odp-1")
    await odp.fault(Fault.FREEZE)

    assert b"" == await glimpse(odp.address)
    assert "obproxy's memory is out of limit, will disable alloc memory from the OS" in odp.log()
    assert odp.is_running


@pytest.mark.parametrize("release", ["4.1.0", "4.2.3"])
async def test_at_the_memory_limit_4_2_kills_itself(fleet: Fleet, release: str) -> None:
    odp = await fleet.start_odp("odp-1", release=release, foreground=True)
    await odp.fault(Fault.FREEZE)

    assert 1 == await odp.exit_status()
    assert "obproxy's memroy is out of limit, will be going to commit suicide" in odp.log()
    assert "receive signal" not in odp.log()


@pytest.mark.parametrize(
    ("fault", "status", "cores"),
    [(Fault.CRASH, -signal.SIGSEGV, 0), (Fault.CORE, -signal.SIGABRT, 1), (Fault.OOM, -signal.SIGKILL, 0)],
)
async def test_it_dies_without_a_word(fleet: Fleet, fault: Fault, status: int, cores: int) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)
    before, pid = odp.log(), odp.pid
    await odp.fault(fault)

    assert status == await odp.exit_status()
    assert before == odp.log()
    assert [f"core.{pid}"] * cores == [path.name for path in odp.home.glob("core*")]


async def test_it_drains_on_demand(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)
    await odp.fault(Fault.DRAIN)

    assert 1 == await odp.exit_status()
    assert "recv SIGUSR1 signal" in odp.log()


async def test_a_hot_restart_has_two_processes_and_no_outage(fleet: Fleet, greet: Greet) -> None:
    odp = await fleet.start_odp("odp-1")
    old = odp.pid
    established, writer = await asyncio.open_connection(*odp.address)
    await established.readexactly(78)
    await odp.fault(Fault.HOT_RESTART)
    while odp.pid == old:
        assert 78 == len(await greet(odp.address))
    during = odp.pids
    greeted = await greet(odp.address)
    writer.close()
    await eventually(lambda: odp.pids == [odp.pid], "the old one gone", within_seconds=10)

    assert sorted([old, odp.pid]) == during
    assert 78 == len(greeted)
    assert 78 == len(await greet(odp.address))
    assert "obproxy will start by hot upgrade" in odp.log()
    assert f"pid: {odp.pid}, ppid: {old}, result: reboot success" in odp.log("obproxy_diagnosis.log")


async def test_the_successor_of_a_hot_restart_can_be_restarted_hot_itself(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)
    seen = {odp.pid}
    for _ in range(2):
        old = odp.pid
        await odp.fault(Fault.HOT_RESTART)
        await odp.wait_listening(other_than=old)
        seen.add(odp.pid)
        await eventually(lambda: odp.pids == [odp.pid], "the old one gone", within_seconds=10)

    assert 3 == len(seen)


@pytest.mark.parametrize(
    ("fault", "first"),
    [
        (Fault.ERROR_PACKET, b"\xff"),
        (Fault.CLOSE, None),
        (Fault.SHORT, b"\x0a"),
        (Fault.GARBAGE, b"\x7f"),
        (Fault.HTTP, b"P"),
    ],
)
async def test_instead_of_the_greeting_comes_something_else(fleet: Fleet, fault: Fault, first: bytes | None) -> None:
    odp = await fleet.start_odp("odp-1")
    await odp.fault(fault)
    reader, writer = await asyncio.open_connection(*odp.address)
    async with asyncio.timeout(20):
        received = await reader.read()
    writer.close()

    assert (first or b"") == received[{Fault.GARBAGE: 3, Fault.HTTP: 3}.get(fault, 4) :][:1]
    assert received != b"" or first is None


async def test_connections_are_reset_on_demand(fleet: Fleet, greet: Greet) -> None:
    odp = await fleet.start_odp("odp-1")
    await odp.fault(Fault.RESET)

    with pytest.raises(ConnectionResetError):
        await greet(odp.address)


async def test_a_trickled_greeting_is_whole_but_late(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1")
    await odp.fault(Fault.TRICKLE, 0.5)
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(*odp.address)
    greeting = await reader.readexactly(78)
    writer.close()

    assert b"J\0\0\0\n5.6.25\0" == greeting[:12]
    assert time.monotonic() - began > 0.3


async def test_a_lasting_fault_strikes_every_later_process(fleet: Fleet) -> None:
    """A crash loop: whoever restarts it sees it die again."""
    odp = await fleet.start_odp("odp-1", foreground=True)
    await odp.fault(Fault.CRASH, 0.2, lasting=True)
    statuses = [await odp.exit_status()]
    for _ in range(2):
        await odp.start(waits=False)
        statuses.append(await odp.exit_status())
    starts = odp.starts
    await odp.clear()
    await odp.start()

    assert [-signal.SIGSEGV] * 3 == statuses
    assert 3 == starts
    assert odp.is_running


async def test_an_unknown_fault_is_refused(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1")

    with pytest.raises(ValueError, match="boredom"):
        await odp.fault("boredom")
