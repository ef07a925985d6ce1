"""What is written to the journal, as values, and how it is counted. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from .model import ActionName, Outcome, Reason, Record


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook body as it came."""

    received: datetime
    body: bytes
    digest: bytes
    """SHA-256 of the body."""


@dataclass(frozen=True, slots=True)
class Folded:
    """An event that changed something, and what was decided."""

    kind: str
    odp: str
    """Empty for one that concerns no single ODP."""
    body: str
    """The event as JSON, for people: the inputs of the decision (S30)."""
    records: tuple[Record, ...] = ()
    refusals: tuple[tuple[str, Reason], ...] = ()
    """ODP and reason; what is no news has no record, and counts all the same."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written together."""

    at: datetime
    folded: tuple[Folded, ...] = ()
    fleet: str | None = None
    """The fleet as text; None if it is as it was."""
    deliveries: tuple[int, ...] = ()
    """Those of the inbox that are folded by this."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters that outlive the process."""

    actions: dict[tuple[str, str, str], int]
    """By ODP, action and outcome."""
    refusals: dict[tuple[str, str], int]
    """By ODP and reason."""


def tally(counts: Counts, folded: Folded) -> None:
    """Count *folded* as the journal does."""
    for family, odp, what, how in counters(folded):
        if family == "actions":
            counts.actions[odp, what, how] = counts.actions.get((odp, what, how), 0) + 1
        else:
            counts.refusals[odp, what] = counts.refusals.get((odp, what), 0) + 1


def counters(folded: Folded) -> Iterator[tuple[str, str, str, str]]:
    """Family, and values of its labels, of all that counts in *folded*."""
    for record in folded.records:
        if record.action in _ACTIONS and record.outcome is not Outcome.REFUSED:
            yield "actions", record.odp, str(record.action), str(record.outcome)
    for odp, reason in folded.refusals:
        yield "refusals", odp, str(reason), ""


_ACTIONS = frozenset(ActionName)
