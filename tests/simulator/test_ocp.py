"""What a running ODP makes of OCP's answers (odp-facts 1.2 to 1.7)."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from odp_exporter.cache import container
from odp_exporter.simulator.fleet import Endpoint, Failure, Fleet, Ocp, Odp, Shape
from odp_exporter.simulator.fleet.processes import eventually
from odp_exporter.simulator.odp import fetch
from odp_exporter.simulator.odp.cache_files import CONFIG_SERVER
from odp_exporter.simulator.odp.replies import parse_config

TICKING = {"config_server_refresh_interval": "1s", "syslog_level": "WDIAG"}


async def _get(ocp: Ocp, *, patience_seconds: float = 20) -> bytes:
    return await fetch.get(ocp.url, limit=fetch.CONFIG_LIMIT, timeout_seconds=patience_seconds)


def _cached_version(odp: Odp) -> str:
    """Empty while the file is being replaced."""
    try:
        content = (odp.home / "etc" / CONFIG_SERVER).read_bytes()
    except FileNotFoundError:
        return ""
    return parse_config(container.decode(content, compressed=True)).version


async def test_odp_asks_as_captured(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    await fleet.start_odp("odp-1", ocp=ocp)

    requests = await ocp.requests()
    base = "/services?Action=GetObProxyConfig"
    assert [f"{base}&VersionOnly=true", base] == [request["target"] for request in requests]
    assert {"Host": f"127.0.0.1:{ocp.address[1]}", "Accept": "*/*"} == requests[0]["headers"]


async def test_odp_polls_between_half_and_the_whole_interval(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    began = time.monotonic()
    odp = await fleet.start_odp("odp-1", ocp=ocp, options=TICKING)
    async with asyncio.timeout(20):
        while (counts := await ocp.counts())["version"] < 4:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    seconds = time.monotonic() - began

    assert {"version", "config"} == counts.keys()
    assert 0.5 * (counts["version"] - 1) <= seconds
    assert 500_000 <= int(re.findall(r"refresh task\(interval_us=(\d+)\)", odp.log())[0]) <= 1_000_000
    assert 1 == counts["config"]
    assert 2 == odp.log().count("write file successfully!")


async def test_a_changed_version_is_fetched_and_cached_as_received(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]}, version="v1")
    odp = await fleet.start_odp("odp-1", ocp=ocp, options=TICKING)
    await ocp.set_clusters({"ob1": ["127.0.0.1:2881"], "ob2": ["127.0.0.1:2881"]}, version="v2")
    await eventually(lambda: _cached_version(odp) == "v2", "the new configuration", within_seconds=10)

    stored = (odp.home / "etc" / CONFIG_SERVER).read_bytes()
    assert await _get(ocp) == container.decode(stored, compressed=True)
    assert (odp.home / "etc" / f"{CONFIG_SERVER}.old").exists()


async def test_a_flapping_version_has_the_file_written_at_every_tick(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    for endpoint in (Endpoint.VERSION, Endpoint.CONFIG):
        await ocp.break_(endpoint, Failure.FLAPPING_VERSION)
    odp = await fleet.start_odp("odp-1", ocp=ocp, options=TICKING)

    await eventually(lambda: odp.log().count("write file successfully!") >= 6, "three writes", within_seconds=15)


@pytest.mark.parametrize(
    ("failure", "logged"),
    [
        (Failure.STATUS, "unexpected http status code(http_code=500"),
        (Failure.HTML, "fail to convert config string to json format"),
        (Failure.EMPTY, "empty json content"),
        (Failure.CODE, "invalid json config http header"),
        (Failure.NO_CLUSTERS, "invalid config"),
        (Failure.CLOSE, "curl error(curl_error_code=56"),
        (Failure.OVERSIZED, "body is too large"),
    ],
)
async def test_a_broken_configuration_is_logged_and_ignored(fleet: Fleet, failure: Failure, logged: str) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    await ocp.break_(Endpoint.CONFIG, failure)
    odp = await fleet.start_odp("odp-1", ocp=ocp)

    assert logged in odp.log()
    assert not (odp.home / "etc" / CONFIG_SERVER).exists()


async def test_failures_are_below_the_level_info(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp()
    await ocp.refuse()
    odp = await fleet.start_odp("odp-1", ocp=ocp, options={"syslog_level": "INFO"})

    assert "curl error" not in odp.log()


async def test_three_tries_at_start_one_later(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    await ocp.break_all(Failure.STATUS, 503)
    await fleet.start_odp("odp-1", ocp=ocp)

    assert {"version": 3} == await ocp.counts()


async def test_a_black_hole_delays_the_listening_by_three_timeouts(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    await ocp.break_all(Failure.BLACKHOLE)
    began = time.monotonic()
    odp = await fleet.start_odp("odp-1", ocp=ocp)

    assert 15 <= time.monotonic() - began < 30
    assert 3 == odp.log().count("curl_error_code=28")


@pytest.mark.parametrize("redirects", [1, 3, 4])
async def test_three_redirects_are_followed(fleet: Fleet, redirects: int) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    expected = await _get(ocp)
    await ocp.break_(Endpoint.CONFIG, Failure.REDIRECT, redirects)
    if redirects > 3:
        with pytest.raises(fetch.FetchFailed, match="curl_error_code=47"):
            await _get(ocp)
    else:
        assert expected == await _get(ocp)


async def test_a_trickled_answer_is_whole_or_times_out(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    expected = await _get(ocp)
    await ocp.break_(Endpoint.CONFIG, Failure.TRICKLE, 0.5)
    whole = await _get(ocp)
    await ocp.break_(Endpoint.CONFIG, Failure.TRICKLE, 60)

    assert expected == whole
    with pytest.raises(fetch.FetchFailed, match="curl_error_code=28"):
        await _get(ocp, patience_seconds=2)


async def test_refused_is_refused_until_healed(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    await ocp.refuse()
    with pytest.raises(fetch.FetchFailed, match="curl_error_code=7"):
        await _get(ocp)
    await ocp.heal()

    assert b"successful" in await _get(ocp)


async def test_an_rs_list_may_be_16_kib_long(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    await ocp.break_(Endpoint.RS_LIST, Failure.OVERSIZED, 17_000)
    url = f"{ocp.base}/services?Action=ObRootServiceInfo&ObRegion=ob1"

    assert len(await fetch.get(url, limit=fetch.CONFIG_LIMIT)) > 17_000
    with pytest.raises(fetch.FetchFailed, match="too large"):
        await fetch.get(url, limit=fetch.LIST_LIMIT)


async def test_unknown_actions_and_clusters_are_refused(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})

    for query in (
        "Action=Nonsense",
        "Action=ObRootServiceInfo&ObRegion=nosuch",
        "Action=ObRootServiceInfo&ObRegion=metadb",
    ):
        with pytest.raises(fetch.FetchFailed, match="unexpected http status code"):
            await fetch.get(f"{ocp.base}/services?{query}", limit=fetch.LIST_LIMIT)
    assert {"unknown": 1, "rs_list": 2} == await ocp.counts()


@pytest.mark.parametrize("shape", list(Shape))
async def test_every_shape_of_ocp_serves_odp(fleet: Fleet, shape: Shape) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]}, shape=shape)
    config = parse_config(await _get(ocp))

    url = f"{ocp.base}/services?Action=ObRootServiceInfo&ObRegion=ob1"
    assert {"ob1": url} == config.urls


async def test_a_bad_command_is_told(fleet: Fleet) -> None:
    ocp = await fleet.start_ocp()

    with pytest.raises(ValueError, match="nonsense"):
        await ocp.break_("nonsense", Failure.HTML)
