"""Why a start would fail: asked before anything is ended (S10)."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from .launch import Launch

MIN_FREE_BYTES = 16 * 1024 * 1024
"""ODP writes its parameters anew at each start, and some log; with less than this it comes to grief within the hour."""
_WRITTEN = ("etc", "log")


def obstacles(launch: Launch, home: Path | None, *, uid: int, min_free_bytes: int = MIN_FREE_BYTES) -> tuple[str, ...]:
    """All that is in the way of starting as *launch* says, by a process of *uid*; each for a person."""
    return tuple(_obstacles(launch, home, uid, min_free_bytes))


def _obstacles(launch: Launch, home: Path | None, uid: int, min_free_bytes: int) -> Iterator[str]:
    if launch.program is None:
        yield f"its program is missing or may not be executed: {launch.argv[0]!r} in {launch.cwd!r}"
    if not Path(launch.cwd).is_dir():
        yield f"its work directory is missing: {launch.cwd!r}"
    if uid not in {0, launch.uid}:
        yield f"it runs as {_name(launch.uid)}, and this program as {_name(uid)} (run this as ODP's user)"
    if home is not None:
        yield from _of_home(home, min_free_bytes)


def _of_home(home: Path, min_free_bytes: int) -> Iterator[str]:
    for directory in (home, *(home / name for name in _WRITTEN if (home / name).exists())):
        if not os.access(directory, os.W_OK | os.X_OK):
            yield f"not writable: {str(directory)!r}"
            continue
        try:
            room = os.statvfs(directory)
        except OSError as error:
            yield f"cannot be looked at: {str(directory)!r}: {(error.strerror or str(error)).lower()}"
            continue
        if room.f_bavail * room.f_frsize < min_free_bytes:
            free = room.f_bavail * room.f_frsize // 1024
            yield f"disk full: {free} KiB left at {str(directory)!r} (at least {min_free_bytes // 1024})"
        elif room.f_files and not room.f_favail:
            yield f"disk full: no inode left at {str(directory)!r}"


def _name(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name!r}"
    except KeyError:
        return f"uid {uid}"
