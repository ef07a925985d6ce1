"""Webhook bodies as Alertmanager 0.25 sends them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from odp_exporter.remediation.journal_entries import Delivery

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SINCE = "2026-05-04T11:59:30.123456789Z"


def alert(odp: str = "odp-1", *, status: str = "firing", since: str = SINCE, **labels: str) -> dict[str, Any]:
    """One alert that asks for a restart of *odp*; a label given as an empty text is left out."""
    named = {"alertname": "ODPHung", "odp": odp, "remediation": "restart", "severity": "page", **labels}
    return {
        "status": status,
        "labels": {name: value for name, value in named.items() if value},
        "annotations": {"summary": "hung"},
        "startsAt": since,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://192.0.2.20:9090/graph",
        "fingerprint": "5ef77f1f8a3ecfe1",
    }


def payload(*alerts: Mapping[str, Any], **more: object) -> dict[str, Any]:
    """A notification of these *alerts*."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="ODPHung"}',
        "truncatedAlerts": 0,
        "status": "firing" if any(each["status"] == "firing" for each in alerts) else "resolved",
        "receiver": "remediator",
        "groupLabels": {"alertname": "ODPHung"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://192.0.2.20:9093",
        "alerts": list(alerts),
        **more,
    }


def body(*alerts: Mapping[str, Any], **more: object) -> bytes:
    """The same as bytes."""
    return json.dumps(payload(*alerts, **more)).encode()


def many(names: Iterable[str]) -> bytes:
    """One notification that has an alert for each of the ODPs with these *names*."""
    return body(*(alert(name) for name in names))


def delivery(text: bytes = b"{}", received: datetime = NOW) -> Delivery:
    """A body as the journal takes it."""
    return Delivery(received, text, hashlib.sha256(text).digest())
