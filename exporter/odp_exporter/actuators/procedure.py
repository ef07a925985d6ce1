"""The restart of one ODP on its own host: one procedure, whoever asks for it.

    look        exactly one process is meant, or none; nothing is in the way of a start (S10, S20)
    evidence    of the process that is to be ended, within a budget (S23)
    stop        SIGTERM, SIGKILL, by pidfd; it is gone and the port is free (S21)
    start       by whoever owns the ODP: its watchdog, systemd, or ourselves (S22)
    greet       another process owns the port, and has sent a whole greeting (S25)

Nothing is believed that cannot be seen: a run that dies at any point leaves a
world in which the same order, given again, does what is left of it (S24). What
it must know beforehand - how the ODP was started, and that it was us who told
the process to stop - is on disk before the process is touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

from odp_exporter import files
from odp_exporter.clock import Clock, stopwatch, wall_clock
from odp_exporter.observations import Identity, Process
from odp_exporter.targets import Target

from . import refusals
from .actuator import (
    ActuatorError,
    HostUnreachable,
    HostView,
    NotIdentified,
    NotPermitted,
    Order,
    Restarted,
    StartFailed,
    Step,
    StopFailed,
)
from .aside import aside
from .evidence import Archive
from .greeting import Greets, greets
from .looking import Eye, Sight, identities
from .state import State
from .stopping import KILL_TAKES, Victim, is_same, lives

T = TypeVar("T")

LOOK_SECONDS = 5.0
"""A look takes some milliseconds; one that takes longer hangs with a process that the kernel holds."""
_BETWEEN_LOOKS = 0.2
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.01
"""Seconds between two attempts to be greeted by one that starts; refusals cost ODP nothing."""
_FRESH_SECONDS = 0.5
"""A look that began no longer ago is acted on; on a busy host another one would be as old when it ends."""
_SETTLES = timedelta(seconds=2)
"""A launcher or a duplicate that cannot bind is gone after 0.1 to 0.3 s (odp-facts 7.1, 7.9)."""
_FAILED = timedelta(seconds=2)
"""A start after which no process is there for so long has failed."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is before us: an ODP, and how it was found."""

    target: Target
    sight: Sight
    process: Identity | None
    """The one that is to be ended."""


class Starter(Protocol):
    """Who starts an ODP that is dead."""

    async def refuse(self, case: Case, /) -> None:
        """NotPermitted or NotIdentified if it could not, or would not, start this one again."""

    async def start(self, case: Case, /) -> str:
        """Start it, or let it be started, and say who does: `self`, or the watchdog's name."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """Carries out orders on this host."""

    state: State
    eye: Eye
    archive: Archive
    starter: Starter
    greets: Greets = greets
    clock: Clock = wall_clock

    async def look(self, target: Target) -> HostView:
        """The processes of *target*, once it is clear that they are no mere launchers; fails where it may not act."""
        self.state.prepare()
        sight = await self._settled(target)
        if sight.view.owner:  # another may be a launcher, or a duplicate with fewer options
            await self._remember(target, sight)
        return sight.view

    async def restart(self, order: Order) -> Restarted:
        """Carry out *order*."""
        self.state.prepare()
        async with self.state.alone(order.target.name, within=limit(order)):
            sight = await self._settled(order.target)
            if done := await self._done_already(order, sight):
                return done
            return await self._carry_out(order, await self._fresh(order.target, sight))

    async def _carry_out(self, order: Order, sight: Sight) -> Restarted:
        victim = next((each for each in sight.processes if order.kill and is_same(each.identity, order.kill)), None)
        refusals.refuse(order, sight, victim, self.eye.proc)
        case = Case(order.target, sight, victim.identity if victim else None)
        await self.starter.refuse(case)
        durations: dict[Step, float] = {}
        evidence = None
        if victim:
            await self._remember(order.target, sight)
            with Victim(victim.identity, proc=self.eye.proc) as held:
                with _timed(durations, Step.EVIDENCE):
                    evidence = await self._evidence(order, victim)
                with _timed(durations, Step.STOP):
                    sight = await self._stop(order, held, victim.identity)
        with _timed(durations, Step.START):
            began, by, process = await _or(StartFailed, self._start(order, case, sight))
        return Restarted(process, began, durations, by, evidence)

    async def _done_already(self, order: Order, sight: Sight) -> Restarted | None:
        """Another process of the target serves already, or is about to; None if there is something to do."""
        if order.kill and lives(order.kill, proc=self.eye.proc):
            return None
        if not sight.processes:
            return None
        refusals.refuse_handover(sight)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _left_to_start(sight.processes[-1], self.clock(), order.start_timeout).total_seconds()
        while True:
            owner = sight.view.owner
            # Twice: one silence is weather.
            if owner and (await self.greets(order.target.address) or await self.greets(order.target.address)):
                began = next(each.started for each in sight.processes if each.identity == owner)
                return Restarted(owner, began, was_done=True)
            # A process that has opened its port is ready (odp-facts 4.1), and yet it is mute.
            if owner or not sight.processes or loop.time() >= deadline:
                break
            await asyncio.sleep(_BETWEEN_LOOKS)
            sight = await self._look(order.target)
        if sight.processes:
            message = f"{identities(sight.view.processes)} lives and does not greet, and the order does not name it"
            raise NotIdentified(message)
        return None

    async def _evidence(self, order: Order, victim: Process) -> Path | None:
        return await self.archive.preserve(
            order.target.name,
            victim,
            port=order.target.address.port,
            budget=order.evidence_budget,
            now=self.clock(),
        )

    async def _stop(self, order: Order, held: Victim, identity: Identity) -> Sight:
        await _written(lambda: self.state.announce(identity))
        await held.end(order.stop_grace)
        return await _or(StopFailed, self._await_port(order))

    async def _await_port(self, order: Order) -> Sight:
        """A look at which nobody holds the port any more, or an ODP again."""
        sight = await self._look(order.target)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SETTLES.total_seconds()
        while sight.squatter and loop.time() < deadline:
            await asyncio.sleep(_BETWEEN_LOOKS)
            sight = await self._look(order.target)
        if sight.squatter:
            raise StopFailed(sight.squatter)
        return sight

    async def _start(self, order: Order, case: Case, latest: Sight) -> tuple[datetime, str, Identity]:
        began = self.clock()
        is_taken = not case.sight.view.watchdogs and bool((await self._fresh(order.target, latest)).processes)
        by = OTHERS if is_taken else await self.starter.start(case)
        loop = asyncio.get_running_loop()
        start = last_seen = loop.time()
        while (now := loop.time()) - start < order.start_timeout.total_seconds():
            is_greeted = await self._greets_within(order.target, _BETWEEN_LOOKS)
            sight = await self._look(order.target)
            owner = sight.view.owner
            is_new = owner is not None and not (order.kill and is_same(owner, order.kill))
            if owner and is_new and (is_greeted or await self.greets(order.target.address)):
                return began, by, owner
            last_seen = now if sight.processes else last_seen
            if by == SELF and now - last_seen > _FAILED.total_seconds():
                message = f"started, and gone again at once{refusals.last_words(case.sight)}"
                raise StartFailed(message)
            if is_greeted:
                await asyncio.sleep(_BETWEEN_LOOKS)
        raise StartFailed(refusals.overdue(order, by, sight.view))

    async def _greets_within(self, target: Target, seconds: float) -> bool:
        """Somebody greets at its address; who that is, only a look can tell."""
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
        deadline = loop.time() + seconds
        while not await self.greets(target.address):
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return True

    async def _settled(self, target: Target) -> Sight:
        """A look at which one process is there or none, and no other holds the port, unless that does not come soon."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SETTLES.total_seconds()
        sight = await self._look(target)
        while _is_passing(sight) and loop.time() < deadline:
            await asyncio.sleep(_BETWEEN_LOOKS)
            sight = await self._look(target)
        return sight

    async def _fresh(self, target: Target, sight: Sight) -> Sight:
        """The very *sight* if it is young enough to act on, or else another one."""
        return sight if stopwatch() - sight.looked < _FRESH_SECONDS else await self._settled(target)

    async def _look(self, target: Target) -> Sight:
        try:
            return await aside(lambda: self.eye.look(target), within_seconds=LOOK_SECONDS)
        except TimeoutError as error:
            message = f"/proc does not answer within {LOOK_SECONDS:g}s (a process that the kernel holds?)"
            raise NotIdentified(message) from error

    async def _remember(self, target: Target, sight: Sight) -> None:
        if sight.launch:
            launch = replace(sight.launch, home=str(sight.home) if sight.home else None)
            await _written(lambda: self.state.keep_launch(target.name, launch))


def _is_passing(sight: Sight) -> bool:
    """What is seen may be but a moment: a launcher beside its daemon, or the socket of one that has just died."""
    if sight.processes:
        return len(sight.processes) > 1 and not sight.view.is_hot_restarting
    return bool(sight.squatter)


SELF = "self"
"""Who starts an ODP that has no watchdog."""
OTHERS = "others"
"""Who started one before we could: a watchdog that we know nothing of."""


def limit(order: Order) -> timedelta:
    """No order takes longer than this on its host, waiting for another one apart."""
    looks = timedelta(seconds=4 * LOOK_SECONDS)
    return order.evidence_budget + order.stop_grace + KILL_TAKES + 2 * order.start_timeout + 4 * _SETTLES + looks


async def _or(kind: type[ActuatorError], doing: Awaitable[T]) -> T:
    """What says that nothing was done must not be said once something was: then it is a *kind*."""
    try:
        return await doing
    except (HostUnreachable, NotIdentified, NotPermitted) as error:
        message = f"the old process is gone, and then: {error}"
        raise kind(message) from error


async def _written(write: Callable[[], None]) -> None:
    """Nothing is touched before what a second run must know is on disk."""
    try:
        await aside(write, within_seconds=LOOK_SECONDS)
    except (files.FileError, TimeoutError) as error:
        message = f"the state directory cannot be written: {error or 'no answer'}"
        raise NotPermitted(message) from error


def _left_to_start(process: Process, now: datetime, timeout: timedelta) -> timedelta:
    return max(timedelta(), timeout - max(timedelta(), now - process.started))


@contextmanager
def _timed(durations: dict[Step, float], step: Step) -> Iterator[None]:
    began = stopwatch()
    try:
        yield
    finally:
        durations[step] = stopwatch() - began
