"""The page of metrics: every byte of it, and what promtool and two parsers make of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.exposition import families
from odp_exporter.exposition.collector import Collector
from odp_exporter.metrics.family import Closed, Family, Kind
from odp_exporter.metrics.rendering import Format, Template, page, sample
from odp_exporter.observations import (
    CacheFile,
    CacheFileObservation,
    CacheObservation,
    CacheResult,
    Cause,
    Endpoint,
    GreetingObservation,
    HostObservation,
    OcpResult,
    Parameters,
    PingResult,
    ProbeResult,
)
from odp_exporter.store import Store
from odp_exporter.targets import Target
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as open_metrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text

GOLDEN = Path(__file__).parent.parent / "testdata" / "exposition"
EVERY = tuple(value for value in vars(families).values() if isinstance(value, Family))
PROBE_ONLY = {family.name for family in EVERY if family.name.startswith("probe_")}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def text(collector: Collector) -> str:
    return page(collector.collect(), Format.TEXT)


def samples(metrics: Iterable[Metric]) -> Samples:
    """Name and labels of every sample, with its value."""
    every = [sample for metric in metrics for sample in metric.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in every}
    assert len(every) == len(found)
    return found


def parse_open_metrics(collector: Collector) -> list[Metric]:
    whole = page(collector.collect(), Format.OPEN_METRICS) + "# EOF\n"
    return list(open_metrics_parser.text_string_to_metric_families(whole))  # type: ignore[no-untyped-call]  # theirs


def value(collector: Collector, name: str, /, **labels: str) -> float | None:
    return samples(parse_text(text(collector))).get((name, frozenset(labels.items())))


@pytest.mark.parametrize(
    ("form", "name"), [(Format.TEXT, "metrics.prom"), (Format.OPEN_METRICS, "metrics.openmetrics")]
)
def test_the_page_is_this_one_byte_for_byte(collector: Collector, form: Format, name: str) -> None:
    assert (GOLDEN / name).read_text(encoding="utf-8") == page(collector.collect(), form)


def test_promtool_accepts_the_page_without_a_word(collector: Collector, debian: Callable[[str], str]) -> None:
    promtool = [debian("promtool"), "check", "metrics"]
    done = subprocess.run(promtool, input=text(collector).encode(), capture_output=True, check=False)  # noqa: S603 - promtool

    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)


def test_every_family_is_on_the_page(collector: Collector) -> None:
    shown = {family.name for family, lines in collector.collect() if lines}

    assert {family.name for family in EVERY} - PROBE_ONLY == shown


def test_both_formats_say_the_same(collector: Collector) -> None:
    assert samples(parse_text(text(collector))) == samples(parse_open_metrics(collector))


def test_prometheus_own_client_reads_the_kinds_that_we_declare(collector: Collector) -> None:
    as_gauge = {Kind.STATE_SET: "gauge"}
    declared = {family.base_name: as_gauge.get(family.kind, family.kind.value) for family in EVERY}
    read = parse_open_metrics(collector)

    assert {} == {metric.name: metric.type for metric in read if declared[metric.name] != metric.type}


def test_the_labels_are_those_that_the_family_declares(collector: Collector) -> None:
    configured = {"idc"}
    for family, lines in collector.collect():
        for metric in parse_text(page([(family, lines)], Format.TEXT)):
            for one in metric.samples:
                assert set(family.labels) == set(one.labels) - {"le"} - configured


@given(st.text())
def test_any_label_value_survives(name: str) -> None:
    """Quotes, backslashes, line feeds, per cent signs and the rest of Unicode."""
    family = Family("odp_x", Kind.GAUGE, "A test.", "odp", (Closed("kind", ("a%s", "b")),), ("open",))
    fixed = replace(family, open=())
    lines = Template(fixed).fill(name, (1, 2))
    line = sample(family, {"odp": name, "open": name}, 3)
    known = name.encode(errors="replace").decode()

    expected = {
        ("odp_x", frozenset({("odp", known), ("kind", "a%s")})): 1.0,
        ("odp_x", frozenset({("odp", known), ("kind", "b")})): 2.0,
        ("odp_x", frozenset({("odp", known), ("open", known)})): 3.0,
    }
    assert expected == samples(parse_text(page([(fixed, lines + line)], Format.TEXT)))


def test_counters_of_an_odp_exist_before_its_first_probe_and_odp_up_does_not(collector: Collector) -> None:
    """rate() needs the zero before the first one."""
    for result in ProbeResult:
        assert 0 == value(collector, "odp_probes_total", odp="odp-2", result=result)
    for ping in PingResult:
        assert 0 == value(collector, "odp_pings_total", odp="odp-2", result=ping)
    assert 0 == value(collector, "odp_unavailable_seconds_total", odp="odp-2")
    assert 0 == value(collector, "odp_recovery_duration_seconds_count", odp="odp-2")
    assert value(collector, "odp_up", odp="odp-2") is None
    assert 1 == value(collector, "odp_state", odp="odp-2", state="unknown")


def test_every_cause_and_every_reply_of_ocp_has_its_counter(collector: Collector) -> None:
    found = samples(parse_text(text(collector)))
    restarts = {("odp_restarts_total", frozenset({("odp", "odp-1"), ("cause", str(cause))})) for cause in Cause}
    requests = {
        ("ocp_requests_total", frozenset({("ocp", "ocp"), ("endpoint", str(endpoint)), ("result", str(result))}))
        for endpoint in Endpoint
        for result in OcpResult
    }

    assert set() == (restarts | requests) - found.keys()


def test_a_host_without_odp_has_zero_processes(store: Store, collector: Collector) -> None:
    store.record(HostObservation("odp-1", collector.clock(), is_local=True, is_listening=False))

    assert 0 == value(collector, "odp_processes", odp="odp-1")
    assert value(collector, "odp_process_threads", odp="odp-1") is None


@pytest.mark.parametrize(("is_listening", "expected"), [(True, 1), (False, 0), (None, None)])
def test_who_cannot_see_the_owner_of_a_socket_still_sees_that_it_listens(
    store: Store, collector: Collector, *, is_listening: bool | None, expected: int | None
) -> None:
    """And who sees neither processes nor sockets claims nothing."""
    seen = HostObservation("odp-1", collector.clock(), is_local=True, is_listening=is_listening)
    store.record(seen)

    assert expected == value(collector, "odp_processes", odp="odp-1")


def test_two_processes_of_a_hot_restart_are_told_from_a_duplicate(store: Store, collector: Collector) -> None:
    host = store.odps["odp-1"].host
    assert host is not None
    assert (2, 0) == tuple(value(collector, name, odp="odp-1") for name in ("odp_processes", "odp_hot_restarting"))

    store.record(replace(host, is_hot_restarting=True))
    assert (2, 1) == tuple(value(collector, name, odp="odp-1") for name in ("odp_processes", "odp_hot_restarting"))


def test_what_is_not_shown_to_the_exporter_is_counted(collector: Collector) -> None:
    collector.situation = replace(collector.situation, discovery_unseen=2, target_file_problems=3)

    assert 1 == value(collector, "odp_unseen", odp="odp-1")
    assert 2 == value(collector, "odp_exporter_discovery_unseen")
    assert 3 == value(collector, "odp_exporter_target_file_problems")


def test_a_fault_of_the_exporter_proves_nothing_of_the_odp(store: Store, collector: Collector) -> None:
    store.record(GreetingObservation("odp-1", collector.clock(), ProbeResult.INTERNAL_ERROR))
    store.record_pool(GreetingObservation("trade", collector.clock(), ProbeResult.INTERNAL_ERROR))

    assert value(collector, "odp_up", odp="odp-1") is None
    assert value(collector, "odp_pool_up", pool="trade") is None
    assert 1 == value(collector, "odp_probe_result", odp="odp-1", result="internal_error")


def test_of_a_forbidden_cache_file_nothing_is_claimed(store: Store, collector: Collector) -> None:
    file = CacheFileObservation(CacheFile.RSLIST, CacheResult.FORBIDDEN)
    store.record(CacheObservation("odp-1", collector.clock(), (file,)))

    for name in ("odp_cache_valid", "odp_cache_present"):
        assert value(collector, name, odp="odp-1", file="rslist") is None
    assert value(collector, "odp_cache_clusters", odp="odp-1") is None
    assert 1 == value(collector, "odp_cache_result", odp="odp-1", file="rslist", result="forbidden")


@pytest.mark.parametrize(
    ("text", "expected"), [("2G", 2 << 30), ("2048", 2 << 30), ("1P", 1 << 50), ("", None), ("9" * 5000, None)]
)
def test_sizes_are_read_as_odp_reads_them(store: Store, collector: Collector, text: str, expected: int | None) -> None:
    """A number alone is one of megabytes (odp-facts 3.2)."""
    _set_parameter(store, "proxy_mem_limited", text)

    assert expected == value(collector, "odp_memory_limit_bytes", odp="odp-1")


@pytest.mark.parametrize(
    ("text", "expected"), [("True", 1), ("on", 1), ("1", 1), ("yes", 1), ("false", 0), ("0", 0), ("", None)]
)
def test_booleans_are_read_as_odp_reads_them(
    store: Store, collector: Collector, text: str, expected: int | None
) -> None:
    _set_parameter(store, "enable_get_rslist_remote", text)

    assert expected == value(collector, "odp_parameter", odp="odp-1", name="enable_get_rslist_remote")


@pytest.mark.parametrize(("text", "expected"), [("8192", 8192), ("0", None), ("8k", None), ("9" * 5000, None)])
def test_a_connection_limit_is_a_number(store: Store, collector: Collector, text: str, expected: int | None) -> None:
    """0 is no limit, and a division by it would be an alert."""
    _set_parameter(store, "client_max_connections", text)

    assert expected == value(collector, "odp_client_connections_limit", odp="odp-1")


def _set_parameter(store: Store, name: str, text: str) -> None:
    host = store.odps["odp-1"].host
    assert host is not None
    store.record(replace(host, parameters=Parameters({name: text}, "command line")))


def test_of_another_host_no_processes_are_claimed(store: Store, collector: Collector) -> None:
    """Nor restarts: nobody counts them there."""
    store.record(HostObservation("odp-2", collector.clock(), is_local=False))

    assert value(collector, "odp_processes", odp="odp-2") is None
    assert value(collector, "odp_restarts_total", odp="odp-2", cause="crash") is None


def test_the_oldest_process_speaks_for_the_odp(collector: Collector) -> None:
    """One started in vain on a taken port comes and goes."""
    started = collector.clock() - timedelta(days=1)

    assert 2 == value(collector, "odp_processes", odp="odp-1")
    assert started.timestamp() == value(collector, "odp_process_start_time_seconds", odp="odp-1")


def test_a_running_outage_counts_up_to_the_last_greeting(store: Store, collector: Collector) -> None:
    """8 s and the 1.75 ms of a whole greeting, and 2 s from the one that was closed to another one."""
    again = collector.clock() - timedelta(seconds=0.5)
    store.record(GreetingObservation("odp-1", again, ProbeResult.CLOSED))

    assert 10.00175 == value(collector, "odp_unavailable_seconds_total", odp="odp-1")


@pytest.mark.parametrize(
    ("interval", "age", "is_known"), [(5, 30, True), (5, 30.1, False), (60, 180, True), (60, 180.1, False)]
)
def test_a_scheduler_that_died_does_not_look_healthy(
    store: Store, collector: Collector, interval: float, age: float, *, is_known: bool
) -> None:
    now = collector.clock() + timedelta(days=1)
    collector.clock = lambda: now
    collector.situation = replace(collector.situation, interval=timedelta(seconds=interval))
    at = now - timedelta(seconds=age)
    store.record(GreetingObservation("odp-1", at, ProbeResult.OK))
    store.record_pool(GreetingObservation("trade", at, ProbeResult.OK))

    known = 1 if is_known else None
    assert known == value(collector, "odp_up", odp="odp-1")
    assert known == value(collector, "odp_pool_up", pool="trade")
    assert int(is_known) == value(collector, "odp_state", odp="odp-1", state="serving")
    assert int(not is_known) == value(collector, "odp_state", odp="odp-1", state="unknown")
    assert at.timestamp() == value(collector, "odp_probe_last_timestamp_seconds", odp="odp-1")


def test_an_ocp_that_nobody_asks_any_more_is_not_up(collector: Collector) -> None:
    """Its interval is its own: a minute by default."""
    asked = collector.clock() - timedelta(seconds=30)
    assert 1 == value(collector, "ocp_up", ocp="ocp", endpoint="config")

    collector.clock = lambda: asked + timedelta(seconds=181)
    assert value(collector, "ocp_up", ocp="ocp", endpoint="config") is None


def test_a_ping_of_long_ago_says_nothing_of_now(collector: Collector) -> None:
    """Its interval is its own, too."""
    pinged = collector.clock() - timedelta(seconds=3)
    assert 1 == value(collector, "odp_ping_up", odp="odp-1")

    collector.clock = lambda: pinged + timedelta(seconds=45.1)
    assert value(collector, "odp_ping_up", odp="odp-1") is None
    assert 1 == value(collector, "odp_pings_total", odp="odp-1", result="ok")


def test_one_bad_rs_list_spoils_the_endpoint(collector: Collector) -> None:
    assert 0 == value(collector, "ocp_up", ocp="ocp", endpoint="rs_list")
    assert 500 == value(collector, "ocp_http_status_code", ocp="ocp", endpoint="rs_list")
    assert 1 == value(collector, "ocp_result", ocp="ocp", endpoint="rs_list", result="http_status")


def test_without_the_ping_module_there_is_no_word_of_pings(collector: Collector) -> None:
    collector.situation = replace(collector.situation, ping_interval=None)

    assert "odp_ping" not in text(collector)


def test_targets_that_are_gone_leave_nothing(store: Store, collector: Collector) -> None:
    text(collector)
    store.keep(odps=[Target("odp-3", store.odps["odp-1"].target.address)], pools=[], ocps=[])
    after = text(collector)

    assert 'odp="odp-3"' in after
    assert not [line for line in after.splitlines() if 'odp="odp-1"' in line or "{ocp=" in line or "{pool=" in line]


def test_no_credential_is_on_the_page(collector: Collector) -> None:
    assert "hunter2" not in text(collector)


def test_a_thousand_odps_are_rendered_whole(collector: Collector) -> None:
    """And each of them once; how fast, benchmarks/ measure."""
    address = collector.store.odps["odp-1"].target.address
    collector.store.keep(odps=[Target(f"odp-{n}", address) for n in range(1000)], pools=[], ocps=[])
    for n in range(1000):
        collector.store.record(GreetingObservation(f"odp-{n}", collector.clock(), ProbeResult.OK))

    assert 1000 == text(collector).count("\nodp_up{")
