"""The journal's file: SQLite, written through to the disk before any call returns.

One transaction per call, whole or not at all. It is used by one thread
(journal.py), and by one process: a lock on a file beside it lasts as long as
the process that holds it, and a term number in it makes sure that whoever lost
it all the same writes nothing any more (S33).

What can be wrong is told in journal_opening.py.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from . import audit
from .audit import Audited
from .journal_entries import Batch, Counts, Delivery, Folded, counters
from .journal_opening import JournalUnusable, JournalUnwritable, explained, locked, opened
from .journal_pruning import prune

MAX_WAITING = 1000
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Compressed; what waits to be folded beyond this is refused, and comes again."""


class JournalFile:
    """An open journal; whoever has it is the active remediator."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = locked(path.with_name(f"{path.name}.lock"))
        try:
            with explained(path):
                self._db = opened(path)
                self._term = self._next_term()
                self._inodes = self._present_inodes()
        except BaseException:
            self._lock_off()
            raise

    def close(self) -> None:
        """Let another one have it."""
        with suppress(sqlite3.Error):
            self._db.close()
        self._lock_off()

    def fleet(self) -> str:
        """The fleet's text as it was last written; empty at first."""
        with explained(self._path):
            return str(self._meta("fleet"))

    def waiting(self) -> list[int]:
        """Numbers of the deliveries that were stored and not folded, oldest first."""
        with explained(self._path):
            return [row[0] for row in self._db.execute("SELECT id FROM inbox WHERE NOT is_folded ORDER BY id")]

    def delivery(self, number: int) -> Delivery:
        """One that waits; all of them at once may be more than the memory holds."""
        with explained(self._path):
            received, body, digest = self._db.execute(
                "SELECT received, body, digest FROM inbox WHERE id = ?", (number,)
            ).fetchone()
            return Delivery(datetime.fromisoformat(received), zlib.decompress(body), digest)

    def accept(self, delivery: Delivery) -> int:
        """Store *delivery*; gives its number."""
        body = zlib.compress(delivery.body, level=1)
        with self._transaction() as db:
            count, size = db.execute(
                "SELECT count(*), coalesce(sum(length(body)), 0) FROM inbox WHERE NOT is_folded"
            ).fetchone()
            if count >= MAX_WAITING or size + len(body) > MAX_WAITING_BYTES:
                message = f"{self._path}: {count} deliveries wait to be looked at (they come in faster than they are)"
                raise JournalUnwritable(message)
            done = db.execute(
                "INSERT INTO inbox (received, digest, body) VALUES (?, ?, ?)",
                (delivery.received.isoformat(), delivery.digest, body),
            )
            assert done.lastrowid is not None  # noqa: S101 - a row was inserted
            return done.lastrowid

    def commit(self, batch: Batch) -> None:
        """Write *batch*."""
        with self._transaction() as db:
            for folded in batch.folded:
                self._fold(db, batch.at, folded)
            if batch.fleet is not None:
                db.execute("UPDATE meta SET value = ? WHERE key = 'fleet'", (batch.fleet,))
            db.executemany("UPDATE inbox SET is_folded = 1 WHERE id = ?", [(each,) for each in batch.deliveries])

    def counts(self) -> Counts:
        """What was counted since the journal began."""
        with explained(self._path):
            rows = self._db.execute("SELECT family, odp, what, how, value FROM counters").fetchall()
        return Counts(
            {(odp, what, how): value for family, odp, what, how, value in rows if family == "actions"},
            {(odp, what): value for family, odp, what, _, value in rows if family == "refusals"},
        )

    def history(self, odp: str | None, limit: int) -> list[Audited]:
        """The latest records, newest first."""
        with explained(self._path):
            rows = self._db.execute(
                f"SELECT {audit.COLUMNS} FROM audit WHERE ?1 IS NULL OR odp = ?1 ORDER BY id DESC LIMIT ?2",  # noqa: S608 - our own column names
                (odp, limit),
            )
            return [audit.row(each) for each in rows]

    def broken_at(self) -> int | None:
        """The first record of the audit that was changed after it was written; None: all of it is as it was (S30)."""
        with explained(self._path):
            rows = self._db.execute(f"SELECT {audit.COLUMNS} FROM audit ORDER BY id")  # noqa: S608 - our own column names
            return audit.first_broken(self._anchor(), map(audit.row, rows))

    def prune(self, now: datetime) -> None:
        """Forget what is old, and what is too much; nothing that waits."""
        with self._transaction() as db:
            prune(db, now)

    def _fold(self, db: sqlite3.Connection, at: datetime, folded: Folded) -> None:
        """Its event only with a record that refers to it: the same evidence again and again would fill the disk."""
        event = (
            folded.records
            and db.execute(
                "INSERT INTO events (at, kind, odp, body) VALUES (?, ?, ?, ?)",
                (at.isoformat(), folded.kind, folded.odp, folded.body),
            ).lastrowid
        )
        for record in folded.records:
            entry = audit.entry(at, event or 0, record, self._last_hash(db))
            db.execute(
                "INSERT INTO audit (at, event, odp, episode, action, outcome, reason, detail, hash)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                entry,
            )
        for key, more in Counter(counters(folded)).items():
            db.execute(
                "INSERT INTO counters VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                (*key, more),
            )

    def _last_hash(self, db: sqlite3.Connection) -> bytes:
        row = db.execute("SELECT hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        return bytes(row[0]) if row else self._anchor()

    def _anchor(self) -> bytes:
        anchor = self._meta("anchor")
        return bytes(anchor) if isinstance(anchor, bytes) else b""

    def _meta(self, key: str) -> object:
        return self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]

    def _next_term(self) -> int:
        with _within_transaction(self._db):
            self._db.execute("UPDATE meta SET value = value + 1 WHERE key = 'term'")
            return self._present_term()

    def _present_term(self) -> int:
        term = self._meta("term")
        return term if isinstance(term, int) else -1

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with explained(self._path), _within_transaction(self._db):
            if self._present_inodes() != self._inodes or self._present_term() != self._term:
                message = f"{self._path}: was replaced, or another remediator has taken it (restart this one)"
                raise JournalUnusable(message)
            yield self._db

    def _present_inodes(self) -> tuple[int, int]:
        """SQLite writes on into files that were taken away, its log too, and all of that is gone at the next crash."""
        present = self._path.stat().st_ino
        try:
            return present, self._path.with_name(f"{self._path.name}-wal").stat().st_ino
        except FileNotFoundError:
            return present, 0

    def _lock_off(self) -> None:
        os.close(self._lock)


@contextmanager
def _within_transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
