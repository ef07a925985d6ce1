from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from types import FrameType

import pytest
from odp_exporter.simulator.fleet import Fault, Fleet
from odp_exporter.simulator.fleet.processes import eventually

Greet = Callable[[tuple[str, int]], Awaitable[bytes]]


async def _outcome(greet: Greet, address: tuple[str, int]) -> str:
    try:
        return "greeting" if await greet(address) else "silence"
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_it_falls_silent_cuts_its_clients_and_exits_with_1(
    fleet: Fleet, glimpse: Greet, number: signal.Signals
) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)
    idle, writer = await asyncio.open_connection(*odp.address)
    await idle.readexactly(78)
    odp.kill(number)
    await eventually(lambda: f"receive signal(sig={number})" in odp.log(), "its log line", within_seconds=20)
    outcomes = [await _outcome(glimpse, odp.address)]
    while outcomes[-1] != "refused":
        outcomes.append(await _outcome(glimpse, odp.address))

    assert {"silence", "reset", "refused"} >= set(outcomes)
    assert 1 == await odp.exit_status()
    assert "graceful exit, it will cancel DEDICATED thread and exit" in odp.log()
    assert b"" == await idle.read()
    writer.close()


async def test_draining_it_lets_sessions_go_on_and_takes_no_new_ones(fleet: Fleet, glimpse: Greet) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)
    established, writer = await asyncio.open_connection(*odp.address)
    await established.readexactly(78)
    odp.kill(signal.SIGUSR1)
    await eventually(lambda: "recv SIGUSR1 signal, will graceful exit" in odp.log(), "its log line", within_seconds=20)

    assert ["silence", "silence"] == [await _outcome(glimpse, odp.address) for _ in range(2)]
    assert odp.is_running
    writer.close()
    assert 1 == await odp.exit_status()
    assert "refused" == await _outcome(glimpse, odp.address)


async def test_draining_ends_when_its_time_is_over(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True, options={"hot_upgrade_exit_timeout": "700000"})
    _, writer = await asyncio.open_connection(*odp.address)
    odp.kill(signal.SIGUSR1)

    assert 1 == await odp.exit_status()
    writer.close()


async def test_its_parent_gets_sigusr2_when_it_ends(fleet: Fleet) -> None:
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    odp = await fleet.start_odp("odp-1", foreground=True)
    before = signal.signal(signal.SIGUSR2, note)
    odp.kill(signal.SIGUSR1)
    await odp.exit_status()
    signal.signal(signal.SIGUSR2, before)

    assert [signal.SIGUSR2] == received


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2, signal.SIGPIPE, 40, 41, 42, 43, 49])
async def test_other_signals_change_nothing(fleet: Fleet, greet: Greet, number: int) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)
    pid = odp.pid
    odp.kill(number)

    assert "greeting" == await _outcome(greet, odp.address)
    assert pid == odp.pid
    assert odp.is_running


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGKILL])
async def test_deadly_signals_leave_no_word_in_the_log(fleet: Fleet, number: signal.Signals) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)
    before = odp.log()
    odp.kill(number)

    assert -number == await odp.exit_status()
    assert before == odp.log()
    assert [] == list(odp.home.glob("core*"))


async def test_stopped_it_accepts_and_says_nothing_until_continued(fleet: Fleet, glimpse: Greet) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)
    odp.kill(signal.SIGSTOP)
    stopped = await _outcome(glimpse, odp.address)
    odp.kill(signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        await odp.exit_status(within_seconds=0.3)
    is_running = odp.is_running
    odp.kill(signal.SIGCONT)

    assert "silence" == stopped
    assert is_running
    assert 1 == await odp.exit_status()


async def test_a_hung_one_does_not_hear_sigterm(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)
    await odp.fault(Fault.HANG)
    odp.kill(signal.SIGTERM)
    with pytest.raises(TimeoutError):
        await odp.exit_status(within_seconds=2)
    await odp.clear()

    assert 1 == await odp.exit_status()
