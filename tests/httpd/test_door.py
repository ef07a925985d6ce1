"""The listening sockets change hands, and nobody who stands in the door is forgotten."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from aiohttp import web
from odp_exporter.httpd import door as doors
from odp_exporter.httpd.access import Access
from odp_exporter.httpd.door import Door
from structlog.testing import capture_logs


@asynccontextmanager
async def standing() -> AsyncIterator[tuple[Door, socket.socket]]:
    app = web.Application()
    app.router.add_get("/", _here)
    runner = web.AppRunner(app)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        door = Door(runner, [listening])
        door.open(Access())
        yield door, listening
        door.close()
    await runner.cleanup()


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_who_was_accepted_in_the_moment_of_a_change_is_served() -> None:
    async with standing() as (door, listening):
        # Between connecting and the change there is one turn of the loop: accepted, not yet in.
        with socket.create_connection(listening.getsockname()) as client:
            await asyncio.sleep(0)
            door.open(Access())

            assert (await asyncio.wait_for(_answer(client), timeout=10)).startswith(b"HTTP/1.1 200 ")


async def test_without_descriptors_it_pauses_and_then_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It neither spins nor forgets who stands outside."""
    monkeypatch.setattr(doors, "PAUSE_SECONDS", 0.5)
    async with standing() as (_, listening):
        with capture_logs() as logs, socket.create_connection(listening.getsockname()) as client:
            with no_descriptor_left():
                await asyncio.sleep(0.1)

            assert (await asyncio.wait_for(_answer(client), timeout=10)).startswith(b"HTTP/1.1 200 ")

    assert ["accepting paused"] == [entry["event"] for entry in logs]


async def test_a_closed_door_stays_closed_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "PAUSE_SECONDS", 0.05)
    async with standing() as (door, listening):
        with socket.create_connection(listening.getsockname()) as client:
            with no_descriptor_left():
                await asyncio.sleep(0.02)
            door.close()

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(_answer(client), timeout=0.2)


@pytest.mark.parametrize("turns", range(2, 6))
async def test_who_has_only_just_been_accepted_is_sent_away_by_closing(turns: int) -> None:
    async with standing() as (door, listening):
        with socket.create_connection(listening.getsockname()) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            door.close()

            client.setblocking(False)  # noqa: FBT003 - the socket module's own
            assert b"" == await asyncio.wait_for(_received(client), timeout=10)


async def _received(client: socket.socket) -> bytes:
    try:
        return await asyncio.get_running_loop().sock_recv(client, 4096)
    except ConnectionResetError:
        return b""


async def _here(_: web.Request) -> web.Response:
    return web.Response(text="here")


async def _answer(client: socket.socket) -> bytes:
    client.setblocking(False)  # noqa: FBT003 - the socket module's own
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return await loop.sock_recv(client, 4096)
