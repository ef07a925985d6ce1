"""The processes of a fleet as /proc shows them: found by their working directory, ended by pid."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

POLL_SECONDS = 0.01
"""Between two looks at what another process does."""
_STATE, _THREADS = 0, 17
"""Fields of /proc/PID/stat, from the one after the name on."""


class Timeout(Exception):
    """Something that was waited for did not happen; the message says what."""


async def eventually(condition: Callable[[], bool], what: str, *, within_seconds: float) -> None:
    """Come back as soon as *condition* holds."""
    try:
        async with asyncio.timeout(within_seconds):
            while not condition():  # noqa: ASYNC110 - other processes set no event of ours
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        message = f"{what}: not within {within_seconds:g} s"
        raise Timeout(message) from error


def state(pid: int) -> str:
    """What /proc/PID/stat calls the state of the process: `T` for a stopped one; empty when it is gone."""
    fields = _fields(pid)
    return fields[_STATE] if fields else ""


def is_alive(pid: int) -> bool:
    """The process exists and is no zombie, or has threads that still have to end and hold its sockets till then."""
    fields = _fields(pid)
    return bool(fields) and (fields[_STATE] not in {"Z", "X"} or int(fields[_THREADS]) > 1)


def _fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def working_below(directory: Path) -> Iterable[int]:
    """Living processes whose working directory is *directory* or lies in it, this one apart."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _works_below(entry, directory):
            yield int(entry.name)


def _works_below(entry: Path, directory: Path) -> bool:
    try:
        return (entry / "cwd").readlink().is_relative_to(directory) and is_alive(int(entry.name))
    except OSError:
        return False


async def end_all_below(directory: Path) -> None:
    """Kill every process that works in *directory*, stopped ones and those that others started included."""
    async with asyncio.timeout(10):
        while remaining := list(working_below(directory)):
            for pid in remaining:
                kill(pid, signal.SIGKILL)
            await asyncio.sleep(POLL_SECONDS)


def kill(pid: int, number: int) -> None:
    """Send a signal; a process that is gone already is fine."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
