"""A client that keeps connecting, as an application's pool does, and counts every failure with its time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from .server import HOST

PAUSE_SECONDS = 0.02
"""Between one connection and the next."""
PATIENCE_SECONDS = 1.0
"""A greeting that takes longer is a failed connection."""
_PARTS = 10
"""Of the patience, each by itself: for how long this very process had no turn is nobody's failure."""
_HEADER_BYTES = 4
_LENGTH_BYTES = 3


@dataclass(slots=True)
class Client:
    """Connects to *port* of loopback again and again, and reads each greeting to its end."""

    port: int
    attempts: list[float] = field(default_factory=list)
    """When each connection was begun, in Unix time, as the remediator's history has it."""
    failures: list[float] = field(default_factory=list)
    """When those were begun that got no whole greeting in time."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            began = time.time()
            self.attempts.append(began)
            if not await self._greeted_in_time():
                self.failures.append(began)
            await asyncio.sleep(PAUSE_SECONDS)

    def attempted_since(self, moment: float) -> int:
        """How often it has connected after *moment*."""
        return sum(began > moment for began in self.attempts)

    def failed_since(self, moment: float) -> int:
        """How many of these have failed."""
        return sum(began > moment for began in self.failures)

    async def _greeted_in_time(self) -> bool:
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(self._greeted(), name="greeting")
            for _ in range(_PARTS):
                await asyncio.wait([asked], timeout=PATIENCE_SECONDS / _PARTS)
                if asked.done():
                    return asked.result()
            asked.cancel()
        return False

    async def _greeted(self) -> bool:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(HOST, self.port)
            try:
                header = await reader.readexactly(_HEADER_BYTES)
                await reader.readexactly(int.from_bytes(header[:_LENGTH_BYTES], "little"))
                return True
            finally:
                writer.transport.abort()
        return False
