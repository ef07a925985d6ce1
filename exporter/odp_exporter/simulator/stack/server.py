"""A server that is not ours, as a process of its own: ready when its context begins, ended by its pid."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from odp_exporter.simulator import tied

HOST = "127.0.0.1"
READY_SECONDS = 30.0
"""How long a start may take, on a busy machine."""
_END_SECONDS = 10.0
_REQUEST_SECONDS = 10.0


class ServerFailed(Exception):
    """The server ended, never became ready, or refused a request; the message has its log or its answer."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running one."""

    process: asyncio.subprocess.Process
    url: str
    """`http://host:port`."""
    log_file: Path

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    async def get(self, path: str, **parameters: str) -> str:
        """The page at *path*."""
        return await self._asked(Request(f"{self.url}{path}?{urlencode(parameters)}"))  # noqa: S310 - http, by `running`

    async def post(self, path: str, document: object) -> str:
        """Send a *document* as JSON; gives what comes back."""
        headers = {"Content-Type": "application/json"}
        return await self._asked(Request(self.url + path, json.dumps(document).encode(), headers))  # noqa: S310 - as above

    async def delete(self, path: str) -> None:
        """Have what is at *path* deleted."""
        await self._asked(Request(self.url + path, method="DELETE"))  # noqa: S310 - as above

    async def _asked(self, request: Request) -> str:
        try:
            return await asyncio.to_thread(_answer, request)
        except HTTPError as error:
            with error:
                message = f"{request.full_url} answered {error.code}: {error.read().decode(errors='replace')}"
            raise ServerFailed(message) from error
        except OSError as error:
            message = f"{request.full_url} did not answer: {error}\n{self.log}"
            raise ServerFailed(message) from error


@contextlib.asynccontextmanager
async def running(command: Sequence[str], port: int, *, ready: str, log_file: Path) -> AsyncIterator[Server]:
    """Run *command*, which serves HTTP on *port* of loopback, from its first good answer at *ready* on."""
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-IS", tied.__file__, str(os.getpid()), *command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the owner, which then ends this
        )
    server = Server(process, f"http://{HOST}:{port}", log_file)
    try:
        await _ready(server, ready)
        yield server
    finally:
        await end(process)


async def end(process: asyncio.subprocess.Process, *, within_seconds: float = _END_SECONDS) -> None:
    """SIGTERM, and SIGKILL for one that does not heed it in time; one that has ended already is fine."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(within_seconds):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _ready(server: Server, path: str) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS):
            while server.process.returncode is None:
                with contextlib.suppress(ServerFailed):
                    await server.get(path)
                    return
                await asyncio.sleep(0.02)
    message = f"never ready, exit status {server.process.returncode}\n{server.log}"
    raise ServerFailed(message)


def _answer(request: Request) -> str:
    with urlopen(request, timeout=_REQUEST_SECONDS) as reply:  # noqa: S310 - as above
        body: bytes = reply.read()
    return body.decode()
