"""The exporter's pages over HTTP.

Who may see them, and over which sockets, is decided elsewhere (gate.py,
serving.py). No reply contains a traceback, and none contains a secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, exposition
from prometheus_client.openmetrics import exposition as openmetrics

from odp_exporter import __version__
from odp_exporter.clock import stopwatch
from odp_exporter.httpd.courtesy import plain_errors, put_headers
from odp_exporter.httpd.replies import format_of, reply
from odp_exporter.metrics.rendering import Block, Format, parts

from .api import Api
from .collector import Collector
from .landing import STYLE, landing_page
from .probe_page import OnDemand, ProbeTimeouts, probe_page
from .tables.row import Moment

log = structlog.get_logger()

PATHS = (
    "/",
    "/metrics",
    "/probe?target=&module=",
    "/api/v1/odps",
    "/api/v1/odps/NAME",
    "/-/healthy",
    "/-/ready",
    "/-/reload (POST)",
)
SLICE_SECONDS = 0.005
"""How long a scrape keeps the probes from their turn: a greeting takes 2 ms at most, and must not seem to take 50."""
MAX_BODY_BYTES = 1024
"""No request has a use for a body."""
MAX_PROBLEMS = 100
"""Mistakes of a configuration that a reply names; nobody mends more at a time."""


@dataclass(slots=True)
class Site:
    """What the pages show and do; the application replaces parts of it with the configuration."""

    collector: Collector
    on_demand: OnDemand
    reload: Callable[[], Awaitable[Sequence[str]]]
    """Loads the configuration again; gives what is wrong with it, nothing if it is now in use."""
    is_ready: Callable[[], bool]
    """Every target was probed at least once."""
    timeouts: ProbeTimeouts = field(default_factory=ProbeTimeouts)


def application(site: Site) -> web.Application:
    """The HTTP application, for any server."""
    pages, api = _Pages(site), Api(site.collector)
    app = web.Application(middlewares=[plain_errors("odp-exporter", PATHS)], client_max_size=MAX_BODY_BYTES)
    app.add_routes(
        [
            web.get("/", pages.landing),
            web.get("/metrics", pages.metrics),
            web.get("/probe", pages.probe),
            web.get("/api/v1/odps", api.odps),
            web.get("/api/v1/odps/{name:.+}", api.odp),
            web.get("/-/healthy", pages.healthy),
            web.get("/-/ready", pages.ready),
            web.post("/-/reload", pages.reload),
            web.put("/-/reload", pages.reload),
        ]
    )
    put_headers(app, "odp-exporter", style=STYLE)
    return app


class _Pages:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._process = _process_metrics()
        self._was_ready = False

    async def landing(self, _: web.Request) -> web.Response:
        collector = self._site.collector
        moment = Moment(collector.clock(), collector.situation.interval)
        html = landing_page(collector.store, __version__, moment)
        return web.Response(body=html.encode(errors="replace"), content_type="text/html", charset="utf-8")

    async def metrics(self, request: web.Request) -> web.Response:
        form = format_of(request)
        own = await rendered(self._site.collector.blocks(), form)
        # /proc/self is the kernel's memory: reading it waits for no device.
        generate = exposition.generate_latest if form is Format.TEXT else openmetrics.generate_latest
        return await reply(request, form, [*own, generate(self._process)])

    async def probe(self, request: web.Request) -> web.Response:
        site = self._site
        return await probe_page(request, on_demand=site.on_demand, timeouts=site.timeouts, collector=site.collector)

    async def healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="odp-exporter is healthy.\n")

    async def ready(self, _: web.Request) -> web.Response:
        # A target that is added later must not take the exporter out of service.
        self._was_ready = self._was_ready or self._site.is_ready()
        if self._was_ready:
            return web.Response(text="odp-exporter is ready.\n")
        return web.Response(status=503, text="odp-exporter is not ready: some target was not probed yet.\n")

    async def reload(self, _: web.Request) -> web.Response:
        problems = await self._site.reload()
        if not problems:
            return web.Response(text="configuration reloaded\n")
        lines = "".join(f"{problem}\n" for problem in problems[:MAX_PROBLEMS])
        if len(problems) > MAX_PROBLEMS:
            lines += f"and {len(problems) - MAX_PROBLEMS} more (`odp-exporter check FILE` names them all)\n"
        return web.Response(status=500, text=f"the configuration was not reloaded, the former one stays:\n{lines}")


async def rendered(blocks: Iterable[Block], form: Format) -> list[bytes]:
    """The page of *blocks*, made in slices between which probes have their turn."""
    made, began = [], stopwatch()
    for part in parts(blocks, form):
        made.append(part)
        if stopwatch() - began > SLICE_SECONDS:
            await asyncio.sleep(0)
            began = stopwatch()
    return made


def _process_metrics() -> CollectorRegistry:
    """The metrics of the exporter's own process, under the names that every exporter has."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
