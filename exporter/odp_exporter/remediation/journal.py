"""The journal as the event loop sees it: every call runs in one thread of its own, one after the other.

A call that returns has been written through to the disk; a call that raises a
JournalError has written nothing. While no journal is open (another remediator
has it, or it cannot be used) every call says so at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar

from .audit import Audited
from .journal_entries import Batch, Counts, Delivery
from .journal_file import JournalFile
from .journal_opening import JournalError, JournalUnwritable

T = TypeVar("T")


class Journal:
    """What was received, decided and done."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._file: JournalFile | None = None
        self.trouble = "not opened yet"
        """Why it cannot be used now; empty while it can."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.submit(self._close)
        self._thread.shutdown()

    async def open(self) -> None:
        """Take the journal; JournalTaken while another remediator has it."""
        await self._written(self._open)

    async def fleet(self) -> str:
        """The fleet's text as it was last written; empty at first."""
        return await self._in_thread(lambda: self._opened().fleet())

    async def waiting(self) -> list[int]:
        """Numbers of the deliveries that were stored and not folded, oldest first."""
        return await self._in_thread(lambda: self._opened().waiting())

    async def delivery(self, number: int) -> Delivery:
        """One that waits."""
        return await self._in_thread(lambda: self._opened().delivery(number))

    async def accept(self, delivery: Delivery) -> int:
        """Store *delivery*; gives its number."""
        return await self._written(lambda: self._opened().accept(delivery))

    async def commit(self, batch: Batch) -> None:
        """Write *batch*, whole or not at all."""
        await self._written(lambda: self._opened().commit(batch))

    async def counts(self) -> Counts:
        """What was counted since the journal began."""
        return await self._in_thread(lambda: self._opened().counts())

    async def history(self, odp: str | None, limit: int) -> list[Audited]:
        """The latest records, newest first."""
        return await self._in_thread(lambda: self._opened().history(odp, limit))

    async def broken_at(self) -> int | None:
        """The first record that was changed after it was written."""
        return await self._in_thread(lambda: self._opened().broken_at())

    async def prune(self, now: datetime) -> None:
        """Forget what is old."""
        await self._written(lambda: self._opened().prune(now))

    async def _written(self, call: Callable[[], T]) -> T:
        """Only what was written proves that it can be; reading may go on with the disk full."""
        done = await self._in_thread(call)
        self.trouble = ""
        return done

    async def _in_thread(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except JournalError as error:
            self.trouble = str(error)
            raise

    def _open(self) -> None:
        if self._file is None:
            self._file = JournalFile(self._path)

    def _opened(self) -> JournalFile:
        if self._file is None:
            raise JournalUnwritable(self.trouble or f"{self._path}: not open")
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
