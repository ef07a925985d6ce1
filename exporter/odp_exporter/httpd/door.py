"""The listening sockets of the HTTP server, and the TLS context under which they accept.

It accepts by itself instead of by an asyncio.Server. That tells of a connection
only after the TLS handshake, and until then nobody would count it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence

import structlog
from aiohttp import web

from .access import Access
from .entrance import Entrance

log = structlog.get_logger()

PAUSE_SECONDS = 1.0
"""After the system refused a connection, as asyncio does: the socket stays readable, and trying again at once would
take up all of the processor."""


class Door:
    """The listening sockets, and the TLS context under which they accept."""

    def __init__(self, runner: web.AppRunner, sockets: Sequence[socket.socket]) -> None:
        assert runner.server is not None  # noqa: S101 - it is set up
        self._entrance = Entrance(runner.server)
        self._sockets = sockets
        self._tls: ssl.SSLContext | None = None
        self._pause: asyncio.TimerHandle | None = None

    def open(self, current: Access) -> None:
        """Accept under *current* from now on; no connection is lost between two of them."""
        self._tls = current.tls
        self._listen()

    def close(self) -> None:
        """Accept nobody any more; those who are in may stay."""
        self._listen_no_more()
        self._entrance.close()

    def _listen(self) -> None:
        self._listen_no_more()
        for each in self._sockets:
            each.setblocking(False)  # noqa: FBT003 - the socket module's own
            asyncio.get_running_loop().add_reader(each, self._accept, each)

    def _listen_no_more(self) -> None:
        if self._pause:
            self._pause.cancel()
        for each in self._sockets:
            asyncio.get_running_loop().remove_reader(each)

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # who knocked has gone
        except OSError as error:
            log.warning("accepting paused", reason=str(error), seconds=PAUSE_SECONDS)
            self._listen_no_more()
            self._pause = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._listen)
            return
        self._entrance.receive(connection, self._tls)
