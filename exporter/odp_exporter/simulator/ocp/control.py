"""Commands for the look-alike: POST a JSON object to `/control` on the control port, get its state back.

{"break": "rs_list", "failure": "status", "value": 503}
{"heal": true}                                          every endpoint answers again, and the port listens
{"refuse": true}                                        the service port is closed
{"world": {"clusters": {"ob1": ["127.0.0.1:2881"]}}}    what OCP knows
{}                                                      nothing but the state: counts, requests
"""

from __future__ import annotations

import asyncio
import contextlib
import json

from .documents import Document, Shape, World
from .failures import Breakage, Endpoint, Failure
from .service import Service, read_request, reply


class Control:
    """Serves commands, and owns the service's listening socket."""

    def __init__(self, service: Service, host: str, port: int) -> None:
        self._service = service
        self._host = host
        self._server: asyncio.Server | None = None
        self.port = port
        """The service port; known for good once it has been opened."""

    async def open(self) -> None:
        """Let the service listen, at the port that it had before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._service.serve, self._host, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry out one command."""
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            request = await read_request(reader)
            try:
                await self._obey(json.loads(request.body or b"{}"))
                state = {"counts": self._service.counts, "requests": list(self._service.requests)}
                writer.write(reply(200, json.dumps(state).encode()))
            except (ValueError, TypeError, KeyError) as error:
                writer.write(reply(400, json.dumps({"error": str(error)}).encode()))
            await writer.drain()
        writer.close()

    async def _obey(self, command: Document) -> None:
        match command:
            case {"break": endpoint, "failure": failure, **rest}:
                value = rest.get("value")
                self._service.breakages[Endpoint(str(endpoint))] = Breakage(
                    Failure(str(failure)), None if value is None else float(value)
                )
            case {"heal": _}:
                self._service.breakages.clear()
                await self.open()
            case {"refuse": _}:
                self._close()
            case {"world": dict() as world}:
                self._service.world = parse_world(world)
            case {}:
                pass

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


def parse_world(given: Document) -> World:
    """A World as it comes in JSON."""
    return World(**{**given, "shape": Shape(given.get("shape", Shape.LIST))})
