"""Blocking work beside the event loop, with a deadline that holds.

A read of /proc can hang with the process it asks about, and asyncio's own
threads would then keep the program from ending. These are daemons: one that
does not come back is left behind, and no more than that.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TypeVar

T = TypeVar("T")


async def aside(function: Callable[[], T], *, within_seconds: float) -> T:
    """What *function* returns or raises; TimeoutError, and the thread left to itself, if it takes longer."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Callable[[], T]] = loop.create_future()

    def work() -> None:
        outcome = _outcome(function)
        # The loop may have been closed, and nobody waits any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, done, outcome)

    threading.Thread(target=work, name="aside", daemon=True).start()
    async with asyncio.timeout(within_seconds):
        outcome = await done
    return outcome()


def _outcome(function: Callable[[], T]) -> Callable[[], T]:
    """Gives, when called in another thread, what *function* gave in this one."""
    try:
        value = function()
    except Exception as error:  # noqa: BLE001 - raised again where it is awaited
        return _raising(error)
    return lambda: value


def _raising(error: Exception) -> Callable[[], NoReturn]:
    def again() -> NoReturn:
        raise error

    return again


def _settle(done: asyncio.Future[Callable[[], T]], outcome: Callable[[], T]) -> None:
    if not done.done():
        done.set_result(outcome)
