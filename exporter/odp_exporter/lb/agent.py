r"""The agent that HAProxy asks every few seconds (`agent-check`): our intents, said again after each of its reloads.

A reloaded HAProxy has forgotten every drain; it asks here at its start, and is
told. One TCP server answers for all ODPs: `agent-send "odp-1\n"` names the one
that is meant. Whatever comes, the answer is one line and at once, and an empty
line changes nothing.

HAProxy takes an agent's word over a person's: `drain` ends a maintenance, and
so does `ready`. So both are said only to a load balancer that does not show
what is wanted, and neither to one where a person has the server in
maintenance. Whoever takes a drain back changes the intent first. When this
ends, HAProxy keeps the state that it was told last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Annotated

import structlog
from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass as settings_block

from odp_exporter.settings import STRICT, Duration
from odp_exporter.targets import Address, parse_address

from .driver import Admin, LbError

_LINE_BYTES = 256
_NEUTRAL = b"\n"


@settings_block(frozen=True, slots=True, config=STRICT)
class AgentSettings:
    """Where HAProxy asks."""

    listen_address: Annotated[Address, BeforeValidator(parse_address)]
    """Open to the HAProxy hosts only: whoever asks learns what is drained, and can change nothing."""
    timeout: Duration = timedelta(seconds=1)
    """For the line that names the ODP, and again for what its load balancer shows; half of `agent-inter` at most."""


class Intent(Enum):
    """What we want of an ODP's place in its load balancer."""

    DRAIN = b"drain\n"
    READY = b"ready\n"
    """We are taking our own drain back."""
    NEUTRAL = _NEUTRAL
    """It is none of our business."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the agent asks before it answers; both take any name, for anybody can ask."""

    intent: Callable[[str], Intent]
    """NEUTRAL for names that are unknown."""
    admin: Callable[[str], Awaitable[Admin]]
    """What the load balancer shows now, the worst word of its instances; LbError when it cannot be asked."""


class Agent:
    """A TCP server that tells HAProxy the intents."""

    def __init__(self, settings: AgentSettings, wishes: Wishes) -> None:
        self._settings = settings
        self._wishes = wishes
        self._log = structlog.get_logger()

    async def run(self, *, listening: asyncio.Future[Address] | None = None) -> None:
        """Serve until cancelled; *listening* learns the address, which matters where port 0 was asked for."""
        address = self._settings.listen_address
        server = await asyncio.start_server(self._serve, address.host, address.port, limit=_LINE_BYTES)
        async with server:
            if listening is not None:
                listening.set_result(Address(*server.sockets[0].getsockname()[:2]))
            await server.serve_forever()

    async def answer(self, odp: str) -> Intent:
        """What HAProxy is told of *odp* now."""
        intent = self._wishes.intent(odp)
        if intent is Intent.NEUTRAL:
            return intent
        try:
            async with asyncio.timeout(self._settings.timeout.total_seconds()):
                admin = await self._wishes.admin(odp)
        except (LbError, TimeoutError):
            # The order could not be given there either: the agent is the only way that is left to drain.
            return intent if intent is Intent.DRAIN else Intent.NEUTRAL
        due = {Intent.DRAIN: Admin.READY, Intent.READY: Admin.DRAIN}
        return intent if admin is due[intent] else Intent.NEUTRAL

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write((await self.answer(await self._asked(reader))).value)
            writer.close()
            await writer.wait_closed()
        except OSError as error:
            self._log.debug("agent check broke off", error=str(error))
        finally:
            writer.transport.abort()

    async def _asked(self, reader: asyncio.StreamReader) -> str:
        """The name that was sent; empty for what is no line of a bearable length, or does not come."""
        try:
            async with asyncio.timeout(self._settings.timeout.total_seconds()):
                return (await reader.readline()).decode("utf-8", "replace").strip()
        except (TimeoutError, ValueError):
            return ""
