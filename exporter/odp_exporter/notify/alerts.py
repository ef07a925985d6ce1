"""Which alerts are to be pushed: a pure function of what the store holds.

Only the repair alerts of rules/source/repair.yml, and only for ODPs of this
host: what is seen from afar may be the network's fault, and rules that weigh
several vantages decide about that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from odp_exporter.health import State
from odp_exporter.observations import GreetingObservation, HostObservation, oldest
from odp_exporter.store import OdpRecord

LABELS = {"severity": "critical", "remediation": "restart"}
_THAWED = frozenset({State.STARTING, State.DRAINING, State.DOWN})
"""States in which the log's word of a frozen process says nothing of the present one."""
_SUMMARIES = {
    "OdpDown": "An ODP is down.",
    "OdpHung": "An ODP accepts connections and says nothing.",
    "OdpMemoryFrozen": "An ODP has reached its memory limit and allocates no more.",
}
_FROZEN = "its log says that it takes no more memory."

Key = tuple[str, str]
"""Names an alert: its own name and the ODP's."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fires now."""

    name: str
    odp: str
    pool: str | None
    since: datetime
    detail: str

    @property
    def key(self) -> Key:
        """Tells it from all others of this exporter."""
        return self.name, self.odp

    def labels(self, extra: Mapping[str, str]) -> dict[str, str]:
        """What makes it the same alert as the rule's; *extra* are Prometheus' external labels that are kept."""
        pool = {"pool": self.pool} if self.pool else {}
        return {**extra, "alertname": self.name, "odp": self.odp, **pool, **LABELS}

    @property
    def annotations(self) -> dict[str, str]:
        """For people, until Prometheus' own come in."""
        return {"summary": _SUMMARIES[self.name], "description": self.detail}


@dataclass(frozen=True, slots=True)
class Outlook:
    """What can be said of alerts now; of those that are in neither part, nothing."""

    firing: tuple[Alert, ...] = ()
    clear: frozenset[Key] = frozenset()
    """Those that are known not to fire."""


def outlook(records: Iterable[OdpRecord], now: datetime) -> Outlook:
    """What can be said now of the alerts of *records*, in their order."""
    said = [each for record in records for each in _said(record, now)]
    firing = tuple(each for each in said if isinstance(each, Alert))
    return Outlook(firing, frozenset(each for each in said if not isinstance(each, Alert)))


def _said(record: OdpRecord, now: datetime) -> Iterator[Alert | Key]:
    """An alert that fires, or the key of one that does not."""
    latest, host = record.probes.latest, record.host
    if latest is None or host is None or not host.is_local:
        return
    for name, is_firing in _known(record.health.state, latest, host, now):
        yield _alert(name, record, latest) if is_firing else (name, record.target.name)


def _known(
    state: State, latest: GreetingObservation, host: HostObservation, now: datetime
) -> Iterator[tuple[str, bool]]:
    """Each alert of which something can be said, and whether it fires."""
    # A verdict is weighed anew with each greeting and with each look at the host.
    if state is not State.UNKNOWN and max(latest.at, host.at) >= oldest(now, host.interval):
        yield "OdpDown", state is State.DOWN
        yield "OdpHung", state is State.HUNG
    if host.is_present(now):
        yield "OdpMemoryFrozen", host.is_memory_frozen and state not in _THAWED


def _alert(name: str, record: OdpRecord, latest: GreetingObservation) -> Alert:
    target = record.target
    probed = f"last probe {latest.result}{latest.detail and ', '}{latest.detail}."
    reason = _FROZEN if name == "OdpMemoryFrozen" else probed
    detail = f"{target.name} ({target.address}): {reason}"
    return Alert(name, target.name, target.pool, record.health.outage_began or latest.at, detail)
