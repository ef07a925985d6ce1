"""Greets ODPs, and pools through their load balancer's address."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from odp_exporter import changes
from odp_exporter.health import SILENT_PROBES
from odp_exporter.observations import GreetingObservation, ProbeResult
from odp_exporter.probes.greeting import Deadlines, Doubt, GreetingSettings, probe
from odp_exporter.schedule import TROUBLE_INTERVAL, Job
from odp_exporter.store import Store
from odp_exporter.targets import Address, Pool, Target

from .means import Means

GREETING = "greeting"
"""The kind of the jobs that greet ODPs."""
APART = timedelta(milliseconds=50)
"""Between two greetings of an ODP that is doubted."""
VERY_SOON = timedelta(milliseconds=200)
"""To the next greeting where it costs ODP next to nothing and much depends on it."""


def greeting_job(target: Target, settings: GreetingSettings, means: Means) -> Job:
    """Greet one ODP."""
    return _Greeter(
        GREETING,
        target.name,
        target.address,
        settings,
        means,
        record=functools.partial(changes.record, means.store),
        is_doubted=functools.partial(means.sentinel.is_doubted, target.name),
        is_unconfirmed=functools.partial(_is_unconfirmed, means.store, target.name),
        soon=functools.partial(_soon, means.store, target.name),
    ).job()


def pool_job(pool: Pool, vip: Address, settings: GreetingSettings, means: Means) -> Job:
    """Greet a pool through its load balancer's address, as applications do."""
    record = functools.partial(changes.record_pool, means.store)
    return _Greeter("pool", pool.name, vip, settings, means, record=record).job()


def _is_unconfirmed(store: Store, name: str) -> bool:
    """The first silence of an ODP is weather: only another one makes it hung, so that one comes at once."""
    odp = store.odps.get(name)
    return odp is not None and odp.health.silent_probes == SILENT_PROBES - 1


def _soon(store: Store, name: str) -> timedelta:
    """How soon an ODP that has not greeted is greeted again."""
    odp = store.odps.get(name)
    if odp is None or odp.probes.latest is None:
        return TROUBLE_INTERVAL
    is_closed = odp.probes.latest.result is ProbeResult.REFUSED and odp.host is not None and odp.host.is_local
    # Closed, on this host: how long it was down is known so much better. Hung since just now: it may have paused.
    return VERY_SOON if is_closed or odp.health.silent_probes == SILENT_PROBES else TROUBLE_INTERVAL


@dataclass(frozen=True)
class _Greeter:
    kind: str
    name: str
    address: Address
    settings: GreetingSettings
    means: Means
    record: Callable[[GreetingObservation], None]
    is_doubted: Callable[[], bool] = lambda: False
    """Clients wait for it to accept them, so that little patience is needed."""
    is_unconfirmed: Callable[[], bool] = lambda: False
    """Another greeting must come at once, to confirm what this one said."""
    soon: Callable[[], timedelta] = lambda: TROUBLE_INTERVAL

    def job(self) -> Job:
        return Job(
            self.kind,
            self.name,
            self.settings.interval,
            run=self._run,
            broke=self._broke,
            subject=(self.address, self.settings),
            soon=self.soon,
        )

    async def _run(self) -> bool:
        if self.is_doubted():
            return await self._greet_in_haste()
        seen = await self._greet(self._usual, self._doubt)
        self.record(seen)
        if self.is_unconfirmed():
            self.record(seen := await self._greet(self._deadlines))
        return seen.is_ok

    async def _greet_in_haste(self) -> bool:
        """Once, and again beside it if that is not answered at once: two silences are known as soon as one."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._greet(self._deadlines), name=f"greet {self.name}")]
            while len(tasks) < SILENT_PROBES and not (await asyncio.wait(tasks, timeout=APART.total_seconds()))[0]:
                tasks.append(group.create_task(self._greet(self._deadlines), name=f"greet {self.name} again"))
        for task in tasks:
            self.record(task.result())
        return all(task.result().is_ok for task in tasks)

    async def _greet(self, deadlines: Deadlines, doubt: Doubt | None = None) -> GreetingObservation:
        async with self.means.slots:
            return await probe(self.name, self.address, deadlines=deadlines, clock=self.means.clock, doubt=doubt)

    @property
    def _deadlines(self) -> Deadlines:
        return self._hasty if self.is_doubted() else self._usual

    @functools.cached_property
    def _usual(self) -> Deadlines:
        return self.settings.deadlines

    @functools.cached_property
    def _hasty(self) -> Deadlines:
        return self.settings.hasty_deadlines

    @functools.cached_property
    def _doubt(self) -> Doubt:
        return Doubt(self.is_doubted, self._hasty.greeting)

    def _broke(self) -> None:
        self.record(GreetingObservation(self.name, self.means.clock(), ProbeResult.INTERNAL_ERROR))
