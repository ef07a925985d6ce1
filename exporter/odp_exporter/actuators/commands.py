"""Runs one program: an argument vector, never a shell; a deadline, and the whole process group killed with it.

What it prints is kept up to a limit and read to the end, so that a talkative
program neither fills our memory nor waits for us for ever.

    CommandError
    ├── NotStarted      it could not be run at all
    └── TookTooLong     it, and whatever it had started in its group, was killed
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from odp_exporter.settings import format_duration

MAX_OUTPUT_BYTES = 256 * 1024
"""Of each of the two streams; the longest answer of the host command has some 2 KB."""
_CHUNK_BYTES = 32 * 1024
_MAX_LINE = 300


class CommandError(Exception):
    """There is no result."""


class NotStarted(CommandError):
    """The program is missing or may not be run."""


class TookTooLong(CommandError):
    """Killed at its deadline."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended."""

    status: int
    """Its exit status; negative for the signal that ended it."""
    output: bytes
    error: bytes

    @property
    def complaint(self) -> str:
        """The last line that it wrote to its standard error, for a person."""
        lines = self.error.decode(errors="replace").split("\n")
        said = [text for line in lines if (text := "".join(filter(str.isprintable, line)).strip())]
        return said[-1][:_MAX_LINE] if said else f"exit status {self.status}, and not a word"


async def run(argv: Sequence[str], *, within: timedelta, given: bytes | None = None) -> Done:
    """Run *argv* with *given* on its standard input, in a process group of its own."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{argv[0]}: {reason[:1].lower()}{reason[1:]}"
        raise NotStarted(message) from error
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await _communicate(process, given)
    except TimeoutError as error:
        await _end(process)
        message = f"{argv[0]}: not done within {format_duration(within)}, and killed"
        raise TookTooLong(message) from error
    except BaseException:
        await _end(process)
        raise


async def _communicate(process: asyncio.subprocess.Process, given: bytes | None) -> Done:
    async with asyncio.TaskGroup() as tasks:
        output = tasks.create_task(_kept(process.stdout), name="standard output")
        error = tasks.create_task(_kept(process.stderr), name="standard error")
        if given is not None and process.stdin is not None:
            process.stdin.write(given)
            with suppress(ConnectionError):
                await process.stdin.drain()
            process.stdin.close()
        status = await process.wait()
    return Done(status, output.result(), error.result())


async def _kept(stream: asyncio.StreamReader | None) -> bytes:
    """The beginning of what comes; the rest is read and dropped."""
    kept = b""
    while stream is not None and (part := await stream.read(_CHUNK_BYTES)):
        kept += part[: MAX_OUTPUT_BYTES - len(kept)]
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    """Nothing of its group outlives the deadline; a process that is gone already is fine."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # At once, unless the kernel holds it: nobody shall wait for that here.
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await process.wait()
