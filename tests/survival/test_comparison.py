from __future__ import annotations

from datetime import UTC, datetime

import pytest
from odp_exporter.observations import (
    CacheFile,
    CacheFileObservation,
    CacheObservation,
    CacheResult,
    ClusterServers,
    Endpoint,
    EndpointObservation,
    OcpObservation,
    OcpResult,
    Server,
)
from odp_exporter.survival.comparison import answering, missing, stale
from odp_exporter.survival.start import Answers, answers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ONE, TWO, THREE = (Server(f"192.0.2.1{number}", 2881) for number in (1, 2, 3))


def ocp(*lists: ClusterServers, config: OcpResult = OcpResult.OK) -> Answers:
    endpoints = (EndpointObservation(Endpoint.CONFIG, config, 200, 0.1),)
    return answers(OcpObservation("ocp", NOON, endpoints, clusters=("ob1", "ob2"), rs_lists=lists))


def cache(*entries: ClusterServers, rslist: CacheResult = CacheResult.OK) -> CacheObservation:
    return CacheObservation("odp-1", NOON, (CacheFileObservation(CacheFile.RSLIST, rslist),), entries)


def of(cluster: str, *servers: Server, cluster_id: int = 1) -> ClusterServers:
    return ClusterServers(cluster, cluster_id, frozenset(servers))


def test_a_cluster_that_nobody_has_logged_in_to_is_missing() -> None:
    assert frozenset({"ob2"}) == missing(ocp(), cache(of("ob1", ONE)))
    assert frozenset() == missing(ocp(), cache(of("ob1", ONE), of("ob2", ONE), of("more", ONE)))


@pytest.mark.parametrize("result", [CacheResult.MISSING, CacheResult.PAYLOAD_CHECKSUM])
def test_without_a_usable_file_all_are_missing(result: CacheResult) -> None:
    assert frozenset({"ob1", "ob2"}) == missing(ocp(), cache(rslist=result))


def test_what_cannot_be_seen_is_not_compared() -> None:
    for differ in (missing, stale):
        assert differ(ocp(), cache(rslist=CacheResult.FORBIDDEN)) is None
        assert differ(ocp(config=OcpResult.REFUSED), cache()) is None
        assert differ(ocp(), CacheObservation("odp-1", NOON, ())) is None


def test_more_cached_servers_than_ocp_lists_are_normal() -> None:
    """The cache holds all servers of a cluster, OCP only its root services (odp-facts 2.3)."""
    assert frozenset() == stale(ocp(of("ob1", ONE)), cache(of("ob1", ONE, TWO)))


def test_a_server_that_only_ocp_knows_makes_a_cluster_stale() -> None:
    assert frozenset({"ob1"}) == stale(ocp(of("ob1", ONE, THREE)), cache(of("ob1", ONE, TWO)))


def test_the_port_counts() -> None:
    assert frozenset({"ob1"}) == stale(ocp(of("ob1", Server(ONE.ip, 3881))), cache(of("ob1", ONE)))


def test_ids_of_a_cluster_are_taken_together() -> None:
    lists = ocp(of("ob1", ONE), of("ob1", TWO, cluster_id=2))

    assert frozenset() == stale(lists, cache(of("ob1", TWO), of("ob1", ONE, cluster_id=2)))


def test_a_missing_cluster_is_not_stale_as_well() -> None:
    assert frozenset() == stale(ocp(of("ob2", ONE)), cache(of("ob1", ONE)))


def test_those_that_answer_are_counted_and_a_cluster_that_was_not_tried_is_left_out() -> None:
    seen = cache(of("ob1", ONE, TWO), of("ob2", THREE))

    assert {"ob1": 1} == answering(seen, {ONE: True, TWO: False})
    assert {"ob1": 0, "ob2": 1} == answering(seen, {ONE: False, THREE: True})
