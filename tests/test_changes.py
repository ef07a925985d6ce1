from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from odp_exporter import changes
from odp_exporter.observations import (
    CacheFile,
    CacheFileObservation,
    CacheObservation,
    CacheResult,
    Cause,
    Endpoint,
    EndpointObservation,
    GreetingObservation,
    HostObservation,
    Observation,
    OcpObservation,
    OcpResult,
    PingObservation,
    PingResult,
    ProbeResult,
    Server,
    ServerObservation,
)
from odp_exporter.store import Store
from odp_exporter.targets import Address, Ocp, Pool, Target
from structlog.testing import capture_logs

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def store() -> Store:
    new = Store()
    new.keep(
        odps=[Target("odp-1", Address("192.0.2.11", 2883))],
        pools=[Pool("trade", Address("192.0.2.100", 2883))],
        ocps=[Ocp("ocp", "http://192.0.2.10/services?Action=GetObProxyConfig")],
    )
    return new


def told(store: Store, *observations: Observation) -> Sequence[Mapping[str, Any]]:
    with capture_logs() as logs:
        for observation in observations:
            changes.record(store, observation)
    return logs


def greeting(result: ProbeResult, target: str = "odp-1") -> GreetingObservation:
    return GreetingObservation(target, NOON, result, detail="why")


def host(*unseen: str, restarts: int = 0) -> HostObservation:
    return HostObservation("odp-1", NOON, is_local=True, unseen=unseen, restarts={Cause.CRASH: restarts})


def cache(result: CacheResult) -> CacheObservation:
    return CacheObservation("odp-1", NOON, (CacheFileObservation(CacheFile.RSLIST, result),))


def ocp(*results: OcpResult) -> OcpObservation:
    return OcpObservation("ocp", NOON, tuple(EndpointObservation(Endpoint.RS_LIST, it, 200, 0.1) for it in results))


def test_a_change_of_state_is_logged_once_with_its_reason(store: Store) -> None:
    logs = told(store, *[greeting(ProbeResult.OK)] * 3, *[greeting(ProbeResult.REFUSED)] * 3)

    assert [("unknown", "serving"), ("serving", "down")] == [(log["before"], log["state"]) for log in logs]
    assert ("refused", "why") == (logs[1]["result"], logs[1]["detail"])


def test_a_cached_server_is_logged_when_it_goes_and_when_it_comes_back(store: Store) -> None:
    tries = (True, True, False, False, True)
    server = Server("192.0.2.21", 2881)
    logs = told(store, *(ServerObservation(server, NOON, is_reachable=it, detail="why") for it in tries))

    assert [(False, "192.0.2.21:2881"), (True, "192.0.2.21:2881")] == [
        (log["is_reachable"], log["server"]) for log in logs
    ]


def test_what_cannot_be_seen_is_logged_when_it_begins(store: Store) -> None:
    logs = told(store, host("logs: closed"), host("logs: closed"), host("logs: closed", "cores: piped"))

    assert [["logs: closed"], ["cores: piped"]] == [log["reasons"] for log in logs]


def test_a_restart_is_logged_with_its_cause(store: Store) -> None:
    """What a ledger of an earlier run brings along is no news."""
    logs = told(store, host(restarts=5), host(restarts=5), host(restarts=6))

    assert [("restarted", Cause.CRASH)] == [(log["event"], log["cause"]) for log in logs]


def test_a_missing_cache_file_is_normal_and_a_spoilt_one_is_not(store: Store) -> None:
    results = [CacheResult.MISSING, CacheResult.OK, CacheResult.MAGIC, CacheResult.MAGIC, CacheResult.OK]

    assert [CacheResult.MAGIC, CacheResult.OK] == [log["result"] for log in told(store, *map(cache, results))]


def test_an_ocp_is_quiet_while_it_answers_the_same(store: Store) -> None:
    rounds = [(OcpResult.OK,), (OcpResult.OK, OcpResult.CODE), (OcpResult.CODE,), (OcpResult.OK, OcpResult.OK)]

    assert [OcpResult.CODE, OcpResult.OK] == [log["result"] for log in told(store, *[ocp(*it) for it in rounds])]


def test_pings_and_pools_are_logged_when_they_change(store: Store) -> None:
    logs = told(store, *(PingObservation("odp-1", NOON, it, 0.1) for it in (PingResult.OK, PingResult.OK)))
    with capture_logs() as of_pool:
        for result in (ProbeResult.OK, ProbeResult.OK, ProbeResult.CLOSED):
            changes.record_pool(store, greeting(result, "trade"))

    assert [PingResult.OK] == [log["result"] for log in logs]
    assert [ProbeResult.OK, ProbeResult.CLOSED] == [log["result"] for log in of_pool]
    assert 3 == sum(store.pools["trade"].probes.results.values())


def test_targets_that_are_gone_are_nobodys_news(store: Store) -> None:
    store.keep(odps=[], pools=[], ocps=[])

    assert [] == told(store, greeting(ProbeResult.OK), cache(CacheResult.OK), ocp(OcpResult.OK))
