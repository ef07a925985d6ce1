"""The verdicts on the page of metrics and on the API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from odp_exporter.exposition.collector import Collector
from odp_exporter.exposition.web import Site, application
from odp_exporter.metrics.rendering import Format, page
from odp_exporter.observations import CacheFile, CacheFileObservation, CacheObservation, CacheResult, OcpResult
from odp_exporter.ondemand import Answer, TargetNotAllowed
from odp_exporter.store import Store
from odp_exporter.targets import Address, Target
from prometheus_client.parser import text_string_to_metric_families as parse


def values(collector: Collector, metric: str) -> dict[str, float]:
    """Samples of a metric, by their labels other than odp."""
    text = page(collector.collect(), Format.TEXT)
    return {
        "".join(value for name, value in sample.labels.items() if name != "odp"): sample.value
        for family in parse(text)
        for sample in family.samples
        if sample.name == metric
    }


def reasons(collector: Collector) -> set[str]:
    return {reason for reason, value in values(collector, "odp_restart_unsafe_reason").items() if value}


def parameter(store: Store, name: str, value: str) -> None:
    host = store.odps["odp-1"].host
    assert host is not None
    assert host.parameters is not None
    store.record(replace(host, parameters=replace(host.parameters, values={**host.parameters.values, name: value})))


def test_a_half_broken_ocp_makes_a_restart_unsafe_and_says_why(store: Store, collector: Collector) -> None:
    ocp = store.ocps["ocp"].latest
    assert ocp is not None
    broken = tuple(replace(it, result=OcpResult.HTTP_STATUS) if it.cluster == "trade" else it for it in ocp.endpoints)
    store.record(replace(ocp, endpoints=broken))

    assert {"": 0} == values(collector, "odp_restart_safe")
    assert {"ocp_half_broken", "rs_list_fails"} == reasons(collector)


def test_an_ocp_that_nobody_watches_leaves_it_open(store: Store, collector: Collector) -> None:
    """Absent is not zero: but the reason says so."""
    parameter(store, "obproxy_config_server_url", "http://192.0.2.99/services?Action=GetObProxyConfig")

    assert {} == values(collector, "odp_restart_safe")
    assert {"ocp_unknown"} == reasons(collector)
    assert {} == values(collector, "odp_cache_missing_clusters")
    assert {} == values(collector, "odp_cache_stale_clusters")


def test_what_is_too_old_is_not_judged_by(store: Store, collector: Collector) -> None:
    later = collector.clock() + timedelta(minutes=10)
    late = Collector(store, collector.situation, lambda: later)

    assert {} == values(late, "odp_restart_safe")
    assert {"host_unknown"} == reasons(late)
    assert {} == values(late, "odp_cache_reachable_servers")


def test_a_closed_cache_leaves_the_outage_open(store: Store, collector: Collector) -> None:
    files = tuple(CacheFileObservation(file, CacheResult.FORBIDDEN) for file in CacheFile)
    store.record(CacheObservation("odp-1", collector.clock(), files))

    assert {} == values(collector, "odp_survives_ocp_outage")
    assert {} == values(collector, "odp_cache_missing_clusters")


def test_without_probes_of_servers_none_is_counted(collector: Collector) -> None:
    collector.situation = replace(collector.situation, servers_interval=None)

    assert {} == values(collector, "odp_cache_reachable_servers")


def test_nothing_is_said_of_an_odp_elsewhere(collector: Collector) -> None:
    text = page(collector.collect(), Format.TEXT)

    assert 'odp_restart_unsafe_reason{odp="odp-1"' in text
    assert 'odp_restart_unsafe_reason{odp="odp-2"' not in text


class NothingAllowed:
    modules: Sequence[str] = ()

    async def probe(self, target: str, module: str, *, timeout: timedelta) -> Answer:  # noqa: ARG002 - the protocol's signature
        raise TargetNotAllowed(target)


async def _no_reload() -> Sequence[str]:
    return ()


@pytest.fixture
async def client(collector: Collector) -> AsyncIterator[ClientSession]:
    site = Site(collector, NothingAllowed(), _no_reload, lambda: True)
    async with TestServer(application(site)) as server, ClientSession(server.make_url("/")) as session:
        yield session


async def test_the_api_gives_every_odp(client: ClientSession, collector: Collector) -> None:
    reply = await client.get("/api/v1/odps")
    odps = {odp["name"]: odp for odp in await reply.json()}

    assert (200, "application/json") == (reply.status, reply.content_type)
    assert ["odp-1", "odp-2"] == list(odps)
    assert (True, [], False) == tuple(odps["odp-1"][key] for key in ("restart_safe", "reasons", "survives_ocp_outage"))
    assert (None, None, "unknown") == tuple(odps["odp-2"][key] for key in ("restart_safe", "at", "state"))
    assert ["host_unknown"] == [it["reason"] for it in odps["odp-2"]["reasons"]]
    assert (collector.clock() - timedelta(seconds=1)).timestamp() == odps["odp-1"]["at"]


async def test_the_api_names_the_very_processes(client: ClientSession) -> None:
    odp = await (await client.get("/api/v1/odps/odp-1")).json()

    assert {
        "boot_id": "f3a1",
        "pid": 100,
        "start_ticks": 4711,
        "executable": "/home/admin/obproxy/bin/obproxy",
    } == odp["processes"][0]
    assert (["obproxyd"], False, False, False) == tuple(
        odp[key] for key in ("watchdogs", "is_hot_restarting", "is_told_to_stop", "is_memory_frozen")
    )
    assert {"endpoint": "rs_list", "cluster": "pay", "result": "http_status", "detail": "500"} in odp["ocp"][
        "endpoints"
    ]


async def test_an_unknown_odp_is_told_the_known_ones(client: ClientSession) -> None:
    reply = await client.get("/api/v1/odps/odp-9")

    assert 404 == reply.status
    assert {"error": "no such ODP: 'odp-9'", "odps": ["odp-1", "odp-2"]} == await reply.json()


async def test_a_name_may_hold_what_a_path_may_not(client: ClientSession, store: Store) -> None:
    store.keep(odps=[Target("hz/1 ü?", Address("192.0.2.1", 2883))], pools=(), ocps=())
    reply = await client.get("/api/v1/odps/hz%2F1%20%C3%BC%3F")

    assert (200, "hz/1 ü?") == (reply.status, (await reply.json())["name"])


async def test_the_api_holds_no_secret(client: ClientSession) -> None:
    text = json.dumps(await (await client.get("/api/v1/odps")).json())

    assert "hunter2" not in text
    assert "http://" not in text
