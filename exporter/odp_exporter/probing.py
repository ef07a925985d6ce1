"""Joins targets, probes and the store: one job per target, and probes on demand.

Each job asks its probe once and hands what came back to the store. Probes that
block get a thread; those that look at this host share a single one, so that
they never run twice at a time.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

import aiohttp

from . import changes
from .clock import Clock
from .observations import (
    Endpoint,
    EndpointObservation,
    GreetingObservation,
    HostObservation,
    OcpObservation,
    OcpResult,
    PingObservation,
    PingResult,
    ProbeResult,
)
from .probes.cache import read_cache
from .probes.greeting import GreetingSettings, probe
from .probes.host import HostProbe
from .probes.ocp import ask
from .probes.ping import PingSettings, ping
from .schedule import Job
from .store import Store
from .targets import Address, Ocp, Pool, Target

GREETING = "greeting"
"""The kind of the jobs that greet ODPs."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Means:
    """What every job works with."""

    store: Store
    clock: Clock
    session: aiohttp.ClientSession
    host: HostProbe
    host_thread: Executor
    """One thread, for all that looks at this host."""
    ping_threads: Executor
    """For pings, so that hung ODPs use up nobody else's."""
    hurry: Callable[[str, str], None]
    """Has the job of this kind and name done now."""
    slots: asyncio.Semaphore
    """How many greeting probes may be under way at a time."""
    host_seen: asyncio.Event
    """Set once this host has been looked at: before that, nobody knows where the caches are."""

    async def on_host_thread(self, look: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What *look* gives, called in the one thread for this host."""
        call = functools.partial(look, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.host_thread, call)


def greeting_job(target: Target, settings: GreetingSettings, means: Means) -> Job:
    """Greet one ODP."""
    return _Greeter(
        GREETING, target.name, target.address, settings, means, functools.partial(changes.record, means.store)
    ).job()


def pool_job(pool: Pool, vip: Address, settings: GreetingSettings, means: Means) -> Job:
    """Greet a pool through its load balancer's address, as applications do."""
    return _Greeter("pool", pool.name, vip, settings, means, functools.partial(changes.record_pool, means.store)).job()


@dataclass(frozen=True, slots=True)
class _Greeter:
    kind: str
    name: str
    address: Address
    settings: GreetingSettings
    means: Means
    record: Callable[[GreetingObservation], None]

    def job(self) -> Job:
        subject = (self.address, self.settings)
        return Job(self.kind, self.name, self.settings.interval, self._run, self._broke, subject)

    async def _run(self) -> bool:
        async with self.means.slots:
            seen = await probe(self.name, self.address, deadlines=self.settings.deadlines, clock=self.means.clock)
        self.record(seen)
        return seen.is_ok

    def _broke(self) -> None:
        self.record(GreetingObservation(self.name, self.means.clock(), ProbeResult.INTERNAL_ERROR))


def ping_job(target: Target, settings: PingSettings, means: Means) -> Job:
    """Log in to one ODP and ping it."""

    async def run() -> bool:
        once = functools.partial(ping, target, settings=settings, clock=means.clock)
        changes.record(means.store, await asyncio.get_running_loop().run_in_executor(means.ping_threads, once))
        return True

    def broke() -> None:
        changes.record(means.store, PingObservation(target.name, means.clock(), PingResult.ERROR, 0.0))

    return Job("ping", target.name, settings.interval, run, broke, (target.address, settings))


def ocp_job(ocp: Ocp, means: Means) -> Job:
    """Ask one OCP all that an ODP would."""

    async def run() -> bool:
        changes.record(means.store, await ask(ocp, session=means.session, clock=means.clock))
        return True

    def broke() -> None:
        failed = tuple(EndpointObservation(it, OcpResult.INTERNAL_ERROR, 0, 0.0) for it in Endpoint)
        changes.record(means.store, OcpObservation(ocp.name, means.clock(), failed))

    return Job("ocp", ocp.name, ocp.interval, run, broke, ocp)


def host_job(interval: timedelta, means: Means) -> Job:
    """Look at the processes of all ODPs of this host, and have those greeted that look worse than before."""

    async def run() -> bool:
        odps = dict(means.store.odps)
        targets = [odp.target for odp in odps.values()]
        silent = {name for name, odp in odps.items() if odp.probes.latest and not odp.probes.latest.is_ok}
        for seen in await means.on_host_thread(means.host.observe, targets, means.clock(), silent=silent):
            before = odps[seen.target].host
            changes.record(means.store, seen)
            if seen.target not in silent and is_worse(before, seen):
                means.hurry(GREETING, seen.target)
        means.host_seen.set()
        return True

    return Job("host", "host", interval, run)


def is_worse(before: HostObservation | None, seen: HostObservation) -> bool:
    """A process of it is gone, or clients wait to be accepted: worth a greeting at once (odp-facts 4.5)."""
    if before is None or not seen.is_local:
        return False
    living = {process.identity for process in seen.processes}
    return bool(seen.accept_queue) or any(process.identity not in living for process in before.processes)


def cache_job(interval: timedelta, means: Means) -> Job:
    """Read the cache files of all ODPs of this host."""

    async def run() -> bool:
        await means.host_seen.wait()
        records = list(means.store.odps.values())
        for record in records:
            if record.host and record.host.is_local and record.host.home:
                await _read_cache(record.target, record.host.home, means)
        return all(record.host for record in records)

    return Job("cache", "cache", interval, run)


async def _read_cache(target: Target, home: Path, means: Means) -> None:
    changes.record(means.store, await asyncio.to_thread(read_cache, target.name, home, means.clock()))
