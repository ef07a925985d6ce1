"""A store in which every metric family has something to say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from odp_exporter.exposition.collector import Collector, Situation
from odp_exporter.observations import (
    CacheFile,
    CacheFileObservation,
    CacheObservation,
    CacheResult,
    Cause,
    ClusterServers,
    Cores,
    Endpoint,
    EndpointObservation,
    GreetingObservation,
    HostObservation,
    Identity,
    OcpObservation,
    OcpResult,
    Parameters,
    Phase,
    PingObservation,
    PingResult,
    ProbeResult,
    Process,
    Server,
    ServerObservation,
    Watchdog,
)
from odp_exporter.store import PushTally, Store
from odp_exporter.targets import Address, Ocp, Pool, Target

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
"""When the tests scrape."""


def _ago(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


def _process(pid: int, age: float) -> Process:
    return Process(
        identity=Identity("f3a1", pid, 4711, "/home/admin/obproxy/bin/obproxy"),
        started=_ago(age),
        parent=1,
        state="S",
        arguments=("bin/obproxy", "-p", "2883"),
        home=Path("/home/admin/obproxy"),
        resident_bytes=157_286_400,
        cpu_seconds=12.25,
        threads=32,
        open_fds=101,
        max_fds=655_350,
    )


def _host() -> HostObservation:
    return HostObservation(
        "odp-1",
        _ago(1),
        is_local=True,
        processes=(_process(100, 86_400), _process(102, 4)),
        is_listening=True,
        accept_queue=0,
        client_connections=17,
        home=Path("/home/admin/obproxy"),
        version="4.3.1.0",
        parameters=Parameters(
            {
                "proxy_mem_limited": "2G",
                "client_max_connections": "8192",
                "ignore_local_config": "True",
                "enable_get_rslist_remote": "False",
                "obproxy_config_server_url": "http://***@192.0.2.10/services?Action=GetObProxyConfig",
            },
            "etc/proxyconfig_v1.db",
        ),
        watchdogs=frozenset({Watchdog.OBPROXYD}),
        restarts={Cause.CRASH: 2, Cause.STOP: 1},
        cores=Cores(2, _ago(600)),
        unseen=("open files of 102: permission denied",),
    )


def _cache() -> CacheObservation:
    server = Server("10.0.0.1", 2881)
    return CacheObservation(
        "odp-1",
        _ago(2),
        files=(
            CacheFileObservation(CacheFile.RSLIST, CacheResult.OK, modified=_ago(3600)),
            CacheFileObservation(CacheFile.CONFIG_SERVER, CacheResult.PAYLOAD_CHECKSUM, modified=_ago(7200.5)),
            CacheFileObservation(CacheFile.IDC_LIST, CacheResult.MISSING),
        ),
        clusters=(
            ClusterServers("trade", 1, frozenset({server, Server("10.0.0.2", 2881)})),
            ClusterServers("trade", 2, frozenset({server})),
            ClusterServers('a "quoted"\\\nname', None, frozenset()),
        ),
    )


def _ocp_round() -> OcpObservation:
    return OcpObservation(
        "ocp",
        _ago(30),
        endpoints=(
            EndpointObservation(Endpoint.VERSION, OcpResult.OK, 200, 0.004),
            EndpointObservation(Endpoint.CONFIG, OcpResult.OK, 200, 0.02),
            EndpointObservation(Endpoint.RS_LIST, OcpResult.OK, 200, 0.03, cluster="trade"),
            EndpointObservation(Endpoint.RS_LIST, OcpResult.HTTP_STATUS, 500, 0.1, "500", cluster="pay"),
        ),
        clusters=("trade", "pay"),
        rs_lists=(ClusterServers("trade", 1, frozenset({Server("10.0.0.3", 2881)})),),
    )


@pytest.fixture
def store() -> Store:
    """Two ODPs (one of this host, one elsewhere and not probed yet), a pool and an OCP."""
    odps = (
        Target("odp-1", Address("192.0.2.11", 2883), pool="trade", labels={"idc": "hz1"}),
        Target("odp-2", Address("2001:db8::2", 2883)),
    )
    pools = (Pool("trade", Address("192.0.2.100", 2883)), Pool("without address"))
    it = Store()
    it.keep(
        odps=odps, pools=pools, ocps=[Ocp("ocp", "http://user:hunter2@192.0.2.10/services?Action=GetObProxyConfig")]
    )
    whole = {Phase.CONNECT: 0.00025, Phase.GREETING: 0.0015}
    it.record(GreetingObservation("odp-1", _ago(20), ProbeResult.REFUSED))
    it.record(GreetingObservation("odp-1", _ago(12), ProbeResult.OK, whole))
    it.record(_host())
    it.record(GreetingObservation("odp-1", _ago(2.5), ProbeResult.CLOSED, {Phase.CONNECT: 0.00025}, "closed <early>"))
    it.record(_cache())
    it.record(PingObservation("odp-1", _ago(3), PingResult.OK, 0.01))
    it.record_pool(GreetingObservation("trade", _ago(1), ProbeResult.OK, whole))
    it.record(_ocp_round())
    it.record(ServerObservation(Server("10.0.0.1", 2881), _ago(10), is_reachable=True))
    it.record(ServerObservation(Server("10.0.0.2", 2881), _ago(10), is_reachable=False, detail="no"))
    it.overruns["greeting"] += 1
    it.pushes["192.0.2.20:9093"] = PushTally(sent=5, errors=1)
    return it


@pytest.fixture
def collector(store: Store) -> Collector:
    """Scrapes the store at noon."""
    build = {"version": "1.2.3", "python_version": "3.11.2"}
    situation = Situation(
        timedelta(seconds=5),
        host_interval=timedelta(seconds=1),
        cache_interval=timedelta(seconds=15),
        reloaded_at=_ago(3600),
        ping_interval=timedelta(seconds=15),
        servers_interval=timedelta(minutes=1),
        build=build,
    )
    return Collector(store, situation, lambda: NOON)
