"""The audit: records that are only ever added, each with a hash over itself and the one before (S30).

Values only; journal_file.py keeps them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from .model import Outcome, Record

COLUMNS = "id, at, event, odp, episode, action, outcome, reason, detail, hash"
Entry = tuple[str, int, str, str, str, str, str, str, bytes]
"""All columns but the number."""


@dataclass(frozen=True, slots=True)
class Audited:
    """A record as it stands in the audit."""

    id: int
    at: datetime
    event: int
    """Number of the event that led to it."""
    record: Record
    hash: bytes


def entry(at: datetime, event: int, record: Record, previous: bytes) -> Entry:
    """*record* as a row that follows the one whose hash is *previous*."""
    texts = (
        str(record.odp),
        str(record.episode),
        str(record.action),
        str(record.outcome),
        str(record.reason),
        str(record.detail),
    )
    moment = at.isoformat()
    return (moment, event, *texts, _hash(previous, (moment, event, *texts)))


def row(columns: Sequence[object]) -> Audited:
    """A row of the table, its columns as in COLUMNS."""
    number, at, event, odp, episode, action, outcome, reason, detail, digest = columns
    record = Record(str(odp), str(episode), str(action), Outcome(str(outcome)), str(reason), str(detail))
    return Audited(
        int(str(number)),
        datetime.fromisoformat(str(at)),
        int(str(event)),
        record,
        digest if isinstance(digest, bytes) else b"",
    )


def first_broken(anchor: bytes, rows: Iterable[Audited]) -> int | None:
    """Number of the first of the *rows* that does not follow from the one before; *anchor* precedes them all."""
    previous = anchor
    for each in rows:
        if entry(each.at, each.event, each.record, previous)[-1] != each.hash:
            return each.id
        previous = each.hash
    return None


def _hash(previous: bytes, values: Sequence[object]) -> bytes:
    return hashlib.sha256(previous + json.dumps(values, separators=(",", ":")).encode()).digest()
