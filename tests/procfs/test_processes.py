import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.files import FileMissing, FileUnusable
from odp_exporter.procfs import processes
from odp_exporter.procfs.processes import Environment, Home, Stat, parse_stat, split_arguments

NAMED = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)
print("ready", flush=True)
sys.stdin.read()
"""
STAT = (
    b"27604 (obproxy) S 1 27604 27604 0 -1 4194304 39000 0 0 0 120 47 0 0 20 0 11 0 8412345 520765440 39276 "
    b"18446744073709551615 1 1 0 0 0 0 0 4096 16384 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


@contextmanager
def child(*arguments: str, name: str = "obproxy", **environment: str) -> Iterator[int]:
    """A process of that name, with these arguments; its pid."""
    command = [sys.executable, "-c", NAMED, name, *arguments]
    with subprocess.Popen(  # noqa: S603 - our own code
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | environment
    ) as process:
        assert process.stdout
        assert b"ready\n" == process.stdout.readline()
        yield process.pid
        process.kill()


def tree(root: Path, **contents: bytes) -> Path:
    """A synthetic /proc with one process, 42."""
    files = {"stat": STAT, "cmdline": b"./bin/obproxy\0-N\0", "limits": b"", "environ": b""} | contents
    (root / "42" / "fd").mkdir(parents=True)
    for name, content in files.items():
        (root / "42" / name).write_bytes(content)
    (root / "sys/kernel/random").mkdir(parents=True)
    (root / "sys/kernel/random/boot_id").write_bytes(b"b00t\n")
    (root / "stat").write_bytes(b"cpu 1 2 3\nbtime 1795370000\nprocesses 9\n")
    return root


def test_a_living_process_is_seen_whole() -> None:
    began = datetime.now(UTC)
    with child("-p", "2883") as pid:
        seen = processes.read(pid)

    assert seen is not None
    assert (pid, processes.boot_id()) == (seen.identity.pid, seen.identity.boot_id)
    assert str(Path(sys.executable).resolve()) == seen.identity.executable
    assert abs(seen.started - began) < timedelta(seconds=30)
    assert ("-p", "2883") == seen.arguments[-2:]
    assert (os.getpid(), Path.cwd(), 1) == (seen.parent, seen.home, seen.threads)
    assert seen.resident_bytes > 1 << 20
    assert seen.open_fds in {3, 4}
    assert seen.max_fds
    assert seen.state in {"R", "S"}


@pytest.mark.parametrize("name", ["a) S 1 (b", "new\nline", "(((", ")))", "obproxy"])
def test_the_name_of_a_process_cannot_shift_its_fields(name: str) -> None:
    with child(name=name) as pid:
        seen = processes.read(pid)

    assert seen is not None
    assert (os.getpid(), pid) == (seen.parent, seen.identity.pid)


def test_a_process_that_is_gone_is_none() -> None:
    with child() as pid:
        pass

    assert None is processes.read(pid)


def test_a_zombie_is_gone() -> None:
    """It has left its executable behind, and would pass for another process."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert None is processes.read(process.pid)


def test_a_stopped_process_is_there() -> None:
    with child() as pid:
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        seen = processes.read(pid)

    assert seen is not None
    assert "T" == seen.state


def test_an_upgrade_of_the_binary_leaves_the_identity_alone(tmp_path: Path) -> None:
    proc = tree(tmp_path)
    (proc / "42/exe").symlink_to("/opt/obproxy/bin/obproxy")
    before = processes.read(42, proc=proc)
    (proc / "42/exe").unlink()
    (proc / "42/exe").symlink_to("/opt/obproxy/bin/obproxy (deleted)")
    after = processes.read(42, proc=proc)

    assert before is not None
    assert before == after
    assert "/opt/obproxy/bin/obproxy" == before.identity.executable


def test_what_this_user_may_not_see_is_none_and_the_rest_is_there(tmp_path: Path) -> None:
    proc = tree(tmp_path)
    (proc / "42/environ").unlink()
    (proc / "42/limits").unlink()
    (proc / "42/fd").rmdir()
    seen = processes.read(42, proc=proc)

    assert seen is not None
    assert ("obproxy", None, None, None) == (seen.identity.executable, seen.home, seen.open_fds, seen.max_fds)
    assert (8412345, 11, 39276 * os.sysconf("SC_PAGE_SIZE")) == (
        seen.identity.start_ticks,
        seen.threads,
        seen.resident_bytes,
    )


def test_the_home_is_what_the_environment_says_or_else_the_work_directory(tmp_path: Path) -> None:
    proc = tree(tmp_path, environ=b"PATH=/bin\0OBPROXY_ROOT=/home/admin/obproxy\0")
    (proc / "42/cwd").symlink_to("/somewhere")
    told = processes.read(42, proc=proc)
    (proc / "42/environ").write_bytes(b"OBPROXY_ROOT=relative\0")
    found = processes.read(42, proc=proc)

    assert told is not None
    assert found is not None
    assert (Path("/home/admin/obproxy"), Path("/somewhere")) == (told.home, found.home)


def elsewhere(proc: Path, work: Path, seen_as: Path) -> Path:
    """Puts process 42 into a mount namespace of its own, where its work directory *work* is called *seen_as*."""
    for process, namespace in (("42", "mnt:[2]"), ("self", "mnt:[1]")):
        (proc / process / "ns").mkdir(parents=True)
        (proc / process / "ns/mnt").symlink_to(namespace)
    (proc / "42/cwd").symlink_to(seen_as)
    (proc / "42/root").symlink_to(work)
    return proc


def test_the_home_of_a_containerised_odp_is_not_looked_for_among_our_files(tmp_path: Path) -> None:
    """Its path leads to another ODP here, whose cache would be judged."""
    ours, inner = tmp_path / "ours", tmp_path / "inner"
    (inner / str(ours).lstrip("/")).mkdir(parents=True)
    ours.mkdir()
    environ = f"OBPROXY_ROOT={ours}\0".encode()
    proc = elsewhere(tree(tmp_path / "proc", environ=environ), inner, ours)
    seen = processes.read(42, proc=proc)

    assert seen is not None
    assert None is seen.home
    assert (
        f"home: {ours} is another place for us, as ODP runs in a container (give the path here as home)"
        == processes.home(42, proc=proc).problem
    )


def test_a_mount_namespace_that_shows_the_same_home_does_no_harm(tmp_path: Path) -> None:
    """ProtectSystem= in our unit gives us one, and ODP's own unit may have another."""
    home = tmp_path / "home"
    home.mkdir()
    told = elsewhere(tree(tmp_path / "a", environ=f"OBPROXY_ROOT={home}\0".encode()), Path("/"), home)
    found = elsewhere(tree(tmp_path / "b"), Path("/"), home)

    assert [Home(home), Home(home)] == [processes.home(42, proc=proc) for proc in (told, found)]


def test_passwords_never_leave_the_command_line(tmp_path: Path) -> None:
    argument = "obproxy_sys_password=5ec2e7,ignore_local_config=false,Observer_Sys_Password1 = 5ec2e7,x=1"
    url = "--optstr=obproxy_config_server_url=http://u:5ec2e7@192.0.2.10/s?A=b"
    proc = tree(tmp_path, cmdline=f"obproxy\0-o\0{argument}\0{url}\0".encode())
    seen = processes.read(42, proc=proc)

    assert seen is not None
    assert "5ec2e7" not in repr(seen)
    assert (
        "obproxy",
        "-o",
        "obproxy_sys_password=***,ignore_local_config=false,Observer_Sys_Password1 =***,x=1",
        "--optstr=obproxy_config_server_url=http://***@192.0.2.10/s?A=b",
    ) == seen.arguments


def test_only_the_variables_that_matter_are_kept_and_credentials_are_not_shown() -> None:
    secret = "5ec2e7"
    with child(
        http_proxy=f"http://u:{secret}@192.0.2.9:3128", HTTP_PROXY="x", no_proxy="a,b", observer_sys_password=secret
    ) as pid:
        seen = processes.environment(pid)

    assert Environment(None, f"http://u:{secret}@192.0.2.9:3128", None, "a,b") == seen
    assert secret not in repr(seen)


@pytest.mark.parametrize(
    ("environ", "http", "https", "no"),
    [
        (b"HTTP_PROXY=a\0HTTPS_PROXY=b\0NO_PROXY=c", None, "b", "c"),
        (b"http_proxy=a\0https_proxy=b\0HTTPS_PROXY=x\0no_proxy=c\0NO_PROXY=x", "a", "b", "c"),
        (b"all_proxy=a\0ALL_PROXY=x", "a", "a", None),
        (b"ALL_PROXY=a\0http_proxy=\0https_proxy=b", "a", "b", None),
        (b"", None, None, None),
    ],
)
def test_proxies_are_read_as_libcurl_reads_them(
    tmp_path: Path, environ: bytes, http: str | None, https: str | None, no: str | None
) -> None:
    assert Environment(None, http, https, no) == processes.environment(42, proc=tree(tmp_path, environ=environ))


@pytest.mark.parametrize("content", [b"", b"42", b"42 (obproxy) S", b"42 (obproxy) S x" + b" 0" * 40, b"\xff" * 100])
def test_a_stat_that_is_none_is_no_process(tmp_path: Path, content: bytes) -> None:
    assert None is processes.read(42, proc=tree(tmp_path, stat=content))


def test_a_proc_without_boot_is_said_to_be_unusable(tmp_path: Path) -> None:
    proc = tree(tmp_path)
    (proc / "stat").write_bytes(b"cpu 1 2 3\n")

    with pytest.raises(FileUnusable, match="has no btime"):
        processes.boot(proc)
    with pytest.raises(FileMissing):
        processes.boot(proc / "42")


@given(
    comm=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=15),
    state=st.sampled_from("RSDTZ"),
    numbers=st.lists(st.integers(0, 2**63), min_size=49, max_size=49),
)
def test_any_stat_gives_back_what_was_put_in(comm: str, state: str, numbers: list[int]) -> None:
    fields = [state, *map(str, numbers)]
    content = f"42 ({comm}) {' '.join(fields)}\n".encode()

    assert Stat(
        comm, state, numbers[0], numbers[10] + numbers[11], numbers[16], numbers[18], numbers[20]
    ) == parse_stat(content)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(content: bytes) -> None:
    with suppress(ValueError):
        parse_stat(content)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)), st.integers(0, 5))
def test_arguments_come_back_as_they_were(arguments: list[str], padding: int) -> None:
    content = "".join(f"{argument}\0" for argument in arguments).encode() + bytes(padding)

    assert tuple(arguments) == split_arguments(content)


def test_an_empty_argument_in_the_middle_stays() -> None:
    assert ("obproxy", "", "-N") == split_arguments(b"obproxy\0\0-N\0\0\0")
