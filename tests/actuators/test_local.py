"""The procedure on the host, on real processes: which one is ended, what is started, and when neither is done."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.actuators.actuator import (
    HostUnreachable,
    NotIdentified,
    NotPermitted,
    Order,
    StartFailed,
    Step,
)
from odp_exporter.actuators.greeting import greets
from odp_exporter.actuators.local import Local, LocalSettings
from odp_exporter.observations import Watchdog
from odp_exporter.simulator.fleet import Fault, Fleet, Odp
from odp_exporter.simulator.fleet.processes import eventually, state
from odp_exporter.targets import Address, Target

from .conftest import content, descriptors_of, identity_of, no_process, order_for, parent_of, seen, settle, target_of

Blow = Callable[[Odp], Awaitable[None]]


def environment_of(pid: int) -> list[bytes]:
    return sorted(content(f"/proc/{pid}/environ").split(b"\0"))


async def stopped(odp: Odp) -> None:
    """The signal is sent at once, and takes effect when the process gets its turn."""
    odp.kill(signal.SIGSTOP)
    await eventually(lambda: state(odp.pid) == "T", "SIGSTOP", within_seconds=10)


def faulty(fault: Fault) -> Blow:
    async def blow(odp: Odp) -> None:
        await odp.fault(fault)

    return blow


@pytest.mark.parametrize("blow", [stopped, faulty(Fault.HANG), faulty(Fault.FREEZE)], ids=["stopped", "hung", "frozen"])
async def test_what_lives_without_serving_is_replaced(blow: Blow, fleet: Fleet, local: Local) -> None:
    """A stopped process keeps SIGTERM waiting, a hung one does not hear it: both end by SIGKILL."""
    odp = await fleet.start_odp("odp-1")
    victim = identity_of(odp.pid)
    await blow(odp)

    done = await local.restart(order_for(odp, victim))

    assert [done.process.pid] == odp.pids
    assert victim != done.process
    assert await greets(Address(*odp.address))
    assert ("self", False, {Step.EVIDENCE, Step.STOP, Step.START}) == (done.by, done.was_done, set(done.durations))


async def test_what_is_dead_is_started_as_it_was(fleet: Fleet, local: Local) -> None:
    """Command line, directory and environment come from an earlier look, as no process is left to tell."""
    odp = await fleet.start_odp("odp-1")
    before = identity_of(odp.pid)
    command, environment = content(f"/proc/{before.pid}/cmdline"), environment_of(before.pid)
    await local.look(target_of(odp))
    await no_process(odp)

    done = await local.restart(order_for(odp, None))

    assert command.rstrip(b"\0") == content(f"/proc/{done.process.pid}/cmdline").rstrip(b"\0")
    assert environment == environment_of(done.process.pid)
    assert str(odp.home) == os.readlink(f"/proc/{done.process.pid}/cwd")  # noqa: PTH115 - text is enough
    assert {Step.START} == done.durations.keys()


async def test_what_was_never_seen_alive_is_started_from_its_home(fleet: Fleet, local: Local) -> None:
    """By its port alone: the rest is stored (odp-facts 3.3)."""
    odp = await fleet.start_odp("odp-1")
    await no_process(odp)
    target = dataclasses.replace(target_of(odp), home=odp.home)

    done = await local.restart(dataclasses.replace(order_for(odp, None), target=target))

    assert [done.process.pid] == odp.pids


async def test_what_was_never_seen_and_has_no_home_is_not_started(fleet: Fleet, local: Local) -> None:
    odp = await fleet.start_odp("odp-1")
    await no_process(odp)

    with pytest.raises(NotPermitted, match=r"how to start it is not known \(give its home, or the actuator's start\)"):
        await local.restart(order_for(odp, None))


async def test_the_new_process_is_nobodys_child(fleet: Fleet, local: Local) -> None:
    """ODP signals its parent when it ends (odp-facts 7.4), and no descriptor of ours may stay open in it."""
    odp = await fleet.start_odp("odp-1", foreground=True)
    victim = identity_of(odp.pid)
    await stopped(odp)

    with closing(socket.create_server(("127.0.0.1", 0))) as ours:
        os.set_inheritable(ours.fileno(), True)  # noqa: FBT003 - its signature
        done = await local.restart(order_for(odp, victim))

        descriptors = descriptors_of(done.process.pid)
        assert f"socket:[{os.fstat(ours.fileno()).st_ino}]" not in descriptors.values()
    assert os.getpid() != parent_of(done.process.pid)
    assert os.getsid(0) != os.getsid(done.process.pid)
    assert [os.devnull] * 3 == [descriptors[number] for number in range(3)]


async def test_limits_are_those_of_the_former_process(fleet: Fleet, local: Local) -> None:
    """With 1024 files of an ssh session an ODP would serve some hundreds of clients."""
    odp = await fleet.start_odp("odp-1")
    victim = identity_of(odp.pid)
    limits = content(f"/proc/{victim.pid}/limits")
    await stopped(odp)

    done = await local.restart(order_for(odp, victim))

    assert limits == content(f"/proc/{done.process.pid}/limits")


async def test_the_same_order_twice_restarts_once(fleet: Fleet, local: Local) -> None:
    """(S24) Also when both come at the same time: the second one waits for the first."""
    odp = await fleet.start_odp("odp-1")
    order = order_for(odp, identity_of(odp.pid))
    await stopped(odp)

    async with asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(local.restart(order)) for _ in range(2)]
    third = await local.restart(order)

    assert [False, True] == sorted(task.result().was_done for task in both)
    assert {third.process} == {task.result().process for task in both}
    assert third.was_done
    assert [third.process.pid] == odp.pids


async def test_a_serving_odp_is_not_started_again(fleet: Fleet, local: Local) -> None:
    odp = await fleet.start_odp("odp-1")

    done = await local.restart(order_for(odp, None))

    assert (True, odp.pid) == (done.was_done, done.process.pid)


async def test_a_mute_odp_that_the_order_does_not_name_is_left_alone(fleet: Fleet, local: Local) -> None:
    odp = await fleet.start_odp("odp-1")
    await stopped(odp)

    with pytest.raises(NotIdentified, match=rf"pid {odp.pid} lives and does not greet, and the order does not name it"):
        await local.restart(order_for(odp, None))

    assert odp.is_running


async def test_a_look_tells_a_process_that_stands_still(fleet: Fleet, local: Local) -> None:
    odp = await fleet.start_odp("odp-1")
    before = await local.look(target_of(odp))
    await stopped(odp)
    after = await local.look(target_of(odp))

    assert (False, True) == (before.is_stopped, after.is_stopped)


async def test_another_life_of_the_same_pid_is_left_alone(fleet: Fleet, local: Local) -> None:
    """(S20) The order's start time is that of a process that is gone: the pid has changed hands."""
    odp = await fleet.start_odp("odp-1")
    wrong = dataclasses.replace(identity_of(odp.pid), start_ticks=4711)
    await stopped(odp)

    with pytest.raises(NotIdentified, match=r"does not greet, and the order does not name it"):
        await local.restart(order_for(odp, wrong))

    assert odp.is_running


async def test_a_process_of_another_boot_is_left_alone(fleet: Fleet, local: Local) -> None:
    odp = await fleet.start_odp("odp-1")
    wrong = dataclasses.replace(identity_of(odp.pid), boot_id="00000000-0000-0000-0000-000000000000")
    await stopped(odp)

    with pytest.raises(NotIdentified):
        await local.restart(order_for(odp, wrong))

    assert odp.is_running


async def test_the_other_odp_of_the_host_is_left_alone(fleet: Fleet, local: Local) -> None:
    """(S20) obproxyd.sh stop would kill both."""
    odp, other = await fleet.start_odp("odp-1"), await fleet.start_odp("odp-2")
    before = other.pid
    order = order_for(odp, identity_of(odp.pid))
    await stopped(odp)

    await local.restart(order)

    assert [before] == other.pids


async def test_an_order_for_the_other_odps_process_is_refused(fleet: Fleet, local: Local) -> None:
    """(S20) It lives, and its port is another one."""
    odp, other = await fleet.start_odp("odp-1"), await fleet.start_odp("odp-2")
    await local.look(target_of(odp))
    await no_process(odp)

    with pytest.raises(NotIdentified, match=rf"pid {other.pid} lives, and does not hold the port"):
        await local.restart(order_for(odp, identity_of(other.pid)))

    assert other.is_running


async def test_two_processes_on_one_port_are_a_matter_for_people(fleet: Fleet, local: Local) -> None:
    """As obproxyd.sh starts a second one on top of a hung one, if that one waits for OCP."""
    odp = await fleet.start_odp("odp-1")
    order = order_for(odp, identity_of(odp.pid))
    await stopped(odp)
    await odp.fault(Fault.SLOW_START, 30)
    await odp.start(waits=False)
    await seen(local, odp, lambda view: len(view.processes) > 1)

    with pytest.raises(NotIdentified, match=r"2 processes claim the port"):
        await local.restart(order)

    assert 2 == len(odp.pids)


async def test_a_hot_restart_is_left_alone(fleet: Fleet, local: Local) -> None:
    odp = await fleet.start_odp("odp-1")
    await odp.fault(Fault.SLOW_START, 30)
    before = odp.pid
    await odp.fault(Fault.HOT_RESTART)
    view = await seen(local, odp, lambda view: view.is_hot_restarting)

    with pytest.raises(NotPermitted, match=r"hot restart under way"):
        await local.restart(order_for(odp, identity_of(before)))

    assert 2 == len(view.processes) == len(odp.pids)


async def test_an_odp_told_to_stop_is_left_alone(fleet: Fleet, local: Local) -> None:
    """By an operator's SIGUSR1, with a client whose session goes on."""
    odp = await fleet.start_odp("odp-1")
    reader, writer = await asyncio.open_connection(*odp.address)
    await reader.readexactly(4)
    odp.kill(signal.SIGUSR1)
    await seen(local, odp, lambda view: view.is_told_to_stop)

    with pytest.raises(NotPermitted, match=r"was told to stop, and still may"):
        await local.restart(order_for(odp, identity_of(odp.pid)))

    assert odp.is_running
    writer.close()


async def test_an_odp_that_drains_for_longer_than_it_may_is_ended(fleet: Fleet, local: Local) -> None:
    """Mute for longer than its own hot_upgrade_exit_timeout: it hangs."""
    odp = await fleet.start_odp("odp-1")
    order = order_for(odp, identity_of(odp.pid))
    reader, writer = await asyncio.open_connection(*odp.address)
    await reader.readexactly(4)
    odp.kill(signal.SIGUSR1)
    await seen(local, odp, lambda view: view.is_told_to_stop)
    await stopped(odp)
    log = odp.home / "log/obproxy.log"
    os.utime(log, (log.stat().st_mtime - 31,) * 2)

    done = await local.restart(order)

    assert [done.process.pid] == odp.pids
    writer.close()


async def test_our_own_order_to_stop_is_no_drain(fleet: Fleet, local: Local) -> None:
    """(S24) The first run died between SIGTERM and SIGKILL; the second finishes what it began."""
    odp = await fleet.start_odp("odp-1")
    order = dataclasses.replace(order_for(odp, identity_of(odp.pid)), stop_grace=timedelta(seconds=30))
    first = asyncio.create_task(local.restart(order))
    await eventually(lambda: "receive signal(sig=15)" in odp.log(), "SIGTERM", within_seconds=10)
    odp.kill(signal.SIGSTOP)
    first.cancel()
    await asyncio.wait([first])

    done = await local.restart(dataclasses.replace(order, stop_grace=timedelta(milliseconds=100)))

    assert first.cancelled()
    assert [done.process.pid] == odp.pids


async def test_a_watchdog_is_let_do_the_start(fleet: Fleet, local: Local) -> None:
    """(S22) And no second process comes up beside the one that it starts."""
    odp = await fleet.start_odp("odp-1")
    await fleet.watchdog(odp)
    order = order_for(odp, identity_of(odp.pid))
    await stopped(odp)

    view = await local.look(target_of(odp))
    done = await local.restart(order)
    await settle(2)

    assert {Watchdog.OBPROXYD} == view.watchdogs
    assert "obproxyd" == done.by
    assert [done.process.pid] == odp.pids
    assert 2 == odp.log().count("start up successful")


async def test_a_failed_start_is_told_with_the_last_words(fleet: Fleet, local: Local) -> None:
    """Long before the start's time is over; the old process is gone."""
    odp = await fleet.start_odp("odp-1")
    order = order_for(odp, identity_of(odp.pid), start_timeout=40)
    await odp.fault(Fault.REFUSE_START)
    await stopped(odp)

    async with asyncio.timeout(15):
        with pytest.raises(StartFailed, match=r"gone again at once; its log ends with: .*obproxy start failed"):
            await local.restart(order)

    assert [] == odp.pids


async def test_a_failed_start_can_be_tried_again(fleet: Fleet, local: Local) -> None:
    """(S24) The same order, once the reason is gone."""
    odp = await fleet.start_odp("odp-1")
    order = order_for(odp, identity_of(odp.pid))
    await odp.fault(Fault.REFUSE_START)
    await stopped(odp)
    with pytest.raises(StartFailed):
        await local.restart(order)
    await odp.clear()

    done = await local.restart(order)

    assert not done.was_done
    assert [done.process.pid] == odp.pids


async def test_a_slow_start_is_waited_for(fleet: Fleet, local: Local) -> None:
    """As with a black-holed OCP (odp-facts 1.2)."""
    odp = await fleet.start_odp("odp-1")
    order = order_for(odp, identity_of(odp.pid))
    await odp.fault(Fault.SLOW_START, 3)
    await stopped(odp)

    done = await local.restart(order)

    assert done.durations[Step.START] > 3


async def test_a_start_that_is_too_slow_is_not_started_twice(fleet: Fleet, local: Local) -> None:
    """(S24) The second order waits for the process that the first one started."""
    odp = await fleet.start_odp("odp-1")
    order = order_for(odp, identity_of(odp.pid), start_timeout=2)
    await odp.fault(Fault.SLOW_START, 6)
    await stopped(odp)

    with pytest.raises(StartFailed, match=r"has not greeted within 2s of its start by self"):
        await local.restart(order)
    done = await local.restart(dataclasses.replace(order, start_timeout=timedelta(seconds=30)))

    assert ([done.process.pid], True) == (odp.pids, done.was_done)
    assert 2 == odp.log().count("start new obproxy")


async def test_another_program_on_the_port_is_left_alone(fleet: Fleet, local: Local) -> None:
    """Starting an ODP beside it would fail; ending it is nobody's order."""
    odp = await fleet.start_odp("odp-1")
    await local.look(target_of(odp))
    await no_process(odp)

    with await squatting(odp.address), pytest.raises(NotPermitted, match=r"is held by a process of uid"):
        await local.restart(order_for(odp, None))

    assert [] == odp.pids


async def squatting(address: tuple[str, int]) -> socket.socket:
    """Listen there ourselves, as soon as the kernel has closed what a process left that is gone."""
    for _ in range(100):
        with suppress(OSError):
            return socket.create_server(address)
        await asyncio.sleep(0.05)
    raise AssertionError(address)


async def test_nothing_is_ended_that_could_not_come_back(fleet: Fleet, local: Local) -> None:
    """(S10) Its program is gone."""
    odp = await fleet.start_odp("odp-1")
    (odp.home / "bin/obproxy").rename(odp.home / "bin/elsewhere")
    await stopped(odp)

    view = await local.look(target_of(odp))
    with pytest.raises(NotPermitted, match=r"its program is missing or may not be executed: './bin/obproxy'"):
        await local.restart(order_for(odp, identity_of(odp.pid)))

    assert 1 == len(view.obstacles)
    assert odp.is_running


async def test_an_address_of_another_host_is_not_ours(local: Local) -> None:
    with pytest.raises(HostUnreachable, match=r"192.0.2.11: not an address of this host"):
        await local.look(Target(name="odp-1", address=Address("192.0.2.11", 2883)))


async def test_the_exporter_is_told_beforehand(fleet: Fleet, tmp_path: Path) -> None:
    """So that odp_restarts_total names the cause."""
    odp = await fleet.start_odp("odp-1")
    victim = identity_of(odp.pid)
    await stopped(odp)
    settings = LocalSettings(tmp_path / "state", exporter_state_directory=tmp_path / "exporter")

    await Local(settings).restart(order_for(odp, victim))

    assert (tmp_path / f"exporter/remediation/{victim.pid}-{victim.start_ticks}").is_file()


async def test_a_directory_that_cannot_be_written_is_told_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NotPermitted, match=r"state directory: .*file: file exists"):
        await Local(LocalSettings(tmp_path / "file")).check()


async def test_sockets_of_a_hot_restart_are_not_handed_on(fleet: Fleet, local: Local) -> None:
    """A hot restart names its sockets in the environment; to another process they are closed descriptors."""
    odp = await fleet.start_odp("odp-1")
    odp.environment["OBPROXY_INHERITED_FD"] = "17"
    await odp.restart()
    order = order_for(odp, identity_of(odp.pid))
    await stopped(odp)

    done = await local.restart(order)

    assert b"OBPROXY_INHERITED_FD=17" not in environment_of(done.process.pid)


async def test_the_order_names_no_executable_that_must_match(fleet: Fleet, local: Local) -> None:
    """Another vantage may see a process's name only."""
    odp = await fleet.start_odp("odp-1")
    seen = dataclasses.replace(identity_of(odp.pid), executable="obproxy")
    await stopped(odp)

    done = await local.restart(Order(target_of(odp), seen, stop_grace=timedelta(milliseconds=100)))

    assert [done.process.pid] == odp.pids
