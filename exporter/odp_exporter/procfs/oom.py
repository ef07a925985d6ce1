"""Signs that the kernel killed a process for want of memory: cgroup counters and the kernel's log.

Both are optional: a counter may be out of sight or gone together with its
cgroup, and the kernel's log may be closed to this user. Silence therefore
proves nothing. An ODP leaves no word of such an end (odp-facts 7.5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from odp_exporter import files
from odp_exporter.observations import Identity

CGROUPS = Path("/sys/fs/cgroup")
KERNEL_LOG = Path("/dev/kmsg")

_LIMIT = 64 * 1024
_MAX_RECORDS = 50_000
_RECORD_BYTES = 8192
_COUNT = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)
_KILL = re.compile(rb"^\d+,\d+,(\d+),[^;]*;.*?\bKilled process (\d+)\b")
_TICKS = os.sysconf("SC_CLK_TCK")
_SLACK_SECONDS = 2


def counters(pid: int, *, proc: Path, cgroups: Path = CGROUPS) -> tuple[Path, ...]:
    """The files that count OOM kills in the cgroup of *pid*, the nearest first."""
    try:
        lines = files.read(proc / str(pid) / "cgroup", limit=_LIMIT).content.splitlines()
    except files.FileError:
        return ()
    found = []
    for line in lines:
        number, names, path = (*os.fsdecode(line).split(":", 2), "", "")[:3]
        inner = path.strip("/")
        if number == "0" and not names:
            # Its parent outlives the cgroup of a service and counts for all below it.
            found += [cgroups / inner / "memory.events", (cgroups / inner).parent / "memory.events"]
        elif "memory" in names.split(","):
            found.append(cgroups / "memory" / inner / "memory.oom_control")
    return tuple(path for path in found if path.is_relative_to(cgroups))


def counts(paths: tuple[Path, ...]) -> dict[Path, int]:
    """OOM kills up to now by counter; what cannot be read is left out."""
    found = {}
    for path in paths:
        with suppress(files.FileError):
            if match := _COUNT.search(files.read(path, limit=_LIMIT).content):
                found[path] = int(match[1])
    return found


def has_risen(before: Mapping[Path, int], after: Mapping[Path, int]) -> bool:
    """The nearest counter that was read both times has risen."""
    both = [path for path in before if path in after]
    return bool(both) and after[both[0]] > before[both[0]]


def is_logged(identity: Identity, *, log: Path = KERNEL_LOG) -> bool:
    """The kernel's log, as far as it may be read and reaches back, says that it killed this process."""
    earliest = identity.start_ticks / _TICKS - _SLACK_SECONDS
    for record in _records(log):
        kill = _KILL.match(record)
        if kill and int(kill[2]) == identity.pid and int(kill[1]) / 1e6 >= earliest:
            return True
    return False


def _records(log: Path) -> list[bytes]:
    try:
        fd = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return []
    found: list[bytes] = []
    try:
        for _ in range(_MAX_RECORDS):
            # One read gives one record; a record overwritten meanwhile gives EPIPE once.
            with suppress(BrokenPipeError):
                record = os.read(fd, _RECORD_BYTES)
                if not record:
                    break
                found += [line for line in record.splitlines() if b"Killed process" in line]
    except OSError:
        pass
    finally:
        os.close(fd)
    return found
