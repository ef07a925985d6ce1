"""Lets connections in to the HTTP server: so many at a time, and only those that come to the point.

aiohttp waits for a request's headers without end. Clients that connect and say
nothing would use up the file descriptors that probing needs.
"""

from __future__ import annotations

import asyncio
import resource

from aiohttp import web

HEADER_SECONDS = 10.0
"""Within this time of the connection the first request must have been said."""
HANDSHAKE_SECONDS = 5.0
"""The same for TLS."""
MAX_HEADER_BYTES = 32 * 1024
"""By then aiohttp refuses a request by itself."""


def max_connections() -> int:
    """A quarter of the descriptors that this process may have, and at most 512."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 512 if soft == resource.RLIM_INFINITY else min(512, soft // 4)


class Entrance:
    """Stands before one HTTP server."""

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._waiting: set[_Visitor] = set()
        self._limit = max_connections()

    def __call__(self) -> asyncio.Protocol:
        """A protocol for one new connection."""
        return _Visitor(self)

    def admits(self, visitor: _Visitor) -> bool:
        """There is room for one more, who then waits until it has said its request."""
        if len(self._waiting) + len(self._server.connections) >= self._limit:
            return False
        self._waiting.add(visitor)
        return True

    def leave(self, visitor: _Visitor) -> None:
        """It waits no longer."""
        self._waiting.discard(visitor)

    def handler(self) -> asyncio.Protocol:
        """Who serves a visitor that has said its request."""
        return self._server()

    def close(self) -> None:
        """Send away all that wait."""
        for visitor in list(self._waiting):
            visitor.send_away()


class _Visitor(asyncio.Protocol):
    """A connection that has not yet said what it wants."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._said = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a server of streams gives
        self._transport = transport
        self._patience = asyncio.get_running_loop().call_later(HEADER_SECONDS, self.send_away)
        if not self._entrance.admits(self):
            self.send_away()

    def data_received(self, data: bytes) -> None:
        # Empty lines say nothing: aiohttp would skip them, and wait without end.
        self._said = (self._said + data).lstrip(b"\r\n")
        if b"\r\n\r\n" in self._said or len(self._said) > MAX_HEADER_BYTES:
            self._let_in()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        self._patience.cancel()
        self._entrance.leave(self)

    def send_away(self) -> None:
        """Close without an answer."""
        self._patience.cancel()
        self._transport.abort()

    def _let_in(self) -> None:
        self._patience.cancel()
        self._entrance.leave(self)
        handler = self._entrance.handler()
        self._transport.set_protocol(handler)
        handler.connection_made(self._transport)
        handler.data_received(self._said)
