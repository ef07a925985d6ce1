"""Listening sockets whose accepting can stop while they stay open, as ODP's do while it drains (odp-facts 4.5)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection to its end, and closes it."""


def listen(host: str, port: int, *, backlog: int = 1024) -> socket.socket:
    """A listening socket; ODP sets SO_REUSEADDR and no SO_REUSEPORT (odp-facts 4.1)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, port))
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening


class Listener:
    """Accepts connections from one socket and has each served by a task of its own."""

    def __init__(self, listening: socket.socket, serve: Serve, tasks: asyncio.TaskGroup) -> None:
        self._listening = listening
        self._serve = serve
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._listening.settimeout(0)
        self._loop.add_reader(self._listening, self._accept)

    def stop_accepting(self) -> None:
        """Leave new connections to the kernel's queue, where they wait in silence."""
        self._loop.remove_reader(self._listening)

    def close(self) -> None:
        """Give the port back; the kernel resets whatever waited."""
        self.stop_accepting()
        self._listening.close()

    def hand_down(self) -> int:
        """The file descriptor, made to survive an exec."""
        os.set_inheritable(self._listening.fileno(), True)  # noqa: FBT003 - its only argument
        return self._listening.fileno()

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:
            return
        connection.settimeout(0)
        self._tasks.create_task(self._run(connection), name="connection")

    async def _run(self, connection: socket.socket) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._loop.connect_accepted_socket(lambda: protocol, connection)
        await self._serve(reader, asyncio.StreamWriter(transport, protocol, reader, self._loop))
