from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.remediation.model import Alert, AlertFiring, AlertResolved, Wish
from odp_exporter.remediation.payload import (
    MAX_ALERTS,
    Malformed,
    Notification,
    PayloadError,
    Scope,
    TooMany,
    Unsupported,
    alert_key,
    read,
)

from .payloads import NOW, alert, body, payload

SCOPE = Scope(frozenset({"odp-1", "odp-2"}), frozenset({"remediator"}))
LABELS = {"alertname": "ODPHung", "odp": "odp-1", "remediation": "restart", "severity": "page"}
KEY = alert_key(LABELS, frozenset())


def heard(*alerts: dict[str, Any], **more: object) -> Notification:
    return read(body(*alerts, **more), SCOPE, NOW)


def test_an_alert_becomes_an_event_of_its_own() -> None:
    since = datetime(2026, 5, 4, 11, 59, 30, 123456, tzinfo=UTC)
    notification = heard(alert(), alert("odp-2", status="resolved"))

    assert AlertFiring(Alert("odp-1", "ODPHung", Wish.RESTART, KEY, since)) == notification.said[0].event
    assert AlertResolved("odp-2", alert_key(LABELS | {"odp": "odp-2"}, ())) == notification.said[1].event


@pytest.mark.parametrize(
    "labels",
    [
        {"remediation": ""},
        {"remediation": "reboot"},
        {"remediation": "restart; rm -rf /"},
        {"odp": ""},
        {"odp": "odp-3"},
        {"odp": "*"},
        {"odp": "odp-1 "},
        {"odp": "$(reboot)"},
    ],
)
def test_what_is_not_ours_never_becomes_an_event(labels: dict[str, str]) -> None:
    """(S5, S6, S15): only targets of the inventory, only wishes that we know."""
    assert Notification(ignored=1) == heard(alert(**labels))


def test_replicas_of_an_alert_are_one_and_firing_wins() -> None:
    """(S3, S4): two Prometheus servers, of which one has not seen it yet."""
    notification = heard(alert(prometheus="a", status="resolved"), alert(prometheus="b", replica="2"))

    assert [True] == [said.is_firing for said in notification.said]
    assert [KEY] == [said.alert.key for said in notification.said]


def test_the_key_is_the_same_for_every_recurrence() -> None:
    """(S4): when it began, and the word for that, are no part of it."""
    later = heard(alert(since="2026-05-04T11:59:59Z"))

    assert KEY == later.said[0].alert.key


def test_the_watchdog_is_the_heartbeat_and_nothing_else() -> None:
    """That it comes in proves the whole way from Prometheus (S32)."""
    assert Notification(is_heartbeat=True, ignored=1) == heard(alert("", alertname="Watchdog", remediation=""))
    assert Notification(ignored=1) == heard(alert("", alertname="Watchdog", remediation="", status="resolved"))


def test_of_a_truncated_notification_nothing_is_believed() -> None:
    """The part that came is as likely to mislead as to help (S5)."""
    assert Notification(truncated=3, ignored=1) == heard(alert(), truncatedAlerts=3)


def test_an_alert_from_the_future_began_now() -> None:
    """Clocks differ; a duration below zero would be nonsense."""
    assert NOW == heard(alert(since="2026-05-04T13:00:00+00:00")).said[0].alert.since


def test_an_alert_without_a_beginning_began_now() -> None:
    assert NOW == heard(alert(since="0001-01-01T00:00:00Z")).said[0].alert.since


def test_a_beginning_in_another_zone_is_the_same_moment() -> None:
    assert NOW - timedelta(minutes=1) == heard(alert(since="2026-05-04T19:59:00+08:00")).said[0].alert.since


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "3"}, "version: '3' is not supported (only '4' is)"),
        ({"version": 4}, "version: a int is not supported (only '4' is)"),
        ({"receiver": "people"}, "receiver: 'people' is not ours (remediation.receivers names those that are)"),
        ({"receiver": ["x"]}, "receiver: a list is not ours (remediation.receivers names those that are)"),
    ],
)
def test_other_versions_and_receivers_are_refused(change: dict[str, Any], message: str) -> None:
    """What was not meant for us moves nothing (S5)."""
    with pytest.raises(Unsupported) as caught:
        heard(alert(), **change)

    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"version": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[]", "the body: not a mapping: a list"),
        (b"null", "the body: not a mapping: a empty value"),
        (body(alerts=None), "alerts: not a list: a empty value"),
        (body(alerts="all"), "alerts: not a list: a text"),
        (body(alerts=["odp-1"]), "alerts.0: not a mapping: a text"),
        (body(alert(), truncatedAlerts="3"), "truncatedAlerts: not a number: a text"),
        (body(alert(), truncatedAlerts=-1), "truncatedAlerts: not a number: a int"),
        (body(alert(status="maybe")), "alerts.0.status: neither 'firing' nor 'resolved': 'maybe'"),
        (body(alert() | {"labels": {"odp": 1}}), "alerts.0.labels: not all of them are texts"),
        (body(alert(since="yesterday")), "startsAt: not a time: 'yesterday'"),
        (body(alert(since="2026-05-04T11:59:59")), "startsAt: not a time: '2026-05-04T11:59:59'"),
    ],
)
def test_a_malformed_body_is_refused_with_its_reason(text: bytes, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(text, SCOPE, NOW)

    assert message == str(caught.value)


def test_more_alerts_than_anybody_can_mean_are_refused() -> None:
    text = json.dumps(payload() | {"alerts": [0] * (MAX_ALERTS + 1)}).encode()
    with pytest.raises(TooMany):
        read(text, SCOPE, NOW)


def test_an_empty_notification_says_nothing() -> None:
    assert Notification() == heard()


def test_a_hostile_name_is_made_harmless() -> None:
    """It stands on a page, in a log and in the audit."""
    notification = heard(alert(alertname="a\nb\ud800" + "c" * 500))

    assert "a?b?" + "c" * 124 == notification.said[0].alert.name


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.fixed_dictionaries(dict.fromkeys(payload(), JSON)), JSON, st.binary(max_size=50))
def test_no_body_breaks_it_and_none_by_chance_asks_for_anything(tree: Any, value: Any, noise: bytes) -> None:
    """(S5): whatever comes, it is a notification or a PayloadError."""
    right = {"version": "4", "receiver": "remediator"}
    for text in (json.dumps(tree), json.dumps(tree | right), json.dumps(payload(alert() | {"labels": value}))):
        with suppress(PayloadError):
            assert () == read(text.encode(), SCOPE, NOW).said
    with pytest.raises(PayloadError):
        read(noise, SCOPE, NOW)


@given(st.dictionaries(st.text(), st.text()), st.permutations(["a", "b", "c"]))
def test_the_order_of_labels_does_not_change_the_key(labels: dict[str, str], order: list[str]) -> None:
    again = {name: labels.get(name, name) for name in order} | labels
    plain = {name: labels.get(name, name) for name in "abc"} | labels

    assert alert_key(plain, ()) == alert_key(again, ())
    assert alert_key(plain, ()) == alert_key(again | {"replica": "2"}, {"replica"}) or "replica" in labels


def test_a_volatile_label_of_ones_own_is_left_out_of_the_key() -> None:
    scope = replace(SCOPE, volatile_labels=frozenset({"pod"}))

    assert KEY == read(body(alert(pod="x")), scope, NOW).said[0].alert.key
