"""Who may log in, and with which OCP and which cache (odp-facts 1.7, 3.1, 4.4, 4.6, 5.1)."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from odp_exporter.cache import container
from odp_exporter.simulator.fleet import Endpoint, Failure, Fleet, Ocp, Odp
from odp_exporter.simulator.fleet.processes import eventually
from odp_exporter.simulator.odp.cache_files import RSLIST, parse_rslist

LogIn = Callable[..., Awaitable[list[str]]]
TICKING = {"config_server_refresh_interval": "1s"}
NO_CLUSTER = ["4669 HY000 cluster not exist"]
INSPECTOR = "inspector@proxysys"


def _sha1(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest()  # noqa: S324 - as ODP stores it


PASSWORDS = {"obproxy_sys_password": _sha1("secret"), "inspector_password": _sha1("look")}


async def test_root_logs_in_to_odp_itself(fleet: Fleet, log_in: LogIn) -> None:
    odp = await fleet.start_odp("odp-1", options=PASSWORDS)
    statements = ["ping proxy", "PING  PROXY;", "set autocommit=1", b"\x0e", "select 1", b"\x01"]
    outcomes = await log_in(odp.address, "root@proxysys", "secret", statements)

    unsupported = "1235 0A000 Not supported feature or function"
    assert ["ok", "ok", "ok", "ok", "ok", unsupported, "closed"] == outcomes


async def test_the_inspector_may_ping_and_nothing_else(fleet: Fleet, log_in: LogIn) -> None:
    odp = await fleet.start_odp("odp-1", options=PASSWORDS)
    outcomes = await log_in(odp.address, INSPECTOR, "look", ["ping proxy", "show proxystat", "set autocommit=1"])

    assert ["ok", "ok"] == outcomes[:2]
    assert all(outcome.startswith("1235") for outcome in outcomes[2:])


@pytest.mark.parametrize(("user", "password"), [("root@proxysys", "wrong"), (INSPECTOR, "secret"), (INSPECTOR, "")])
async def test_a_wrong_password_is_denied(fleet: Fleet, log_in: LogIn, user: str, password: str) -> None:
    odp = await fleet.start_odp("odp-1", options={**PASSWORDS, "enable_proxy_scramble": "true"})

    (outcome,) = await log_in(odp.address, user, password)
    assert outcome.startswith(f"1045 28000 Access denied for user '{user}'@")


async def test_the_default_password_is_empty_before_4_3_and_unknown_since(fleet: Fleet, log_in: LogIn) -> None:
    old = await fleet.start_odp("odp-1", release="4.2.3")
    new = await fleet.start_odp("odp-2", release="4.3.1")

    assert ["ok"] == await log_in(old.address, "root@proxysys")
    assert (await log_in(new.address, "root@proxysys"))[0].startswith("1045")


async def test_at_the_connection_limit_the_greeting_comes_and_the_login_fails(fleet: Fleet, log_in: LogIn) -> None:
    observer = await fleet.start_observer()
    ocp = await fleet.start_ocp({"ob1": [str(observer)]})
    odp = await fleet.start_odp("odp-1", ocp=ocp, options={**PASSWORDS, "client_max_connections": "4"})
    writers = []
    for _ in range(4):
        reader, writer = await asyncio.open_connection(*odp.address)
        await reader.readexactly(78)
        writers.append(writer)
    refused = ["1203 42000 Too many sessions"]

    assert 4 == await odp.connections()
    assert refused == await log_in(odp.address, "root@sys#ob1")
    assert refused == await log_in(odp.address, INSPECTOR, "look")
    assert ["ok", "ok"] == await log_in(odp.address, "root@proxysys", "secret", ["ping proxy"])
    for writer in writers:
        writer.close()
    await _settled(odp)
    assert ["ok"] == await log_in(odp.address, "root@sys#ob1")


async def _settled(odp: Odp) -> None:
    async with asyncio.timeout(20):
        while await odp.connections():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def test_ping_proxy_is_not_answered_while_draining(fleet: Fleet) -> None:
    observer = await fleet.start_observer()
    ocp = await fleet.start_ocp({"ob1": [str(observer)]})
    odp = await fleet.start_odp("odp-1", ocp=ocp)
    reader, writer = await asyncio.open_connection(*odp.address)
    await reader.readexactly(78)
    odp.kill(signal.SIGUSR1)
    await eventually(lambda: "recv SIGUSR1" in odp.log(), "the drain", within_seconds=20)
    login = b"\x05\xa2\x0f\0" + bytes(28) + b"root@sys#ob1\0\0mysql_native_password\0"
    for sequence, payload in ((1, login), (0, b"\x03select 1"), (0, b"\x03ping proxy")):
        writer.write(len(payload).to_bytes(3, "little") + bytes([sequence]) + payload)
    async with asyncio.timeout(20):
        received = await reader.read()
    writer.close()

    assert 2 == received.count(b"\0\0\0\x02\0\0\0")
    assert 22 == len(received)


async def test_a_silent_client_is_closed_after_ten_seconds(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1")
    reader, writer = await asyncio.open_connection(*odp.address)
    await reader.readexactly(78)
    async with asyncio.timeout(20):
        assert b"" == await reader.read()
    writer.close()

    await eventually(
        lambda: "CLIENT_CONNECT_TIMEOUT" in odp.log("obproxy_diagnosis.log"), "diagnosis", within_seconds=20
    )


async def test_logins_to_clusters_need_configuration_list_and_server(fleet: Fleet, log_in: LogIn) -> None:
    observer = await fleet.start_observer()
    ocp = await fleet.start_ocp({"ob1": [str(observer)], "ob2": ["127.0.0.1:1"]})
    odp = await fleet.start_odp("odp-1", ocp=ocp)

    assert ["ok", "ok"] == await log_in(odp.address, "root@sys#ob1", "", ["select 1"])
    assert ["ok"] == await log_in(odp.address, "root@sys")
    assert ["closed"] == await log_in(odp.address, "root@sys#ob2")
    assert NO_CLUSTER == await log_in(odp.address, "root@sys#nosuch")
    assert 'error_code:-10018, error_msg:"fail to check observer version' in odp.log("obproxy_diagnosis.log")


async def test_without_any_configuration_there_is_no_cluster(fleet: Fleet, log_in: LogIn) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:1"]})
    await ocp.refuse()
    odp = await fleet.start_odp("odp-1", ocp=ocp)

    assert NO_CLUSTER == await log_in(odp.address, "root@sys#ob1")
    assert "all cluster info is empty, please check the config server" in odp.log("obproxy_diagnosis.log")


async def test_a_later_tick_heals_an_odp_that_started_without_ocp(fleet: Fleet, log_in: LogIn) -> None:
    observer = await fleet.start_observer()
    ocp = await fleet.start_ocp({"ob1": [str(observer)]})
    await ocp.refuse()
    odp = await fleet.start_odp("odp-1", ocp=ocp, options=TICKING)
    await ocp.heal()
    async with asyncio.timeout(10):
        while await log_in(odp.address, "root@sys#ob1") != ["ok"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


async def test_rootservice_list_stands_in_for_ocp(fleet: Fleet, log_in: LogIn) -> None:
    observer = await fleet.start_observer()
    options = {"rootservice_list": str(observer), "rootservice_cluster_name": "ob1"}
    odp = await fleet.start_odp("odp-1", options=options)

    assert ["ok"] == await log_in(odp.address, "root@sys#ob1")
    assert ["ok"] == await log_in(odp.address, "root@sys")
    assert NO_CLUSTER == await log_in(odp.address, "root@sys#other")
    assert not (odp.home / "etc" / RSLIST).exists()


async def _seeded(fleet: Fleet, log_in: LogIn, ocp: Ocp) -> Odp:
    """An ODP that ran, cached everything, and was killed."""
    odp = await fleet.start_odp("odp-1", ocp=ocp, options=TICKING)
    assert ["ok"] == await log_in(odp.address, "root@sys#ob1")
    await eventually((odp.home / ".conf" / RSLIST).exists, "the cached list", within_seconds=10)
    odp.kill()
    await odp.wait_gone()
    return odp


def _content(path: Path) -> bytes:
    """What is in a file; nothing while it is being replaced."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


@dataclass(frozen=True, slots=True)
class Restart:
    """A row of the measured matrix of odp-facts 3.1; OCP's RS lists are broken in all of them."""

    config_answers: bool
    enable_get_rslist_remote: bool
    ignore_local_config: bool
    outcome: str

    @property
    def options(self) -> str:
        return (
            f"enable_get_rslist_remote={self.enable_get_rslist_remote},ignore_local_config={self.ignore_local_config}"
        )


@pytest.mark.parametrize(
    "restart",
    [
        Restart(config_answers=False, enable_get_rslist_remote=False, ignore_local_config=True, outcome="ok"),
        Restart(config_answers=False, enable_get_rslist_remote=False, ignore_local_config=False, outcome="ok"),
        Restart(config_answers=False, enable_get_rslist_remote=True, ignore_local_config=True, outcome="closed"),
        Restart(config_answers=False, enable_get_rslist_remote=True, ignore_local_config=False, outcome="closed"),
        Restart(config_answers=True, enable_get_rslist_remote=False, ignore_local_config=True, outcome="closed"),
        Restart(config_answers=True, enable_get_rslist_remote=False, ignore_local_config=False, outcome="ok"),
        Restart(config_answers=True, enable_get_rslist_remote=True, ignore_local_config=False, outcome="closed"),
    ],
    ids=lambda restart: f"config={restart.config_answers},{restart.options}",
)
async def test_which_restarts_can_log_in_with_a_valid_cache(fleet: Fleet, log_in: LogIn, restart: Restart) -> None:
    observer = await fleet.start_observer()
    ocp = await fleet.start_ocp({"ob1": [str(observer)]})
    odp = await _seeded(fleet, log_in, ocp)
    for endpoint in (Endpoint.RS_LIST,) if restart.config_answers else tuple(Endpoint):
        await ocp.break_(endpoint, Failure.STATUS, 500)
    before = (await ocp.counts())["version"]
    await odp.start(*odp.arguments[:-1], f"{odp.arguments[-1]},{restart.options},config_server_refresh_interval=1h")
    asked_at_start = (await ocp.counts())["version"] - before

    assert [restart.outcome] == await log_in(odp.address, "root@sys#ob1")
    diagnosed = 'error_code:-10101, error_msg:"fail to fetch rootserver list from config server"'
    assert (restart.outcome == "closed") == (diagnosed in odp.log("obproxy_diagnosis.log"))
    assert restart.ignore_local_config == (asked_at_start > 0)


@pytest.mark.parametrize("damage", [b"", b"short", b"JC" + bytes(60)], ids=["empty", "short", "checksum"])
async def test_a_damaged_list_is_of_no_use(fleet: Fleet, log_in: LogIn, damage: bytes) -> None:
    observer = await fleet.start_observer()
    ocp = await fleet.start_ocp({"ob1": [str(observer)]})
    odp = await _seeded(fleet, log_in, ocp)
    (odp.home / "etc" / RSLIST).write_bytes(damage)
    await ocp.refuse()
    await odp.start()

    assert ["closed"] == await log_in(odp.address, "root@sys#ob1")
    assert "fail to check file header" in odp.log()


async def test_a_deleted_list_is_taken_from_its_copy(fleet: Fleet, log_in: LogIn) -> None:
    observer = await fleet.start_observer()
    ocp = await fleet.start_ocp({"ob1": [str(observer)]})
    odp = await _seeded(fleet, log_in, ocp)
    (odp.home / "etc" / RSLIST).unlink()
    await ocp.refuse()
    await odp.start()

    assert ["ok"] == await log_in(odp.address, "root@sys#ob1")


async def test_a_changed_list_is_noticed_only_when_the_known_servers_fail(fleet: Fleet, log_in: LogIn) -> None:
    first, second = await fleet.start_observer(), await fleet.start_observer()
    ocp = await fleet.start_ocp({"ob1": [str(first)]})
    odp = await fleet.start_odp("odp-1", ocp=ocp, options=TICKING)
    await log_in(odp.address, "root@sys#ob1")
    await ocp.set_clusters({"ob1": [str(second)]})
    await log_in(odp.address, "root@sys#ob1")
    asked_while_healthy = (await ocp.counts())["rs_list"]
    await first.stop()

    assert ["ok"] == await log_in(odp.address, "root@sys#ob1")
    assert (1, 2) == (asked_while_healthy, (await ocp.counts())["rs_list"])
    path = odp.home / "etc" / RSLIST
    await eventually(lambda: str(second).encode() in _content(path), "new list cached", within_seconds=10)


async def test_the_meta_database_is_asked_for_and_cached_first(fleet: Fleet, log_in: LogIn) -> None:
    observer = await fleet.start_observer()
    ocp = await fleet.start_ocp({"ob1": [str(observer)]}, meta=[str(observer)])
    odp = await fleet.start_odp("odp-1", ocp=ocp, options={**TICKING, "enable_metadb_used": "true"})
    await log_in(odp.address, "root@sys#ob1")
    path = odp.home / "etc" / RSLIST
    async with asyncio.timeout(20):
        while not (content := _content(path)):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)

    cached = [(each.cluster, each.real_name) for each in parse_rslist(container.decode(content))]
    assert ("MetaDataBase", "metadb") == cached[0]
