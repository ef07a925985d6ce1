"""Wakes whoever waits for a time on common beats, so that a thousand jobs take few turns of the event loop.

An event loop that wakes for each job by itself spends more on waking than a
probe costs.
"""

from __future__ import annotations

import asyncio
import math

from .per_loop import PerLoop

BEAT_SECONDS = 0.05
"""Nobody is woken early, and nobody more than this late."""


class Metronome:
    """All that wait for a time of one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[int, set[asyncio.Future[None]]] = {}

    async def wait(self, waiter: asyncio.Future[None], until: float) -> None:
        """Wait for the first beat from *until* of the loop's clock on, or for someone who settles *waiter* earlier."""
        beat = math.ceil(until / BEAT_SECONDS)
        waiting = self._waiting.get(beat)
        if waiting is None:
            waiting = self._waiting[beat] = set()
            asyncio.get_running_loop().call_at(beat * BEAT_SECONDS, self._strike, beat)
        waiting.add(waiter)
        try:
            await waiter
        finally:
            waiting.discard(waiter)

    def _strike(self, beat: int) -> None:
        for waiter in self._waiting.pop(beat):
            if not waiter.done():
                waiter.set_result(None)


metronome = PerLoop(Metronome)
"""The one of the running event loop."""
