import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from odp_exporter.cache import container
from odp_exporter.observations import Cause, Cores, HostObservation, Process, Watchdog
from odp_exporter.probes.host import MAX_UNSEEN, RESCAN, Discovery, HostProbe
from odp_exporter.procfs import sockets
from odp_exporter.procfs.history import Findings, History
from odp_exporter.procfs.sockets import Listener, SocketsUnavailable
from odp_exporter.simulator.fleet.ports import free_port
from odp_exporter.targets import Address, Ocp, Target

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON = timedelta(seconds=1)
RECORDED = Path(__file__).parents[1] / "testdata/captures/proxyconfig_v1.db"
URL = "http://192.0.2.10:8080/services?Action=GetObProxyConfig"
QUIET = Findings(dict.fromkeys(Cause, 0), False, False, False, None, None, ())  # noqa: FBT003 - in the order of its fields
PROGRAM = """#!{python}
import json, socket, sys
servers = [socket.create_server((host, port), backlog=backlog, reuse_port=False)
           for host, port, backlog in json.loads(sys.stdin.readline())]
print(json.dumps([server.getsockname()[1] for server in servers]), flush=True)
sys.stdin.read()
"""
Socket = tuple[str, int, int]
SQL: Socket = ("127.0.0.1", 0, 1024)
PROMETHEUS: Socket = ("0.0.0.0", 0, 4096)


@dataclass
class Remembering:
    """A history that remembers what it was asked."""

    findings: Findings = QUIET
    asked: list[tuple[str, tuple[int, ...], Path | None, bool]] = field(default_factory=list)
    kept: list[Collection[str]] = field(default_factory=list)

    def observe(
        self, target: str, present: Sequence[Process], home: Path | None, now: datetime, *, is_silent: bool = False
    ) -> Findings:
        assert now >= NOON
        self.asked.append((target, tuple(process.identity.pid for process in present), home, is_silent))
        return self.findings

    def forget(self, kept: Collection[str]) -> None:
        self.kept.append(kept)


@dataclass(frozen=True)
class Odp:
    """A process that looks like ODP and listens."""

    pid: int
    ports: tuple[int, ...]
    kill: Callable[[], None]

    @property
    def target(self) -> Target:
        return Target(name="odp-1", address=Address("127.0.0.1", self.ports[0]))


@contextmanager
def running(
    home: Path, *sockets: Socket, options: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Odp]:
    (home / "bin").mkdir(parents=True, exist_ok=True)
    (home / "etc").mkdir(exist_ok=True)
    script = home / "bin/obproxy"
    script.write_text(PROGRAM.format(python=sys.executable), encoding="utf-8")
    script.chmod(0o755)
    with subprocess.Popen(  # noqa: S603 - our own code
        [script, *options],
        cwd=home,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(sockets).encode() + b"\n")
        process.stdin.flush()

        def kill() -> None:
            process.kill()
            process.wait()

        yield Odp(process.pid, tuple(json.loads(process.stdout.readline())), kill)
        kill()


def observed(probe: HostProbe, target: Target, now: datetime = NOON) -> HostObservation:
    (observation,) = probe.observe([target], now)
    return observation


def pids(observation: HostObservation) -> list[int]:
    return [process.identity.pid for process in observation.processes]


def test_an_odp_that_listens_is_seen_with_its_process_home_and_clients(tmp_path: Path) -> None:
    with running(tmp_path, SQL, PROMETHEUS) as odp, ExitStack() as clients:
        for _ in range(3):
            clients.enter_context(socket.create_connection(("127.0.0.1", odp.ports[0]), timeout=5))
        clients.enter_context(socket.create_connection(("127.0.0.1", odp.ports[1]), timeout=5))
        seen = observed(HostProbe(Remembering()), odp.target)

    assert (True, True, [odp.pid], tmp_path) == (seen.is_local, seen.is_listening, pids(seen), seen.home)
    assert (3, 3) == (seen.accept_queue, seen.client_connections)
    assert () == seen.unseen


def test_an_odp_that_listens_on_all_addresses_is_reached_by_any_of_them(tmp_path: Path) -> None:
    with running(tmp_path, ("0.0.0.0", 0, 1024)) as odp:
        seen = observed(HostProbe(Remembering()), Target(name="odp-1", address=Address("127.0.0.7", odp.ports[0])))

    assert [odp.pid] == pids(seen)


def test_of_another_host_nothing_is_said() -> None:
    history = Remembering()
    target = Target(name="odp-1", address=Address("192.0.2.11", 2883))

    assert HostObservation("odp-1", NOON, is_local=False) == observed(HostProbe(history), target)
    assert [] == history.asked


@pytest.fixture
def without_socket_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a sandbox without AF_NETLINK."""

    def refused() -> tuple[Listener, ...]:
        raise SocketsUnavailable("the kernel's socket tables cannot be read: permission denied")

    monkeypatch.setattr(sockets, "listeners", refused)


@pytest.mark.usefixtures("without_socket_tables")
def test_without_socket_tables_nobody_knows_whether_it_listens(tmp_path: Path) -> None:
    probe = HostProbe(Remembering(), proc=synthetic(tmp_path / "proc"), unit_directories=[])
    seen = observed(probe, Target(name="odp-1", address=Address("127.0.0.1", 2883)))

    assert ([42], None, None, None) == (pids(seen), seen.is_listening, seen.accept_queue, seen.client_connections)
    assert "the kernel's socket tables cannot be read: permission denied" in seen.unseen


@pytest.mark.parametrize(("options", "seconds"), [((), 30), (("-o", "hot_upgrade_exit_timeout=5s"), 5)])
def test_the_time_for_a_drain_is_what_odp_was_told(tmp_path: Path, options: Sequence[str], seconds: int) -> None:
    with running(tmp_path, SQL, options=options) as odp:
        seen = observed(HostProbe(Remembering()), odp.target)

    assert timedelta(seconds=seconds) == seen.drain_timeout


def test_which_addresses_belong_to_this_host() -> None:
    ours = Address("127.0.0.1", 2883), Address("localhost", 2893)
    others = Address("192.0.2.99", 2883), Address("no-such-name.invalid", 2883)
    probe = HostProbe(Remembering())
    # A resolver without network may take longer than `local` waits; what it has found by then must do.
    probe.local([*ours, *others], NOON)

    assert frozenset(ours) == probe.local([*ours, *others], NOON)


def test_a_containerised_odp_has_no_home_here_and_the_reason_is_said(tmp_path: Path) -> None:
    proc, home = synthetic(tmp_path / "proc"), tmp_path / "home"
    (home / "etc").mkdir(parents=True)
    for process, namespace in (("42", "mnt:[2]"), ("self", "mnt:[1]")):
        (proc / process / "ns").mkdir(parents=True)
        (proc / process / "ns/mnt").symlink_to(namespace)
    (proc / "42/environ").write_bytes(f"OBPROXY_ROOT={home}\0".encode())
    probe = HostProbe(Remembering(), proc=proc, unit_directories=[])
    address = Address("127.0.0.1", 2883)
    found, told = Target(name="odp-1", address=address), Target(name="odp-1", address=address, home=home)

    seen = observed(probe, found)
    assert None is seen.home
    assert (
        f"home: {home} is another place for us, as ODP runs in a container (give the path here as home)" in seen.unseen
    )
    assert home == observed(probe, told).home


def test_a_dead_odp_has_no_process_and_keeps_its_home_and_stored_parameters(tmp_path: Path) -> None:
    """Its logs and cache are read when it matters, and that is now."""
    history = Remembering()
    probe = HostProbe(history)
    with running(tmp_path, SQL, options=["-o", "syslog_level=INFO"]) as odp:
        shutil.copyfile(RECORDED, tmp_path / "etc/proxyconfig_v1.db")
        alive = observed(probe, odp.target)
        odp.kill()
        dead = observed(probe, odp.target, NOON + SOON)

    assert ((), False, None, 0, tmp_path) == (
        dead.processes,
        dead.is_listening,
        dead.accept_queue,
        dead.client_connections,
        dead.home,
    )
    assert alive.parameters
    assert dead.parameters
    assert ("INFO", "command line, etc/proxyconfig_v1.db") == (
        alive.parameters.values["syslog_level"],
        alive.parameters.source,
    )
    assert ("WDIAG", "etc/proxyconfig_v1.db") == (dead.parameters.values["syslog_level"], dead.parameters.source)
    assert [("odp-1", (odp.pid,), tmp_path, False), ("odp-1", (), tmp_path, False)] == history.asked


def test_a_restarted_odp_is_seen_at_once(tmp_path: Path) -> None:
    probe = HostProbe(Remembering())
    with running(tmp_path, ("127.0.0.1", free_port("127.0.0.1"), 1024)) as first:
        observed(probe, first.target)
        first.kill()
        with running(tmp_path, ("127.0.0.1", first.ports[0], 1024)) as second:
            seen = observed(probe, first.target, NOON + SOON)

    assert [second.pid] == pids(seen)


def test_a_duplicate_that_claims_the_port_is_counted_beside_its_owner(tmp_path: Path) -> None:
    with running(tmp_path / "a", SQL) as owner, running(tmp_path / "b", options=[f"-p{owner.ports[0]}"]) as duplicate:
        seen = observed(HostProbe(Remembering()), owner.target)

    assert sorted([owner.pid, duplicate.pid]) == sorted(pids(seen))
    assert tmp_path / "a" == seen.home


def test_an_odp_that_starts_is_seen_before_it_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(tmp_path, options=["-p", str(port)]) as odp:
        seen = observed(HostProbe(Remembering()), Target(name="odp-1", address=Address("127.0.0.1", port)))

    assert ([odp.pid], False) == (pids(seen), seen.is_listening)


def test_the_configured_home_wins(tmp_path: Path) -> None:
    (tmp_path / "configured/etc").mkdir(parents=True)
    (tmp_path / "configured/etc/obproxy_config.bin").write_bytes(
        container.encode(b"ignore_local_config=False\n", magic=container.BCDE)
    )
    with running(tmp_path / "found", SQL) as odp:
        target = Target(name="odp-1", address=odp.target.address, home=tmp_path / "configured")
        seen = observed(HostProbe(Remembering()), target)

    assert seen.parameters
    assert (tmp_path / "configured", "etc/obproxy_config.bin", "False") == (
        seen.home,
        seen.parameters.source,
        seen.parameters.values["ignore_local_config"],
    )


def test_a_damaged_parameter_file_is_said_and_leaves_the_command_line(tmp_path: Path) -> None:
    with running(tmp_path, SQL, options=["-o", "ignore_local_config=false"]) as odp:
        (tmp_path / "etc/obproxy_config.bin").write_bytes(b"x" * 100)
        seen = observed(HostProbe(Remembering()), odp.target)

    assert seen.parameters
    assert ({"ignore_local_config": "false"}, "command line") == (seen.parameters.values, seen.parameters.source)
    assert (f"{tmp_path}/etc/obproxy_config.bin: begins with 7878, not bcde",) == seen.unseen


def test_a_port_in_strange_hands_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        seen = observed(HostProbe(Remembering()), Target(name="odp-1", address=Address("127.0.0.1", port)))

    assert ((), True) == (seen.processes, seen.is_listening)
    assert f"port {port}: held by a process of uid {os.getuid()} into which this user cannot see" in seen.unseen


def test_what_history_found_is_passed_on(tmp_path: Path) -> None:
    cores = Cores(1, NOON)
    findings = Findings({Cause.OOM: 2}, True, True, True, cores, "4.3.1.0", ("cores: elsewhere",))  # noqa: FBT003 - as above
    with running(tmp_path, SQL) as odp:
        history = Remembering(findings)
        (seen,) = HostProbe(history).observe([odp.target], NOON, silent={"odp-1"})

    assert ({Cause.OOM: 2}, cores, "4.3.1.0", ("cores: elsewhere",)) == (
        seen.restarts,
        seen.cores,
        seen.version,
        seen.unseen,
    )
    assert (True, True, True) == (seen.is_told_to_stop, seen.is_hot_restarting, seen.is_memory_frozen)
    assert [("odp-1", (odp.pid,), tmp_path, True)] == history.asked


def test_a_look_says_when_the_next_one_is_due(tmp_path: Path) -> None:
    with running(tmp_path, SQL) as odp:
        (seen,) = HostProbe(Remembering()).observe([odp.target], NOON, interval=timedelta(minutes=1))

    assert timedelta(minutes=1) == seen.interval


def test_a_target_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    history = Remembering()
    probe = HostProbe(history)
    with running(tmp_path, SQL) as odp:
        probe.observe([odp.target], NOON)
        probe.observe([odp.target], NOON)
        probe.observe([], NOON)

    assert [set()] == history.kept


def test_the_shipped_watchdog_is_seen(tmp_path: Path) -> None:
    script = tmp_path / "bin/obproxyd.sh"
    with running(tmp_path, SQL) as odp:
        script.write_text("#!/bin/sh\necho ready\nread line\n", encoding="utf-8")
        script.chmod(0o755)
        command = ["./bin/obproxyd.sh", "-c", "checkalive", "-p", str(odp.ports[0])]
        with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as watchdog:  # noqa: S603 - our own code
            assert watchdog.stdout
            watchdog.stdout.readline()
            watched = observed(HostProbe(Remembering()), odp.target)
            watchdog.kill()

    assert frozenset({Watchdog.OBPROXYD}) == watched.watchdogs


def synthetic(proc: Path, *, arguments: bytes = b"obproxy\0-p2883\0") -> Path:
    """A /proc of another user's ODP in a systemd unit: no descriptors, links or environment to be seen."""
    (proc / "42").mkdir(parents=True)
    (proc / "42/stat").write_bytes(b"42 (obproxy) S 1 " + b"0 " * 17 + b"900 0 5 " + b"0 " * 20)
    (proc / "42/comm").write_bytes(b"obproxy\n")
    (proc / "42/cmdline").write_bytes(arguments)
    (proc / "42/cgroup").write_bytes(b"0::/system.slice/odp.service\n")
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_bytes(b"b00t\n")
    (proc / "stat").write_bytes(b"btime 1795370000\n")
    return proc


@pytest.mark.parametrize(("setting", "expected"), [("always", frozenset({Watchdog.SYSTEMD})), ("no", frozenset())])
def test_a_unit_that_restarts_is_a_watchdog_while_its_process_is_dead_too(
    tmp_path: Path, setting: str, expected: frozenset[Watchdog]
) -> None:
    proc, units = synthetic(tmp_path / "proc"), tmp_path / "units"
    units.mkdir()
    (units / "odp.service").write_text(f"[Service]\nRestart={setting}\n", encoding="utf-8")
    probe = HostProbe(Remembering(), proc=proc, unit_directories=[units])
    target = Target(name="odp-1", address=Address("127.0.0.1", 2883))
    alive = observed(probe, target)
    shutil.rmtree(proc / "42")
    dead = observed(probe, target, NOON + SOON)

    assert ([42], []) == (pids(alive), pids(dead))
    assert (expected, expected) == (alive.watchdogs, dead.watchdogs)


def test_what_was_read_for_a_target_that_is_gone_is_read_anew(tmp_path: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()
    (units / "odp.service").write_text("[Service]\nRestart=always\n", encoding="utf-8")
    probe = HostProbe(Remembering(), proc=synthetic(tmp_path / "proc"), unit_directories=[units])
    target = Target(name="odp-1", address=Address("127.0.0.1", 2883))
    before = observed(probe, target)
    (units / "odp.service").write_text("[Service]\nRestart=no\n", encoding="utf-8")
    kept = observed(probe, target)
    probe.observe([], NOON)

    assert [1, 1, 0] == [len(seen.watchdogs) for seen in (before, kept, observed(probe, target))]


def test_what_another_users_odp_hides_is_said(tmp_path: Path) -> None:
    probe = HostProbe(Remembering(), proc=synthetic(tmp_path / "proc"), unit_directories=[])
    seen = observed(probe, Target(name="odp-1", address=Address("127.0.0.1", 2883)))

    assert [42] == pids(seen)
    assert (
        "home: not known, its work directory is closed to this user",
        "odp.service: its unit files cannot be read",
    ) == seen.unseen


def test_a_host_without_proc_is_seen_by_its_sockets(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = Target(name="odp-1", address=Address("127.0.0.1", server.getsockname()[1]))
        seen = observed(HostProbe(Remembering(), proc=tmp_path / "gone"), target)

    assert (True, 0, ()) == (seen.is_listening, seen.client_connections, seen.processes)
    assert f"{tmp_path}/gone/sys/kernel/random/boot_id: no such file or directory" in seen.unseen


def found_at(discovery: Discovery, port: int) -> Target | None:
    return next((target for target in discovery.targets if target.address.port == port), None)


def test_discovery_finds_an_odp_by_the_socket_it_owns_and_loses_it_when_it_dies(tmp_path: Path) -> None:
    probe = HostProbe(Remembering())
    with running(tmp_path, SQL, PROMETHEUS) as odp:
        (tmp_path / "etc/obproxy_config.bin").write_bytes(
            container.encode(f"listen_port={odp.ports[0]}\n".encode(), magic=container.BCDE)
        )
        alive = probe.discover(NOON)
        odp.kill()
        dead = probe.discover(NOON + SOON)

    address = Address("127.0.0.1", odp.ports[0])
    assert Target(name=str(address), address=address, home=tmp_path) == found_at(alive, odp.ports[0])
    assert None is found_at(dead, odp.ports[0])


def test_discovery_finds_the_ocp_that_odp_asks_and_the_way_there(tmp_path: Path) -> None:
    proc = synthetic(tmp_path, arguments=f"obproxy\0-p2883\0-oobproxy_config_server_url={URL}\0".encode())
    (proc / "42/environ").write_bytes(
        b"HTTP_PROXY=http://192.0.2.8:1\0http_proxy=http://192.0.2.9:3128\0no_proxy=localhost\0"
    )

    assert (Ocp(name="192.0.2.10:8080", url=URL, http_proxy="http://192.0.2.9:3128"),) == HostProbe(
        Remembering(), proc=proc
    ).discover(NOON).ocps


def test_discovery_says_what_it_could_not_place(tmp_path: Path) -> None:
    probe = HostProbe(Remembering(), proc=synthetic(tmp_path / "proc", arguments=b"obproxy\0"))

    assert Discovery(unseen=("pid 42: its sockets are closed to this user, and it names no port",)) == probe.discover(
        NOON
    )


def test_discovery_does_not_say_more_than_a_person_reads_and_says_it_again_in_the_same_words(tmp_path: Path) -> None:
    proc = synthetic(tmp_path / "proc", arguments=b"obproxy\0")
    for pid in range(100, 100 + 2 * MAX_UNSEEN):
        shutil.copytree(proc / "42", proc / str(pid))
    probe = HostProbe(Remembering(), proc=proc)
    first, second = probe.discover(NOON), probe.discover(NOON + 2 * RESCAN)

    assert MAX_UNSEEN == len(first.unseen)
    assert first.unseen == second.unseen


def test_no_secret_of_the_command_line_or_the_environment_is_in_what_is_observed(tmp_path: Path) -> None:
    secret = "5ec2e7"
    url = f"http://u:{secret}@192.0.2.10:8080/s?Action=x"
    options = ["-o", f"obproxy_sys_password={secret},obproxy_config_server_url={url}"]
    environment = {"observer_sys_password": secret, "http_proxy": f"http://u:{secret}@192.0.2.9:3128"}
    probe = HostProbe(Remembering())
    with running(tmp_path, SQL, options=options, environment=environment) as odp:
        seen, discovery = observed(probe, odp.target), probe.discover(NOON)

    assert secret not in repr(seen)
    assert secret not in repr(discovery)
    assert url in [ocp.url for ocp in discovery.ocps]


def test_it_works_with_the_real_history(tmp_path: Path) -> None:
    history = History(None)
    with running(tmp_path, SQL) as odp:
        seen = observed(HostProbe(history), odp.target)
        history.close()

    assert [odp.pid] == pids(seen)
    assert not any(seen.restarts.values())
