"""One run of a program: no shell, a deadline, a limit to what it prints, and an end of its whole process group.

Exit status 0: it is done; 75 (EX_TEMPFAIL): try again later; any other:
refused, and the first line on stderr says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from io import FileIO

from odp_exporter.connecting import reason
from odp_exporter.settings import quoted

from .driver import LbRefused, LbUnreachable

EX_TEMPFAIL = 75
"""An exit status that says: try again later (sysexits.h)."""
MAX_OUTPUT_BYTES = 1024 * 1024
"""Some 10 000 members."""
_CHUNK_BYTES = 64 * 1024
_END_SECONDS = 1.0
"""A killed process that has not ended by then hangs in the kernel, where nobody can end it."""


async def run(command: Sequence[str], timeout: timedelta) -> bytes:
    """What *command* printed; nothing of its process group is left, however it ended."""
    async with _pipe() as (output, output_end), _pipe() as (complaints, complaints_end):
        process = await _started(command, output_end, complaints_end)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                async with asyncio.TaskGroup() as group:
                    texts = [group.create_task(_read(end, process), name=command[0]) for end in (output, complaints)]
                status = await process.wait()
        except TimeoutError as error:
            message = f"{command[0]}: not done within {timeout.total_seconds():g}s"
            raise LbUnreachable(message) from error
        finally:
            await _end(process)
    printed, complaint = (text.result() for text in texts)
    if max(len(printed), len(complaint)) > MAX_OUTPUT_BYTES:
        message = f"{command[0]}: prints more than {MAX_OUTPUT_BYTES} bytes"
        raise LbUnreachable(message)
    if status:
        raise _failure(command[0], status, complaint)
    return printed


@contextlib.asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[asyncio.StreamReader, FileIO]]:
    # Our own, for a process with asyncio's is waited for until everybody has let go of them.
    reading, writing = os.pipe2(os.O_CLOEXEC)
    reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
    with FileIO(reading) as near_end, FileIO(writing, "w") as far_end:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), near_end
        )
        try:
            yield reader, far_end
        finally:
            transport.close()


async def _started(command: Sequence[str], output: FileIO, complaints: FileIO) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=complaints,
            start_new_session=True,  # a process group of its own
        )
    except (OSError, ValueError) as error:
        message = f"{command[0]}: cannot be run: {reason(error)}"
        raise LbRefused(message) from error
    finally:
        output.close()  # so that reading ends when the program's own ends are closed
        complaints.close()


async def _read(reader: asyncio.StreamReader, process: asyncio.subprocess.Process) -> bytes:
    """All that comes; who prints more than the limit is ended."""
    text = bytearray()
    while chunk := await reader.read(_CHUNK_BYTES):
        text += chunk
        if len(text) > MAX_OUTPUT_BYTES:
            _kill_group(process)
            break
    return bytes(text)


async def _end(process: asyncio.subprocess.Process) -> None:
    _kill_group(process)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()


def _kill_group(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # all have ended by themselves
        os.killpg(process.pid, signal.SIGKILL)


def _failure(name: str, status: int, complaint: bytes) -> LbRefused | LbUnreachable:
    first = complaint.decode("utf-8", "replace").strip().partition("\n")[0]
    message = f"{name}: ended with {status}: {quoted(first)}"
    return LbUnreachable(message) if status == EX_TEMPFAIL else LbRefused(message)
