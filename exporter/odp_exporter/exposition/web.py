"""The exporter's pages over HTTP.

Who may see them, and over which sockets, is decided elsewhere (gate.py,
serving.py). No reply contains a traceback, and none contains a secret.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, exposition
from prometheus_client.openmetrics import exposition as openmetrics

from odp_exporter import __version__
from odp_exporter.settings import quoted

from .collector import Collector
from .landing import POLICY, landing_page
from .probe_page import OnDemand, ProbeTimeouts, probe_page
from .rendering import Format, page
from .replies import format_of, reply
from .tables.row import Moment

log = structlog.get_logger()

PATHS = ("/", "/metrics", "/probe?target=&module=", "/-/healthy", "/-/ready", "/-/reload (POST)")
MAX_BODY_BYTES = 1024
"""No request has a use for a body."""
MAX_PROBLEMS = 100
"""Mistakes of a configuration that a reply names; nobody mends more at a time."""

_HEADERS = {
    "Server": "odp-exporter",
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


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
    pages = _Pages(site)
    app = web.Application(middlewares=[_plain_errors], client_max_size=MAX_BODY_BYTES)
    app.add_routes(
        [
            web.get("/", pages.landing),
            web.get("/metrics", pages.metrics),
            web.get("/probe", pages.probe),
            web.get("/-/healthy", pages.healthy),
            web.get("/-/ready", pages.ready),
            web.post("/-/reload", pages.reload),
            web.put("/-/reload", pages.reload),
        ]
    )
    app.on_response_prepare.append(_add_headers)
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
        own = page(self._site.collector.collect(), form).encode(errors="replace")
        # /proc/self is the kernel's memory: reading it waits for no device.
        generate = exposition.generate_latest if form is Format.TEXT else openmetrics.generate_latest
        return await reply(request, form, own + generate(self._process))

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


def _process_metrics() -> CollectorRegistry:
    """The metrics of the exporter's own process, under the names that every exporter has."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound as error:
        message = f"no such page: {quoted(request.path)} (there are: {', '.join(PATHS)})\n"
        raise web.HTTPNotFound(text=message) from error
    except web.HTTPException:
        raise
    except Exception:  # aiohttp's own guard shows tracebacks to the client when asyncio debugs
        log.exception("request failed", path=request.path)
        return web.Response(status=500, text="internal error; the log of odp-exporter says more\n")


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
