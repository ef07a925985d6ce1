"""The remediator over HTTP: the webhook, the API, the page, metrics and health.

`/metrics` and `/-/...` are open, as every exporter's; everything else wants
the token or a verified certificate. No reply contains a traceback or a secret.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from odp_exporter import __version__
from odp_exporter.clock import Clock
from odp_exporter.httpd.courtesy import plain_errors, put_headers
from odp_exporter.httpd.replies import format_of, reply
from odp_exporter.metrics.rendering import Format
from odp_exporter.metrics.rendering import page as metrics_page
from odp_exporter.settings import quoted

from . import orders, views
from .authentication import Authentication
from .collector import Sources, collect
from .engine import InDoubt
from .journal import Journal
from .journal_opening import JournalError
from .model import Event
from .page import STYLE, page
from .planning import Planned
from .policy import Inventory
from .views import Json
from .webhook import MAX_BODY_BYTES, Webhook

log = structlog.get_logger()

WEBHOOK = "/v1/alertmanager"
PATHS = (
    "/",
    "/metrics",
    "/-/healthy",
    "/-/ready",
    "/v1/status",
    "/v1/history",
    "/v1/plan?odp=",
    f"{WEBHOOK} (POST)",
    "/v1/pause (POST)",
    "/v1/resume (POST)",
)
MAX_HISTORY = 1000
WRITE_TIME = timedelta(seconds=5)
PLAN_TIME = timedelta(seconds=20)
KNOCKS_PACE = timedelta(seconds=10)

_OPEN = frozenset({"/metrics", "/-/healthy", "/-/ready"})


@dataclass(frozen=True, slots=True)
class Site:
    """What the pages show and do."""

    sources: Sources
    inventory: Inventory
    journal: Journal
    webhook: Webhook
    authentication: Authentication
    ask: Callable[[Event, timedelta], Awaitable[None]]
    """Fold an event; returns once it is written, within that time or never."""
    plan: Callable[[str], Awaitable[Planned]]
    warnings: Callable[[], tuple[str, ...]]
    """What is wrong with the remediator itself, in a person's words; the first one also keeps it from being ready."""
    clock: Clock


def application(site: Site) -> web.Application:
    """The HTTP application, for any server."""
    pages = _Pages(site)
    app = web.Application(
        middlewares=[plain_errors("odp-remediator", PATHS), _guard(site)],
        client_max_size=MAX_BODY_BYTES,
    )
    app.add_routes(
        [
            web.post(WEBHOOK, site.webhook.receive),
            web.get("/", pages.landing),
            web.get("/metrics", pages.metrics),
            web.get("/-/healthy", pages.healthy),
            web.get("/-/ready", pages.ready),
            web.get("/v1/status", pages.status),
            web.get("/v1/history", pages.history),
            web.get("/v1/plan", pages.plan),
            web.post("/v1/pause", pages.pause),
            web.post("/v1/resume", pages.resume),
            web.post("/page/pause", pages.page_pause),
            web.post("/page/resume", pages.page_resume),
        ]
    )
    put_headers(app, "odp-remediator", style=STYLE, forms="'self'")
    return app


class _Pages:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._secret = secrets.token_urlsafe(32)

    async def landing(self, _: web.Request) -> web.Response:
        site, now = self._site, self._site.clock()
        status = views.status(site.sources.engine.fleet, site.inventory, site.sources.surveys, now)
        try:
            history = views.history(await site.journal.history(None, 50))
        except JournalError:
            history = []  # the warnings say so
        html = page(__version__, status, history, site.warnings(), self._secret)
        return web.Response(body=html.encode(errors="replace"), content_type="text/html", charset="utf-8")

    async def metrics(self, request: web.Request) -> web.Response:
        form = format_of(request)
        text = metrics_page(collect(self._site.sources), form)
        return await reply(request, form, [(text + ("# EOF\n" if form is Format.OPEN_METRICS else "")).encode()])

    async def healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="odp-remediator is healthy.\n")

    async def ready(self, _: web.Request) -> web.Response:
        if warnings := self._site.warnings():
            return web.Response(status=503, text=f"odp-remediator is not ready: {warnings[0]}\n")
        return web.Response(text="odp-remediator is ready.\n")

    async def status(self, _: web.Request) -> web.Response:
        site = self._site
        status = views.status(site.sources.engine.fleet, site.inventory, site.sources.surveys, site.clock())
        return _json({**status, "active": site.sources.is_active(), "warnings": list(site.warnings())})

    async def history(self, request: web.Request) -> web.Response:
        limit = request.query.get("limit", "100")
        if not limit.isdecimal() or len(limit) > len(str(MAX_HISTORY)) or not 0 < int(limit) <= MAX_HISTORY:
            return _refused(400, f"limit: not a number from 1 to {MAX_HISTORY}: {quoted(limit)}")
        try:
            records = await self._site.journal.history(request.query.get("odp") or None, int(limit))
        except JournalError as error:
            return _refused(503, str(error))
        return _json({"records": views.history(records)})

    async def plan(self, request: web.Request) -> web.Response:
        odp = request.query.get("odp", "")
        if odp not in self._site.inventory.targets:
            return _refused(404, f"no ODP of the inventory: {quoted(odp)}")
        try:
            async with asyncio.timeout(PLAN_TIME.total_seconds()):
                return _json(views.planned(await self._site.plan(odp)))
        except TimeoutError:
            return _refused(503, f"no evidence within {PLAN_TIME.total_seconds():g}s")

    async def pause(self, request: web.Request) -> web.Response:
        return await self._written(await orders.pause(request, self._site.inventory, self._site.clock()))

    async def resume(self, request: web.Request) -> web.Response:
        return await self._written(await orders.resume(request, self._site.inventory))

    async def page_pause(self, request: web.Request) -> web.Response:
        return await self._written(await orders.form_pause(request, self._secret, self._site.clock()), then="../")

    async def page_resume(self, request: web.Request) -> web.Response:
        return await self._written(await orders.form_resume(request, self._secret), then="../")

    async def _written(self, event: Event, *, then: str | None = None) -> web.Response:
        try:
            await self._site.ask(event, WRITE_TIME)
        except TimeoutError:
            trouble = self._site.journal.trouble or "the engine does not run"
            return _refused(503, f"not written within {WRITE_TIME.total_seconds():g}s, and will not be: {trouble}")
        except InDoubt:
            return _refused(504, f"still being written after {WRITE_TIME.total_seconds():g}s (the status will tell)")
        if then is not None:
            return web.Response(status=303, headers={hdrs.LOCATION: then})
        return _json({"written": True})


def _json(value: Mapping[str, Json]) -> web.Response:
    return web.Response(text=json.dumps(value) + "\n", content_type="application/json")


def _refused(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")


class _Knocks:
    """Tells of requests without the token, once in a while: each as a line would fill a disk without one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: datetime | None = None
        self._untold = 0

    def tell(self, request: web.Request) -> None:
        now = self._clock()
        if self._told and timedelta() <= now - self._told < KNOCKS_PACE:
            self._untold += 1
            return
        path, client = quoted(request.path), request.remote
        log.warning("request without the token refused", path=path, client=client, more_since=self._untold)
        self._told, self._untold = now, 0


def _guard(site: Site) -> Middleware:
    knocks = _Knocks(site.clock)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in _OPEN or site.authentication.admits(request):
            # A browser says so when another site makes it send something with our password.
            if request.method == hdrs.METH_POST and request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES:
                return _refused(403, "sent by another site's page")
            return await handler(request)
        if request.path == WEBHOOK:
            site.webhook.refused()
        knocks.tell(request)
        return web.Response(
            status=401,
            text="unauthorized: the token is missing or wrong\n",
            headers={hdrs.WWW_AUTHENTICATE: 'Basic realm="odp-remediator, any user, the token as password"'},
        )

    return guard


_OWN_SITES = frozenset({"same-origin", "none"})
