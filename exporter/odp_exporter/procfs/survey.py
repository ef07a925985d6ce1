"""One look over /proc: the ODP processes, what they listen on, and the scripts that watch them.

Every look refreshes the processes already known; a scan of all pids is made
only every so often, and at once when a known process is gone or a watched
port changes hands. Ownership of a socket is proven by its inode in
/proc/PID/fd; where that is closed to this user, it stays unknown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from odp_exporter import files
from odp_exporter.observations import Identity, Process

from . import parameters, processes
from .processes import PROC, Boot, Environment
from .sockets import Listener

NAME = "obproxy"
"""The program's name: of its file, of its main thread, or of its first argument (odp-facts 7.3)."""
WATCHDOG_SCRIPT = "obproxyd.sh"

DESERTED_RESCAN = timedelta(seconds=1)
"""How often all pids are gone through while nobody listens on a watched port."""

_AT_ONCE = 4096
"""Bytes of a command line that are read first; only a longer one is read as a whole."""
_SOCKET = re.compile(r"socket:\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A process that goes by ODP's name."""

    process: Process
    sockets: frozenset[int] | None
    """Inodes of the listening sockets that it holds; None where this user may not look."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The parameters that its command line sets."""
    environment: Environment | None = None
    cgroup: str = ""
    """/proc/PID/cgroup."""
    homeless: str = ""
    """Why its home is not known, if it is not."""


@dataclass(frozen=True, slots=True)
class Script:
    """A running obproxyd.sh."""

    pid: int
    arguments: tuple[str, ...]
    directory: Path | None
    """Its work directory, where this user may look."""


@dataclass(frozen=True, slots=True)
class View:
    """What one look has shown."""

    candidates: tuple[Candidate, ...]
    """Oldest first."""
    scripts: tuple[Script, ...]


@dataclass(slots=True)
class _Holding:
    """Which of the listening sockets a process holds, and by which descriptor."""

    asked: frozenset[int]
    descriptors: dict[int, int]


class Survey:
    """Looks over one /proc again and again."""

    def __init__(self, *, rescan: timedelta, proc: Path = PROC) -> None:
        self._proc = proc
        self._rescan = rescan
        self._boot: Boot | None = None
        self._scanned: datetime | None = None
        self._watched: frozenset[int] = frozenset()
        self._candidates: dict[int, Candidate] = {}
        self._scripts: tuple[Script, ...] = ()
        self._holdings: dict[Identity, _Holding] = {}

    def look(self, now: datetime, listeners: Collection[Listener], ports: Collection[int]) -> View:
        """What is there *now*; a FileError when this host has no usable /proc."""
        inodes = frozenset(listener.inode for listener in listeners)
        watched = frozenset(listener.inode for listener in listeners if listener.address.port in ports)
        known = self._refreshed(self._candidates, inodes)
        is_deserted = not set(ports) <= {listener.address.port for listener in listeners}
        if self._is_scan_due(now, watched, is_deserted=is_deserted) or known.keys() != self._candidates.keys():
            known = self._scan(inodes)
            self._scanned, self._watched = now, watched
        self._candidates = known
        return View(tuple(sorted(known.values(), key=_age)), self._scripts)

    def _is_scan_due(self, now: datetime, watched: frozenset[int], *, is_deserted: bool) -> bool:
        if self._scanned is None or watched != self._watched:
            return True
        # Somebody may be starting who does not listen yet.
        wait = min(self._rescan, DESERTED_RESCAN) if is_deserted else self._rescan
        # A clock that was set back must not put the next scan off.
        return not timedelta() <= now - self._scanned < wait

    def _scan(self, inodes: frozenset[int]) -> dict[int, Candidate]:
        self._boot = processes.boot(self._proc)
        found: dict[int, Candidate] = {}
        scripts = []
        for pid in map(int, filter(str.isdigit, os.listdir(self._proc))):  # noqa: PTH208 - hundreds of names, no paths
            comm, arguments = self._names(pid)
            if self._is_odp(pid, comm, arguments):
                if candidate := self._candidate(pid, inodes, is_scan=True):
                    found[pid] = candidate
            elif any(_basename(argument) == WATCHDOG_SCRIPT for argument in arguments[:3]):
                scripts.append(Script(pid, arguments, self._directory(pid)))
        self._scripts = tuple(scripts)
        self._holdings = {
            candidate.process.identity: self._holdings[candidate.process.identity]
            for candidate in found.values()
            if candidate.process.identity in self._holdings
        }
        return found

    def _refreshed(self, known: Mapping[int, Candidate], inodes: frozenset[int]) -> dict[int, Candidate]:
        refreshed = {pid: self._candidate(pid, inodes, is_scan=False) for pid in known}
        return {
            pid: candidate
            for pid, candidate in refreshed.items()
            if candidate and candidate.process.identity == known[pid].process.identity
        }

    def _candidate(self, pid: int, inodes: frozenset[int], *, is_scan: bool) -> Candidate | None:
        process = processes.read(pid, proc=self._proc, present=self._boot)
        if process is None:
            return None
        sockets = self._sockets(process.identity, inodes, is_scan=is_scan)
        homeless = "" if process.home else processes.home(pid, proc=self._proc).problem
        earlier = self._candidates.get(pid)
        if earlier and earlier.process.identity == process.identity and earlier.process.arguments == process.arguments:
            return replace(earlier, process=process, sockets=sockets, homeless=homeless)
        _, arguments = self._names(pid)
        options, environment = parameters.from_arguments(arguments), processes.environment(pid, proc=self._proc)
        return Candidate(process, sockets, options, environment, self._text(pid, "cgroup"), homeless)

    def _sockets(self, identity: Identity, inodes: frozenset[int], *, is_scan: bool) -> frozenset[int] | None:
        """The sockets among *inodes* that a process holds: by the descriptors known before, or by all of them."""
        holding = self._holdings.get(identity)
        is_news = holding is None or (is_scan and not inodes <= holding.asked)
        if holding and not is_news and self._still_holds(identity.pid, holding):
            return frozenset(holding.descriptors) & inodes
        descriptors = self._descriptors(identity.pid, inodes)
        if descriptors is None:
            return None
        self._holdings[identity] = _Holding(inodes, descriptors)
        return frozenset(descriptors)

    def _still_holds(self, pid: int, holding: _Holding) -> bool:
        directory = f"{self._proc}/{pid}/fd"
        return all(_socket(f"{directory}/{fd}") == inode for inode, fd in holding.descriptors.items())

    def _descriptors(self, pid: int, inodes: frozenset[int]) -> dict[int, int] | None:
        directory = f"{self._proc}/{pid}/fd"
        try:
            names = os.listdir(directory)  # noqa: PTH208 - thousands of names, no paths
        except OSError:
            return None
        held = ((_socket(f"{directory}/{name}"), int(name)) for name in names)
        return {inode: fd for inode, fd in held if inode in inodes}

    def _names(self, pid: int) -> tuple[str, tuple[str, ...]]:
        comm, line = _content(f"{self._proc}/{pid}/comm"), _content(f"{self._proc}/{pid}/cmdline")
        if len(line) < _AT_ONCE:
            return comm.decode(errors="replace").rstrip("\n"), processes.split_arguments(line)
        try:
            return comm.decode(errors="replace").rstrip("\n"), processes.arguments(pid, proc=self._proc)
        except files.FileError:
            return "", ()

    def _text(self, pid: int, name: str) -> str:
        try:
            return files.read(self._proc / str(pid) / name).content.decode(errors="replace")
        except files.FileError:
            return ""

    def _is_odp(self, pid: int, comm: str, arguments: tuple[str, ...]) -> bool:
        if NAME in {comm, _basename(arguments[0]) if arguments else ""}:
            return True
        return _basename(_link(f"{self._proc}/{pid}/exe").removesuffix(" (deleted)")) == NAME

    def _directory(self, pid: int) -> Path | None:
        directory = _link(f"{self._proc}/{pid}/cwd")
        return Path(directory) if directory else None


def _content(path: str) -> bytes:
    """The beginning of a file of /proc; empty when it is gone or closed to this user."""
    # Read for every process of the host: without a Path, a stat and a second read it takes a fifth of the time.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, _AT_ONCE)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _basename(path: str) -> str:
    return path.rpartition("/")[2]


def _socket(path: str) -> int | None:
    match = _SOCKET.fullmatch(_link(path))
    return int(match[1]) if match else None


def _link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - thousands of links, no paths
    except OSError:
        return ""


def _age(candidate: Candidate) -> tuple[int, int]:
    return candidate.process.identity.start_ticks, candidate.process.identity.pid
