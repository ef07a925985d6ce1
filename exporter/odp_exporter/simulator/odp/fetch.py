"""HTTP as ODP asks OCP with libcurl: GET, two headers, 5 s in all, 3 redirects (odp-facts 1.2)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

TIMEOUT_SECONDS = 5.0
"""For the whole request, redirects included."""
CONFIG_LIMIT = 512 * 1024
"""Longest configuration that is taken."""
LIST_LIMIT = 16 * 1024
"""Longest RS list or IDC list that is taken."""

_MAX_REDIRECTS = 3
_COULD_NOT_CONNECT, _TIMED_OUT, _TOO_MANY_REDIRECTS, _BROKEN = 7, 28, 47, 56


class FetchFailed(Exception):
    """No usable body came; the message is what ODP logs about it."""


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: dict[str, str]
    body: bytes


async def get(url: str, *, limit: int, timeout_seconds: float = TIMEOUT_SECONDS) -> bytes:
    """The body of a 2xx reply, with every white space turned into a blank."""
    try:
        async with asyncio.timeout(timeout_seconds):
            reply = await _follow(url, limit)
    except TimeoutError as error:
        raise _curl_error(_TIMED_OUT, "Timeout was reached", url) from error
    except ConnectionRefusedError as error:
        raise _curl_error(_COULD_NOT_CONNECT, "Couldn't connect to server", url) from error
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise _curl_error(_BROKEN, "Failure when receiving data from the peer", url) from error
    if reply.status // 100 != 2:  # noqa: PLR2004 - any 2xx
        message = f'unexpected http status code(http_code={reply.status}, url="{url}", ret=-4216)'
        raise FetchFailed(message)
    body = reply.body.translate(bytes.maketrans(b"\t\n\v\f\r", b"     "))
    if not body:
        raise FetchFailed("empty json content(ret=-4016)")
    return body


def _curl_error(code: int, text: str, url: str) -> FetchFailed:
    message = f'curl error(curl_error_code={code}, curl_error_message="{text}", ret=-4216, url="{url}")'
    return FetchFailed(message)


async def _follow(url: str, limit: int) -> _Reply:
    for _ in range(_MAX_REDIRECTS + 1):
        reply = await _ask(url, limit)
        if reply.status // 100 != 3 or "location" not in reply.headers:  # noqa: PLR2004 - any 3xx
            return reply
        url = urljoin(url, reply.headers["location"])
    raise _curl_error(_TOO_MANY_REDIRECTS, "Number of redirects hit maximum amount", url)


async def _ask(url: str, limit: int) -> _Reply:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        message = f"not an http URL: {url!r}"
        raise ValueError(message)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\n\r\n".encode())
        status = int((await reader.readline()).split(maxsplit=2)[1])
        headers = await _headers(reader)
        return _Reply(status, headers, await _body(reader, headers, limit))
    except IndexError as error:
        raise EOFError from error
    finally:
        writer.transport.abort()


async def _headers(reader: asyncio.StreamReader) -> dict[str, str]:
    headers = {}
    while line := (await reader.readline()).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str], limit: int) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunked(reader, limit)
    if "content-length" in headers:
        return await reader.readexactly(_within(int(headers["content-length"]), limit))
    body = b""
    while part := await reader.read(limit):
        body += part
        _within(len(body), limit)
    return body


async def _chunked(reader: asyncio.StreamReader, limit: int) -> bytes:
    body = b""
    while size := int((await reader.readline()).partition(b";")[0], 16):
        _within(len(body) + size, limit)
        body += await reader.readexactly(size)
        await reader.readline()
    return body


def _within(size: int, limit: int) -> int:
    if size > limit:
        message = f"body is too large(size={size}, buffer={limit}, ret=-4019)"
        raise FetchFailed(message)
    return size
