"""Which alerts are pushed, as values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from odp_exporter.notify.alerts import LABELS, Alert, outlook
from odp_exporter.observations import MIN_STALE, GreetingObservation, HostObservation, ProbeResult
from odp_exporter.store import OdpRecord, Store
from odp_exporter.targets import Address, Target

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
TARGET = Target("odp-1", Address("192.0.2.11", 2883), pool="trade")


def record(*results: ProbeResult, host: HostObservation | None = None, target: Target = TARGET) -> OdpRecord:
    """What is known after these probes, one a second, the last one at noon."""
    store = Store()
    store.keep(odps=[target], pools=[], ocps=[])
    store.record(host or HostObservation(target.name, NOON, is_local=True, is_listening=None))
    for number, result in enumerate(results, 1 - len(results)):
        store.record(GreetingObservation(target.name, NOON + timedelta(seconds=number), result))
    return store.odps[target.name]


def firing(it: OdpRecord, now: datetime = NOON) -> tuple[Alert, ...]:
    return outlook([it], now).firing


def names(it: OdpRecord, now: datetime = NOON) -> list[str]:
    return [alert.name for alert in firing(it, now)]


def clear(it: OdpRecord, now: datetime = NOON) -> set[str]:
    """Those of which it may be said that they are over."""
    return {name for name, _ in outlook([it], now).clear}


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([], []),
        ([ProbeResult.OK], []),
        ([ProbeResult.REFUSED], ["OdpDown"]),
        ([ProbeResult.GREETING_TIMEOUT], []),
        ([ProbeResult.GREETING_TIMEOUT] * 2, ["OdpHung"]),
        ([ProbeResult.REFUSED, ProbeResult.OK], []),
        ([ProbeResult.MALFORMED], []),
        ([ProbeResult.REFUSED, ProbeResult.INTERNAL_ERROR], []),
    ],
)
def test_a_state_that_a_restart_could_mend_fires(results: list[ProbeResult], expected: list[str]) -> None:
    assert expected == names(record(*results))


def test_a_frozen_odp_fires_by_its_log_alone() -> None:
    frozen = HostObservation("odp-1", NOON, is_local=True, is_memory_frozen=True)

    assert ["OdpMemoryFrozen"] == names(record(ProbeResult.OK, host=frozen))


def test_what_is_seen_from_afar_is_left_to_the_rules() -> None:
    """The network between may be at fault."""
    afar = HostObservation("odp-1", NOON, is_local=False)

    assert ([], set()) == (names(record(ProbeResult.REFUSED, host=afar)), clear(record(ProbeResult.OK, host=afar)))


def test_a_verdict_that_nobody_renews_is_pushed_no_more() -> None:
    it = record(ProbeResult.REFUSED)
    late = NOON + MIN_STALE + timedelta(seconds=1)

    assert ["OdpDown"] == names(it, NOON + MIN_STALE)
    assert ([], set()) == (names(it, late), clear(it, late))


def test_a_host_that_is_looked_at_no_more_unsays_no_verdict() -> None:
    """A dead mount holds up the look at the host; the greetings go on, and are refused."""
    before = HostObservation("odp-1", NOON - 2 * MIN_STALE, is_local=True, is_memory_frozen=True)
    it = record(ProbeResult.REFUSED, host=before)

    assert (["OdpDown"], {"OdpHung"}) == (names(it), clear(it))


def test_a_host_that_is_looked_at_rarely_is_believed_for_longer() -> None:
    seen = NOON - timedelta(minutes=3)
    frozen = HostObservation("odp-1", seen, is_local=True, is_memory_frozen=True, interval=timedelta(minutes=1))

    assert ["OdpMemoryFrozen"] == names(record(ProbeResult.OK, host=frozen))
    assert [] == names(record(ProbeResult.OK, host=replace(frozen, interval=timedelta(seconds=1))))


@pytest.mark.parametrize("results", [[ProbeResult.REFUSED], [ProbeResult.GREETING_TIMEOUT] * 2])
def test_our_own_fault_neither_keeps_an_alert_up_nor_ends_it(results: list[ProbeResult]) -> None:
    """Out of descriptors, we know nothing of an ODP that hung."""
    it = record(*results, ProbeResult.INTERNAL_ERROR)

    assert ([], {"OdpMemoryFrozen"}) == (names(it), clear(it))


def test_an_odp_that_serves_is_known_to_have_no_alert() -> None:
    assert {"OdpDown", "OdpHung", "OdpMemoryFrozen"} == clear(record(ProbeResult.OK))


def test_of_an_odp_that_was_not_greeted_yet_nothing_is_said() -> None:
    assert set() == clear(record())


def test_the_labels_are_the_rules_own() -> None:
    (alert,) = firing(record(ProbeResult.REFUSED))

    assert {
        "alertname": "OdpDown",
        "odp": "odp-1",
        "pool": "trade",
        "severity": "critical",
        "remediation": "restart",
        "region": "hz",
    } == alert.labels({"region": "hz"})


@pytest.mark.parametrize("profile", ["default", "fast"])
def test_each_alert_is_a_rule_with_the_same_words_and_labels(profile: str) -> None:
    """Alertmanager makes one alert of both only if no label differs."""
    rules = yaml.safe_load((ROOT / f"rules/{profile}/repair.yml").read_text(encoding="utf-8"))
    named = {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    frozen = HostObservation("odp-1", NOON, is_local=True, is_listening=None, is_memory_frozen=True)
    pushed = [
        *firing(record(ProbeResult.REFUSED)),
        *firing(record(*[ProbeResult.GREETING_TIMEOUT] * 2, host=frozen)),
    ]

    assert {"OdpDown", "OdpHung", "OdpMemoryFrozen"} == {alert.name for alert in pushed}
    for alert in pushed:
        assert named[alert.name]["labels"] == LABELS
        assert named[alert.name]["annotations"]["summary"] == alert.annotations["summary"]


def test_a_frozen_process_that_is_gone_freezes_nobody() -> None:
    frozen = HostObservation("odp-1", NOON, is_local=True, is_listening=None, is_memory_frozen=True)

    assert ["OdpDown"] == names(record(ProbeResult.REFUSED, host=frozen))


def test_an_odp_without_a_pool_has_no_label_for_it() -> None:
    (alert,) = firing(record(ProbeResult.REFUSED, target=replace(TARGET, pool=None)))

    assert "pool" not in alert.labels({})


def test_an_alert_is_as_old_as_its_outage() -> None:
    (alert,) = firing(record(ProbeResult.OK, ProbeResult.REFUSED, ProbeResult.REFUSED))

    assert NOON - timedelta(seconds=1) == alert.since
