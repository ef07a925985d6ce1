import os
from pathlib import Path

from odp_exporter.observations import Identity
from odp_exporter.procfs import oom

TICKS = os.sysconf("SC_CLK_TCK")
KILL = "3,1345,{at},-;Memory cgroup out of memory: Killed process 4711 (obproxy) total-vm:508560kB, anon-rss:1kB\n"


def started(seconds: int) -> Identity:
    return Identity("boot", 4711, seconds * TICKS, "obproxy")


def test_the_counters_of_a_cgroup_of_either_version_are_found(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cgroup").write_text(
        "9:name=systemd:/\n4:cpuset,memory:/odp/one\n3:cpu:/odp\nnonsense\n0::/system.slice/obproxy.service\n"
    )
    groups = Path("/sys/fs/cgroup")

    assert (
        groups / "memory/odp/one/memory.oom_control",
        groups / "system.slice/obproxy.service/memory.events",
        groups / "system.slice/memory.events",
    ) == oom.counters(7, proc=tmp_path)


def test_a_process_that_is_gone_has_no_counters(tmp_path: Path) -> None:
    assert () == oom.counters(7, proc=tmp_path)


def test_only_a_rise_of_the_nearest_counter_tells(tmp_path: Path) -> None:
    own, parent, gone = tmp_path / "memory.oom_control", tmp_path / "memory.events", tmp_path / "gone"
    own.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    parent.write_text("low 0\noom 9\noom_kill 5\noom_group_kill 0\n")

    before = oom.counts((own, parent, gone))

    assert {own: 3, parent: 5} == before
    assert not oom.has_risen(before, before)
    assert not oom.has_risen(before, {own: 3, parent: 6})
    assert oom.has_risen(before, {own: 4, parent: 6})
    assert oom.has_risen(before, {parent: 6})
    assert not oom.has_risen(before, {})
    assert not oom.has_risen({}, {own: 4})


def test_the_kernels_log_names_the_process_that_it_killed(tmp_path: Path) -> None:
    log = tmp_path / "kmsg"
    log.write_text(KILL.format(at=100_000_000))

    assert oom.is_logged(started(99), log=log)
    assert not oom.is_logged(Identity("boot", 4712, 0, "obproxy"), log=log)


def test_a_kill_before_the_start_was_of_an_earlier_process_with_the_pid(tmp_path: Path) -> None:
    log = tmp_path / "kmsg"
    log.write_text(KILL.format(at=100_000_000))

    assert not oom.is_logged(started(200), log=log)


def test_what_another_program_writes_to_the_log_proves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "kmsg"
    log.write_text("Killed process 4711 (obproxy)\n\0\xff;Killed process 4711\n3,x,y,-;Killed process 4711 (obproxy)\n")

    assert not oom.is_logged(started(1), log=log)


def test_a_log_that_cannot_be_read_is_silence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    assert not oom.is_logged(started(1), log=tmp_path / "missing")
    assert not oom.is_logged(started(1), log=tmp_path)
    assert not oom.is_logged(started(1), log=tmp_path / "fifo")
