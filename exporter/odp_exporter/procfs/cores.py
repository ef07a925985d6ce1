"""Core files: where this host puts those of ODP, and how many came since we count.

A core that goes to a program other than systemd-coredump is out of sight, and
so is one in a directory whose name changes by process. In a directory that
all programs share, a core counts for an ODP only if its name carries one of
that ODP's pids, or no pid but ODP's name. Cores are never opened.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from odp_exporter import files
from odp_exporter.observations import Cores

SETTLING = timedelta(seconds=2)
"""A core that changed within it is still being written."""
REFRESH = timedelta(minutes=1)
"""How often core_pattern is read; someone may change it."""
MAX_ENTRIES = 10_000
"""The most entries of a directory that are looked at."""
_MAX_KNOWN = 512
_LIMIT = 4096
_LAST_SECOND = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()
_SPECIFIER = re.compile(r"%(.)")
_SYSTEMD = Path("/var/lib/systemd/coredump")
_SYSTEMD_NAME = re.compile(r"core\.obproxy\.\d+\.[0-9a-f]+\.(?P<pid>\d+)\..*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where cores go."""

    directory: Path
    name: re.Pattern[str]
    """What their names look like; its group `pid`, if any, is the process's."""
    is_shared: bool
    """Other programs' cores go there as well."""


@dataclass(frozen=True, slots=True)
class Core:
    """One core file."""

    name: str
    modified_ns: int
    pid: int | None

    @property
    def modified(self) -> datetime:
        """Its mtime."""
        return datetime.fromtimestamp(max(0.0, min(self.modified_ns / 1e9, _LAST_SECOND)), UTC)


@dataclass(frozen=True, slots=True)
class Tally:
    """The cores of one ODP up to now."""

    total: int = 0
    directory: Path | None = None
    """Where they were; cores of another place than before are not new."""
    known: tuple[tuple[str, int], ...] | None = None
    """Names and mtimes in nanoseconds of those that were counted or were there before; None before the first look."""
    latest: datetime | None = None

    @property
    def cores(self) -> Cores:
        """What the store is told."""
        return Cores(self.total, self.latest)


class CoresOutOfSight(Exception):
    """Cores cannot be found; the message says where they go."""


def place(proc: Path, home: Path | None) -> Place:
    """Where the kernel puts the cores of the ODP that works in *home*."""
    try:
        pattern = os.fsdecode(files.read(proc / "sys/kernel/core_pattern", limit=_LIMIT).content).strip()
        has_pid = files.read(proc / "sys/kernel/core_uses_pid", limit=_LIMIT).content.strip() != b"0"
    except files.FileError as error:
        raise CoresOutOfSight(str(error)) from error
    return parse_pattern(pattern, has_pid=has_pid, home=home)


def parse_pattern(pattern: str, *, has_pid: bool, home: Path | None) -> Place:
    """The place that core_pattern and core_uses_pid name (core(5))."""
    if pattern.startswith("|"):
        if "systemd-coredump" in pattern:
            return Place(_SYSTEMD, _SYSTEMD_NAME, is_shared=True)
        program = pattern[1:].lstrip().partition(" ")[0]
        message = f"cores go to a program: {program!r}"
        raise CoresOutOfSight(message)
    directory, _, name = pattern.rpartition("/")
    if has_pid and "%p" not in pattern:
        name += ".%p"
    if not name or "%" in directory:
        message = f"cores go to no place that is known beforehand: {pattern!r}"
        raise CoresOutOfSight(message)
    is_shared = pattern.startswith("/")
    if home is None and not is_shared:
        message = f"cores go to ODP's home, which is unknown: {pattern!r}"
        raise CoresOutOfSight(message)
    where = Path(directory or "/") if is_shared else Path(home or "/") / directory
    if is_shared and not set("pPef") & set(_SPECIFIER.findall(name)):
        message = f"cores of all programs go to one name: {pattern!r}"
        raise CoresOutOfSight(message)
    expression = _expression(name, is_shared=is_shared)
    # In ODP's own home whatever is called a core is one, also from before someone changed the pattern.
    return Place(where, re.compile(expression if is_shared else rf"{expression}|core(?:\..*)?"), is_shared=is_shared)


def _expression(name: str, *, is_shared: bool) -> str:
    """The regular expression of the names that the template *name* gives."""
    specifiers = _SPECIFIER.split(name)
    names_pid = bool({"p", "P"} & set(specifiers[1::2]))
    # The crashing thread names the core, and ODP's threads are called '[ET_NET 1]' and the like (odp-facts 7.3).
    comm = r"(?:obproxy|\[).*" if is_shared and not names_pid else ".*"
    meanings = {"%": "%", "p": r"\d+", "P": r"\d+", "e": comm, "f": comm}
    pieces = [meanings.get(piece, ".*") if index % 2 else re.escape(piece) for index, piece in enumerate(specifiers)]
    pid = next((index for index, piece in enumerate(specifiers) if index % 2 and piece in "pP"), None)
    if pid is not None:
        pieces[pid] = r"(?P<pid>\d+)"
    return "".join(pieces)


def found(where: Place, pids: Collection[int]) -> tuple[Core, ...]:
    """The cores at a place that are those of an ODP with these *pids*, by name."""
    try:
        with os.scandir(where.directory) as entries:
            cores = [_core(where, entry) for entry in islice(entries, MAX_ENTRIES)]
    except FileNotFoundError:
        return ()
    except OSError as error:
        message = f"{where.directory}: {error.strerror or error}"
        raise CoresOutOfSight(message) from error
    mine = (core for core in cores if core and (not where.is_shared or core.pid is None or core.pid in pids))
    return tuple(sorted(mine, key=lambda core: core.name))


def _core(where: Place, entry: os.DirEntry[str]) -> Core | None:
    match = where.name.fullmatch(entry.name)
    if match is None:
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    pid = match.groupdict().get("pid")
    return Core(entry.name, status.st_mtime_ns, int(pid) if pid else None) if stat.S_ISREG(status.st_mode) else None


def tallied(tally: Tally, directory: Path, cores: Iterable[Core], now: datetime) -> Tally:
    """Count the *cores* that are new and whole; those of the first look were there before."""
    whole = sorted((core for core in cores if abs(now - core.modified) >= SETTLING), key=lambda core: core.modified_ns)
    marks = tuple((core.name, core.modified_ns) for core in whole)[-_MAX_KNOWN:]
    is_first = tally.known is None or tally.directory != directory
    fresh = 0 if is_first else len(set(marks).difference(tally.known or ()))
    latest = max([core.modified for core in whole] + ([tally.latest] if tally.latest else []), default=None)
    return Tally(tally.total + fresh, directory, marks, latest)


def has_new(tally: Tally, cores: Iterable[Core], pids: Collection[int]) -> bool:
    """Among the *cores*, whole or not, is one that the *tally* does not know and that may be of one of the *pids*."""
    if tally.known is None:
        return False
    new = (core for core in cores if (core.name, core.modified_ns) not in tally.known)
    return any(core.pid is None or core.pid in pids for core in new)


class CoreWatch:
    """Looks after the cores of one ODP; lists their directory only when it may have changed."""

    def __init__(self, proc: Path) -> None:
        self.unseen: str | None = None
        """Why cores are out of sight, if they are."""
        self._proc = proc
        self._place: Place | None = None
        self._placed: tuple[datetime, Path | None] | None = None
        self._listed_ns: int | None = None

    def look(self, tally: Tally, *, home: Path | None, pids: Collection[int], now: datetime) -> Tally:
        """The *tally*, brought up to date for an ODP in *home* that had these *pids*."""
        self._find_place(home, now)
        where = self._place
        if where is None:
            return tally
        try:
            modified_ns = where.directory.stat().st_mtime_ns
        except OSError:
            modified_ns = 0
        if modified_ns == self._listed_ns and tally.directory == where.directory:
            return tally
        cores = self._list(where, pids)
        is_settled = all(abs(now - core.modified) >= SETTLING for core in cores)
        self._listed_ns = modified_ns if is_settled else None
        return tallied(tally, where.directory, cores, now) if self._place else tally

    def shows_crash(self, tally: Tally, pids: Collection[int]) -> bool:
        """A core has come since the *tally* that may be of one of the *pids*."""
        return self._place is not None and has_new(tally, self._list(self._place, pids), pids)

    def _find_place(self, home: Path | None, now: datetime) -> None:
        if self._placed and self._placed[1] == home and timedelta() <= now - self._placed[0] < REFRESH:
            return
        self._placed, self._place, self._listed_ns, self.unseen = (now, home), None, None, None
        try:
            self._place = place(self._proc, home)
        except CoresOutOfSight as error:
            self.unseen = f"cores: {error}"

    def _list(self, where: Place, pids: Collection[int]) -> tuple[Core, ...]:
        try:
            return found(where, pids)
        except CoresOutOfSight as error:
            self._place, self.unseen = None, f"cores: {error}"
            return ()
