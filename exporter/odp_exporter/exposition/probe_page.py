"""`/probe`: one target probed now, in the manner of blackbox_exporter.

It changes no counter, and whom it may probe is not decided here.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from aiohttp import web

from odp_exporter.clock import stopwatch
from odp_exporter.httpd.replies import format_of, parameter, reply
from odp_exporter.metrics.rendering import Block, Format, page, several, single
from odp_exporter.observations import GreetingObservation
from odp_exporter.ondemand import Answer, ProbeRefused, TargetNotAllowed, TooManyProbes
from odp_exporter.settings import quoted

from . import families
from .collector import Collector
from .transcript import describe, is_success

MIN_SECONDS = 0.01
"""In less than that even a healthy ODP would be called silent."""
DEFAULT_MODULE = "greeting"
"""What is done when the query names no module."""
TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_BACKSTOP = timedelta(milliseconds=250)
"""How much longer than its timeout a probe may take before it is given up from outside."""


class OnDemand(Protocol):
    """Probes one target once, if that is allowed."""

    @property
    def modules(self) -> Collection[str]:
        """What can be asked for."""

    async def probe(self, target: str, module: str, *, timeout: timedelta) -> Answer:
        """What the probe saw; ProbeRefused if it will not be done."""


@dataclass(frozen=True, slots=True)
class ProbeTimeouts:
    """How long a probe on demand may take."""

    limit: timedelta = timedelta(seconds=10)
    """At most this, and this when nobody says how long the scraper waits."""
    offset: timedelta = timedelta(seconds=0.5)
    """Kept back of the scraper's timeout, so that the reply is there in time."""

    def granted(self, header: str | None) -> timedelta:
        """The time for a probe by the scraper's *header*; ValueError if it makes no sense or leaves none."""
        if header is None:
            return self.limit
        seconds = float(header) if _SECONDS.fullmatch(header) else math.inf
        if not math.isfinite(seconds):
            message = f"{TIMEOUT_HEADER}: not a number of seconds: {quoted(header)} (try '10')"
            raise ValueError(message)
        offset = self.offset.total_seconds()
        if seconds < offset + MIN_SECONDS:
            message = f"{TIMEOUT_HEADER}: {header}s leave no time, {offset:g}s are kept back (raise scrape_timeout)"
            raise ValueError(message)
        return timedelta(seconds=min(seconds - offset, self.limit.total_seconds()))


async def probe_page(
    request: web.Request, *, on_demand: OnDemand, timeouts: ProbeTimeouts, collector: Collector
) -> web.Response:
    """Do the probe that the query asks for, and tell what came of it."""
    target, module = parameter(request, "target"), parameter(request, "module", DEFAULT_MODULE)
    granted = _granted(request, timeouts)
    began = stopwatch()
    try:
        seen = await _ask(on_demand, target, module, granted)
    except TargetNotAllowed as refused:
        raise web.HTTPForbidden(text=f"{refused}\n") from refused
    except TooManyProbes as refused:
        raise web.HTTPServiceUnavailable(text=f"{refused}\n") from refused
    except ProbeRefused as refused:
        raise web.HTTPBadRequest(text=f"{refused}\n") from refused
    took = timedelta(seconds=stopwatch() - began)
    blocks = [*_outcome(seen, took, granted), *(collector.answered(seen) if seen else ())]
    if parameter(request, "debug", "false") == "true":
        return _transcript(target, module, seen, blocks)
    form = format_of(request)
    end = "" if form is Format.TEXT else "# EOF\n"
    return await reply(request, form, [(page(blocks, form) + end).encode(errors="replace")])


def _granted(request: web.Request, timeouts: ProbeTimeouts) -> timedelta:
    try:
        return timeouts.granted(request.headers.get(TIMEOUT_HEADER))
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from error


async def _ask(on_demand: OnDemand, target: str, module: str, granted: timedelta) -> Answer | None:
    try:
        async with asyncio.timeout((granted + _BACKSTOP).total_seconds()):
            return await on_demand.probe(target, module, timeout=granted)
    except TimeoutError:
        return None


def _outcome(seen: Answer | None, took: timedelta, granted: timedelta) -> list[Block]:
    durations = seen.durations if isinstance(seen, GreetingObservation) else {}
    return [
        single(families.PROBE_SUCCESS, int(seen is not None and is_success(seen))),
        single(families.PROBE_DURATION, took.total_seconds()),
        single(families.PROBE_TIMEOUT, granted.total_seconds()),
        several(families.PROBE_PHASE_DURATION, durations.items()),
    ]


def _transcript(target: str, module: str, seen: Answer | None, blocks: Sequence[Block]) -> web.Response:
    story = describe(seen) if seen else ["result: no answer within the timeout"]
    lines = "".join(f"{line}\n" for line in (f"target: {target}", f"module: {module}", *story))
    return web.Response(
        body=f"{lines}\n{page(blocks, Format.TEXT)}".encode(errors="replace"), content_type="text/plain"
    )
