"""Logs in to ODPs and pings them."""

from __future__ import annotations

import asyncio
import functools

from odp_exporter import changes
from odp_exporter.observations import PingObservation, PingResult
from odp_exporter.probes.ping import PingSettings, ping
from odp_exporter.schedule import Job
from odp_exporter.targets import Target

from .means import Means


def ping_job(target: Target, settings: PingSettings, means: Means) -> Job:
    """Log in to one ODP and ping it."""

    async def run() -> bool:
        once = functools.partial(ping, target, settings=settings, clock=means.clock)
        changes.record(means.store, await asyncio.get_running_loop().run_in_executor(means.ping_threads, once))
        return True

    def broke() -> None:
        changes.record(means.store, PingObservation(target.name, means.clock(), PingResult.ERROR, 0.0))

    return Job("ping", target.name, settings.interval, run, broke, (target.address, settings))
