"""Looks at the processes and the accept queues of this host's ODPs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from odp_exporter import changes
from odp_exporter.clock import stopwatch
from odp_exporter.observations import HostObservation
from odp_exporter.schedule import Job
from odp_exporter.targets import Target

from .greeting import GREETING
from .means import Means

SECOND_LOOK = timedelta(milliseconds=50)
"""After a first client was seen to wait; a healthy ODP has accepted it long before."""
_HOST = "host"
_QUEUE = "queue"


def host_job(interval: timedelta, means: Means) -> Job:
    """Look at the processes of all ODPs of this host, and have those greeted that look worse than before."""

    async def run() -> bool:
        odps = dict(means.store.odps)
        targets = [odp.target for odp in odps.values()]
        silent = {name for name, odp in odps.items() if odp.probes.latest and not odp.probes.latest.is_ok}
        look = means.on_host_thread(means.host.observe, targets, means.clock(), silent=silent, interval=interval)
        for seen in await look:
            before = odps[seen.target].host
            changes.record(means.store, seen)
            means.sentinel.guard(seen)
            if seen.target not in silent and is_worse(before, seen):
                means.hurry(GREETING, seen.target)
            if seen.accept_queue:
                means.hurry(_QUEUE, _QUEUE)
        means.sentinel.keep(odps)
        means.host_seen.set()
        return True

    return Job(_HOST, _HOST, interval, run)


def queue_job(interval: timedelta, means: Means) -> Job:
    """Look whether clients wait to be accepted by an ODP of this host."""

    async def run() -> bool:
        local = [odp.target for odp in means.store.odps.values() if odp.host and odp.host.is_local]
        await weigh(local)
        if means.sentinel.is_wondering:
            await asyncio.sleep(SECOND_LOOK.total_seconds())
            await weigh(local)
        return True

    async def weigh(local: Sequence[Target]) -> None:
        queues = await means.on_host_thread(means.host.queues, local, means.clock()) if local else {}
        means.sentinel.weigh(queues, stopwatch())

    return Job(_QUEUE, _QUEUE, interval, run)


def look_closer(hurry: Callable[[str, str], None], name: str) -> None:
    """Greet the ODP now, and look at this host too: a refusal by a process that ended is no start."""
    hurry(_HOST, _HOST)
    hurry(GREETING, name)


def is_worse(before: HostObservation | None, seen: HostObservation) -> bool:
    """A process of it is gone: worth a greeting at once."""
    if before is None or not seen.is_local:
        return False
    living = {process.identity for process in seen.processes}
    return any(process.identity not in living for process in before.processes)
