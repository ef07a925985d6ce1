"""Carries out Look: everything that decides about one ODP, asked at the same time and now (S8).

It never raises. What could not be had within its time is None, with a gap that
says why; what that means is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import timedelta
from typing import TypeVar

import structlog

from odp_exporter.actuators.actuator import ActuatorError, HostView
from odp_exporter.clock import Clock
from odp_exporter.health import SILENT_PROBES, State
from odp_exporter.lb.driver import LbError
from odp_exporter.observations import GreetingObservation, ProbeResult
from odp_exporter.probes.greeting import Deadlines, probe
from odp_exporter.targets import Target

from .alertmanagers import Alertmanagers, Unanswered
from .case import takes_sessions
from .exporters import Exporters
from .model import Alert, Evidence, Report
from .world import World

log = structlog.get_logger()

T = TypeVar("T")

LOOK_TIME = timedelta(seconds=8)
"""For each part of a look; an actuator over ssh needs the longest."""
GREETINGS_AT_A_TIME = 400
"""Over all looks; descriptors are limited."""
AFTERWARDS = timedelta(seconds=4)
"""For what is asked once an ODP greets again; who cannot say it in this time knows nothing."""
SHARED = timedelta(seconds=1)
"""When many ODPs are looked at at once, a peer's greeting serves them all for so long: each costs it 5 KB of log."""
DEADLINES = Deadlines(timedelta(seconds=1), timedelta(seconds=1))
"""Of our own greetings; a healthy one takes 0.2 to 2 ms (odp-facts 4.5)."""

HASTY = Deadlines(timedelta(seconds=1), timedelta(milliseconds=250))
"""Of our first two: as long as its exporter waits that sees clients wait."""
APART_SECONDS = 0.05


class Observer:
    """Looks at ODPs from the remediator's own vantage."""

    def __init__(self, world: World, alertmanagers: Alertmanagers, exporters: Exporters, clock: Clock) -> None:
        self._world = world
        self._alertmanagers = alertmanagers
        self._exporters = exporters
        self._clock = clock
        self._slots = asyncio.Semaphore(GREETINGS_AT_A_TIME)
        self._recent: dict[str, GreetingObservation] = {}

    async def look(self, odp: str, alerts: Iterable[Alert]) -> Evidence:
        """All there is to know of *odp*, for which *alerts* fire."""
        at, gaps = self._clock(), list[str]()
        target, world = self._world.targets[odp], self._world
        lb, actuator = world.lb(odp), world.actuators.get(odp)
        async with asyncio.TaskGroup() as group:
            report = group.create_task(_had("exporter", self._exporters.report(target), gaps), name=f"report {odp}")
            peers = {
                peer.name: group.create_task(self._peer(peer), name=f"greet {peer.name}") for peer in world.peers(odp)
            }
            members = group.create_task(
                _had("load balancer", lb.members() if lb else None, gaps), name=f"members {odp}"
            )
            host = group.create_task(
                _had("host", actuator.look(target) if actuator else None, gaps), name=f"host {odp}"
            )
            greetings = group.create_task(self._greetings(target, report, host), name=f"greet {odp}")
            silence = group.create_task(self._alertmanagers.is_silenced(alerts), name=f"silence {odp}")
        is_silenced, unanswered = silence.result()
        return Evidence(
            at,
            greetings.result(),
            {name: task.result() for name, task in peers.items()},
            members.result(),
            host.result(),
            report.result(),
            is_silenced,
            (*gaps, *unanswered),
        )

    async def greets(self, odp: str) -> bool:
        """It greets us now."""
        return await self._greeting(self._world.targets[odp]) is ProbeResult.OK

    async def afterwards(self, odp: str, max_age: timedelta) -> tuple[Report | None, tuple[str, ...]]:
        """What its exporter says of one that greets again, and who else of its pool serves; nothing if not in time."""
        try:
            async with asyncio.timeout(AFTERWARDS.total_seconds()):
                report = await self._exporters.report(self._world.targets[odp])
                if report.restart_safe is not False:
                    return report, ()
                return (report if abs(self._clock() - report.at) <= max_age else None), await self._serving_others(odp)
        except (Unanswered, LbError, TimeoutError) as error:
            log.info("whether it has its clusters is not known", odp=odp, reason=str(error) or "no answer in time")
            return None, ()

    async def _serving_others(self, odp: str) -> tuple[str, ...]:
        lb, peers = self._world.lb(odp), list(self._world.peers(odp))
        members = await lb.members() if lb else {}
        taking = [peer for peer in peers if (member := members.get(peer.name)) and takes_sessions(member)]
        async with asyncio.TaskGroup() as group:
            greeted = [group.create_task(self._peer(peer), name=f"greet {peer.name}") for peer in taking]
        return tuple(peer.name for peer, task in zip(taking, greeted, strict=True) if task.result() is ProbeResult.OK)

    async def _greetings(
        self, target: Target, report: asyncio.Task[Report | None], host: asyncio.Task[HostView | None]
    ) -> tuple[ProbeResult, ...]:
        """One greeting, and one more if it meets with silence: once is weather."""
        results = await self._hasty_greetings(target)
        if set(results) != {ProbeResult.GREETING_TIMEOUT}:
            return results
        says, seen = await report, await host
        # A process that stands still is not slow: there is nothing that patience could show.
        if says and says.state is State.HUNG and seen and seen.is_stopped:
            return results
        return await self._patient_greetings(target)

    async def _hasty_greetings(self, target: Target) -> tuple[ProbeResult, ...]:
        """With little patience, and the second one soon after the first: enough only of a process that stands still."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._greeting(target, HASTY), name=f"greet {target.name} at once")]
            while len(tasks) < SILENT_PROBES:
                done, _ = await asyncio.wait(tasks, timeout=APART_SECONDS)
                # If we were kept from our turn the first may have met with silence already.
                if any(task.result() is not ProbeResult.GREETING_TIMEOUT for task in done):
                    break
                tasks.append(group.create_task(self._greeting(target, HASTY), name=f"greet {target.name} again"))
        return tuple(task.result() for task in tasks)

    async def _patient_greetings(self, target: Target) -> tuple[ProbeResult, ...]:
        results: list[ProbeResult] = []
        for _ in range(SILENT_PROBES):
            results.append(await self._greeting(target))
            if results[-1] is not ProbeResult.GREETING_TIMEOUT:
                break
        return tuple(results)

    async def _peer(self, target: Target) -> ProbeResult:
        recent = self._recent.get(target.name)
        if recent and timedelta() <= self._clock() - recent.at < SHARED:
            return recent.result
        return await self._greeting(target)

    async def _greeting(self, target: Target, deadlines: Deadlines = DEADLINES) -> ProbeResult:
        async with self._slots:
            seen = await probe(target.name, target.address, deadlines=deadlines, clock=self._clock)
        self._recent[target.name] = seen
        return seen.result


async def _had(what: str, asked: Awaitable[T] | None, gaps: list[str]) -> T | None:
    if asked is None:
        gaps.append(f"{what}: none is configured")
        return None
    try:
        async with asyncio.timeout(LOOK_TIME.total_seconds()):
            return await asked
    except (LbError, ActuatorError, Unanswered) as error:
        gaps.append(f"{what}: {error}")
    except TimeoutError:
        gaps.append(f"{what}: no answer within {LOOK_TIME.total_seconds():g}s")
    except Exception as error:
        # A driver's mistake must not keep the rest from being seen; like the dispatcher's guard.
        log.exception("looking failed", what=what)
        gaps.append(f"{what}: internal error: {type(error).__name__}")
    return None
