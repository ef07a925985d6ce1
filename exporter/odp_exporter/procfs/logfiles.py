"""Reading what was appended to a log that rotates: bounded, read-only, in whole lines.

ODP renames a full log to `<name>.YYYYMMDDhhmmss` and begins a new one
(odp-facts 7.8). A position is an inode and an offset, so it stays good across
that. What lines mean is decided elsewhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from odp_exporter import files

MAX_BYTES = 4 * 1024 * 1024
"""The most that is read at a time."""
_MAX_ENTRIES = 10_000
_ROTATED = re.compile(r"\.\d{14}")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a log."""

    inode: int
    offset: int


@dataclass(frozen=True, slots=True)
class Appended:
    """The lines that follow a position."""

    text: bytes
    end: Position
    """Where the next lines will follow."""
    is_whole: bool
    """Nothing is missing between the position and the text."""


def appended(path: Path, since: Position | None, *, limit: int = MAX_BYTES) -> Appended:
    """The last *limit* bytes, at most, of what followed *since*, or of the whole log; a FileError if it cannot be read.

    A line that is still being written is left for the next time.
    """
    if since is None:
        snapshot = files.read_tail(path, limit=limit)
        return _lines(snapshot.content, snapshot, is_whole=snapshot.size <= limit)
    snapshot = files.read_from(path, since.offset, limit=limit)
    if snapshot.inode != since.inode:
        return _across_rotations(path, since, limit)
    if snapshot.size < since.offset:
        snapshot = files.read_tail(path, limit=limit)
        return _lines(snapshot.content, snapshot, is_whole=False)
    if snapshot.size - since.offset > limit:
        snapshot = files.read_tail(path, limit=limit)
        return _lines(snapshot.content, snapshot, is_whole=False)
    return _lines(snapshot.content, snapshot, is_whole=True, begin=since.offset)


def _lines(content: bytes, snapshot: files.Snapshot, *, is_whole: bool, begin: int | None = None) -> Appended:
    """*content*, which ends where the file does, without its last half line."""
    end = begin + len(content) if begin is not None else snapshot.size
    # A line longer than the limit is never waited for.
    text = content[: content.rfind(b"\n") + 1] or (content if not is_whole else b"")
    return Appended(text, Position(snapshot.inode, max(0, end - (len(content) - len(text)))), is_whole)


def _across_rotations(path: Path, since: Position, limit: int) -> Appended:
    older = _rotated(path)
    inodes = [inode for inode, _ in older]
    is_whole = since.inode in inodes
    missed = older[inodes.index(since.inode) :] if is_whole else []
    newest = files.read_tail(path, limit=limit)
    text = newest.content
    is_whole = is_whole and newest.size <= limit
    for inode, rotated in reversed(missed):
        offset = since.offset if inode == since.inode else 0
        more = _between(rotated, offset, limit - len(text))
        if more is None:
            is_whole = False
            break
        text = more + text
    return _lines(text, newest, is_whole=is_whole)


def _between(path: Path, offset: int, limit: int) -> bytes | None:
    """What follows *offset*, or None if that is more than *limit* bytes or cannot be read."""
    try:
        snapshot = files.read_from(path, offset, limit=limit)
    except files.FileError:
        return None
    return snapshot.content if offset + len(snapshot.content) >= snapshot.size else None


def _rotated(path: Path) -> Sequence[tuple[int, Path]]:
    """Inodes and paths of the earlier parts of the log, oldest first."""
    try:
        with os.scandir(path.parent) as entries:
            found = [
                (entry.name, entry.inode()) for entry in islice(entries, _MAX_ENTRIES) if _is_part(entry.name, path)
            ]
    except OSError:
        return ()
    return [(inode, path.with_name(name)) for name, inode in sorted(found)]


def _is_part(name: str, path: Path) -> bool:
    return name.startswith(path.name) and _ROTATED.fullmatch(name, len(path.name)) is not None
