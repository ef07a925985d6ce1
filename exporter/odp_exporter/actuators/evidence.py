"""What a process shows while it still lives: gathered before it is ended, within a budget of time and of size (S23).

One directory per process, of files that people can read. Whatever cannot be had
is named with its reason in MISSING. Each item is read beside the event loop, for
/proc itself can hang with the process; an item that does not come back in time
is left behind. Nothing here decides, and nothing here may keep a restart from
being done. Passwords are cut out of command lines, and of an environment only
the names are kept.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from odp_exporter import files
from odp_exporter.observations import Process
from odp_exporter.procfs import processes, sockets
from odp_exporter.procfs.processes import PROC
from odp_exporter.procfs.sockets import SocketsUnavailable

from . import commands
from .aside import aside
from .state import private_directory

MAX_BYTES = 20 * 1024 * 1024
"""Of all files of one directory, a core apart."""
MAX_ITEM_BYTES = 2 * 1024 * 1024
LOG_TAIL_BYTES = 256 * 1024
_MAX_THREADS = 500
_ROOM_FOR_CORE = 3
"""A core must not fill the disk on which ODP is to start again."""
_ITEM_SECONDS = 1.0
"""What hangs may not use up the budget of what does not."""
_LOGS = ("obproxy.log", "obproxy_diagnosis.log", "obproxy_error.log")
_PLAIN = ("status", "stat", "limits", "cgroup", "oom_score", "wchan", "stack", "schedstat", "io", "smaps_rollup")
_PASSWORD = re.compile(rb"(?i)(pass(?:word|wd)?\w{0,64}\s{0,8}=\s{0,8})[^,\s&]*")
_CGROUPS = Path("/sys/fs/cgroup")
_MISSING = "MISSING"

Gather = Callable[[], bytes]


class NotHad(Exception):
    """An item could not be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file of the evidence."""

    name: str
    gather: Gather = field(repr=False)


@dataclass(frozen=True, slots=True)
class Archive:
    """Where evidence is kept."""

    directory: Path
    keep: int = 10
    """The newest so many are kept, over all ODPs."""
    has_core: bool = False
    """A core by gcore as well: it stops the process meanwhile and is as large as its memory."""
    proc: Path = PROC

    async def preserve(self, odp: str, process: Process, *, port: int, budget: timedelta, now: datetime) -> Path | None:
        """Gather what there is within *budget*; the directory, or None if nothing could be kept."""
        if budget <= timedelta():
            return None
        place = self.directory / f"{now:%Y%m%dT%H%M%S.%f}-{_file_name(odp)}-{process.identity.pid}"
        try:
            deadline = asyncio.get_running_loop().time() + budget.total_seconds()
            await aside(lambda: self._prepare(place), within_seconds=budget.total_seconds())
            missing = await gather(items(process, port=port, proc=self.proc), place, deadline=deadline)
            missing += await self._core(process, place, deadline)
            await aside(lambda: _write(place / _MISSING, "\n".join(missing).encode()), within_seconds=_ITEM_SECONDS)
        except OSError:
            return None  # TimeoutError is one: a disk that hangs keeps no evidence
        return place

    def _prepare(self, newest: Path) -> None:
        private_directory(newest)
        old = sorted(path for path in self.directory.iterdir() if path.is_dir() and path != newest)
        for path in old[: max(0, len(old) + 1 - self.keep)]:
            shutil.rmtree(path, ignore_errors=True)

    async def _core(self, process: Process, place: Path, deadline: float) -> list[str]:
        left, pid = deadline - asyncio.get_running_loop().time(), process.identity.pid
        if not self.has_core:
            return []
        room = os.statvfs(place)
        if room.f_bavail * room.f_frsize < _ROOM_FOR_CORE * process.resident_bytes:
            return [f"core: less than {_ROOM_FOR_CORE} times its memory is free on the disk"]
        gcore = shutil.which("gcore")
        if gcore is None:
            return ["core: gcore is not installed"]
        try:
            done = await commands.run([gcore, "-o", str(place / "core"), str(pid)], within=_at_least_nothing(left))
        except commands.CommandError as error:
            _remove_cores(place)
            return [f"core: {error}"]
        return [] if done.status == 0 else [f"core: {done.complaint}"]


async def gather(wanted: Iterable[Item], place: Path, *, deadline: float, max_bytes: int = MAX_BYTES) -> list[str]:
    """Write each item into *place*, until *deadline* of the loop's clock; what is missing, each with its reason."""
    loop, missing, left = asyncio.get_running_loop(), [], max_bytes
    for item in wanted:
        seconds = min(_ITEM_SECONDS, deadline - loop.time())
        if seconds <= 0:
            missing.append(f"{item.name}: no time left")
            continue
        try:
            keep = partial(_keep, item, place, limit=min(MAX_ITEM_BYTES, left))
            left -= await aside(keep, within_seconds=seconds)
        except TimeoutError:
            missing.append(f"{item.name}: no answer within {seconds:.1f}s")
        except (files.FileError, NotHad, SocketsUnavailable, OSError) as error:
            missing.append(f"{item.name}: {error}")
    return missing


def _keep(item: Item, place: Path, *, limit: int) -> int:
    content = _without_passwords(item.gather())[:limit]
    if content:
        _write(place / item.name, content)
    return len(content)


def items(process: Process, *, port: int, proc: Path) -> Iterator[Item]:
    """All that is worth keeping, what is surest to come first."""
    directory = proc / str(process.identity.pid)
    yield Item("process", lambda: _summary(process).encode())
    for name in _PLAIN:
        yield Item(name, _reading(directory / name))
    yield Item("threads", lambda: _threads(directory))
    yield Item("sockets", lambda: _sockets(port))
    yield Item("fds", lambda: _fds(directory))
    yield Item("environment", lambda: _environment_names(directory))
    yield Item("cgroup-memory", lambda: _cgroup_memory(directory))
    for name in _LOGS if process.home else ():
        yield Item(name, _tail(Path(process.home or "") / "log" / name))


def _reading(path: Path) -> Gather:
    return lambda: files.read(path, limit=MAX_ITEM_BYTES).content


def _tail(path: Path) -> Gather:
    return lambda: files.read_tail(path, limit=LOG_TAIL_BYTES).content


def _summary(process: Process) -> str:
    identity = process.identity
    return (
        f"pid {identity.pid}, parent {process.parent}, state {process.state}\n"
        f"started {process.started.isoformat()} (boot {identity.boot_id}, ticks {identity.start_ticks})\n"
        f"executable {identity.executable}\nhome {process.home}\narguments {' '.join(process.arguments)}\n"
        f"resident bytes {process.resident_bytes}, cpu seconds {process.cpu_seconds}, threads {process.threads}\n"
        f"open files {process.open_fds} of {process.max_fds}\n"
    )


def _threads(directory: Path) -> bytes:
    """A block for each thread: name, state, where in the kernel it waits, and its kernel stack for root."""
    lines = []
    for task in sorted((directory / "task").iterdir(), key=lambda path: int(path.name))[:_MAX_THREADS]:
        try:
            stat = processes.parse_stat(files.read(task / "stat").content)
        except (files.FileError, ValueError):
            continue
        lines.append(
            f"{task.name} [{stat.comm}] {stat.state} cpu ticks {stat.cpu_ticks} in {_or_reason(task / 'wchan')}"
        )
        lines.extend(f"    {line}" for line in _or_reason(task / "stack").splitlines())
    return "\n".join(lines).encode(errors="replace")


def _or_reason(path: Path) -> str:
    try:
        return files.read(path).content.decode(errors="replace").strip()
    except files.FileError as error:
        return f"({error})"


def _sockets(port: int) -> bytes:
    """The port's listeners with their queues, and how many clients are connected to each."""
    listening = [each for each in sockets.listeners() if each.address.port == port]
    clients = sockets.established(listening) if listening else {}
    lines = [
        f"{each.address} inode {each.inode} uid {each.uid} waiting {each.accept_queue} of {each.backlog}, "
        f"established {clients.get(each, 0)}"
        for each in listening
    ]
    return "\n".join(lines).encode()


def _fds(directory: Path) -> bytes:
    """How many of each kind, and the files among them."""
    targets = [os.readlink(path) for path in sorted((directory / "fd").iterdir())]  # noqa: PTH115 - text is wanted
    kinds: dict[str, int] = {}
    for target in targets:
        kind = "file" if target.startswith("/") else target.partition(":")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    named = sorted({target for target in targets if target.startswith("/")})
    return "\n".join([*(f"{count} {kind}" for kind, count in sorted(kinds.items())), *named]).encode(errors="replace")


def _environment_names(directory: Path) -> bytes:
    content = files.read(directory / "environ", limit=MAX_ITEM_BYTES).content
    return b"\n".join(sorted(entry.partition(b"=")[0] for entry in content.split(b"\0")))


def _cgroup_memory(directory: Path) -> bytes:
    """What its cgroup counts: limit, use and OOM kills (v2)."""
    text = files.read(directory / "cgroup").content.decode(errors="replace")
    path = next((line[4:] for line in text.splitlines() if line.startswith("0::/") and ".." not in line), None)
    if path is None:
        raise NotHad("no cgroup of version 2")
    found = []
    for name in ("memory.events", "memory.max", "memory.current", "memory.pressure"):
        with suppress(files.FileError):
            found.append(f"{name}\n{files.read(_CGROUPS / path / name).content.decode(errors='replace')}")
    if not found:
        raise NotHad("its cgroup has no memory controller")
    return "\n".join(found).encode()


def _without_passwords(content: bytes) -> bytes:
    return _PASSWORD.sub(rb"\1***", content)


def _write(path: Path, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


def _remove_cores(place: Path) -> None:
    for path in place.glob("core.*"):
        with suppress(OSError):
            path.unlink()


def _at_least_nothing(seconds: float) -> timedelta:
    return timedelta(seconds=max(0.0, seconds))


def _file_name(odp: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", odp)
