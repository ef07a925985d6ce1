"""The listening sockets of the HTTP server, and the TLS context under which they accept."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence

from aiohttp import web

from .access import Access
from .entrance import HANDSHAKE_SECONDS, Entrance

BACKLOG = 128


class Door:
    """The listening sockets, and the TLS context under which they accept."""

    def __init__(self, runner: web.AppRunner, sockets: Sequence[socket.socket]) -> None:
        assert runner.server is not None  # noqa: S101 - it is set up
        self._entrance = Entrance(runner.server)
        self._sockets = sockets
        self._servers: list[asyncio.Server] = []

    async def open(self, current: Access) -> None:
        """Accept under *current* from now on; no connection is lost between two of them."""
        new: list[asyncio.Server] = []
        try:
            for each in self._sockets:
                new.append(await self._server(each, current))  # noqa: PERF401 - those made are closed if one fails
        except OSError:
            await _retire(new)
            raise
        except BaseException:  # a cancellation too must not leave them open
            _close(new)
            raise
        former, self._servers = self._servers, new
        await _retire(former)

    async def _server(self, listening: socket.socket, current: Access) -> asyncio.Server:
        own = listening.dup()  # a server closes its socket, so each gets its own of the same kernel socket
        try:
            return await asyncio.get_running_loop().create_server(
                self._entrance,
                sock=own,
                ssl=current.tls,
                backlog=BACKLOG,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if current.tls else None,
            )
        except BaseException:
            asyncio.get_running_loop().remove_reader(own)
            own.close()
            raise

    def close(self) -> None:
        """Accept nobody any more; those who are in may stay."""
        _close(self._servers)
        self._entrance.close()


async def _retire(servers: Sequence[asyncio.Server]) -> None:
    """Close *servers*, and lose nobody who has just come through them.

    What asyncio has accepted it hands to the server one turn of the loop later,
    and if that is closed by then the client waits for an answer without end.
    """
    loop = asyncio.get_running_loop()
    for listening in (each for server in servers for each in server.sockets):
        loop.remove_reader(listening)
    try:
        await asyncio.sleep(0)
    finally:
        _close(servers)


def _close(servers: Iterable[asyncio.Server]) -> None:
    for server in servers:
        server.close()
