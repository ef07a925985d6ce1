"""Every failure of a simulated OCP, and every fate of ODP's cache, as the whole exporter tells it."""

import os
from pathlib import Path

import pytest
from odp_exporter.simulator.exporter import exporter, naming
from odp_exporter.simulator.fleet import Endpoint, Failure, Fleet, Ocp

FAST = "process: {interval: 100ms}\ncache: {interval: 100ms}\n"
PASSWORD = "meta-db-secret"


def asking(ocp: Ocp) -> str:
    return f"ocp: [{{name: ocp, url: '{ocp.url}', interval: 100ms}}]\n"


@pytest.mark.parametrize(
    ("endpoint", "failure", "value", "expected"),
    [
        (Endpoint.VERSION, Failure.STATUS, 500, ("http_status", 500)),
        (Endpoint.CONFIG, Failure.STATUS, 404, ("http_status", 404)),
        (Endpoint.RS_LIST, Failure.STATUS, 503, ("http_status", 503)),
        (Endpoint.CONFIG, Failure.CLOSE, None, ("unreachable", 0)),
        (Endpoint.VERSION, Failure.BLACKHOLE, None, ("timeout", 0)),
        (Endpoint.CONFIG, Failure.TRICKLE, 30, ("timeout", 200)),
        (Endpoint.CONFIG, Failure.REDIRECT, 4, ("redirects", 302)),
        (Endpoint.CONFIG, Failure.HTML, None, ("not_json", 200)),
        (Endpoint.VERSION, Failure.EMPTY, None, ("empty", 200)),
        (Endpoint.CONFIG, Failure.OVERSIZED, None, ("too_large", 200)),
        (Endpoint.RS_LIST, Failure.OVERSIZED, 20_000, ("too_large", 200)),
        (Endpoint.VERSION, Failure.CODE, 500, ("code", 200)),
        (Endpoint.CONFIG, Failure.SUCCESS_TEXT, None, ("success", 200)),
        (Endpoint.CONFIG, Failure.SUCCESS_FALSE, None, ("success", 200)),
        (Endpoint.CONFIG, Failure.MESSAGE, None, ("message", 200)),
        (Endpoint.CONFIG, Failure.NO_DATA, None, ("data", 200)),
        (Endpoint.VERSION, Failure.NO_VERSION, None, ("version", 200)),
        (Endpoint.CONFIG, Failure.LONG_VERSION, None, ("version", 200)),
        (Endpoint.CONFIG, Failure.NO_CLUSTERS, None, ("no_clusters", 200)),
        (Endpoint.CONFIG, Failure.DUPLICATE_CLUSTERS, None, ("duplicate_cluster", 200)),
        (Endpoint.RS_LIST, Failure.CLUSTER_MISMATCH, None, ("cluster_mismatch", 200)),
        (Endpoint.RS_LIST, Failure.BAD_ROLE, None, ("role", 200)),
        (Endpoint.RS_LIST, Failure.NO_SERVERS, None, ("no_servers", 200)),
        (Endpoint.RS_LIST, Failure.HOST_NAMES, None, ("no_servers", 200)),
    ],
)
async def test_a_bad_answer_has_its_result_and_status(
    endpoint: Endpoint, failure: Failure, value: float | None, expected: tuple[str, int], fleet: Fleet, tmp_path: Path
) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]}, password=PASSWORD)
    await ocp.break_(endpoint, failure, value)
    async with exporter(tmp_path, asking(ocp)) as it:
        metrics = await it.until(lambda metrics: metrics.value("ocp_up", ocp="ocp", endpoint=endpoint) == 0)
        log = it.log

    labels = {"ocp": "ocp", "endpoint": str(endpoint)}
    result = metrics.chosen("result", "ocp_result", **labels)
    assert expected == (result, metrics.value("ocp_http_status_code", **labels))
    assert metrics.value("ocp_requests_total", **labels, result=expected[0])
    assert PASSWORD not in metrics.page + log


async def test_a_half_broken_ocp_is_told_by_endpoint(fleet: Fleet, tmp_path: Path) -> None:
    """The dangerous case: a restart now would make things worse (odp-facts 3.1)."""
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    async with exporter(tmp_path, asking(ocp)) as it:
        await it.until(lambda metrics: metrics.value("ocp_up", ocp="ocp", endpoint="rs_list") == 1)
        await ocp.break_(Endpoint.RS_LIST, Failure.STATUS)
        metrics = await it.until(lambda metrics: metrics.value("ocp_up", ocp="ocp", endpoint="rs_list") == 0)

    assert {"version": 1, "config": 1, "rs_list": 0} == metrics.by("endpoint", "ocp_up", ocp="ocp")
    assert 1 == metrics.value("ocp_clusters", ocp="ocp")


async def test_an_ocp_that_refuses_and_comes_back(fleet: Fleet, tmp_path: Path) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    async with exporter(tmp_path, asking(ocp)) as it:
        await ocp.refuse()
        # What waits to be accepted when the port closes is reset; who comes later is refused.
        down = await it.until(
            lambda metrics: metrics.chosen("result", "ocp_result", ocp="ocp", endpoint="config") == "refused"
        )
        await ocp.heal()
        up = await it.until(lambda metrics: set(metrics.by("endpoint", "ocp_up", ocp="ocp").values()) == {1})

    assert 0 == down.value("ocp_up", ocp="ocp", endpoint="config")
    assert 0 == down.value("ocp_http_status_code", ocp="ocp", endpoint="config")
    assert 200 == up.value("ocp_http_status_code", ocp="ocp", endpoint="config")


async def test_asks_as_odp_asks(fleet: Fleet, tmp_path: Path) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    async with exporter(tmp_path, asking(ocp)) as it:
        await it.until(lambda metrics: metrics.value("ocp_up", ocp="ocp", endpoint="rs_list") == 1)
    asked = {request["endpoint"]: request for request in await ocp.requests()}

    assert "/services?Action=GetObProxyConfig&VersionOnly=true" == asked["version"]["target"]
    assert "/services?Action=GetObProxyConfig" == asked["config"]["target"]
    assert asked["rs_list"]["target"].endswith("&version=2")
    assert {"Host", "Accept", "Connection"} == set(asked["config"]["headers"])


async def test_a_fresh_odp_has_a_configuration_and_no_cluster_yet(fleet: Fleet, tmp_path: Path) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]}, password=PASSWORD)
    odp = await fleet.start_odp("odp-1", ocp=ocp)
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        metrics = await it.until(
            lambda metrics: metrics.value("odp_cache_valid", odp="odp-1", file="config_server") == 1
        )
        log = it.log

    assert {"config_server": 1, "rslist": 0, "idc_list": 0} == metrics.by("file", "odp_cache_present", odp="odp-1")
    assert PASSWORD not in metrics.page + log


async def test_each_damage_to_a_cache_file_is_told(fleet: Fleet, tmp_path: Path) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    odp = await fleet.start_odp("odp-1", ocp=ocp)
    file = odp.home / "etc/obproxy_config_server_info.json"
    good = file.read_bytes()
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:

        async def result(content: bytes) -> str | None:
            changed = file.with_suffix(".new")
            changed.write_bytes(content)
            os.utime(changed, (1_000_000, 1_000_000 + len(content)))
            changed.replace(file)
            stamp = 1_000_000 + len(content)
            labels = {"odp": "odp-1", "file": "config_server"}
            metrics = await it.until(
                lambda metrics: metrics.value("odp_cache_last_write_timestamp_seconds", **labels) == stamp
            )
            return metrics.chosen("result", "odp_cache_result", **labels)

        assert "ok" == await result(good)
        assert "short" == await result(good[:20])
        assert "length" == await result(good[:-1])
        assert "magic" == await result(b"X" + good[1:] + b"12")
        assert "payload_checksum" == await result(good[:40] + bytes([good[40] ^ 1]) + good[41:])


async def test_survives_whatever_lies_where_a_cache_file_should(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    etc = odp.home / "etc"
    os.mkfifo(etc / "obproxy_rslist_info.json")
    (etc / "obproxy_config_server_info.json").mkdir()
    with (etc / "obproxy_idc_list_info.json").open("wb") as huge:
        huge.truncate(2**40)
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        metrics = await it.until(lambda metrics: bool(metrics.by("file", "odp_cache_valid", odp="odp-1")))
        await it.until_state("odp-1", "serving")

    assert {0.0} == set(metrics.by("file", "odp_cache_valid", odp="odp-1").values())


async def test_leaves_no_trace_in_odps_directory(fleet: Fleet, tmp_path: Path) -> None:
    """Nothing is written there, not even an access to sqlite's journal."""
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    odp = await fleet.start_odp("odp-1", ocp=ocp, options={"config_server_refresh_interval": "1d"})
    before = contents(odp.home)
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        await it.until(lambda metrics: (metrics.value("odp_probes_total", odp="odp-1", result="ok") or 0) > 0)
        await it.until(lambda metrics: bool(metrics.by("file", "odp_cache_valid", odp="odp-1")))

    assert before == contents(odp.home)


def contents(home: Path) -> dict[str, tuple[int, int]]:
    """Every file but ODP's own logs, by inode and time of change."""
    files = (path for path in home.rglob("*") if "log" not in path.relative_to(home).parts)
    return {str(path): (path.lstat().st_ino, path.lstat().st_ctime_ns) for path in files}
