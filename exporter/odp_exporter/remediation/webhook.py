"""`POST /v1/alertmanager`: a notification is stored, and then answered; it is dealt with later (S1, S2).

    200  stored, or known already, or stored and not believed because it is truncated
    400  none that we can use, and will be so again: malformed, another version, another receiver
    401  who sends it is not known (entrance.py)
    413  larger than the limit
    503  cannot be stored now: journal, standby, stopping, or the body did not come in time

Alertmanager sends anew after 5xx, and after anything else with its next flush;
so 429 and redirects are never answered, and 200 never without the journal.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Self

import structlog
from aiohttp import hdrs, web

from odp_exporter.clock import Clock

from . import payload
from .families import WEBHOOK_RESULTS
from .journal import Journal
from .journal_entries import Delivery
from .journal_opening import JournalError
from .payload import Notification, Said, Scope

log = structlog.get_logger()

MAX_BODY_BYTES = 16 * 1024 * 1024
"""10,000 alerts with 1 KB of labels and annotations each are 10 MB."""
BODY_TIME = timedelta(seconds=10)
"""In which a whole body must have come."""
STORE_TIME = timedelta(seconds=5)
"""After which a disk that does not answer is answered for."""
OFF_LOOP_BYTES = 64 * 1024
"""Parsing more than this takes longer than a millisecond."""


class Webhook:
    """Takes Alertmanager's notifications."""

    def __init__(
        self,
        journal: Journal,
        scope: Scope,
        *,
        clock: Clock,
        is_known: Callable[[Said], bool],
        tell: Callable[[int, Notification], None],
    ) -> None:
        self._journal = journal
        self._scope = scope
        self._clock = clock
        self._is_known = is_known
        self._tell = tell
        self._parser = ThreadPoolExecutor(1, thread_name_prefix="webhook")
        self._tasks: asyncio.TaskGroup | None = None
        self.results = Counter(dict.fromkeys(WEBHOOK_RESULTS, 0))
        self.heartbeat: datetime | None = None
        """When the Watchdog alert last came in."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parser.shutdown(wait=False, cancel_futures=True)

    async def run(self) -> None:
        """Take notifications until cancelled; those that are being stored then are stored."""
        async with asyncio.TaskGroup() as group:
            self._tasks = group
            try:
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    async def receive(self, request: web.Request) -> web.Response:
        """Answer one notification."""
        result, response = await self._received(request)
        self.results[result] += 1
        if response.status != 200:  # noqa: PLR2004 - HTTP's own number
            log.warning("notification refused", status=response.status, reason=(response.text or "").strip())
        return response

    def refused(self) -> None:
        """One came whose sender is not known."""
        self.results["unauthorized"] += 1

    async def _received(self, request: web.Request) -> tuple[str, web.Response]:
        # A browser sends other types anywhere without asking, and with our password; Alertmanager never does.
        if request.content_type != "application/json" or hdrs.CONTENT_ENCODING in request.headers:
            return "malformed", _answer(400, "only application/json is taken, and not compressed")
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return "too_large", _too_large()
        try:
            async with asyncio.timeout(BODY_TIME.total_seconds()):
                body = await request.read()
        except TimeoutError:
            return "unavailable", _answer(503, f"the body did not come within {BODY_TIME.total_seconds():g}s")
        except web.HTTPRequestEntityTooLarge:
            return "too_large", _too_large()
        return await self._taken(body)

    async def _taken(self, body: bytes) -> tuple[str, web.Response]:
        received = self._clock()
        try:
            notification = await self._parsed(body, received)
        except payload.Malformed as error:
            return "malformed", _answer(400, str(error))
        except payload.Unsupported as error:
            return "unsupported", _answer(400, str(error))
        except payload.TooMany as error:
            return "too_large", _answer(413, str(error))
        if notification.said and all(map(self._is_known, notification.said)):
            self._beat(notification, received)
            return "duplicate", _answer(200, "known already")
        return await self._stored(Delivery(received, body, hashlib.sha256(body).digest()), notification)

    async def _parsed(self, body: bytes, received: datetime) -> Notification:
        if len(body) <= OFF_LOOP_BYTES:
            return payload.read(body, self._scope, received)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._parser, payload.read, body, self._scope, received)

    async def _stored(self, delivery: Delivery, notification: Notification) -> tuple[str, web.Response]:
        if self._tasks is None:
            return "unavailable", _answer(503, "stopping or starting, try again")
        # A task of its own: what is stored after we gave up waiting for it must be dealt with too.
        task = self._tasks.create_task(self._store(delivery, notification), name="store notification")
        try:
            async with asyncio.timeout(STORE_TIME.total_seconds()):
                problem = await asyncio.shield(task)
        except TimeoutError:
            return "unavailable", _answer(503, f"not stored within {STORE_TIME.total_seconds():g}s")
        if problem:
            return "unavailable", _answer(503, problem)
        if notification.truncated:
            log.error("truncated notification not believed", left_out=notification.truncated)
            return "unsupported", _answer(200, f"stored, not believed: {notification.truncated} alerts were left out")
        return "accepted", _answer(200, "stored")

    async def _store(self, delivery: Delivery, notification: Notification) -> str:
        """Why it could not be stored; empty if it is."""
        try:
            number = await self._journal.accept(delivery)
        except JournalError as error:
            return str(error)
        self._beat(notification, delivery.received)
        self._tell(number, notification)
        return ""

    def _beat(self, notification: Notification, received: datetime) -> None:
        if notification.is_heartbeat:
            self.heartbeat = received


def _answer(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")


def _too_large() -> web.Response:
    return _answer(
        413, f"larger than the {MAX_BODY_BYTES} bytes that are taken (group alerts, so that fewer come at once)"
    )
