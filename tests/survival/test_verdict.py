"""The verdicts, case by case; that they come true is shown in test_scenarios.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.observations import (
    CacheFile,
    CacheFileObservation,
    CacheObservation,
    CacheResult,
    ClusterServers,
    Endpoint,
    EndpointObservation,
    HostObservation,
    OcpObservation,
    OcpResult,
    Parameters,
    Server,
)
from odp_exporter.survival.reasons import EXPLANATIONS, Reason
from odp_exporter.survival.start import answers
from odp_exporter.survival.verdict import Evidence, Verdict, judge, premises

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
URL = "http://192.0.2.10/services?Action=GetObProxyConfig"
ONE, TWO = Server("192.0.2.11", 2881), Server("192.0.2.12", 2881)
DEFAULTS = {
    "obproxy_config_server_url": URL,
    "ignore_local_config": "True",
    "enable_get_rslist_remote": "False",
}


def host(*, is_stored: bool | None = True, **parameters: str) -> HostObservation:
    return HostObservation("odp-1", NOON, is_local=True, parameters=Parameters(DEFAULTS | parameters, "", is_stored))


def cache(
    *entries: ClusterServers,
    rslist: CacheResult = CacheResult.OK,
    config: CacheResult = CacheResult.OK,
    configured: Iterable[str] = ("ob1",),
) -> CacheObservation:
    files = (CacheFileObservation(CacheFile.RSLIST, rslist), CacheFileObservation(CacheFile.CONFIG_SERVER, config))
    return CacheObservation("odp-1", NOON, files, entries, config_clusters=tuple(configured))


def entry(cluster: str = "ob1", *servers: Server, is_primary: bool = True) -> ClusterServers:
    return ClusterServers(cluster, 1, frozenset(servers or (ONE,)), is_primary)


def ocp(
    config: OcpResult = OcpResult.OK,
    rs_lists: Mapping[str, OcpResult] | None = None,
    version: OcpResult = OcpResult.OK,
    *,
    is_overlooked: bool = False,
) -> OcpObservation:
    lists = {"ob1": OcpResult.OK} if rs_lists is None else rs_lists
    endpoints = (
        EndpointObservation(Endpoint.VERSION, version, 200, 0.1, is_overlooked=is_overlooked),
        EndpointObservation(Endpoint.CONFIG, config, 200, 0.1),
        *(EndpointObservation(Endpoint.RS_LIST, result, 200, 0.1, cluster=name) for name, result in lists.items()),
    )
    return OcpObservation("ocp", NOON, endpoints, clusters=tuple(lists) if config is OcpResult.OK else ())


BROKEN = ocp(OcpResult.HTTP_STATUS, {"ob1": OcpResult.HTTP_STATUS})
HALF_BROKEN = ocp(rs_lists={"ob1": OcpResult.HTTP_STATUS})


def restart(verdict: Verdict) -> tuple[bool | None, set[Reason]]:
    return verdict.restart_safe, {finding.reason for finding in verdict.restart}


def outage(verdict: Verdict) -> tuple[bool | None, set[Reason]]:
    return verdict.survives_ocp_outage, {finding.reason for finding in verdict.outage}


def of(cluster: str, verdict: Verdict) -> set[Reason]:
    """What stands against one cluster after a restart."""
    return {finding.reason for it in verdict.clusters if it.cluster == cluster for finding in it.restart}


def test_all_is_well() -> None:
    verdict = judge(Evidence(host(), cache(entry()), ocp(), {ONE: True}))

    assert (True, set()) == restart(verdict)
    assert (True, set()) == outage(verdict)


def test_with_ocp_gone_the_cache_counts_though_ignore_local_config_says_otherwise() -> None:
    assert (True, set()) == restart(judge(Evidence(host(), cache(entry()), BROKEN, {ONE: True})))


def test_a_half_broken_ocp_is_worse_than_none() -> None:
    verdict = judge(Evidence(host(), cache(entry()), HALF_BROKEN, {ONE: True}))

    assert (False, {Reason.OCP_HALF_BROKEN, Reason.RS_LIST_FAILS}) == restart(verdict)
    assert (True, set()) == outage(verdict)


def test_a_half_broken_ocp_does_no_harm_where_the_cache_comes_first() -> None:
    seen = host(ignore_local_config="False")

    assert (True, set()) == restart(judge(Evidence(seen, cache(entry()), HALF_BROKEN, {ONE: True})))


@pytest.mark.parametrize(("release", "expected"), [("4.2.3.0", False), ("4.3.1.0", True), (None, None)])
def test_without_stored_parameters_an_old_release_does_not_heed_ignore_local_config(
    *, release: str | None, expected: bool | None
) -> None:
    """From 4.3 a new database is as good as an old one: so it was captured."""
    seen = replace(host(is_stored=False, ignore_local_config="False"), version=release)

    assert expected is judge(Evidence(seen, cache(entry()), HALF_BROKEN, {ONE: True})).restart_safe


def test_enable_get_rslist_remote_switches_the_cache_off() -> None:
    seen = host(enable_get_rslist_remote="true")
    verdict = judge(Evidence(seen, cache(entry()), BROKEN, {ONE: True}))

    assert (False, {Reason.CACHE_SWITCHED_OFF, Reason.RS_LIST_FAILS}) == restart(verdict)
    assert (False, {Reason.CACHE_SWITCHED_OFF}) == outage(verdict)
    assert True is judge(Evidence(seen, cache(entry()), ocp(), {ONE: True})).restart_safe


def test_without_a_configuration_there_is_no_cluster() -> None:
    verdict = judge(Evidence(host(), cache(entry(), config=CacheResult.PAYLOAD_CHECKSUM, configured=()), BROKEN))

    assert (False, {Reason.NO_CONFIGURATION}) == restart(verdict)
    assert "cache: payload_checksum" in verdict.restart[0].detail
    assert "OCP: config: http_status" in verdict.restart[0].detail


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (CacheResult.MISSING, Reason.RSLIST_MISSING),
        (CacheResult.PAYLOAD_CHECKSUM, Reason.RSLIST_INVALID),
        (CacheResult.OK, Reason.CLUSTER_NOT_CACHED),
    ],
)
def test_a_cache_that_gives_nothing_says_why(result: CacheResult, reason: Reason) -> None:
    assert (False, {reason, Reason.RS_LIST_FAILS}) == restart(judge(Evidence(host(), cache(rslist=result), BROKEN)))


def test_a_cluster_that_was_never_cached_cannot_be_lost_by_a_restart() -> None:
    """It could not be logged in to before either; but it would not live through the outage."""
    broken = ocp(OcpResult.REFUSED, {"ob1": OcpResult.REFUSED, "ob2": OcpResult.REFUSED})
    verdict = judge(Evidence(host(), cache(entry(), configured=("ob1", "ob2")), broken, {ONE: True}))

    assert (True, set()) == restart(verdict)
    assert {Reason.CLUSTER_NOT_CACHED, Reason.RS_LIST_FAILS} == of("ob2", verdict)
    assert (False, {Reason.CLUSTER_NOT_CACHED}) == outage(verdict)


def test_a_cluster_that_ocp_has_dropped_is_not_the_restarts_fault() -> None:
    """ODP forgets it within a minute, restart or not."""
    verdict = judge(Evidence(host(), cache(entry(), entry("old"), configured=("ob1", "old")), ocp()))

    assert (True, set()) == restart(verdict)
    assert {Reason.CLUSTER_NOT_CONFIGURED} == of("old", verdict)


def test_reading_stops_at_the_first_cluster_that_the_configuration_does_not_list() -> None:
    verdict = judge(Evidence(host(), cache(entry("gone"), entry("ob1")), BROKEN, {ONE: True}))

    assert (False, {Reason.CACHE_CUT_SHORT, Reason.RS_LIST_FAILS}) == restart(verdict)
    assert (True, set()) == restart(judge(Evidence(host(), cache(entry("ob1"), entry("gone")), BROKEN, {ONE: True})))


def test_ipv6_alone_is_not_trusted() -> None:
    six = Server("2001:db8::1", 2881)
    verdict = judge(Evidence(host(), cache(entry("ob1", six)), BROKEN, {six: True}))

    assert (False, {Reason.ONLY_IPV6, Reason.RS_LIST_FAILS}) == restart(verdict)
    assert True is judge(Evidence(host(), cache(entry("ob1", six, ONE)), BROKEN, {six: True, ONE: True})).restart_safe


def test_a_standby_does_not_serve_logins_that_name_no_id() -> None:
    verdict = judge(Evidence(host(), cache(entry("ob1", is_primary=False)), BROKEN, {ONE: True}))

    assert Reason.CLUSTER_NOT_CACHED in restart(verdict)[1]


def test_one_cached_server_that_answers_is_enough() -> None:
    seen = cache(entry("ob1", ONE, TWO))

    assert True is judge(Evidence(host(), seen, BROKEN, {ONE: False, TWO: True})).restart_safe
    assert Reason.SERVERS_UNREACHABLE in restart(judge(Evidence(host(), seen, BROKEN, {ONE: False, TWO: False})))[1]


def test_servers_that_were_not_tried_leave_it_open() -> None:
    seen = cache(entry("ob1", ONE, TWO))

    assert (None, {Reason.SERVERS_UNKNOWN}) == restart(judge(Evidence(host(), seen, BROKEN, {ONE: False})))
    assert True is judge(Evidence(host(), seen, BROKEN, None)).restart_safe


def test_an_rs_list_that_was_not_asked_for_leaves_it_open() -> None:
    asked = ocp(rs_lists={"ob1": OcpResult.NOT_ASKED})

    assert (None, {Reason.RS_LIST_UNKNOWN}) == restart(judge(Evidence(host(), cache(entry()), asked)))


def test_a_version_that_odp_overlooks_does_not_count() -> None:
    overlooked = ocp(version=OcpResult.CODE, is_overlooked=True)
    refused = ocp(version=OcpResult.HTTP_STATUS)
    seen = cache(rslist=CacheResult.MISSING, config=CacheResult.MISSING, configured=())

    assert True is judge(Evidence(host(), seen, overlooked)).restart_safe
    assert (False, {Reason.NO_CONFIGURATION}) == restart(judge(Evidence(host(), seen, refused)))


def test_a_fresh_odp_needs_nothing_but_ocp() -> None:
    seen = cache(rslist=CacheResult.MISSING)

    assert (True, set()) == restart(judge(Evidence(host(), seen, ocp())))
    assert False is judge(Evidence(host(), seen, ocp())).survives_ocp_outage


def test_without_a_config_server_the_root_services_of_the_parameters_are_all_there_is() -> None:
    named = host(obproxy_config_server_url="", rootservice_list="192.0.2.11:2881")
    nothing = host(obproxy_config_server_url="")

    assert (True, set()) == restart(judge(Evidence(named)))
    assert (True, set()) == outage(judge(Evidence(named)))
    assert (False, {Reason.NO_ROOT_SERVICES}) == restart(judge(Evidence(nothing)))


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(), Reason.HOST_UNKNOWN),
        (Evidence(HostObservation("odp-1", NOON, is_local=False)), Reason.NOT_LOCAL),
        (Evidence(HostObservation("odp-1", NOON, is_local=True)), Reason.PARAMETERS_UNKNOWN),
        (Evidence(host(), cache(entry())), Reason.OCP_UNKNOWN),
        (Evidence(host(), None, BROKEN), Reason.CACHE_UNKNOWN),
        (Evidence(host(), cache(config=CacheResult.FORBIDDEN), BROKEN), Reason.CACHE_UNKNOWN),
        (Evidence(host(), cache(rslist=CacheResult.FORBIDDEN), BROKEN), Reason.CACHE_UNKNOWN),
    ],
)
def test_what_is_not_known_is_said(evidence: Evidence, reason: Reason) -> None:
    assert (None, {reason}) == restart(judge(evidence))


def test_an_unknown_parameter_matters_only_where_it_matters() -> None:
    known = host()
    assert known.parameters is not None
    values = {"obproxy_config_server_url": URL}
    seen = replace(known, parameters=replace(known.parameters, values=values, is_stored=None))

    assert True is judge(Evidence(seen, cache(entry()), ocp(), {ONE: True})).restart_safe
    assert (None, {Reason.PARAMETERS_UNKNOWN}) == restart(judge(Evidence(seen, cache(entry()), BROKEN, {ONE: True})))


def test_a_closed_cache_is_no_matter_while_ocp_is_well() -> None:
    seen = cache(rslist=CacheResult.FORBIDDEN, config=CacheResult.FORBIDDEN, configured=())
    verdict = judge(Evidence(host(), seen, ocp()))

    assert (True, set()) == restart(verdict)
    assert (None, {Reason.CACHE_UNKNOWN}) == outage(verdict)


def test_a_later_look_that_shows_nothing_new_leaves_the_premises_equal() -> None:
    """What verdicts rest on has no time in it, so that they need not be weighed again at each scrape."""
    later = NOON + timedelta(seconds=5)
    first = Evidence(host(), cache(entry()), ocp(), {ONE: True})
    second = Evidence(
        replace(host(), at=later, client_connections=7), replace(cache(entry()), at=later), ocp(), {ONE: True}
    )
    given = answers(ocp())

    assert premises(first, given) == premises(second, given)
    assert premises(first, given) != premises(replace(second, reachable={ONE: False}), given)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_sentence_and_its_way_out(reason: Reason) -> None:
    explained = EXPLANATIONS[reason]

    assert explained.sentence
    assert explained.way_out
    assert not {explained.sentence[-1], explained.way_out[-1]} & set(".!")


RESULTS = st.sampled_from([CacheResult.OK, CacheResult.MISSING, CacheResult.LENGTH, CacheResult.FORBIDDEN])
REPLIES = st.sampled_from([OcpResult.OK, OcpResult.REFUSED])
BOOLEANS = st.sampled_from(["True", "False"])


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """Any ODP, with one cluster or two."""
    seen = host(ignore_local_config=draw(BOOLEANS), enable_get_rslist_remote=draw(BOOLEANS))
    rslist, config = draw(RESULTS), draw(RESULTS)
    names = draw(st.lists(st.sampled_from(["ob1", "ob2"]), unique=True))
    kept = cache(
        *(entry(name) for name in names if rslist is CacheResult.OK),
        rslist=rslist,
        config=config,
        configured=("ob1", "ob2") if config is CacheResult.OK else (),
    )
    round_ = ocp(draw(REPLIES), {"ob1": draw(REPLIES), "ob2": draw(REPLIES)})
    return Evidence(seen, kept, round_, draw(st.sampled_from([None, {ONE: True}, {ONE: False}, {}])))


@given(evidences())
def test_a_better_ocp_never_makes_things_worse_but_for_its_half_broken_state(evidence: Evidence) -> None:
    whole = judge(replace(evidence, ocp=ocp(rs_lists={"ob1": OcpResult.OK, "ob2": OcpResult.OK})))
    verdict = judge(evidence)

    assert verdict.restart_safe is not True or whole.restart_safe is not False
    assert (verdict.restart_safe is True) == (not verdict.restart)


@given(evidences())
def test_what_survives_an_outage_may_be_restarted_during_it(evidence: Evidence) -> None:
    gone = ocp(OcpResult.REFUSED, {"ob1": OcpResult.REFUSED, "ob2": OcpResult.REFUSED})

    assert judge(evidence).survives_ocp_outage is not True or judge(replace(evidence, ocp=gone)).restart_safe is True
