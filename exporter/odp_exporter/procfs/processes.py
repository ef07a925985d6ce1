"""One process as /proc shows it: identity, use of memory and CPU, start options, home.

Reading takes no privilege; what is closed to this user (executable, work
directory and environment of another user's process) comes back as None or as
the next best thing, never as an error. Secrets of a command line or an
environment are dropped here, before anyone can show them. Which processes
matter is decided elsewhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from odp_exporter import files
from odp_exporter.observations import Identity, Process
from odp_exporter.settings import redacted

PROC = Path("/proc")

_LIMIT = 256 * 1024
"""Bytes of one file of /proc that are read; the kernel's own limit for arguments is 2 MiB."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PASSWORD = re.compile(r"(?i)(password\w{0,64}\s{0,8}=)[^,]*")
_MAX_FILES = re.compile(rb"^Max open files +([0-9]+)", re.MULTILINE)
_DELETED = " (deleted)"


@dataclass(frozen=True, slots=True)
class Boot:
    """The present run of this host's kernel."""

    id: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Stat:
    """What /proc/PID/stat says that we need."""

    comm: str
    state: str
    parent: int
    cpu_ticks: int
    threads: int
    start_ticks: int
    resident_pages: int

    @property
    def is_zombie(self) -> bool:
        """It shows nothing of itself any more."""
        return self.state in {"Z", "X"}

    @property
    def is_over(self) -> bool:
        """It is a zombie and its last thread has ended: until then its sockets are open."""
        return self.is_zombie and self.threads <= 1


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables of a process that change what ODP does; no other is kept."""

    root: Path | None
    """OBPROXY_ROOT, when absolute: ODP's home in place of its work directory (odp-facts 2.1)."""
    http_proxy: str | None = field(repr=False)
    """For http URLs, as libcurl reads it: no upper-case name of its own, for a CGI's client could set that."""
    https_proxy: str | None = field(repr=False)
    """For https URLs."""
    no_proxy: str | None


@dataclass(frozen=True, slots=True)
class Home:
    """Where an ODP lives, by a path that leads there for us too; or why none is known."""

    path: Path | None
    problem: str = ""


def boot_id(proc: Path = PROC) -> str:
    """The kernel's name for this boot."""
    return files.read(proc / "sys/kernel/random/boot_id", limit=_LIMIT).content.decode(errors="replace").strip()


def boot_time(proc: Path = PROC) -> datetime:
    """When this boot began; a whole second, and later corrected when someone sets the clock."""
    for line in files.read(proc / "stat", limit=files.MAX_BYTES).content.splitlines():
        if line.startswith(b"btime "):
            return datetime.fromtimestamp(int(line[6:]), UTC)
    message = f"{proc / 'stat'}: has no btime"
    raise files.FileUnusable(message)


def boot(proc: Path = PROC) -> Boot:
    """The present boot; a FileError when this is no /proc."""
    return Boot(boot_id(proc), boot_time(proc))


def read(pid: int, *, proc: Path = PROC, present: Boot | None = None) -> Process | None:
    """The process *pid*, or None when it is gone; a zombie is gone, though last threads of it may hold the port on."""
    directory = f"{proc}/{pid}"
    try:
        stat = parse_stat(files.read(f"{directory}/stat", limit=_LIMIT).content)
        present = present or boot(proc)
        shown = tuple(map(_without_secrets, arguments(pid, proc=proc)))
    except (files.FileError, ValueError):
        return None
    if stat.is_zombie:
        return None
    return Process(
        identity=Identity(present.id, pid, stat.start_ticks, _executable(directory) or stat.comm),
        started=present.time + timedelta(seconds=stat.start_ticks / _TICKS),
        parent=stat.parent,
        state=stat.state,
        arguments=shown,
        home=home(pid, proc=proc).path,
        resident_bytes=stat.resident_pages * _PAGE_BYTES,
        cpu_seconds=stat.cpu_ticks / _TICKS,
        threads=stat.threads,
        open_fds=_open_fds(directory),
        max_fds=_max_fds(directory),
    )


def arguments(pid: int, *, proc: Path = PROC) -> tuple[str, ...]:
    """The command line of *pid* with its secrets, not to be kept; a FileError when it is gone."""
    return split_arguments(files.read(f"{proc}/{pid}/cmdline", limit=_LIMIT).content)


def environment(pid: int, *, proc: Path = PROC) -> Environment | None:
    """The environment that *pid* was started with, or None where this user may not look."""
    try:
        content = files.read(f"{proc}/{pid}/environ", limit=_LIMIT).content
    except files.FileError:
        return None
    variables = dict(entry.partition(b"=")[::2] for entry in reversed(content.split(b"\0")))
    root = _first(variables, b"OBPROXY_ROOT") or ""
    return Environment(
        root=Path(root) if root.startswith("/") else None,
        http_proxy=_first(variables, b"http_proxy", b"all_proxy", b"ALL_PROXY"),
        https_proxy=_first(variables, b"https_proxy", b"HTTPS_PROXY", b"all_proxy", b"ALL_PROXY"),
        no_proxy=_first(variables, b"no_proxy", b"NO_PROXY"),
    )


def home(pid: int, *, proc: Path = PROC) -> Home:
    """The home of *pid*: what its environment says, or else its work directory (odp-facts 2.1)."""
    directory = proc / str(pid)
    variables = environment(pid, proc=proc)
    root = variables.root if variables else None
    work = _link(f"{directory}/cwd")
    path = root or (Path(work) if work else None)
    if path is None:
        return Home(None, "home: not known, its work directory is closed to this user")
    theirs = directory / "root" / path.relative_to("/") if root else directory / "cwd"
    if _shares_mounts(directory, proc) or _is_same(theirs, path):
        return Home(path)
    return Home(None, f"home: {path} is another place for us, as ODP runs in a container (give the path here as home)")


def parse_stat(content: bytes) -> Stat:
    """/proc/PID/stat; the name in it may hold blanks, line ends and parentheses."""
    head, _, tail = content.rpartition(b")")
    _, _, comm = head.partition(b"(")
    fields = tail.split()
    try:
        return Stat(
            comm=comm.decode(errors="replace"),
            state=fields[0].decode(errors="replace"),
            parent=int(fields[1]),
            cpu_ticks=int(fields[11]) + int(fields[12]),
            threads=int(fields[17]),
            start_ticks=int(fields[19]),
            resident_pages=int(fields[21]),
        )
    except IndexError as error:
        message = f"not a process's stat: {len(fields)} fields after the name"
        raise ValueError(message) from error


def split_arguments(content: bytes) -> tuple[str, ...]:
    """/proc/PID/cmdline; a process that rewrote its title leaves NULs behind, which mean nothing."""
    stripped = content.rstrip(b"\0")
    return tuple(part.decode(errors="replace") for part in stripped.split(b"\0")) if stripped else ()


def _without_secrets(argument: str) -> str:
    return redacted(_PASSWORD.sub(r"\1***", argument))


def _executable(directory: str) -> str | None:
    # The kernel adds the suffix once the file is replaced by a new release:
    # still the same life of the same process, so it must not enter an identity.
    path = _link(f"{directory}/exe")
    return path.removesuffix(_DELETED) if path else None


def _first(variables: Mapping[bytes, bytes], *names: bytes) -> str | None:
    """The first of these variables that is not empty."""
    return next((value.decode(errors="replace") for name in names if (value := variables.get(name))), None)


def _shares_mounts(directory: Path, proc: Path) -> bool:
    """Every path leads us and the process to the same place; taken for granted where this user may not look."""
    theirs, ours = _link(directory / "ns/mnt"), _link(proc / "self/ns/mnt")
    return theirs is None or ours is None or theirs == ours


def _is_same(theirs: Path, ours: Path) -> bool:
    # A mount namespace of its own, as systemd gives to us and to many a
    # service, need not hide or replace anything.
    try:
        return theirs.samefile(ours)
    except OSError:
        return False


def _link(path: Path | str) -> str | None:
    try:
        target = os.readlink(path)  # noqa: PTH115 - pathlib would intern its parts, look after look
        target.encode()  # a name that is no text could be shown nowhere
    except (OSError, UnicodeError):
        return None
    return target


def _open_fds(directory: str) -> int | None:
    # Since Linux 6.2 the directory's size is the number, for anyone and at no
    # cost; counting 16000 entries takes 10 ms.
    try:
        size = os.stat(f"{directory}/fd").st_size  # noqa: PTH116 - a Path takes longer to make than this takes
        return size or len(os.listdir(f"{directory}/fd"))  # noqa: PTH208 - iterdir makes a Path of each of thousands
    except OSError:
        return None


def _max_fds(directory: str) -> int | None:
    try:
        limits = files.read(f"{directory}/limits", limit=_LIMIT).content
    except files.FileError:
        return None
    found = _MAX_FILES.search(limits)
    return int(found[1]) if found else None
