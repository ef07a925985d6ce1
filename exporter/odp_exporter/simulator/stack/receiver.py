"""Whoever Alertmanager tells: a webhook that keeps every notification, and the time at which it came.

One receiver stands for many: the path of a notification is the name of whom it is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .server import HOST

PATIENCE_SECONDS = 30.0
"""How long to wait for what must come."""


@dataclass(frozen=True, slots=True)
class Told:
    """One alert, as one notification told it."""

    receiver: str
    """The path at which it came, without the first slash."""
    status: str
    """firing or resolved."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    arrived: float
    """Unix time."""
    monotonic: float
    """Seconds of the monotonic clock, for differences."""

    @property
    def name(self) -> str:
        """Its `alertname`."""
        return self.labels["alertname"]


@dataclass(frozen=True, slots=True)
class Notification:
    """One message of Alertmanager."""

    receiver: str
    authorization: str | None
    """Its header."""
    body: Mapping[str, Any]


class NotTold(Exception):
    """What was waited for never came; the message has what did."""


@dataclass(slots=True)
class Receiver:
    """A running webhook."""

    token: str | None
    url: str = ""
    """`http://host:port`; notifications may go to any path below it."""
    told: list[Told] = field(default_factory=list)
    """Every alert of every notification, in order of arrival."""
    notifications: list[Notification] = field(default_factory=list)
    """Every message, in order of arrival."""
    unauthorized: int = 0
    """Notifications without the right bearer token; they are kept nowhere."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, comes: Callable[[Told], bool], *, within_seconds: float = PATIENCE_SECONDS) -> Told:
        """The first alert that *comes* holds for, perhaps told already; NotTold if none comes in time."""
        await self.wait(lambda: any(map(comes, self.told)), within_seconds=within_seconds)
        return next(told for told in self.told if comes(told))

    async def wait(self, holds: Callable[[], bool], *, within_seconds: float = PATIENCE_SECONDS) -> None:
        """Look again with each notification until it *holds*; NotTold if that never comes."""
        try:
            async with asyncio.timeout(within_seconds):
                while not holds():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            message = f"not told within {within_seconds:g} s; told: {self.told}"
            raise NotTold(message) from error

    async def take(self, request: web.Request) -> web.Response:
        """Keep a notification, and answer at once."""
        if self.token is not None and not _bears(request, self.token):
            self.unauthorized += 1
            return web.Response(status=401)
        arrived, monotonic = time.time(), time.monotonic()
        document, receiver = await request.json(), request.path.removeprefix("/")
        self.notifications.append(Notification(receiver, request.headers.get("Authorization"), document))
        self.told += (
            Told(receiver, alert["status"], alert["labels"], alert["annotations"], arrived, monotonic)
            for alert in document["alerts"]
        )
        self._news.set()
        return web.Response()


@contextlib.asynccontextmanager
async def receiver(*, token: str | None = None) -> AsyncIterator[Receiver]:
    """Take notifications on a free port until the context ends; with a *token*, only from those who bear it."""
    it = Receiver(token)
    app = web.Application()
    app.router.add_post("/{path:.*}", it.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        it.url = f"http://{host}:{port}"
        yield it
    finally:
        await runner.cleanup()


def _bears(request: web.Request, token: str) -> bool:
    given = request.headers.get("Authorization", "")
    return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
