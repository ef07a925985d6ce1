"""What the journal forgets: what is old, and what is too much; nothing that waits."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

KEPT_INBOX = timedelta(days=7)
KEPT_INBOX_BYTES = 64 * 1024 * 1024
KEPT_EVENTS = 100_000
KEPT_EVENTS_BYTES = 256 * 1024 * 1024
"""Evidence of a pool of a thousand ODPs is 100 KB."""
KEPT_AUDIT = 100_000
KEPT_AUDIT_AGE = timedelta(days=400)

_OLDEST_KEPT = (
    "(SELECT coalesce(max(id), 0) FROM "
    "(SELECT id, sum(length(body)) OVER (ORDER BY id DESC) AS total FROM {table}) WHERE total > ?)"
)
_OLD_AUDIT = (
    "FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1 OR id <= "
    "(SELECT coalesce(max(id), 0) FROM audit WHERE at < ?2)"
)


def prune(db: sqlite3.Connection, now: datetime) -> None:
    """Forget, within the transaction that the caller has begun."""
    db.execute(
        f"DELETE FROM inbox WHERE is_folded AND (received < ? OR id <= {_OLDEST_KEPT.format(table='inbox')})",  # noqa: S608 - our own table
        ((now - KEPT_INBOX).isoformat(), KEPT_INBOX_BYTES),
    )
    db.execute("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (KEPT_EVENTS,))
    db.execute(f"DELETE FROM events WHERE id <= {_OLDEST_KEPT.format(table='events')}", (KEPT_EVENTS_BYTES,))  # noqa: S608 - as above
    limits = (KEPT_AUDIT, (now - KEPT_AUDIT_AGE).isoformat())
    last = db.execute(f"SELECT hash {_OLD_AUDIT} ORDER BY id DESC LIMIT 1", limits).fetchone()
    if last:
        db.execute("UPDATE meta SET value = ? WHERE key = 'anchor'", last)
        db.execute(f"DELETE {_OLD_AUDIT}", limits)
