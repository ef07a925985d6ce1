from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from odp_exporter.simulator.fleet import Fault, Fleet, StartFailed
from odp_exporter.simulator.fleet.processes import eventually, is_alive
from odp_exporter.simulator.odp import packets

Greet = Callable[[tuple[str, int]], Awaitable[bytes]]


def _cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _stream(pid: int, number: int) -> str:
    return str(Path(f"/proc/{pid}/fd/{number}").readlink())


def _stat_line(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text()


def _parent(pid: int) -> int:
    return int(_stat_line(pid).rpartition(")")[2].split()[1])


async def test_name_and_command_line_look_as_captured(fleet: Fleet, captures: Path) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)

    recorded = (captures / "process-facts.txt").read_text()
    assert "comm: obproxy" in recorded
    assert f"{odp.pid} (obproxy) " in _stat_line(odp.pid)
    assert "./bin/obproxy|-N|-p|" in recorded
    # Without CONFIG_CHECKPOINT_RESTORE in the kernel more NULs follow.
    assert "\0".join(("./bin/obproxy", *odp.arguments)).encode() == _cmdline(odp.pid).rstrip(b"\0")


async def test_a_daemon_belongs_to_init_and_logs_what_it_prints(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1")

    assert os.getpid() != _parent(odp.pid)
    streams = [_stream(odp.pid, number) for number in range(3)]
    assert ["/dev/null", str(odp.home / "log/obproxy.log"), str(odp.home / "log/obproxy.log")] == streams


async def test_a_foreground_process_stays_the_child_of_who_started_it(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)

    assert os.getpid() == _parent(odp.pid)
    assert {"etc", "log", ".conf", "control-config", "sharding-config", "bin"} <= {p.name for p in odp.home.iterdir()}


async def test_greetings_come_from_two_accept_threads_in_turn(fleet: Fleet, greet: Greet) -> None:
    odp = await fleet.start_odp("odp-1")

    expected = [packets.greeting(thread_id) for thread_id in (2, 0x200001, 3, 0x200002)]
    assert expected == [await greet(odp.address) for _ in range(4)]


async def test_salt_and_version_follow_the_parameters(fleet: Fleet, greet: Greet) -> None:
    odp = await fleet.start_odp("odp-1", options={"enable_proxy_scramble": "true", "mysql_version": "8.0.30"})
    first, second = await greet(odp.address), await greet(odp.address)

    assert b"\x0a8.0.30\0" in first
    assert packets.CONSTANT_SALT[:8] not in first
    assert first[16:24] != second[16:24]


async def test_a_probe_costs_a_dozen_lines_of_log_and_no_diagnosis(fleet: Fleet, greet: Greet) -> None:
    odp = await fleet.start_odp("odp-1")
    before, diagnosis = len(odp.log().splitlines()), odp.log("obproxy_diagnosis.log")
    await greet(odp.address)
    await eventually(lambda: "deallocating sm" in odp.log(), "end of the session", within_seconds=20)

    assert 12 == len(odp.log().splitlines()) - before
    assert diagnosis == odp.log("obproxy_diagnosis.log")


async def test_a_start_is_logged_as_odp_logs_it(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1")

    log = odp.log()
    assert log.index("has no inherited sockets, start new obproxy") < log.index("obproxy start up successful")
    stamp, where = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\]", r"\w+ \(\w+\.cpp:\d+\)"
    line = rf"{stamp} (INFO |WDIAG|ERROR) \[\S+\] {where} \[\d+\]\[Y0-0{{16}}\] \[lt=0\] \[dc=0\] \S"
    assert [] == [each for each in log.splitlines() if not re.match(line, each)]
    success = rf"pid: {odp.pid}, ppid: \d+, result: reboot success"
    success = rf'\[REBOOT\]\(info="obproxy version: 4.3.1.0, revision: \S+, {success}"\)'
    assert re.search(success, odp.log("obproxy_diagnosis.log"))


@pytest.mark.parametrize("release", ["3.2.3", "4.1.0", "4.2.1", "4.2.3", "4.3.1"])
async def test_each_release_has_the_files_of_its_time(fleet: Fleet, release: str) -> None:
    odp = await fleet.start_odp("odp-1", release=release)

    number = tuple(map(int, release.split(".")))
    assert (number < (4, 3)) == (odp.home / "etc/obproxy_config.bin").exists()
    assert (number >= (4, 2, 1)) == (odp.home / "etc/proxyconfig_v1.db").exists()
    assert (number >= (4, 2, 3)) == (odp.home / "log/obproxy_diagnosis.log").exists()
    assert f"{release}.0" in odp.log()


async def test_metrics_and_rpc_ports_listen_where_odp_has_them(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1", shows_metrics_anywhere=True, host="127.0.0.9")
    metrics, rpc = (int(odp.arguments[odp.arguments.index(flag) + 1]) for flag in ("-l", "-s"))
    reader, writer = await asyncio.open_connection("127.0.0.1", metrics)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    page = await reader.read()
    writer.close()
    _, writer = await asyncio.open_connection("127.0.0.9", rpc)
    writer.close()

    assert page.startswith(b"HTTP/1.1 200 OK")
    assert b"# TYPE odp_sql_cost_total gauge" in page
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", rpc)


async def test_the_rpc_service_can_be_switched_off(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1", options={"enable_obproxy_rpc_service": "false", "enable_prometheus": "false"})

    for flag in ("-l", "-s"):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", int(odp.arguments[odp.arguments.index(flag) + 1]))


async def test_a_start_on_a_used_port_fails_with_status_0(fleet: Fleet) -> None:
    first = await fleet.start_odp("odp-1")
    second = await fleet.start_odp("odp-2", foreground=True, waits=False, waiting_faults={Fault.REFUSE_START: 0})
    assert 0 == await second.exit_status()
    await second.clear()
    await second.start("-N", "-p", str(first.address[1]), "-o", "local_bound_ip=127.0.0.1", waits=False)

    assert 0 == await second.exit_status()
    assert "Address already in use" in second.log()
    assert "obproxy start failed" in second.log()
    assert 2 == second.log("obproxy_diagnosis.log").count("result: reboot failed")
    assert first.is_running


async def test_a_bad_option_starts_nothing_and_exits_with_0(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1")
    await odp.stop()
    await odp.start("-N", "--nonsense", waits=False)

    assert 0 == await odp.exit_status()


async def test_a_restart_without_arguments_uses_what_was_stored(fleet: Fleet, greet: Greet) -> None:
    odp = await fleet.start_odp("odp-1", options={"mysql_version": "5.7.1"})
    odp.kill()
    await odp.wait_gone()
    await odp.start("-n", "odptest")

    assert b"\x0a5.7.1\0" in await greet(odp.address)


async def test_a_locked_database_forbids_the_start(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1", foreground=True)
    odp.kill()
    await odp.wait_gone()
    with closing(sqlite3.connect(odp.home / "etc/proxyconfig_v1.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        await odp.start(waits=False)

        assert 0 == await odp.exit_status()
    assert "locked by someone else" in odp.log()


async def test_the_process_ends_with_its_owner(tmp_path: Path) -> None:
    """A killed test leaves nothing behind, not even a hung ODP."""
    script = (
        "import asyncio, sys, pathlib\n"
        "from odp_exporter.simulator.fleet import Fleet\n"
        "async def main():\n"
        "    async with Fleet(pathlib.Path(sys.argv[1])) as fleet:\n"
        "        ocp = await fleet.start_ocp()\n"
        "        odp = await fleet.start_odp('odp-1')\n"
        "        watchdog = await fleet.watchdog(odp)\n"
        "        await odp.fault('hang')\n"
        "        print(ocp.pid, odp.pid, watchdog.pid, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    async with asyncio.timeout(30):
        pids = [int(pid) for pid in (await owner.stdout.readline()).split()]
        owner.send_signal(signal.SIGKILL)
        await owner.wait()

    assert 3 == len(pids)
    await eventually(lambda: not any(map(is_alive, pids)), "all gone", within_seconds=10)


async def test_a_failed_start_that_is_waited_for_is_told(fleet: Fleet) -> None:
    with pytest.raises(StartFailed, match="obproxy start failed"):
        await fleet.start_odp("odp-1", waiting_faults={Fault.REFUSE_START: 0})
