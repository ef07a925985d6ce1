import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from odp_exporter.files import FileMissing
from odp_exporter.procfs.sockets import listeners
from odp_exporter.procfs.survey import DESERTED_RESCAN, Candidate, Survey, View

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
RESCAN = timedelta(seconds=5)
SOON = timedelta(seconds=1)
PROGRAM = """#!{python}
import socket, sys
servers = []
for command in sys.stdin:
    if command == "listen\\n":
        servers.append(socket.create_server(("127.0.0.1", 0)))
        print(servers[-1].getsockname()[1], flush=True)
    else:
        print(servers.pop().getsockname()[1], flush=True)
"""


@dataclass
class Running:
    """A program of ours that listens and hangs up as told."""

    pid: int
    tell: Callable[[str], int]


@contextmanager
def running(script: Path, *arguments: str) -> Iterator[Running]:
    """A process that goes by the script's name."""
    script.write_text(PROGRAM.format(python=sys.executable), encoding="utf-8")
    script.chmod(0o755)
    command = [str(script), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own code
        requests, answers = process.stdin, process.stdout
        assert requests
        assert answers

        def tell(order: str) -> int:
            requests.write(f"{order}\n".encode())
            requests.flush()
            return int(answers.readline())

        yield Running(process.pid, tell)
        process.kill()


def find(view: View, pid: int) -> Candidate | None:
    return next((each for each in view.candidates if each.process.identity.pid == pid), None)


def inode(port: int) -> int:
    (found,) = [each.inode for each in listeners() if each.address.port == port]
    return found


def test_a_process_is_known_by_its_name_and_owns_what_its_descriptors_show(tmp_path: Path) -> None:
    with running(tmp_path / "obproxy", "-p", "2883", "-o", "syslog_level=INFO") as odp, socket.create_server(("", 0)):
        port = odp.tell("listen")
        candidate = find(Survey(rescan=RESCAN).look(NOON, listeners(), ()), odp.pid)
        held = inode(port)

    assert candidate is not None
    assert frozenset([held]) == candidate.sockets
    assert {"listen_port": "2883", "syslog_level": "INFO"} == candidate.options


def test_a_process_of_another_name_is_none_of_ours(tmp_path: Path) -> None:
    with running(tmp_path / "notobproxy") as other:
        other.tell("listen")
        view = Survey(rescan=RESCAN).look(NOON, listeners(), ())

    assert None is find(view, other.pid)


def test_a_new_process_is_seen_at_once_when_it_takes_a_watched_port(tmp_path: Path) -> None:
    survey = Survey(rescan=RESCAN)
    survey.look(NOON, (), ())
    with running(tmp_path / "obproxy") as odp:
        port = odp.tell("listen")
        view = survey.look(NOON + SOON, listeners(), {port})

    assert find(view, odp.pid)


def test_a_dead_process_is_gone_at_once(tmp_path: Path) -> None:
    survey = Survey(rescan=RESCAN)
    with running(tmp_path / "obproxy") as odp:
        odp.tell("listen")
        before = survey.look(NOON, (), ())
    after = survey.look(NOON + SOON, (), ())

    assert find(before, odp.pid)
    assert None is find(after, odp.pid)


def test_a_socket_that_a_process_opens_later_is_found_at_the_next_scan(tmp_path: Path) -> None:
    survey = Survey(rescan=RESCAN)
    with running(tmp_path / "obproxy") as odp:
        first = odp.tell("listen")
        before = find(survey.look(NOON, listeners(), ()), odp.pid)
        second = odp.tell("listen")
        after = find(survey.look(NOON + RESCAN, listeners(), ()), odp.pid)
        held = inode(first), inode(second)

    assert before is not None
    assert after is not None
    assert (frozenset(held[:1]), frozenset(held)) == (before.sockets, after.sockets)


def test_a_socket_that_a_process_closes_is_missed_at_once(tmp_path: Path) -> None:
    survey = Survey(rescan=RESCAN)
    with running(tmp_path / "obproxy") as odp:
        odp.tell("listen")
        table = listeners()
        survey.look(NOON, table, ())
        odp.tell("close")
        after = find(survey.look(NOON + SOON, table, ()), odp.pid)

    assert after is not None
    assert frozenset() == after.sockets


def test_a_watching_script_is_seen_with_where_it_runs(tmp_path: Path) -> None:
    with running(tmp_path / "obproxyd.sh", "-c", "checkalive", "-p", "2883") as watchdog:
        watchdog.tell("listen")
        view = Survey(rescan=RESCAN).look(NOON, (), ())

    (script,) = [each for each in view.scripts if each.pid == watchdog.pid]
    assert ("-c", "checkalive", "-p", "2883") == script.arguments[-4:]
    assert Path.cwd() == script.directory


def entry(
    proc: Path, pid: int, *, comm: str = "obproxy", ticks: int = 100, arguments: bytes = b"obproxy\0-p\0002883\0"
) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "stat").write_bytes(f"{pid} ({comm}) S 1 {'0 ' * 17}{ticks} 0 5 {'0 ' * 20}".encode())
    (proc / str(pid) / "comm").write_text(f"{comm}\n", encoding="utf-8")
    (proc / str(pid) / "cmdline").write_bytes(arguments)
    (proc / str(pid) / "cgroup").write_bytes(b"0::/system.slice/odp.service\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_bytes(b"b00t\n")
    (tmp_path / "stat").write_bytes(b"btime 1795370000\n")
    return tmp_path


def test_descriptors_that_are_closed_to_this_user_leave_ownership_unknown(proc: Path) -> None:
    entry(proc, 42)
    (seen,) = Survey(rescan=RESCAN, proc=proc).look(NOON, listeners(), ()).candidates

    assert (None, None, "0::/system.slice/odp.service\n") == (seen.sockets, seen.environment, seen.cgroup)
    assert {"listen_port": "2883"} == seen.options


def test_a_new_process_is_seen_at_the_next_scan(proc: Path) -> None:
    survey = Survey(rescan=RESCAN, proc=proc)
    survey.look(NOON, (), ())
    entry(proc, 42)

    assert [0, 1] == [len(survey.look(NOON + after, (), ()).candidates) for after in (SOON, RESCAN)]


def test_candidates_come_oldest_first(proc: Path) -> None:
    entry(proc, 50, ticks=300)
    entry(proc, 51, ticks=100)
    entry(proc, 52, ticks=200)
    view = Survey(rescan=RESCAN, proc=proc).look(NOON, (), ())

    assert [51, 52, 50] == [each.process.identity.pid for each in view.candidates]


def test_a_reused_pid_is_another_process_with_other_options(proc: Path) -> None:
    survey = Survey(rescan=RESCAN, proc=proc)
    entry(proc, 42)
    (before,) = survey.look(NOON, (), ()).candidates
    for path in (proc / "42").iterdir():
        path.unlink()
    (proc / "42").rmdir()
    entry(proc, 42, ticks=900, arguments=b"obproxy\0-p\0003306\0")
    (after,) = survey.look(NOON + SOON, (), ()).candidates

    assert before.process.identity != after.process.identity
    assert "3306" == after.options["listen_port"]


@pytest.mark.parametrize(
    ("comm", "arguments", "is_odp"),
    [
        ("obproxy", b"", True),
        ("x", b"/opt/obproxy/bin/obproxy\0-N\0", True),
        ("x", b"obproxy\0", True),
        ("vi", b"vi\0obproxy\0", False),
        ("obproxyd.sh", b"/bin/bash\0./bin/obproxyd.sh\0", False),
        ("obproxy-4.3.1", b"./obproxy-4.3.1\0", False),
    ],
)
def test_names_that_count(proc: Path, comm: str, arguments: bytes, is_odp: bool) -> None:  # noqa: FBT001 - a table of values
    entry(proc, 42, comm=comm, arguments=arguments)

    assert is_odp == bool(Survey(rescan=RESCAN, proc=proc).look(NOON, (), ()).candidates)


def test_the_executables_name_counts_even_after_an_upgrade(proc: Path) -> None:
    entry(proc, 42, comm="x", arguments=b"x\0")
    (proc / "42/exe").symlink_to("/opt/obproxy/bin/obproxy (deleted)")

    assert Survey(rescan=RESCAN, proc=proc).look(NOON, (), ()).candidates


def test_a_clock_that_was_set_back_does_not_put_off_the_scan(proc: Path) -> None:
    survey = Survey(rescan=RESCAN, proc=proc)
    survey.look(NOON, (), ())
    entry(proc, 42)

    assert survey.look(NOON - timedelta(days=1), (), ()).candidates


def test_while_nobody_listens_on_a_watched_port_a_starting_odp_is_found_soon(proc: Path) -> None:
    """It listens last of all; before that, only a scan finds it."""
    survey = Survey(rescan=RESCAN, proc=proc)
    survey.look(NOON, (), (2883,))
    entry(proc, 42)

    assert not survey.look(NOON + timedelta(milliseconds=100), (), (2883,)).candidates
    assert survey.look(NOON + DESERTED_RESCAN, (), (2883,)).candidates


def test_a_host_without_proc_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        Survey(rescan=RESCAN, proc=tmp_path / "gone").look(NOON, (), ())
