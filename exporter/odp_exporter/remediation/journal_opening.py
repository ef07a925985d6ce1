"""How the journal's file is opened and locked, and what can be wrong with it.

JournalError
|-- JournalTaken       another remediator has it: stand by
|-- JournalUnwritable  disk full, read-only or failing: try again, do nothing meanwhile
`-- JournalUnusable    no journal of ours, corrupt or replaced: a matter for people
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received TEXT NOT NULL, digest BLOB NOT NULL, body BLOB NOT NULL,
    is_folded INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX waiting ON inbox (id) WHERE NOT is_folded;
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, kind TEXT NOT NULL, odp TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, event INTEGER NOT NULL, odp TEXT NOT NULL,
    episode TEXT NOT NULL, action TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    hash BLOB NOT NULL
);
CREATE INDEX audit_of ON audit (odp, id);
CREATE TABLE counters (
    family TEXT NOT NULL, odp TEXT NOT NULL, what TEXT NOT NULL, how TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (family, odp, what, how)
) WITHOUT ROWID;
INSERT INTO meta VALUES ('term', 0), ('fleet', ''), ('anchor', x'');
"""


class JournalError(Exception):
    """The journal cannot be used now; nothing may be believed or done."""


class JournalTaken(JournalError):
    """Another remediator has it."""


class JournalUnwritable(JournalError):
    """It cannot be written now."""


class JournalUnusable(JournalError):
    """It is none of ours, or no longer whole."""


def locked(path: Path) -> int:
    """A descriptor that holds the lock at *path* until it is closed; JournalTaken if another process has it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        message = f"{path}: another remediator holds it (this one stands by)"
        raise JournalTaken(message) from error
    except OSError as error:
        os.close(fd)
        raise _unwritable(path, error) from error
    return fd


def opened(path: Path) -> sqlite3.Connection:
    """A connection that writes through to the disk; a new journal gets its tables, a foreign one is refused."""
    # 0600: bodies of alerts and what was done about them are for nobody else.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=1)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        _prepare(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == 0:
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version != SCHEMA_VERSION:
        message = f"{path}: written by another release (version {version}, this one writes {SCHEMA_VERSION})"
        raise JournalUnusable(message)
    (state,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        raise _corrupt(path, state)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite and the system have to say, as a JournalError."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")):
            raise _corrupt(path, str(error)) from error
        raise _unwritable(path, error) from error
    except (zlib.error, ValueError) as error:
        raise _corrupt(path, str(error)) from error
    except OSError as error:
        raise _unwritable(path, error) from error


def _corrupt(path: Path, reason: str) -> JournalUnusable:
    return JournalUnusable(
        f"{path}: not a whole journal: {reason} (move it and its -wal file away to begin a new one, and look at every "
        f"load balancer for drains that are left over)"
    )


def _unwritable(path: Path, error: sqlite3.Error | OSError) -> JournalUnwritable:
    reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
    return JournalUnwritable(f"{path}: cannot be written: {reason} (nothing is done until it can)")
