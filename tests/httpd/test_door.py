"""The listening sockets change hands, and nobody who stands in the door is forgotten."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web
from odp_exporter.httpd.access import Access
from odp_exporter.httpd.door import Door


async def test_who_was_accepted_in_the_moment_of_a_change_is_served() -> None:
    app = web.Application()
    app.router.add_get("/", _here)
    runner = web.AppRunner(app)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        door = Door(runner, [listening])
        await door.open(Access())
        # Between connecting and the change there is one turn of the loop: accepted, not yet handed to the server.
        with socket.create_connection(listening.getsockname()) as client:
            await asyncio.sleep(0)
            await door.open(Access())

            assert (await asyncio.wait_for(_answer(client), timeout=10)).startswith(b"HTTP/1.1 200 ")
        door.close()
    await runner.cleanup()


async def _here(_: web.Request) -> web.Response:
    return web.Response(text="here")


async def _answer(client: socket.socket) -> bytes:
    client.setblocking(False)  # noqa: FBT003 - the socket module's own
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return await loop.sock_recv(client, 4096)
