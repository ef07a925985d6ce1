"""Alertmanager's webhook payload, version 4, as values.

Everything in it is data: an alert asks for a repair only if its `remediation`
label is one we know and its `odp` is in the inventory (S5, S6, S15); all others
are counted and forgotten. Nothing here waits, reads a clock or logs.

    PayloadError
    |-- Malformed     no such payload: will be so again
    |-- Unsupported   another version, or a receiver that is not ours
    `-- TooMany       more alerts than anybody can mean
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeGuard

from odp_exporter.settings import quoted

from .model import Alert, AlertFiring, AlertResolved, Wish

VERSION = "4"
WATCHDOG = "Watchdog"
"""The alert that always fires: that it comes in proves the whole way from Prometheus (S32)."""
MAX_ALERTS = 50_000
MAX_PARTS = 2_000_000
"""Values in a body, by its commas: an empty list costs 3 bytes as text and 64 in memory, which the unit limits."""
_MAX_NAME = 128
_WISHES = frozenset(Wish)
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_UNDATED_YEAR = 1
"""Go's zero time: nobody said when."""


class PayloadError(Exception):
    """A body that is no notification for us; the message says why, for a person."""


class Malformed(PayloadError):
    """It is not what Alertmanager sends."""


class Unsupported(PayloadError):
    """Another version of it, or meant for another receiver."""


class TooMany(PayloadError):
    """More alerts than MAX_ALERTS."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is ours: default deny."""

    odps: Container[str]
    receivers: Container[str]
    """Names of Alertmanager's receivers that are taken."""
    volatile_labels: Container[str] = frozenset({"prometheus", "replica"})
    """Labels that differ between replicas of the same alert."""


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of one alert that concerns us."""

    alert: Alert
    is_firing: bool

    @property
    def event(self) -> AlertFiring | AlertResolved:
        """The same as an event."""
        return AlertFiring(self.alert) if self.is_firing else AlertResolved(self.alert.odp, self.alert.key)


@dataclass(frozen=True, slots=True)
class Notification:
    """One webhook call."""

    said: tuple[Said, ...] = ()
    """One for each alert key; a key that any replica says to be firing is firing."""
    is_heartbeat: bool = False
    """The Watchdog alert is in it, and fires."""
    truncated: int = 0
    """Alerts that Alertmanager left out; then nothing is said (S5)."""
    ignored: int = 0
    """Alerts that are no business of ours."""


def read(body: bytes, scope: Scope, received: datetime) -> Notification:
    """What *body*, *received* just now, says; a PayloadError if it is none of Alertmanager's."""
    if body.count(b",") > MAX_PARTS:
        message = f"more than {MAX_PARTS} commas, where {MAX_ALERTS} alerts have fewer"
        raise TooMany(message)
    payload = _mapping(_decoded(body), "the body")
    _supported(payload, scope)
    alerts = payload.get("alerts")
    if not isinstance(alerts, list):
        message = f"alerts: not a list: {_kind(alerts)}"
        raise Malformed(message)
    if len(alerts) > MAX_ALERTS:
        message = f"{len(alerts)} alerts, more than the {MAX_ALERTS} that are taken"
        raise TooMany(message)
    read_ones = [_alert(item, f"alerts.{index}") for index, item in enumerate(alerts)]
    heartbeat = any(labels.get("alertname") == WATCHDOG and firing for labels, firing, _ in read_ones)
    if truncated := _truncated(payload):
        return Notification(is_heartbeat=heartbeat, truncated=truncated, ignored=len(alerts))
    said = [one for one in (_said(*each, scope, received) for each in read_ones) if one]
    return Notification(_merged(said), heartbeat, ignored=len(alerts) - len(said))


def alert_of(labels: Mapping[str, str], since: datetime, scope: Scope) -> Alert | None:
    """The alert with these *labels*, if it asks for a repair of an ODP of ours; else it is none of our business."""
    odp, wish = labels.get("odp", ""), labels.get("remediation")
    if odp not in scope.odps or wish not in _WISHES:
        return None
    return Alert(odp, _name(labels.get("alertname", "")), Wish(wish), alert_key(labels, scope.volatile_labels), since)


def alert_key(labels: Mapping[str, str], volatile: Container[str]) -> str:
    """SHA-256 of the stable labels, so that replicas of an alert are one (S4)."""
    stable = sorted((name, value) for name, value in labels.items() if name not in volatile)
    return hashlib.sha256(_ENCODER.encode(stable).encode()).hexdigest()


def moment(text: object, default: datetime) -> datetime:
    """An RFC 3339 time; *default* for none, for Go's zero time, and for one that is still to come."""
    if text is None:
        return default
    try:
        parsed = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        message = f"startsAt: not a time: {quoted(text)}"
        raise Malformed(message)
    return default if parsed.year == _UNDATED_YEAR or parsed > default else parsed.astimezone(UTC)


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON") from error


def _supported(payload: Mapping[object, object], scope: Scope) -> None:
    if (version := payload.get("version")) != VERSION:
        message = f"version: {quoted(version)} is not supported (only '{VERSION}' is)"
        raise Unsupported(message)
    receiver = payload.get("receiver")
    if not isinstance(receiver, str) or receiver not in scope.receivers:
        message = f"receiver: {quoted(receiver)} is not ours (remediation.receivers names those that are)"
        raise Unsupported(message)


def _truncated(payload: Mapping[object, object]) -> int:
    count = payload.get("truncatedAlerts", 0)
    if not isinstance(count, int) or count < 0:
        message = f"truncatedAlerts: not a number: {_kind(count)}"
        raise Malformed(message)
    return count


def _alert(item: object, place: str) -> tuple[Mapping[str, str], bool, object]:
    """Labels, whether it fires, and the text that says since when."""
    alert = _mapping(item, place)
    labels = _mapping(alert.get("labels"), f"{place}.labels")
    if not _are_texts(labels):
        message = f"{place}.labels: not all of them are texts"
        raise Malformed(message)
    status = alert.get("status")
    if status not in ("firing", "resolved"):
        message = f"{place}.status: neither 'firing' nor 'resolved': {quoted(status)}"
        raise Malformed(message)
    return labels, status == "firing", alert.get("startsAt")


def _said(labels: Mapping[str, str], is_firing: bool, since: object, scope: Scope, received: datetime) -> Said | None:  # noqa: FBT001 - the parts of one alert
    alert = alert_of(labels, moment(since, received), scope)
    return Said(alert, is_firing) if alert else None


def _are_texts(labels: Mapping[object, object]) -> TypeGuard[Mapping[str, str]]:
    return {str}.issuperset(map(type, labels.values())) and {str}.issuperset(map(type, labels))


def _merged(said: Iterable[Said]) -> tuple[Said, ...]:
    by_key: dict[str, Said] = {}
    for one in said:
        known = by_key.get(one.alert.key)
        if known is None or (one.is_firing and not known.is_firing):
            by_key[one.alert.key] = one
    return tuple(by_key.values())


def _mapping(value: object, place: str) -> Mapping[object, object]:
    if not isinstance(value, dict):
        message = f"{place}: not a mapping: {_kind(value)}"
        raise Malformed(message)
    return value


def _kind(value: object) -> str:
    return "a text" if isinstance(value, str) else quoted(value)


def _name(text: str) -> str:
    """*text* as it may stand on a page and in a log: one line, printable, of bounded length."""
    text = text[:_MAX_NAME]
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)
