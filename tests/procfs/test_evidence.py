import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from odp_exporter.observations import Identity
from odp_exporter.procfs import processes
from odp_exporter.procfs.causes import Evidence, LogEnding
from odp_exporter.procfs.evidence import LifeWatch, logged_pid
from odp_exporter.procfs.pidfds import Pidfds


@pytest.fixture
def pidfds() -> Iterator[Pidfds]:
    held = Pidfds(processes.PROC)
    yield held
    held.release(())


@pytest.fixture
def own() -> Identity:
    process = processes.read(os.getpid())
    assert process is not None
    return process.identity


def fake_proc(directory: Path, pid: int, boot: str) -> Path:
    (directory / str(pid)).mkdir(parents=True)
    (directory / str(pid) / "cgroup").write_text("0::/odp\n")
    (directory / "sys/kernel/random").mkdir(parents=True)
    (directory / "sys/kernel/random/boot_id").write_text(f"{boot}\n")
    return directory


def test_a_rise_of_the_oom_counter_since_it_was_last_seen_alive_is_evidence(
    tmp_path: Path, own: Identity, pidfds: Pidfds
) -> None:
    proc = fake_proc(tmp_path / "proc", own.pid, own.boot_id)
    events = tmp_path / "cgroup/odp/memory.events"
    events.parent.mkdir(parents=True)
    events.write_text("oom_kill 1\n")
    watch = LifeWatch(own, pidfds=pidfds, remediation=None, proc=proc, cgroups=tmp_path / "cgroup")
    watch.notice()

    assert Evidence(log=LogEnding.STOP) == watch.evidence(LogEnding.STOP, has_core=False)
    events.write_text("oom_kill 2\n")
    assert Evidence(is_oom_killed=True, has_core=True) == watch.evidence(None, has_core=True)


def test_another_boot_is_evidence(tmp_path: Path, own: Identity, pidfds: Pidfds) -> None:
    watch = LifeWatch(own, pidfds=pidfds, remediation=None, proc=fake_proc(tmp_path, own.pid, "another"))

    assert watch.evidence(None, has_core=False).is_other_boot


def test_the_remediators_word_is_a_file_of_that_very_life(tmp_path: Path, own: Identity, pidfds: Pidfds) -> None:
    watch = LifeWatch(own, pidfds=pidfds, remediation=tmp_path, proc=processes.PROC)
    (tmp_path / f"{own.pid}-{own.start_ticks + 1}").touch()
    assert not watch.evidence(None, has_core=False).is_remediated

    word = tmp_path / f"{own.pid}-{own.start_ticks}"
    word.touch()

    assert watch.evidence(None, has_core=False).is_remediated
    watch.forget_word()
    watch.forget_word()
    assert not word.exists()


def test_a_process_in_a_container_goes_by_its_inner_pid(tmp_path: Path) -> None:
    for pid, status in ((1, "Name:\tobproxy\nNSpid:\t1\t7\n"), (2, "Name:\tobproxy\n"), (3, "NSpid:\n")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "status").write_text(status)

    assert [7, 2, 3, 4] == [logged_pid(pid, proc=tmp_path) for pid in (1, 2, 3, 4)]
