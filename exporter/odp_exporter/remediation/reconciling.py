"""What is done again and again: reading pools, asking Alertmanagers, letting time pass, pruning.

Each gives events; what they mean is decided in step(). A webhook that was lost
costs one interval, and an alert that ended unheard waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from odp_exporter.clock import Clock
from odp_exporter.lb.driver import LbError, LoadBalancer, Member
from odp_exporter.schedule import Job

from .alertmanagers import Alertmanagers
from .engine import Engine
from .journal import Journal
from .model import AlertFiring, AlertResolved, Event, Surveyed
from .world import World

log = structlog.get_logger()

SURVEY_TIME = timedelta(seconds=5)
TICK = timedelta(seconds=1)
PRUNE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Survey:
    """A pool as it was last read."""

    at: datetime
    members: Mapping[str, Member] | None
    """None: it could not be read."""
    problem: str = ""


@dataclass(slots=True)
class Reconciler:
    """Compares what is believed with what there is."""

    world: World
    alertmanagers: Alertmanagers
    engine: Engine
    journal: Journal
    clock: Clock
    surveys: dict[str, Survey] = field(default_factory=dict)
    """By pool."""
    alertmanager_gaps: tuple[str, ...] = ()
    _missing: frozenset[str] = frozenset()
    """Keys of alerts that were nowhere to be seen in the last round."""

    def jobs(self, survey_every: timedelta, ask_every: timedelta) -> Iterator[Job]:
        """All of it, for a schedule."""
        yield Job("tick", "engine", TICK, self._tick)
        yield Job("prune", "journal", PRUNE, self._prune)
        if self.alertmanagers.urls:
            yield Job("alerts", "alertmanagers", ask_every, self.ask)
        for pool, lb in self.world.lbs.items():
            broke = partial(self._unread, pool, "internal error")
            yield Job("survey", pool, survey_every, partial(self.survey, pool, lb), broke)

    async def survey(self, pool: str, lb: LoadBalancer) -> bool:
        """Read *pool* once; an unreadable one is told to nobody but people and metrics, for looking finds out too."""
        try:
            async with asyncio.timeout(SURVEY_TIME.total_seconds()):
                # In this order: what a new one shows must never be taken for what an old one had forgotten.
                started = await lb.started()
                members = await lb.members()
        except (LbError, TimeoutError) as error:
            self._unread(pool, str(error) or f"no answer within {SURVEY_TIME.total_seconds():g}s")
            return False
        self.surveys[pool] = Survey(self.clock(), members)
        self._put(Surveyed(pool, members, started))
        return True

    async def ask(self) -> bool:
        """Ask the Alertmanagers once what fires."""
        believed = {alert.key: alert for alerts in self.engine.fleet.alerts.values() for alert in alerts}
        view = await self.alertmanagers.view()
        if view.gaps != self.alertmanager_gaps:
            self.alertmanager_gaps = view.gaps
            log.warning("alertmanagers answered", gaps=list(view.gaps))
        for seen in view.seen.values():
            if seen.alert.key not in believed and not seen.is_suppressed:
                self._put(AlertFiring(seen.alert))
        # Twice in a row: an Alertmanager that has just started has no alerts until Prometheus says them again.
        missing = frozenset(believed) - frozenset(view.seen) if view.is_complete else frozenset()
        for key in missing & self._missing:
            self._put(AlertResolved(believed[key].odp, key))
        self._missing = missing
        return not view.gaps

    def _unread(self, pool: str, problem: str) -> None:
        before = self.surveys.get(pool)
        if before is None or before.problem != problem:
            log.warning("load balancer cannot be read", pool=pool, reason=problem)
        self.surveys[pool] = Survey(self.clock(), None, problem)

    def _put(self, event: Event) -> None:
        if self.engine.is_running:
            self.engine.put(event)

    async def _tick(self) -> bool:
        if self.engine.is_running:
            self.engine.tick()
        return True

    async def _prune(self) -> bool:
        if self.engine.is_running:
            await self.journal.prune(self.clock())
        return True
