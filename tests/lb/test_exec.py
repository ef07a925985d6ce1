"""The driver of programs: what they may do wrong."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from odp_exporter.lb.driver import Admin, Health, LbRefused, LbUnconfirmed, LbUnreachable, Member
from odp_exporter.lb.exec import Exec, ExecSettings
from odp_exporter.simulator.fleet.processes import eventually, is_alive
from odp_exporter.targets import Address, Target

READY = {"name": "odp-1", "admin": "ready", "health": "up", "weight": 1, "sessions": 2}
TARGETS = [Target("odp-1", Address("127.0.0.1", 2883))]


def program(path: Path, text: str) -> tuple[str, ...]:
    path.write_text(text)
    return (sys.executable, "-IS", str(path))


def driver(members: tuple[str, ...], drain: tuple[str, ...] = ("/bin/true",), *, seconds: float = 10) -> Exec:
    settings = ExecSettings(members=members, drain=drain, enable=("/bin/true",), timeout=timedelta(seconds=seconds))
    return Exec(settings, TARGETS)


def printing(path: Path, *entries: object, **more: object) -> tuple[str, ...]:
    return program(path, f"print({json.dumps({'members': entries, **more})!r})")


async def test_members_and_the_start_are_what_the_program_prints(tmp_path: Path) -> None:
    command = printing(tmp_path / "p", READY, {**READY, "name": "a stranger"}, started="2026-11-22T13:00:00+01:00")

    steered = driver(command)

    # Not claimed to be counted in all processes, so not told.
    assert {"odp-1": Member("odp-1", Admin.READY, Health.UP, 1, None)} == await steered.members()
    assert datetime(2026, 11, 22, 12, tzinfo=UTC) == await steered.started()


async def test_weights_and_starts_may_be_left_out(tmp_path: Path) -> None:
    steered = driver(printing(tmp_path / "p", {"name": "odp-1", "admin": "maint", "health": "unknown"}))

    assert {"odp-1": Member("odp-1", Admin.MAINT, Health.UNKNOWN)} == await steered.members()
    assert None is await steered.started()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("", "not the JSON that is asked for: : invalid json"),
        ("[]", "not the JSON that is asked for"),
        ('{"members": [{"name": "odp-1"}]}', "members.0.admin: field required"),
        (
            '{"members": [{"name": "odp-1", "admin": "gone", "health": "up"}]}',
            "members.0.admin: input should be 'ready'",
        ),
        ('{"members": [{"name": "odp-1", "admin": "ready", "health": "up", "weight": -1}]}', "members.0.weight"),
        ('{"members": [], "started": "2026-11-22T12:00:00"}', "started: input should have timezone info"),
        ("[" * 100_000, "not the JSON that is asked for"),
        ("\\x00\\udcff", "not the JSON that is asked for"),
    ],
)
async def test_other_output_is_no_answer(tmp_path: Path, output: str, words: str) -> None:
    command = program(tmp_path / "p", f"import sys; sys.stdout.buffer.write({output!r}.encode('utf-8', 'replace'))")

    with pytest.raises(LbUnreachable, match=words) as caught:
        await driver(command).members()
    assert len(str(caught.value)) < 600


async def test_a_member_that_is_not_told_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LbRefused, match="tells nothing of 'odp-1'"):
        await driver(printing(tmp_path / "p")).members()


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [(1, LbRefused, "ended with 1: 'no such pool'"), (75, LbUnreachable, "ended with 75: 'no such pool'")],
)
async def test_an_exit_status_says_what_to_do(tmp_path: Path, status: int, kind: type[Exception], words: str) -> None:
    command = program(tmp_path / "p", f"import sys; print('no such pool\\nsorry', file=sys.stderr); sys.exit({status})")

    with pytest.raises(kind, match=words):
        await driver(command).members()


async def test_a_program_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LbRefused, match="cannot be run: no such file or directory"):
        await driver((str(tmp_path / "none"),)).members()


async def test_the_check_finds_a_program_that_may_not_be_run(tmp_path: Path) -> None:
    steered = driver(printing(tmp_path / "p", READY), (str(tmp_path / "none"), "{odp}"))

    with pytest.raises(LbRefused, match=r"none: not a program that this user may run"):
        await steered.check()


async def test_success_that_does_not_show_is_not_believed(tmp_path: Path) -> None:
    steered = driver(printing(tmp_path / "p", READY))

    with pytest.raises(LbUnconfirmed, match="'odp-1' is still ready"):
        await steered.drain("odp-1")
    with pytest.raises(LbUnconfirmed, match="'odp-1' is in ready with weight 1"):
        await steered.enable("odp-1", 5)


async def ended(pid: int) -> None:
    """A process that nobody waits for is gone when it has had its turn."""
    await eventually(lambda: not is_alive(pid), "the end of the child", within_seconds=20)


async def test_a_hung_program_is_killed_with_its_children_in_time(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = ("/bin/sh", "-c", f"sleep 60 & echo $$ $! > {pids}; wait")
    async with asyncio.timeout(30):
        with pytest.raises(LbUnreachable, match=r"not done within 4s"):
            await driver(command, seconds=4).members()

    own, child = map(int, pids.read_text().split())
    assert not is_alive(own)
    await ended(child)


async def test_a_child_that_is_left_behind_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    command = program(
        tmp_path / "p",
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], stdout=subprocess.DEVNULL,\n"
        "                         stderr=subprocess.DEVNULL)\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\n"
        f"print({json.dumps({'members': [READY]})!r})\n",
    )
    await driver(command).members()

    await ended(int(pid.read_text()))


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_output_without_end_is_cut_off_at_once(tmp_path: Path, stream: str) -> None:
    command = program(tmp_path / "p", f"import sys\nwhile True: sys.{stream}.write('x' * 65536)")
    began = asyncio.get_running_loop().time()
    with pytest.raises(LbUnreachable, match="prints more than 1048576 bytes"):
        await driver(command, seconds=30).members()

    assert asyncio.get_running_loop().time() - began < 10


async def test_being_cancelled_ends_the_program(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    command = program(
        tmp_path / "p", f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )
    task = asyncio.create_task(driver(command).members())
    async with asyncio.timeout(10):
        while not (pid.exists() and pid.read_text()):  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not is_alive(int(pid.read_text()))


async def test_names_are_arguments_and_nothing_else(tmp_path: Path) -> None:
    """No shell sees them (S6)."""
    name = "odp 1; touch $(id) {weight}"
    seen = tmp_path / "seen"
    settings = ExecSettings(
        members=printing(tmp_path / "p", {**READY, "name": name}),
        drain=(*program(tmp_path / "d", f"import sys; open({str(seen)!r}, 'w').write(repr(sys.argv[1:]))"), "{odp}"),
        enable=("/bin/true",),
    )
    with pytest.raises(LbUnconfirmed):
        await Exec(settings, [Target(name, Address("127.0.0.1", 2883))]).drain(name)

    assert repr([name]) == seen.read_text()


async def test_without_a_program_for_it_sessions_cannot_be_killed(tmp_path: Path) -> None:
    steered = driver(printing(tmp_path / "p", READY))

    with pytest.raises(LbRefused, match="give 'kill_sessions'"):
        await steered.kill_sessions("odp-1")
    assert not steered.capabilities.kills_sessions
