"""Waiting for what other processes do, which sets no event of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

POLL_SECONDS = 0.05
"""Between two looks; a restart takes seconds."""


async def until(condition: Callable[[], bool], *, within: timedelta) -> bool:
    """Whether *condition* came to hold in time; it is asked once at least."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within.total_seconds()
    while not condition():
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True
