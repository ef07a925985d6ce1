"""A fleet in a directory of its own, and a MySQL client that tells in plain words what became of it."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from odp_exporter.simulator.fleet import Fleet

_DEADLINE_SECONDS = 20


@pytest.fixture
def captures() -> Path:
    """What was recorded from a real ODP."""
    return Path(__file__).parents[1] / "testdata" / "captures"


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """Simulated processes that end with the test."""
    async with Fleet(tmp_path) as fleet:
        yield fleet


@pytest.fixture
def greet() -> Callable[[tuple[str, int]], Awaitable[bytes]]:
    """Connects, waits for the whole greeting, however late, and closes."""
    return _greet


@pytest.fixture
def glimpse() -> Callable[[tuple[str, int]], Awaitable[bytes]]:
    """Connects, takes what comes within half a second, for those who are to be silent, and closes."""
    return _glimpse


@pytest.fixture
def log_in() -> Callable[..., Awaitable[list[str]]]:
    """Logs in and says each of *statements*: `ok`, `closed` or `1045 28000 Access denied` for each step."""
    return _log_in


async def _greet(address: tuple[str, int]) -> bytes:
    async with asyncio.timeout(_DEADLINE_SECONDS):
        reader, writer = await asyncio.open_connection(*address)
        try:
            header = await reader.readexactly(4)
            return header + await reader.readexactly(int.from_bytes(header[:3], "little"))
        finally:
            writer.close()


async def _glimpse(address: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    try:
        async with asyncio.timeout(0.5):
            return await reader.read(100)
    except TimeoutError:
        return b""
    finally:
        writer.close()


async def _log_in(
    address: tuple[str, int], user: str, password: str = "", statements: Sequence[str | bytes] = ()
) -> list[str]:
    async with asyncio.timeout(_DEADLINE_SECONDS):
        reader, writer = await asyncio.open_connection(*address)
        try:
            greeting = await _packet(reader)
            salt = _salt(greeting)
            fixed = struct.pack("<IIB23x", 0x000FA205, 1 << 24, 46)
            token = _token(password, salt)
            payload = fixed + user.encode() + b"\0" + bytes([len(token)]) + token + b"mysql_native_password\0"
            outcomes = [await _say(reader, writer, payload, 1)]
            for statement in statements if outcomes == ["ok"] else ():
                command = statement if isinstance(statement, bytes) else b"\x03" + statement.encode()
                outcomes.append(await _say(reader, writer, command, 0))
            return outcomes
        finally:
            writer.close()


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, payload: bytes, sequence: int) -> str:
    writer.write(len(payload).to_bytes(3, "little") + bytes([sequence]) + payload)
    try:
        answer = await _packet(reader)
    except (EOFError, ConnectionError):
        return "closed"
    if answer[:1] == b"\xff":
        return f"{int.from_bytes(answer[1:3], 'little')} {answer[4:9].decode()} {answer[9:].decode()}"
    return "ok" if answer[:1] == b"\0" else answer.hex()


async def _packet(reader: asyncio.StreamReader) -> bytes:
    header = await reader.readexactly(4)
    return await reader.readexactly(int.from_bytes(header[:3], "little"))


def _salt(greeting: bytes) -> bytes:
    after_version = greeting.index(b"\0", 1) + 5
    return greeting[after_version : after_version + 8] + greeting[after_version + 27 : after_version + 39]


def _token(password: str, salt: bytes) -> bytes:
    if not password:
        return b""
    once = hashlib.sha1(password.encode()).digest()  # noqa: S324 - mysql_native_password
    mask = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()  # noqa: S324 - as above
    return bytes(left ^ right for left, right in zip(once, mask, strict=True))
