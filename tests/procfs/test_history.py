from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from odp_exporter.observations import Cause, Process
from odp_exporter.procfs import cores, processes
from odp_exporter.procfs.history import SETTLING, Findings, History
from odp_exporter.procfs.pidfds import Pidfds

STAND_IN = Path(__file__).with_name("stand_in.py")
TIMEOUT_SECONDS = 20
needs_exit_status = pytest.mark.skipif(
    not Pidfds(processes.PROC).gives_status, reason="this kernel keeps no exit statuses (Linux 6.15 does)"
)


@dataclass
class Host:
    """One home, one state directory, and the stand-ins that run there."""

    home: Path
    state: Path
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    history: History | None = None

    def start(self, *words: str) -> int:
        child = subprocess.Popen(  # noqa: S603 - a program of ours
            [sys.executable, "-S", "-E", STAND_IN, self.home, *words], stdout=subprocess.PIPE, cwd=self.home
        )
        self.children.append(child)
        assert child.stdout is not None
        assert b"%d\n" % child.pid == child.stdout.readline()
        return child.pid

    def kill(self, number: signal.Signals) -> None:
        """Send it to the youngest, and wait until that has gone."""
        self.children[-1].send_signal(number)
        self.children[-1].wait(TIMEOUT_SECONDS)

    def look(self, *pids: int, later: timedelta = timedelta(minutes=5), is_silent: bool = False) -> Findings:
        """What the history finds while *pids* are seen; nobody is too young for it *later*."""
        present = [process for pid in pids if (process := processes.read(pid))]
        return self.see(present, later=later, is_silent=is_silent)

    def see(
        self, present: list[Process], *, later: timedelta = timedelta(minutes=5), is_silent: bool = False
    ) -> Findings:
        return self.see_at(datetime.now(UTC) + later, present, is_silent=is_silent)

    def see_at(self, now: datetime, present: list[Process], *, is_silent: bool = False) -> Findings:
        self.history = self.history or History(self.state)
        return self.history.observe("odp-1", present, self.home, now, is_silent=is_silent)

    def restart_exporter(self) -> None:
        if self.history:
            self.history.close()
        self.history = None

    def restarts(self, *pids: int) -> dict[Cause, int]:
        return counted(self.look(*pids))

    def append(self, text: str) -> None:
        with (self.home / "log/obproxy.log").open("a", encoding="utf-8") as log:
            log.write(f"[2026-11-22 19:00:00.1] INFO  [PROXY] f (f.cpp:1) [1][Y0-0] {text}\n")


def counted(findings: Findings) -> dict[Cause, int]:
    assert set(Cause) == set(findings.restarts)
    return {cause: count for cause, count in findings.restarts.items() if count}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    (tmp_path / "home/log").mkdir(parents=True)
    host = Host(tmp_path / "home", tmp_path / "state")
    yield host
    host.restart_exporter()
    for child in host.children:
        child.kill()
        child.wait(TIMEOUT_SECONDS)
        assert child.stdout is not None
        child.stdout.close()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_first_sight_counts_nothing(host: Host) -> None:
    assert {} == host.restarts(host.start())


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (signal.SIGTERM, Cause.STOP),
        (signal.SIGINT, Cause.STOP),
        pytest.param(signal.SIGKILL, Cause.SIGNAL, marks=needs_exit_status),
        pytest.param(signal.SIGQUIT, Cause.SIGNAL, marks=needs_exit_status),
        (signal.SIGSEGV, Cause.CRASH),
        (signal.SIGABRT, Cause.CRASH),
    ],
)
def test_a_restart_counts_with_the_cause_of_the_end(host: Host, number: signal.Signals, cause: Cause) -> None:
    host.look(host.start())
    host.append("client session born(cs_id=1)")
    host.kill(number)

    assert {} == host.restarts()
    assert {cause: 1} == host.restarts(host.start())
    assert {cause: 1} == host.restarts(host.children[-1].pid)


@pytest.mark.parametrize(
    ("number", "cause"),
    [(signal.SIGTERM, Cause.STOP), (signal.SIGSEGV, Cause.CRASH), (signal.SIGKILL, Cause.CRASH)],
)
def test_a_kernel_without_pidfds_leaves_the_log_to_tell(host: Host, number: signal.Signals, cause: Cause) -> None:
    """And so a SIGKILL is a crash there, which is said."""
    (host.state.parent / "proc").symlink_to("/proc")
    host.history = History(host.state, proc=host.state.parent / "proc")
    findings = host.look(host.start())
    assert any("exit statuses" in reason for reason in findings.unseen)
    host.append("client session born(cs_id=1)")
    host.kill(number)

    assert {} == host.restarts()
    assert {cause: 1} == host.restarts(host.start())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV])
def test_an_end_and_a_start_between_two_looks_count_the_same(host: Host, number: signal.Signals) -> None:
    host.look(host.start())
    host.append("client session born(cs_id=1)")
    host.kill(number)

    assert {Cause.STOP if number is signal.SIGTERM else Cause.CRASH: 1} == host.restarts(host.start())


def test_the_suicide_of_an_old_release_at_its_memory_limit_is_oom(host: Host) -> None:
    host.look(host.start("old"))
    host.kill(signal.SIGALRM)

    assert {Cause.OOM: 1} == host.restarts(host.start("old"))


def test_the_remediators_word_is_heard_once(host: Host) -> None:
    pid = host.start()
    process = processes.read(pid)
    assert process is not None
    word = host.state / "remediation" / f"{pid}-{process.identity.start_ticks}"
    host.look(pid)
    word.parent.mkdir()
    word.touch()
    host.kill(signal.SIGTERM)

    host.look()
    assert not word.exists()
    assert {Cause.REMEDIATION: 1} == host.restarts(host.start())


def test_a_hot_restart_is_seen_while_it_lasts_and_counts_once(host: Host) -> None:
    old = host.start()
    host.look(old)
    host.children[0].send_signal(signal.SIGWINCH)
    stdout = host.children[0].stdout
    assert stdout is not None
    new = int(stdout.readline())
    try:
        during = host.look(old, new)
        host.kill(signal.SIGTERM)
        after = host.look(new)
        quiet = host.look(new)
    finally:
        os.kill(new, signal.SIGKILL)

    assert during.is_hot_restarting
    assert {Cause.HOT_RESTART: 1} == counted(during) == counted(after) == counted(quiet)
    assert not after.is_hot_restarting
    assert not quiet.is_told_to_stop


@needs_exit_status
def test_a_hot_restart_during_which_the_exporter_restarts_leaves_no_false_word(host: Host) -> None:
    """The last words of the parent are not its child's, whoever heard them."""
    old = host.start()
    host.look(old)
    host.children[0].send_signal(signal.SIGWINCH)
    stdout = host.children[0].stdout
    assert stdout is not None
    new = int(stdout.readline())
    host.look(old, new)
    host.restart_exporter()
    host.kill(signal.SIGTERM)
    after = host.look(new)
    os.kill(new, signal.SIGKILL)
    eventually(lambda: processes.read(new) is None)
    host.look()
    last = host.look(host.start())

    assert not after.is_told_to_stop
    assert {Cause.HOT_RESTART: 1, Cause.SIGNAL: 1} == counted(last)


def test_a_hot_restart_between_two_looks_is_none_of_the_other_causes(host: Host) -> None:
    host.look(host.start())
    host.children[0].send_signal(signal.SIGWINCH)
    stdout = host.children[0].stdout
    assert stdout is not None
    new = int(stdout.readline())
    try:
        host.kill(signal.SIGKILL)
        after = host.look(new)
    finally:
        os.kill(new, signal.SIGKILL)

    assert {Cause.HOT_RESTART: 1} == counted(after)
    assert not after.is_told_to_stop


def test_two_restarts_between_two_looks_are_two(host: Host) -> None:
    host.look(host.start())
    host.append("client session born(cs_id=1)")
    for number in (signal.SIGSEGV, signal.SIGTERM):
        host.kill(number)
        host.start()

    assert {Cause.CRASH: 1, Cause.STOP: 1} == host.restarts(host.children[-1].pid)


def test_two_restarts_of_a_release_without_diagnosis_log_are_two_as_well(host: Host) -> None:
    host.look(host.start("old"))
    host.append("client session born(cs_id=1)")
    for number in (signal.SIGSEGV, signal.SIGTERM):
        host.kill(number)
        host.start("old")

    assert {Cause.CRASH: 1, Cause.STOP: 1} == host.restarts(host.children[-1].pid)


@pytest.mark.parametrize("moment", ["before the end", "after the end", "after the start"])
def test_the_count_survives_the_exporter(host: Host, moment: str) -> None:
    host.look(host.start())
    if moment == "before the end":
        host.restart_exporter()
    host.kill(signal.SIGTERM)
    if moment == "after the end":
        host.look()
        host.restart_exporter()
    new = host.start()
    if moment == "after the start":
        host.look(new)
        host.restart_exporter()

    assert {Cause.STOP: 1} == host.restarts(new)
    host.restart_exporter()
    assert {Cause.STOP: 1} == host.restarts(new)


def test_restarts_while_the_exporter_is_away_are_counted_by_the_log(host: Host) -> None:
    host.look(host.start())
    host.restart_exporter()
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGTERM):
        host.kill(number)
        host.start()

    assert {Cause.STOP: 3} == host.restarts(host.children[-1].pid)
    assert {Cause.STOP: 3} == host.restarts(host.children[-1].pid)


def test_a_rotated_log_is_read_on(host: Host) -> None:
    host.look(host.start())
    host.kill(signal.SIGTERM)
    for name in ("obproxy.log", "obproxy_diagnosis.log"):
        log = host.home / "log" / name
        log.rename(f"{log}.20261122190000")

    assert {Cause.STOP: 1} == host.restarts(host.start())


def test_without_logs_and_exit_status_the_cause_is_unknown(host: Host) -> None:
    host.look(host.start())
    host.restart_exporter()
    host.kill(signal.SIGTERM)
    for log in (host.home / "log").iterdir():
        log.unlink()

    findings = host.look()
    assert any("obproxy.log" in reason for reason in findings.unseen)
    assert {Cause.UNKNOWN: 1} == host.restarts(host.start())


def test_a_reused_pid_and_another_boot_are_other_lives(host: Host) -> None:
    process = processes.read(host.start())
    assert process is not None
    reused = replace(process, identity=replace(process.identity, start_ticks=process.identity.start_ticks + 1))
    earlier_boot = replace(process, identity=replace(process.identity, boot_id="the boot before"))

    host.see([earlier_boot])
    assert {Cause.HOST_BOOT: 1} == counted(host.see([process]))
    host.kill(signal.SIGTERM)
    assert {Cause.HOST_BOOT: 1, Cause.STOP: 1} == counted(host.see([reused]))


@needs_exit_status
def test_a_process_that_lost_its_port_has_not_ended(host: Host) -> None:
    first = host.start()
    host.look(first)

    assert {} == host.restarts()
    assert {} == host.restarts(host.start())
    host.children[0].kill()
    host.children[0].wait(TIMEOUT_SECONDS)
    assert {Cause.SIGNAL: 1} == host.restarts(host.children[1].pid)


def just_begun(pid: int) -> tuple[Process, datetime]:
    """The process, and a moment at which it is still young."""
    process = processes.read(pid)
    assert process is not None
    return process, process.started + SETTLING / 2


def test_a_process_that_has_just_begun_may_be_an_attempt_and_waits(host: Host) -> None:
    host.look(host.start("old"))
    host.kill(signal.SIGTERM)
    attempt, young = just_begun(host.start("old"))

    assert {} == counted(host.see_at(young, [attempt]))
    assert {Cause.STOP: 1} == host.restarts(attempt.identity.pid)


def test_a_process_that_has_just_begun_counts_if_its_log_says_that_it_is_up(host: Host) -> None:
    first, young = just_begun(host.start())
    host.see_at(young, [first])
    host.see_at(young, [first])
    host.kill(signal.SIGTERM)
    second, young = just_begun(host.start())

    assert {Cause.STOP: 1} == counted(host.see_at(young, [second]))
    assert {Cause.STOP: 1} == counted(host.see_at(young, [second]))


def test_an_order_to_stop_shows_while_the_process_drains(host: Host) -> None:
    pid = host.start()
    assert not host.look(pid).is_told_to_stop

    os.kill(pid, signal.SIGUSR1)

    eventually(lambda: host.look(pid).is_told_to_stop)
    assert not host.look().is_told_to_stop


def test_an_order_to_stop_given_before_the_exporter_came_shows(host: Host) -> None:
    pid = host.start()
    os.kill(pid, signal.SIGUSR1)
    log = host.home / "log/obproxy.log"
    eventually(lambda: "SIGUSR1" in log.read_text())

    assert host.look(pid).is_told_to_stop


def test_the_order_of_an_earlier_life_is_not_the_present_ones(host: Host) -> None:
    host.start()
    host.kill(signal.SIGTERM)

    assert not host.look(host.start()).is_told_to_stop


def test_a_silent_odp_has_all_of_its_log_searched(host: Host) -> None:
    pid = host.start()
    host.look(pid)
    host.append("recv SIGUSR1 signal, will graceful exit")
    with (host.home / "log/obproxy.log").open("ab") as log:
        log.write(b"chatter\n" * 100_000)

    assert not host.look(pid).is_told_to_stop
    assert host.look(pid, is_silent=True).is_told_to_stop


def test_a_freeze_at_the_memory_limit_shows(host: Host) -> None:
    pid = host.start()
    assert not host.look(pid).is_memory_frozen

    os.kill(pid, signal.SIGALRM)

    eventually(lambda: host.look(pid).is_memory_frozen)


def test_the_version_is_what_the_start_line_says(host: Host) -> None:
    assert "4.3.1.0" == host.look(host.start()).version
    host.restart_exporter()
    (host.home / "log/obproxy.log").unlink()
    (host.home / "log/obproxy_diagnosis.log").unlink()
    assert "4.3.1.0" == host.look(host.children[0].pid).version


def test_without_a_state_directory_counts_live_in_memory_and_say_so(host: Host) -> None:
    history = History(None)
    now = datetime.now(UTC) + timedelta(minutes=5)
    process = processes.read(host.start())
    assert process is not None

    findings = history.observe("odp-1", [process], host.home, now)
    history.close()

    assert any("memory only" in reason for reason in findings.unseen)


def test_an_unknown_home_is_said(host: Host) -> None:
    history = History(None)

    findings = history.observe("odp-1", [], None, datetime.now(UTC))

    assert "logs: home unknown" in findings.unseen
    assert host


def test_forgotten_targets_hold_no_descriptors_and_keep_their_counts(host: Host) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only their number

    before = descriptors()
    host.look(host.start())
    host.kill(signal.SIGTERM)
    new = host.start()
    assert {Cause.STOP: 1} == host.restarts(new)
    assert host.history is not None

    host.history.forget(())

    assert before + len(host.children) == descriptors()
    assert {Cause.STOP: 1} == host.restarts(new)


@pytest.mark.parametrize("kind", ["fifo", "directory", "binary"])
def test_whatever_lies_where_a_log_should_be_is_survived(host: Host, kind: str) -> None:
    for name in ("obproxy.log", "obproxy_diagnosis.log"):
        path = host.home / "log" / name
        match kind:
            case "fifo":
                os.mkfifo(path)
            case "directory":
                path.mkdir()
            case _:
                path.write_bytes(bytes(range(256)) * 5000)

    process = processes.read(os.getpid())
    assert process is not None
    assert {} == counted(host.see([process]))
    assert {} == counted(host.see([]))


def test_a_core_that_is_whole_only_after_the_next_life_began_counts(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a watchdog the next life is a second away, and a core of a GiB takes longer to write."""
    shared = tmp_path / "cores"
    shared.mkdir()
    pattern = f"{shared}/core.%e.%p"
    monkeypatch.setattr(cores, "place", lambda _, home: cores.parse_pattern(pattern, has_pid=True, home=home))
    died = host.start()
    host.look(died, later=timedelta())
    host.kill(signal.SIGSEGV)
    (shared / f"core.obproxy.{died}").touch()
    host.look(later=timedelta())
    successor = host.start()
    host.look(successor, later=timedelta())
    (shared / "unrelated").touch()
    found = host.look(successor, later=timedelta(seconds=5)).cores

    assert found is not None
    assert 1 == found.total
