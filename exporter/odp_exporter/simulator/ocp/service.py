"""The HTTP side of OCP: what is asked, what is answered, and what is remembered of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter, deque
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from . import documents
from .documents import Document, World
from .failures import OF_TRANSPORT, Breakage, Endpoint, Failure, spoil

_KEPT_REQUESTS = 1000
_READ_TIMEOUT_SECONDS = 10.0
_TRICKLE_PARTS = 20


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as far as it matters."""

    method: str
    target: str
    """Path and query, as asked."""
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """The last value of each parameter."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The next request; EOFError or TimeoutError when there is none."""
    async with asyncio.timeout(_READ_TIMEOUT_SECONDS):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        length = int({name.lower(): value for name, value in headers.items()}.get("content-length", "0"))
        method, target, _ = f"{lines[0]}  ".split(" ", 2)
        return Request(method, target, headers, await reader.readexactly(length))


def reply(status: int, body: bytes, *headers: str) -> bytes:
    """An HTTP reply after which the connection is closed."""
    phrase = HTTPStatus(status).phrase if status in {known.value for known in HTTPStatus} else "Unknown"
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return "\r\n".join((f"HTTP/1.1 {status} {phrase}", *fields, "", "")).encode() + body


class Service:
    """Answers ODP from a *world*, unless an endpoint is broken."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.breakages: dict[Endpoint, Breakage] = {}
        """What is wrong with which endpoint."""
        self.requests: deque[dict[str, object]] = deque(maxlen=_KEPT_REQUESTS)
        """The latest requests, oldest first: endpoint, target and headers."""
        self.counts: Counter[str] = Counter()
        """Requests by endpoint, `unknown` for what ODP would not ask."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            request = await read_request(reader)
            endpoint = _endpoint(request)
            kind = endpoint.value if endpoint else "unknown"
            self.counts[kind] += 1
            self.requests.append({"endpoint": kind, "target": request.target, "headers": request.headers})
            if endpoint is None:
                writer.write(reply(400, json.dumps(documents.failed(400, "bad action")).encode()))
            else:
                await self._answer(endpoint, request, reader, writer)
            await writer.drain()
        writer.close()

    async def _answer(
        self, endpoint: Endpoint, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        base = f"http://{request.headers.get('Host', 'localhost')}"
        document = self._document(endpoint, request, base)
        breakage = self.breakages.get(endpoint)
        if document is None:
            writer.write(reply(404, json.dumps(documents.failed(404, "no such cluster")).encode()))
        elif breakage is None:
            writer.write(reply(200, json.dumps(document).encode()))
        elif breakage.failure in OF_TRANSPORT:
            await _misbehave(breakage, json.dumps(document).encode(), request, (reader, writer))
        else:
            writer.write(reply(200, spoil(document, breakage, sum(self.counts.values()))))

    def _document(self, endpoint: Endpoint, request: Request, base: str) -> Document | None:
        cluster = request.query.get("ObRegion") or request.query.get("ObCluster") or ""
        match endpoint:
            case Endpoint.VERSION:
                return documents.enveloped({"Version": documents.version(self.world)})
            case Endpoint.CONFIG:
                return documents.config(self.world, base)
            case Endpoint.RS_LIST:
                return documents.rs_list(self.world, cluster)
            case Endpoint.IDC_LIST:
                return documents.idc_list(cluster) if cluster in self.world.clusters else None


def _endpoint(request: Request) -> Endpoint | None:
    query = request.query
    if request.method != "GET" or urlsplit(request.target).path != "/services":
        return None
    match query.get("Action"):
        case "GetObProxyConfig" | "GetObRootServiceInfoUrlTemplate":
            return Endpoint.VERSION if query.get("VersionOnly") == "true" else Endpoint.CONFIG
        case "ObRootServiceInfo":
            return Endpoint.RS_LIST
        case "ObIDCRegionInfo":
            return Endpoint.IDC_LIST
        case _:
            return None


async def _misbehave(
    breakage: Breakage,
    body: bytes,
    request: Request,
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    reader, writer = connection
    match breakage.failure:
        case Failure.BLACKHOLE:
            await reader.read()
        case Failure.STATUS:
            writer.write(reply(int(breakage.value or 500), body))
        case Failure.TRICKLE:
            await _trickle(reply(200, body), breakage.value or 10, writer)
        case Failure.REDIRECT:
            followed = int(request.query.get("redirected", "0"))
            if followed < int(breakage.value or 1):
                location = f"{request.target.partition('&redirected=')[0]}&redirected={followed + 1}"
                writer.write(reply(302, b"", f"Location: {location}"))
            else:
                writer.write(reply(200, body))
        case _:
            pass


async def _trickle(content: bytes, seconds: float, writer: asyncio.StreamWriter) -> None:
    step = -(-len(content) // _TRICKLE_PARTS)
    for position in range(0, len(content), step):
        writer.write(content[position : position + step])
        await writer.drain()
        await asyncio.sleep(seconds / _TRICKLE_PARTS)
