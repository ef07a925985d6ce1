"""The parts of the procedure that can be asked by themselves: launches, obstacles, identities, answers."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.actuators import launch as launches
from odp_exporter.actuators import wire
from odp_exporter.actuators.actuator import (
    ActuatorError,
    HostView,
    NotIdentified,
    NotPermitted,
    Restarted,
    StartFailed,
    Step,
)
from odp_exporter.actuators.aside import aside
from odp_exporter.actuators.host_command import EXIT_STATUSES, exit_status
from odp_exporter.actuators.launch import Launch
from odp_exporter.actuators.obstacles import obstacles
from odp_exporter.actuators.state import State
from odp_exporter.actuators.stopping import Victim
from odp_exporter.observations import Identity, Watchdog
from odp_exporter.procfs.processes import PROC
from odp_exporter.simulator.fleet.processes import eventually
from odp_exporter.targets import Address, Target

from .conftest import content, identity_of

LIFE = Identity("boot", 4711, 99, "/opt/obproxy/bin/obproxy")
TARGET = Target(name="odp-1", address=Address("127.0.0.1", 2883))


def a_launch(home: Path) -> Launch:
    (home / "bin").mkdir(exist_ok=True)
    (home / "bin/obproxy").write_text("#!/bin/sh\n")
    (home / "bin/obproxy").chmod(0o755)
    return Launch(("./bin/obproxy",), str(home), {"PATH": os.defpath}, os.getuid(), os.getgid(), home=str(home))


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Some process, which has got as far as its program."""
    program = "import time; print('here', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:  # noqa: S603 - ours
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_launch_survives_being_written_down(sleeper: subprocess.Popen[bytes]) -> None:
    """Names that are no UTF-8 included."""
    launch = launches.capture(sleeper.pid, proc=PROC, home=Path("/home"), executable=None)

    assert launch is not None
    odd = dataclasses.replace(launch, environment={"NAME": os.fsdecode(b"\xff")})
    assert odd == launches.from_json(launches.to_json(odd))


def test_a_process_without_words_tells_nothing(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """As /proc shows it between fork and the first instruction of the program."""
    shutil.copytree(PROC / str(sleeper.pid), tmp_path / "1", symlinks=True, ignore=_all_but_its_start)
    assert launches.capture(1, proc=tmp_path, home=Path("/home"), executable=None) is not None

    (tmp_path / "1/cmdline").write_bytes(b"")
    assert launches.capture(1, proc=tmp_path, home=Path("/home"), executable=None) is None


def _all_but_its_start(_: str, names: list[str]) -> set[str]:
    return set(names) - {"status", "cmdline", "cwd", "environ", "limits", "cgroup"}


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b'{"argv": []}', b"\xff", b"[" * 5000])
def test_what_is_no_launch_is_none(content: bytes) -> None:
    assert launches.from_json(content) is None


def test_a_launch_shows_neither_command_line_nor_environment(tmp_path: Path) -> None:
    """Both may hold a password's digest, and a traceback would print them."""
    launch = dataclasses.replace(a_launch(tmp_path), environment={"observer_sys_password": "digest"})

    assert "digest" not in repr(launch)
    assert "./bin/obproxy" not in repr(launch)


async def test_a_start_takes_user_limits_and_umask() -> None:
    """As root it becomes another user, as anyone else it stays."""
    uid = 65534 if os.geteuid() == 0 else os.geteuid()
    gid = 65534 if os.geteuid() == 0 else os.getegid()
    seconds = f"30.{os.getpid()}"
    launch = Launch(
        ("sleep", seconds),
        "/",
        {"PATH": os.defpath},
        uid,
        gid,
        umask=0o027,
        limits={"RLIMIT_NOFILE": (64, 128)},
    )

    await launches.start(launch)
    pid = await asyncio.to_thread(find, f"sleep\0{seconds}\0".encode())
    status = content(f"/proc/{pid}/status").decode()
    limits = content(f"/proc/{pid}/limits").decode()
    os.kill(pid, signal.SIGKILL)

    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
    assert "Umask:\t0027" in status
    assert ["64", "128"] == next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files"))


def find(command: bytes) -> int:
    """The process with that command line."""
    for _ in range(200):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if path.read_bytes() == command:
                    return int(path.parent.name)
            except OSError:
                continue
        time.sleep(0.01)
    raise AssertionError(command)


async def test_a_program_that_cannot_be_executed_is_told(tmp_path: Path) -> None:
    launch = a_launch(tmp_path)
    (tmp_path / "bin/obproxy").write_text("#!/no/such/interpreter\n")

    with pytest.raises(StartFailed, match=r"\./bin/obproxy: No such file or directory"):
        await launches.start(launch)


def test_a_healthy_home_has_no_obstacle(tmp_path: Path) -> None:
    assert () == obstacles(a_launch(tmp_path), tmp_path, uid=os.getuid(), min_free_bytes=0)


def test_a_full_disk_is_an_obstacle(tmp_path: Path) -> None:
    """(S10) Whatever is free is too little here."""
    (tmp_path / "log").mkdir()

    found = obstacles(a_launch(tmp_path), tmp_path, uid=os.getuid(), min_free_bytes=1 << 60)

    assert 2 == len(found)
    assert all(text.startswith("disk full: ") for text in found)


def test_another_user_is_an_obstacle(tmp_path: Path) -> None:
    """Neither root nor ODP's own."""
    launch = dataclasses.replace(a_launch(tmp_path), uid=4_000_001)

    [found] = obstacles(launch, None, uid=4_000_002)

    assert "it runs as uid 4000001, and this program as uid 4000002 (run this as ODP's user)" == found


def test_root_may_become_any_user(tmp_path: Path) -> None:
    assert () == obstacles(dataclasses.replace(a_launch(tmp_path), uid=4_000_001), None, uid=0)


def test_a_missing_home_is_an_obstacle(tmp_path: Path) -> None:
    launch = dataclasses.replace(a_launch(tmp_path), cwd=str(tmp_path / "gone"))

    found = obstacles(launch, tmp_path / "gone", uid=os.getuid())

    assert f"its work directory is missing: '{tmp_path}/gone'" in found
    assert f"not writable: '{tmp_path}/gone'" in found


def test_a_pid_in_other_hands_is_not_touched(sleeper: subprocess.Popen[bytes]) -> None:
    """(S20) It changed hands between the look and the holding."""
    wrong = dataclasses.replace(identity_of(sleeper.pid), start_ticks=1)

    with pytest.raises(NotIdentified, match="is another process by now"), Victim(wrong, proc=PROC):
        pass

    assert sleeper.poll() is None


async def test_a_process_that_heeds_sigterm_gets_no_sigkill(sleeper: subprocess.Popen[bytes]) -> None:
    with Victim(identity_of(sleeper.pid), proc=PROC) as victim:
        await victim.end(timedelta(seconds=20))

    assert -signal.SIGTERM == sleeper.wait(timeout=5)


async def test_a_stopped_process_is_ended_by_sigkill(sleeper: subprocess.Popen[bytes]) -> None:
    """At once: it would take SIGTERM only once it goes on."""
    sleeper.send_signal(signal.SIGSTOP)
    await eventually(lambda: b") T " in content(f"/proc/{sleeper.pid}/stat"), "stopped", within_seconds=10)

    with Victim(identity_of(sleeper.pid), proc=PROC) as victim:
        async with asyncio.timeout(20):
            await victim.end(timedelta(minutes=10))

    assert -signal.SIGKILL == sleeper.wait(timeout=5)


async def test_a_kernel_without_pidfds_will_do(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 5.3: the identity is looked at before each signal instead."""
    monkeypatch.delattr(os, "pidfd_open")
    wrong = dataclasses.replace(identity_of(sleeper.pid), start_ticks=1)

    with Victim(wrong, proc=PROC) as victim:
        await victim.end(timedelta(milliseconds=100))
    assert sleeper.poll() is None
    with Victim(identity_of(sleeper.pid), proc=PROC) as victim:
        await victim.end(timedelta(seconds=20))

    assert -signal.SIGTERM == sleeper.wait(timeout=5)


async def test_a_process_that_is_gone_already_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    gone = identity_of(sleeper.pid)
    sleeper.kill()
    sleeper.wait()

    with Victim(gone, proc=PROC) as victim:
        assert await victim.end(timedelta(milliseconds=1)) is None  # type: ignore[func-returns-value]  # or it raises


async def test_one_odp_is_restarted_by_one_at_a_time(tmp_path: Path) -> None:
    """(S17) The other one is told so, once it has waited for as long as a restart may take."""
    state = State(tmp_path)
    state.prepare()

    async with state.alone("a/..", within=timedelta(seconds=1)), state.alone("b", within=timedelta(seconds=1)):
        with pytest.raises(NotPermitted, match=r"another restart of a/\.\. is at work on this host"):
            async with state.alone("a/..", within=timedelta(milliseconds=100)):
                pass


def test_the_longest_name_has_a_file(tmp_path: Path) -> None:
    """128 characters of four bytes each."""
    state = State(tmp_path)
    state.prepare()

    state.keep_launch("\N{CHEESE WEDGE}" * 128, a_launch(tmp_path))

    assert state.launch("\N{CHEESE WEDGE}" * 127) is None
    assert state.launch("\N{CHEESE WEDGE}" * 128) is not None


def test_names_do_not_lead_out_of_the_state_directory(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.prepare()

    state.keep_launch("../../evil", a_launch(tmp_path))

    assert state.launch("../../evil") == a_launch(tmp_path)
    assert ["%2E%2E%2F%2E%2E%2Fevil.json"] == [path.name for path in (tmp_path / "state/launch").iterdir()]


async def test_what_hangs_in_a_thread_is_left_behind() -> None:
    """And what it raises, if it ever comes back, disturbs nobody."""
    go = threading.Event()

    with pytest.raises(TimeoutError):
        await aside(lambda: go.wait(30), within_seconds=0.1)
    go.set()

    assert 7 == await aside(lambda: 7, within_seconds=5)
    with pytest.raises(KeyError):
        await aside(lambda: os.environ["NO_SUCH"], within_seconds=5)


ANSWERS = st.one_of(
    st.builds(
        HostView,
        processes=st.just((LIFE,)),
        owner=st.none() | st.just(LIFE),
        is_hot_restarting=st.booleans(),
        is_told_to_stop=st.booleans(),
        watchdogs=st.frozensets(st.sampled_from(Watchdog)),
        obstacles=st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]))).map(tuple),
    ),
    st.builds(
        Restarted,
        process=st.just(LIFE),
        began=st.just(datetime(2026, 1, 2, tzinfo=UTC)),
        durations=st.dictionaries(st.sampled_from(Step), st.floats(0, 1e6)),
        by=st.sampled_from(["self", "obproxyd"]),
        evidence=st.none() | st.just(Path("/var/lib/x")),
        was_done=st.booleans(),
    ),
)


@given(ANSWERS)
def test_an_answer_arrives_as_it_was_given(answer: HostView | Restarted) -> None:
    """Behind whatever a login prints."""
    line = b"Welcome to odp-1 {maintenance at 5}\n" + wire.dump(answer).encode() + b"\n"

    assert answer == (wire.look_of(line) if isinstance(answer, HostView) else wire.restart_of(line))


@pytest.mark.parametrize("kind", EXIT_STATUSES)
def test_an_error_arrives_as_it_was_given(kind: type[ActuatorError]) -> None:
    with pytest.raises(kind, match=r"^why$") as caught:
        wire.look_of(wire.dump(kind("why")).encode())

    assert kind is caught.type
    assert EXIT_STATUSES[kind] == exit_status(caught.value)


def test_an_error_of_a_later_release_is_an_error() -> None:
    with pytest.raises(ActuatorError, match=r"^why$"):
        wire.look_of(json.dumps({"version": 1, "error": {"kind": "Novel", "message": "why"}}).encode())


def test_a_process_is_named_by_three_values() -> None:
    expected = dataclasses.replace(LIFE, executable="")

    assert expected == wire.parse_expectation(wire.expectation(LIFE))


@pytest.mark.parametrize("text", ["", "4711", "a/b/c", "boot/4711", "boot/-1/5", "/1/2", "boot/1/99999999999999999999"])
def test_what_names_no_process_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a process's life"):
        wire.parse_expectation(text)
