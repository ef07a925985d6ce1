import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from odp_exporter.observations import Identity
from odp_exporter.procfs import processes
from odp_exporter.procfs.pidfds import Pidfds

TIMEOUT_SECONDS = 20


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", "import sys; sys.exit(len(input()))"], stdin=subprocess.PIPE
    )
    yield process
    process.kill()
    process.communicate(timeout=TIMEOUT_SECONDS)


@pytest.fixture
def pidfds() -> Iterator[Pidfds]:
    held = Pidfds(processes.PROC)
    yield held
    held.release(())


def identity(child: subprocess.Popen[bytes]) -> Identity:
    process = processes.read(child.pid)
    assert process is not None
    return process.identity


def test_the_status_is_told_before_and_after_the_parent_asks(child: subprocess.Popen[bytes], pidfds: Pidfds) -> None:
    one = identity(child)
    pidfds.hold(one)
    assert pidfds.is_living(one)
    assert pidfds.status(one) is None

    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert not pidfds.is_living(one)
    assert signal.SIGKILL == pidfds.status(one)
    child.wait(TIMEOUT_SECONDS)
    assert (signal.SIGKILL if pidfds.gives_status else None) == pidfds.status(one)


def test_an_exit_has_its_code_in_the_status(child: subprocess.Popen[bytes], pidfds: Pidfds) -> None:
    one = identity(child)
    pidfds.hold(one)

    child.communicate(b"abc\n", timeout=TIMEOUT_SECONDS)

    assert (3 << 8 if pidfds.gives_status else None) == pidfds.status(one)


def test_a_pid_that_has_changed_hands_is_not_held(child: subprocess.Popen[bytes], pidfds: Pidfds) -> None:
    one = identity(child)
    for other in (replace(one, start_ticks=one.start_ticks - 1), replace(one, boot_id="another")):
        pidfds.hold(other)

        assert not pidfds.is_held(other)
        assert not pidfds.is_living(other)


def test_without_pidfds_proc_tells_who_lives(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    (tmp_path / "proc").symlink_to("/proc")
    without = Pidfds(tmp_path / "proc")
    one = identity(child)
    without.hold(one)

    assert not without.gives_status
    assert not without.is_held(one)
    assert without.is_living(one)
    child.kill()
    child.wait(TIMEOUT_SECONDS)
    assert not without.is_living(one)
    assert without.status(one) is None


def test_what_is_released_is_closed(child: subprocess.Popen[bytes], pidfds: Pidfds) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only their number
    one = identity(child)
    pidfds.hold(one)
    pidfds.hold(one)

    pidfds.release({one})
    assert pidfds.is_held(one)
    pidfds.release(())
    assert not pidfds.is_held(one)
    assert before == len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only their number
