"""HAProxy's Runtime API on the wire: one command for each connection, one answer, within its time and size.

An order that was carried out is answered by an empty line, one that was not by
a text. It does not know what the commands mean.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator

from odp_exporter.connecting import NotConnected, connect, reason
from odp_exporter.settings import parse_absolute_path, quoted
from odp_exporter.targets import Address, parse_address

from .driver import LbRefused, LbUnreachable

MAX_REPLY_BYTES = 16 * 1024 * 1024
"""Some 40 000 sessions, or as many servers; HAProxy's own answers to the driver have a few KB."""
_MAX_PATH_BYTES = 107
_CHUNK_BYTES = 64 * 1024

Endpoint = Path | Address


def parse_endpoint(value: object) -> Endpoint:
    """The path of a UNIX socket, or the address of a TCP one."""
    if isinstance(value, Address | Path):
        return value
    if isinstance(value, str) and value.startswith("/") and len(value.encode()) <= _MAX_PATH_BYTES:
        return parse_absolute_path(value)
    try:
        return parse_address(value)
    except ValueError as error:
        message = (
            f"not a socket: {quoted(value)} (try '/run/haproxy/admin.sock', of at most {_MAX_PATH_BYTES} bytes, "
            "or '192.0.2.5:9999')"
        )
        raise ValueError(message) from error


EndpointField = Annotated[Endpoint, PlainValidator(parse_endpoint)]


async def order(endpoint: Endpoint, command: str, *, seconds: float) -> None:
    """Have *command* carried out; LbRefused with HAProxy's words if it was not."""
    if text := (await ask(endpoint, command, seconds=seconds)).strip():
        raise refusal(endpoint, command, text)


async def ask(endpoint: Endpoint, command: str, *, seconds: float) -> str:
    """The whole answer to *command*, which may be a refusal; LbUnreachable when there is none in so many *seconds*."""
    try:
        async with asyncio.timeout(seconds), _connected(endpoint, seconds) as (reader, writer):
            writer.write(command.encode("ascii") + b"\n")
            writer.write_eof()  # otherwise a master process waits for more commands
            reply = await _whole(reader, endpoint)
    except TimeoutError as error:
        message = f"{endpoint}: no answer to {quoted(command)} within {seconds:g}s"
        raise LbUnreachable(message) from error
    except NotConnected as error:
        raise LbUnreachable(str(error)) from error
    except OSError as error:
        message = f"{endpoint}: {reason(error)}"
        raise LbUnreachable(message) from error
    if not reply.endswith(b"\n"):
        message = f"{endpoint}: broke off its answer to {quoted(command)}"
        raise LbUnreachable(message)
    return reply.decode("utf-8", "replace")


def refusal(endpoint: Endpoint, command: str, text: str) -> LbRefused:
    """That *command* was answered by *text*."""
    way_out = " (its socket needs 'level admin')" if text.startswith("Permission denied") else ""
    return LbRefused(f"{endpoint}: {quoted(command)} was refused: {quoted(text.strip())}{way_out}")


@contextlib.asynccontextmanager
async def _connected(
    endpoint: Endpoint, seconds: float
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    if isinstance(endpoint, Path):
        reader, writer = await asyncio.open_unix_connection(endpoint)
    else:
        connection = await connect(endpoint, seconds)
        reader, writer = await asyncio.open_connection(sock=connection.hand_over())
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _whole(reader: asyncio.StreamReader, endpoint: Endpoint) -> bytes:
    reply = bytearray()
    while chunk := await reader.read(_CHUNK_BYTES):
        reply += chunk
        if len(reply) > MAX_REPLY_BYTES:
            message = f"{endpoint}: an answer of more than {MAX_REPLY_BYTES} bytes"
            raise LbUnreachable(message)
    return bytes(reply)
