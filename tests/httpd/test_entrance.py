import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from aiohttp import ClientSession, web
from odp_exporter.httpd import entrance
from odp_exporter.httpd.serving import serve
from odp_exporter.targets import Address

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Authority(Protocol):
    """conftest.py's."""

    certificate: Path

    def issue(self, name: str) -> tuple[Path, Path]: ...


@contextlib.asynccontextmanager
async def served(web_config: Path | None = None) -> AsyncIterator[Address]:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.add_routes([web.get("/", hello)])
    bound: asyncio.Future[tuple[Address, ...]] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(
            serve(app, [Address("127.0.0.1", 0)], on_bound=bound.set_result, web_config=web_config)
        )
        yield (await bound)[0]
        task.cancel()


async def said(address: Address, *parts: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """What comes back for a request in *parts*, until the server closes."""
    reader, writer = await asyncio.open_connection(address.host, address.port, ssl=tls)
    for part in parts:
        writer.write(part)
        await asyncio.sleep(0.02)
    async with asyncio.timeout(20):
        try:
            reply = await reader.read()
        except ConnectionError:
            reply = b""
    writer.close()
    return reply


async def test_a_request_may_come_in_pieces() -> None:
    async with served() as address:
        reply = await said(address, b"GET / HT", b"TP/1.1\r\nHost: x\r\nConnection: close\r", b"\n\r\n")

    assert reply.startswith(b"HTTP/1.1 200 OK")
    assert reply.endswith(b"hello")


async def test_a_connection_serves_more_than_one_request() -> None:
    async with served() as address, ClientSession() as session:
        for _ in range(3):
            async with session.get(f"http://{address}/") as reply:
                assert "hello" == await reply.text()


async def test_who_says_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "HEADER_SECONDS", 0.2)
    async with served() as address:
        for parts in ((), (b"GET / HTTP/1.1\r\nHost:",), (b"\r\n\r\n",), (b"\r\n", b"\r\n\r\n")):
            assert b"" == await said(address, *parts)


async def test_those_who_wait_use_up_no_more_than_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others find the door closed, and open again once these have gone."""
    monkeypatch.setattr(entrance, "max_connections", lambda: 5)
    async with served() as address:
        with contextlib.ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(socket.create_connection((address.host, address.port)))
            await asyncio.sleep(0.1)
            assert b"" == await said(address, REQUEST)
        await asyncio.sleep(0.1)

        assert (await said(address, REQUEST)).endswith(b"hello")


@pytest.fixture
def encrypted(tmp_path: Path, authority: Authority) -> Path:
    """A web configuration with TLS."""
    authority.issue("odp")
    path = tmp_path / "web.yml"
    path.write_text("tls_server_config: {cert_file: odp.crt, key_file: odp.key}", encoding="utf-8")
    return path


@contextlib.contextmanager
def mute(address: Address, number: int) -> Iterator[None]:
    """So many clients that connect, and do not even shake hands."""
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection((address.host, address.port)))
        yield


async def test_those_who_do_not_shake_hands_have_no_more_than_that_share(
    monkeypatch: pytest.MonkeyPatch, encrypted: Path, authority: Authority
) -> None:
    """Who is over it is closed at once, not after the time for a handshake; and they give their places back."""
    monkeypatch.setattr(entrance, "max_connections", lambda: 5)
    monkeypatch.setattr(entrance, "HANDSHAKE_SECONDS", 60.0)
    tls = ssl.create_default_context(cafile=authority.certificate)
    async with served(encrypted) as address:
        with mute(address, 5):
            await asyncio.sleep(0.1)
            async with asyncio.timeout(5):
                assert b"" == await said(address)
        await asyncio.sleep(0.1)

        assert (await said(address, REQUEST, tls=tls)).endswith(b"hello")


async def test_a_handshake_that_fails_or_takes_too_long_gives_its_place_back(
    monkeypatch: pytest.MonkeyPatch, encrypted: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """And nobody is told: whoever scans ports would fill the log."""
    monkeypatch.setattr(entrance, "max_connections", lambda: 1)
    monkeypatch.setattr(entrance, "HANDSHAKE_SECONDS", 0.2)
    tls = ssl.create_default_context(cafile=authority.certificate)
    async with served(encrypted) as address:
        for parts in ((), (b"no TLS at all\r\n\r\n",)):
            await said(address, *parts)
            await asyncio.sleep(0.1)
            assert (await said(address, REQUEST, tls=tls)).endswith(b"hello")
            await asyncio.sleep(0.1)
        with pytest.raises(ssl.SSLError):
            await said(address, tls=ssl.create_default_context())
        await asyncio.sleep(0.1)

        assert (await said(address, REQUEST, tls=tls)).endswith(b"hello")
    assert [] == caplog.records


async def test_endless_headers_are_refused() -> None:
    async with served() as address:
        reply = await said(address, b"GET / HTTP/1.1\r\nX: " + b"x" * 60_000)

    assert reply.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))


def test_the_share_is_a_quarter_of_the_descriptors_and_512_at_most() -> None:
    assert 1 <= entrance.max_connections() <= 512
