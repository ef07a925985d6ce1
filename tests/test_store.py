from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.health import State
from odp_exporter.observations import (
    CacheObservation,
    Endpoint,
    EndpointObservation,
    GreetingObservation,
    HostObservation,
    OcpObservation,
    OcpResult,
    Phase,
    PingObservation,
    PingResult,
    ProbeResult,
)
from odp_exporter.store import Histogram, PushTally, Store
from odp_exporter.targets import Address, Ocp, Pool, Target

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ODP = Target("odp-1", Address("192.0.2.11", 2883))
POOL = Pool("odp-1", Address("192.0.2.100", 2883))
OCP = Ocp("ocp", "http://192.0.2.10/services?Action=GetObProxyConfig")


def store() -> Store:
    new = Store()
    new.keep(odps=[ODP], pools=[POOL], ocps=[OCP])
    return new


def greeting(result: ProbeResult, seconds: float = 0, target: str = "odp-1") -> GreetingObservation:
    return GreetingObservation(target, NOON + timedelta(seconds=seconds), result, {Phase.CONNECT: 0.002})


def test_a_greeting_is_counted_timed_and_judged() -> None:
    it = store()
    it.record(greeting(ProbeResult.OK))
    record = it.odps["odp-1"]

    assert {ProbeResult.OK: 1} == record.probes.results
    assert 0.002 == record.probes.durations[Phase.CONNECT].total
    assert State.SERVING is record.health.state


def test_a_pool_and_an_odp_may_share_a_name() -> None:
    it = store()
    it.record_pool(greeting(ProbeResult.REFUSED))

    assert {ProbeResult.REFUSED: 1} == it.pools["odp-1"].probes.results
    assert {} == it.odps["odp-1"].probes.results


def test_an_ended_outage_adds_to_unavailability_and_to_the_recovery_times() -> None:
    it = store()
    for seconds, result in ((1, ProbeResult.REFUSED), (2, ProbeResult.REFUSED), (2.5, ProbeResult.OK)):
        it.record(greeting(result, seconds))
    record = it.odps["odp-1"]

    assert (timedelta(seconds=1.502), 1.502) == (record.outages, record.recoveries.total)


def test_an_outage_during_which_the_clock_is_set_is_as_long_as_it_was() -> None:
    """Forward by six hours in its tenth second, as when a host booted with a wrong clock."""
    it = store()
    for seconds, wall, result in (
        (0, 0, ProbeResult.REFUSED),
        (9, 9, ProbeResult.REFUSED),
        (10, 21610, ProbeResult.REFUSED),
        (11, 21611, ProbeResult.OK),
    ):
        it.record(replace(greeting(result, wall), tick=timedelta(seconds=seconds)))
        if seconds == 10:
            assert NOON + timedelta(hours=6) == it.odps["odp-1"].health.outage_began
            assert timedelta(seconds=10) == it.odps["odp-1"].health.outage_lasted

    assert timedelta(seconds=11.002) == it.odps["odp-1"].outages


def test_an_alertmanager_that_is_gone_is_counted_no_more() -> None:
    it = store()
    it.keep_pushes(["a:9093", "b:9093"])
    it.pushes["a:9093"].add(3, is_ok=True)
    it.keep_pushes(["a:9093", "c:9093"])

    assert {"a:9093": PushTally(sent=3), "c:9093": PushTally()} == it.pushes


def test_news_from_the_host_changes_the_verdict() -> None:
    it = store()
    it.record(greeting(ProbeResult.RESET))
    it.record(HostObservation("odp-1", NOON, is_local=True))

    assert State.DOWN is it.odps["odp-1"].health.state


def test_an_ocp_round_counts_each_reply_and_times_those_that_were_asked() -> None:
    it = store()
    replies = (
        EndpointObservation(Endpoint.VERSION, OcpResult.OK, 200, 0.01),
        EndpointObservation(Endpoint.RS_LIST, OcpResult.NOT_ASKED, 0, 0),
    )
    it.record(OcpObservation("ocp", NOON, replies))
    record = it.ocps["ocp"]

    assert {(Endpoint.VERSION, OcpResult.OK): 1, (Endpoint.RS_LIST, OcpResult.NOT_ASKED): 1} == record.results
    assert (0.01, 0) == (record.durations[Endpoint.VERSION].total, sum(record.durations[Endpoint.RS_LIST].counts))


def test_observations_of_targets_that_are_gone_are_dropped() -> None:
    """A probe may come back after its target was taken out of the configuration."""
    it = store()
    it.keep(odps=[], pools=[], ocps=[])
    it.record(greeting(ProbeResult.OK))
    it.record_pool(greeting(ProbeResult.OK))
    it.record(HostObservation("odp-1", NOON, is_local=True))
    it.record(CacheObservation("odp-1", NOON, ()))
    it.record(PingObservation("odp-1", NOON, PingResult.OK, 0.1))
    it.record(OcpObservation("ocp", NOON, ()))

    assert ({}, {}, {}) == (it.odps, it.pools, it.ocps)


def test_keeping_a_target_keeps_its_counts_and_takes_its_new_labels() -> None:
    it = store()
    it.record(greeting(ProbeResult.OK))
    relabelled = Target("odp-1", ODP.address, labels={"idc": "hz1"})
    it.keep(odps=[relabelled], pools=[POOL], ocps=[OCP])

    assert (relabelled, 1) == (it.odps["odp-1"].target, it.odps["odp-1"].probes.results[ProbeResult.OK])


def test_a_target_that_moved_to_another_address_begins_anew() -> None:
    it = store()
    it.record(greeting(ProbeResult.OK))
    it.record_pool(greeting(ProbeResult.OK))
    it.keep(
        odps=[Target("odp-1", Address("192.0.2.12", 2883))],
        pools=[Pool("odp-1", Address("192.0.2.101", 2883))],
        ocps=[Ocp("ocp", "http://192.0.2.10/other?Action=GetObProxyConfig")],
    )

    assert ({}, {}) == (it.odps["odp-1"].probes.results, it.pools["odp-1"].probes.results)


@given(st.lists(st.floats(0, 100)))
def test_a_histogram_counts_every_value_once_at_its_bound(values: list[float]) -> None:
    histogram = Histogram((0.1, 1.0, 10.0))
    for value in values:
        histogram.observe(value)

    cumulated = [sum(histogram.counts[: index + 1]) for index in range(len(histogram.bounds))]
    assert [sum(value <= bound for value in values) for bound in histogram.bounds] == cumulated
    assert len(values) == sum(histogram.counts)
