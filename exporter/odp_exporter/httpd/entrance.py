"""Lets connections in to the HTTP server: so many at a time, and only those that come to the point.

aiohttp waits for a request's headers without end. Clients that connect and say
nothing would use up the file descriptors that probing needs. So each counts from
the moment that it is accepted, before its TLS handshake.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from contextlib import suppress
from functools import partial

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
        self._arriving: dict[_Visitor, asyncio.Task[None]] = {}
        self._waiting: set[_Visitor] = set()
        self._limit = max_connections()

    def receive(self, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Take in a *connection* just accepted; close it at once if there is no room."""
        if len(self._arriving) + len(self._waiting) + len(self._server.connections) >= self._limit:
            connection.close()
            return
        visitor = _Visitor(self)
        task = asyncio.get_running_loop().create_task(_greet(visitor, connection, tls), name="handshake")
        self._arriving[visitor] = task
        task.add_done_callback(partial(self._arrived, visitor, connection))

    def wait(self, visitor: _Visitor) -> None:
        """It has shaken hands, and now waits until it has said its request."""
        self._arriving.pop(visitor, None)
        self._waiting.add(visitor)

    def leave(self, visitor: _Visitor) -> None:
        """It waits no longer."""
        self._waiting.discard(visitor)

    def handler(self) -> asyncio.Protocol:
        """Who serves a visitor that has said its request."""
        return self._server()

    def close(self) -> None:
        """Send away all that arrive or wait."""
        for task in self._arriving.values():
            task.cancel()
        for visitor in list(self._waiting):
            visitor.send_away()

    def _arrived(self, visitor: _Visitor, connection: socket.socket, task: asyncio.Task[None]) -> None:
        self._arriving.pop(visitor, None)
        if task.cancelled():
            connection.close()  # a task that had not begun could not


class _Visitor(asyncio.Protocol):
    """A connection that has not yet said what it wants."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._said = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a server of streams gives
        self._transport = transport
        self._patience = asyncio.get_running_loop().call_later(HEADER_SECONDS, self.send_away)
        self._entrance.wait(self)

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


async def _greet(visitor: _Visitor, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    seconds = HANDSHAKE_SECONDS if tls else None
    with suppress(OSError):  # the handshake failed, or took too long; asyncio has closed the connection
        await loop.connect_accepted_socket(lambda: visitor, connection, ssl=tls, ssl_handshake_timeout=seconds)
