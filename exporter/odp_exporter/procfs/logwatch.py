"""Follows the two logs of one ODP that tell of its lives, at a cost that does not depend on their size.

obproxy_diagnosis.log is small and read in full. obproxy.log grows by gigabytes:
each look reads what is new, at most its last quarter of a megabyte. Nothing
is written or locked; what cannot be read is said in `unseen`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from odp_exporter import files

from . import logfiles, odplogs
from .logfiles import Position
from .odplogs import Endings, Event, Present
from .restarts import Start

MAIN = "log/obproxy.log"
DIAGNOSIS = "log/obproxy_diagnosis.log"
TAIL_BYTES = 256 * 1024
"""The most that a look reads of obproxy.log; at 5 KB a probe (odp-facts 4.7) a look has some 25 KB to read."""
_MAX_EVENTS = 256


@dataclass(frozen=True, slots=True)
class News:
    """What the diagnosis log told since the last look."""

    starts: tuple[Start, ...] = ()
    position: Position | None = None
    is_kept: bool = False
    """There is such a log: releases before 4.2.3 write none."""


class LogWatch:
    """The logs of one ODP, in one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.end: Position | None = None
        """Up to where obproxy.log has been followed."""
        self.present = Present()
        """What obproxy.log says of the life that writes it."""
        self.version: str | None = None
        self.unseen: tuple[str, ...] = ()
        self._events: tuple[Event, ...] = ()
        self._has_gap = False

    def follow(self, *, main: Position | None, diagnosis: Position | None, is_silent: bool) -> News:
        """Read on; *main* is where the present life was first seen, *diagnosis* how far that log is read.

        With *is_silent*, for an ODP that does not greet, nothing that was skipped before stays unread.
        """
        self.unseen = ()
        try:
            self._follow_main(main, is_silent=is_silent)
        except files.FileError as error:
            self.unseen = (str(error),)
        try:
            return self._follow_diagnosis(diagnosis)
        except files.FileMissing:
            return News(position=diagnosis)
        except files.FileError as error:
            self.unseen = (*self.unseen, str(error))
            return News(position=diagnosis)

    def begin(self) -> None:
        """Another life is present now: forget what was said of the one before."""
        self._has_gap = False
        self._happened(odplogs.since_last_start(self._events))

    def forget(self) -> None:
        """The parent of a hot restart has gone: whatever was said may have been said of it."""
        self._has_gap = False
        self._happened(())

    def endings(self, since: Position | None) -> Endings | None:
        """How lives ended since *since*, where a living one was first seen; None if obproxy.log does not tell."""
        if since is None:
            return None
        try:
            stretch = logfiles.appended(self.home / MAIN, since)
        except files.FileError:
            return None
        return odplogs.endings(odplogs.events(stretch.text), length=len(stretch.text), is_whole=stretch.is_whole)

    def _follow_main(self, main: Position | None, *, is_silent: bool) -> None:
        path = self.home / MAIN
        is_first = self.end is None
        limit = logfiles.MAX_BYTES if is_first and main else TAIL_BYTES
        more = logfiles.appended(path, main if is_first else self.end, limit=limit)
        self.end = more.end
        if more.text:
            self.version = odplogs.version(more.text) or self.version
            if found := odplogs.events(more.text):
                self._happened((*self._events, *found))
        self._has_gap = self._has_gap or not (is_first or more.is_whole)
        if is_silent and self._has_gap:
            self._happened(odplogs.events(logfiles.appended(path, main).text))
            self._has_gap = False

    def _follow_diagnosis(self, position: Position | None) -> News:
        limit = logfiles.MAX_BYTES if position else TAIL_BYTES
        more = logfiles.appended(self.home / DIAGNOSIS, position, limit=limit)
        starts = odplogs.starts(more.text)
        if starts:
            self.version = odplogs.version(more.text) or self.version
        # Of a log that was never read before, only the newest start can be of a life that we know.
        return News(starts if position else starts[-1:], more.end, is_kept=True)

    def _happened(self, events: tuple[Event, ...]) -> None:
        self._events = events[-_MAX_EVENTS:]
        self.present = odplogs.present(self._events)
