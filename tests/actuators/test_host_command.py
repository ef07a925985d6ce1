"""`odp-remediator restart` as a process of its own: exit statuses, what it prints, and what a SIGKILL leaves behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from odp_exporter.actuators import wire
from odp_exporter.actuators.actuator import Order
from odp_exporter.simulator.fleet import Fault, Fleet, Odp
from odp_exporter.simulator.fleet.processes import eventually, is_alive

from .conftest import alone, content, identity_of, no_process, order_for, parent_of, settle, target_of

Done = tuple[int, str, str]


async def run(program: Path, *arguments: str) -> Done:
    process = await asyncio.create_subprocess_exec(
        program, "restart", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        output, error = await process.communicate()
    return process.returncode or 0, output.decode(), error.decode()


@pytest.fixture
def state(tmp_path: Path) -> str:
    return f"--state-directory={tmp_path / 'state'}"


def arguments(order: Order, state: str) -> tuple[str, ...]:
    return (*wire.restart_arguments(order), state)


async def test_a_person_reads_what_would_be_done(fleet: Fleet, remediator: Path, state: str) -> None:
    odp = await fleet.start_odp("odp-1")
    address = f"127.0.0.1:{odp.address[1]}"

    status, output, _ = await run(remediator, state, "--dry-run", address)

    assert 0 == status
    assert f"pid {odp.pid}, owns the port: {wire.expectation(identity_of(odp.pid))}\n" == output


async def test_a_person_replaces_what_is_there(fleet: Fleet, remediator: Path, state: str) -> None:
    odp = await fleet.start_odp("odp-1")
    before = odp.pid

    status, output, _ = await run(remediator, state, f"127.0.0.1:{odp.address[1]}")

    assert 0 == status
    assert output.startswith(f"pid {odp.pid} greets, started by self (evidence ")
    assert before != odp.pid


@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        (["--dead-only", "192.0.2.11:2883"], 7, "192.0.2.11: not an address of this host"),
        (["--dead-only", "127.0.0.1:1"], 4, "how to start it is not known"),
        (["--dead-only", "--expect=boot/1/2", "127.0.0.1:1"], 2, "contradict each other"),
        (["--expect=4711", "127.0.0.1:1"], 2, "not a process's life: '4711'"),
        (["127.0.0.1"], 2, "not an address"),
        ([], 2, "Missing argument"),
    ],
)
async def test_each_failure_has_its_exit_status(
    options: list[str], status: int, text: str, remediator: Path, state: str
) -> None:
    code, _, error = await run(remediator, state, *options)

    assert status == code
    assert text in error


async def test_a_failure_is_told_as_json_too(remediator: Path, state: str) -> None:
    status, output, error = await run(remediator, state, "--json", "--dead-only", "127.0.0.1:1")

    assert (4, "") == (status, error)
    assert "NotPermitted" == json.loads(output)["error"]["kind"]


def modes(directory: Path) -> tuple[set[int], set[int]]:
    """Of all directories below, and of all files."""
    paths = [*directory.rglob("*")]
    return (
        {path.stat().st_mode & 0o777 for path in paths if path.is_dir()},
        {path.stat().st_mode & 0o777 for path in paths if path.is_file()},
    )


def told_to_stop(odp: Odp, _before: int) -> bool:
    return "receive signal(sig=15)" in odp.log()


def gone(_odp: Odp, before: int) -> bool:
    return not is_alive(before)


def another(odp: Odp, before: int) -> bool:
    return not is_alive(before) and bool(odp.pids)


@pytest.mark.parametrize("moment", [told_to_stop, gone, another])
async def test_a_restart_that_is_killed_is_finished_by_the_next_one(
    moment: Callable[[Odp, int], bool], fleet: Fleet, remediator: Path, state: str
) -> None:
    """(S24) Killed between SIGTERM and the end, after it, and while the new process starts: one new process in all."""
    odp = await fleet.start_odp("odp-1")
    await odp.fault(Fault.SLOW_START, 1)
    before = odp.pid
    order = order_for(odp, identity_of(before))
    first = await asyncio.create_subprocess_exec(
        remediator, "restart", *arguments(order, state), "--stop-grace=10s", stdout=asyncio.subprocess.DEVNULL
    )
    await eventually(lambda: moment(odp, before), moment.__name__, within_seconds=20)
    first.kill()
    await first.wait()

    status, output, _ = await run(remediator, *arguments(order, state))
    await settle(1.5)

    assert 0 == status
    await alone(odp, wire.restart_of(output.encode()).process.pid)
    assert 2 == odp.log().count("start up successful")


@pytest.mark.parametrize("after_seconds", [0.05, 0.3, 0.6, 0.9, 1.3])
async def test_a_restart_that_is_killed_at_any_time_is_finished(
    after_seconds: float, fleet: Fleet, remediator: Path, state: str
) -> None:
    """(S24) Whatever it was about just then."""
    odp = await fleet.start_odp("odp-1")
    order = order_for(odp, identity_of(odp.pid))
    odp.kill(signal.SIGSTOP)
    first = await asyncio.create_subprocess_exec(
        remediator, "restart", *arguments(order, state), stdout=asyncio.subprocess.DEVNULL
    )
    await asyncio.sleep(after_seconds)
    if first.returncode is None:
        first.kill()
    await first.wait()

    status, output, _ = await run(remediator, *arguments(order, state))

    assert 0 == status
    await alone(odp, wire.restart_of(output.encode()).process.pid)
    assert 2 == odp.log().count("start up successful")


async def test_the_new_process_outlives_the_command(fleet: Fleet, remediator: Path, state: str) -> None:
    """Its parent is whoever adopts orphans, and its session its own."""
    odp = await fleet.start_odp("odp-1", foreground=True)
    odp.kill(signal.SIGSTOP)
    order = order_for(odp, identity_of(odp.pid))

    status, output, _ = await run(remediator, *arguments(order, state))
    pid = wire.restart_of(output.encode()).process.pid
    parent = parent_of(pid)

    assert 0 == status
    assert [pid] == odp.pids
    assert os.getpid() != parent
    assert b"odp remediator" not in content(f"/proc/{parent}/cmdline")


async def test_what_the_state_directory_holds_is_for_its_owner_alone(
    fleet: Fleet, remediator: Path, state: str, tmp_path: Path
) -> None:
    """It has ODP's environment in it."""
    odp = await fleet.start_odp("odp-1")
    await run(remediator, *arguments(order_for(odp, None), state))
    await run(remediator, *wire.look_arguments(target_of(odp)), state)

    directories, kept = modes(tmp_path / "state")

    assert ({0o700}, {0o600}) == (directories, kept)


async def test_no_restart_of_the_same_odp_runs_beside_another(fleet: Fleet, remediator: Path, state: str) -> None:
    """(S17) Started by two at the same moment, the dead ODP comes up once."""
    odp = await fleet.start_odp("odp-1")
    await run(remediator, *wire.look_arguments(target_of(odp)), state)
    await no_process(odp)

    async with asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(run(remediator, *arguments(order_for(odp, None), state))) for _ in range(2)]

    assert [0, 0] == [task.result()[0] for task in both]
    assert 1 == len(odp.pids)
    assert 2 == odp.log().count("start up successful")
