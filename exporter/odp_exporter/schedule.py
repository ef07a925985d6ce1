"""The loop: jobs done again and again, each at its own interval, without drift.

Starts are spread by a hash of the job's name and a seed, so that a thousand
targets are not probed in one burst, nor one OCP by a thousand hosts at a time:
over half a second at first, and over the whole interval from the second turn on,
which comes no later than an interval after the first.
A job that takes longer than its interval misses turns, which are counted; it
is never done twice at a time. This and the remediator's dispatcher are the
only places that catch every exception.
"""

from __future__ import annotations

import asyncio
import math
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from .metronome import metronome

log = structlog.get_logger()

FIRST_ROUND_SECONDS = 0.5
"""Within this time of its start, and a beat, every job is begun once, whatever its interval."""
TROUBLE_INTERVAL = timedelta(seconds=1)
"""While something is wrong, the next turn comes at least this soon, but for a beat."""


def _ignore() -> None:
    pass


def _trouble_interval() -> timedelta:
    return TROUBLE_INTERVAL


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done again and again; equal jobs are the same job."""

    kind: str
    """What sort of job it is, one of few."""
    name: str
    interval: timedelta
    """From one start to the next."""
    run: Callable[[], Awaitable[bool]] = field(compare=False, repr=False)
    """Does it once; False asks for the next turn soon."""
    broke: Callable[[], None] = field(default=_ignore, compare=False, repr=False)
    """Takes note that run() failed in a way that it does not know."""
    subject: Hashable = None
    """Whatever else makes it this job and no other: addresses, deadlines."""
    soon: Callable[[], timedelta] = field(default=_trouble_interval, compare=False, repr=False)
    """How soon the next turn comes when run() has asked for that."""


def next_due(due: float, now: float, step: float) -> float:
    """The turn after the one that was *due*: one every *step*, so that no lateness adds up, and none that is over."""
    return due + step * max(1, math.ceil((now - due) / step))


class Pacer:
    """Says when the next turn is due, on a grid that does not drift."""

    def __init__(self, name: str, interval: timedelta) -> None:
        self._loop = asyncio.get_running_loop()
        self._metronome = metronome()
        self._interval = interval.total_seconds()
        self._place = zlib.crc32(name.encode()) / 2**32
        """The job's share of whatever it is spread over, from 0 to 1."""
        self._is_in_place = False
        self._due = self._loop.time() + self._place * min(self._interval, FIRST_ROUND_SECONDS)
        self._is_hurried = False
        self._waiter: asyncio.Future[None] | None = None

    async def first(self) -> None:
        """Wait for the first turn."""
        await self._sleep()

    def late(self) -> int:
        """How many usual turns have passed since the present one was due."""
        return max(0, math.ceil((self._loop.time() - self._due) / self._interval) - 1)

    async def next(self, interval: timedelta) -> None:
        """Wait for the turn after *interval*, or until someone hurries."""
        step = interval.total_seconds()
        if step == self._interval and not self._is_in_place:
            self._move_to_place()
        self._due = next_due(self._due, self._loop.time(), step)
        await self._sleep()

    def _move_to_place(self) -> None:
        """Once: from the first round, into which all jobs are crowded, to the job's own place in the interval."""
        # Backwards, as if that had been its place all the time: so the next turn comes early, not late.
        self._due -= (1 - self._place) * self._interval
        self._is_in_place = True

    def hurry(self) -> None:
        """The next turn comes now."""
        self._is_hurried = True
        self._wake()

    async def _sleep(self) -> None:
        if not self._is_hurried:
            self._waiter = self._loop.create_future()
            try:
                await self._metronome.wait(self._waiter, self._due)
            finally:
                self._waiter = None
        if self._is_hurried:
            self._due, self._is_hurried = self._loop.time(), False

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


class Schedule:
    """Keeps one task per job."""

    def __init__(self, missed: Counter[str], seed: str = "") -> None:
        self._missed = missed
        """Turns that were missed, by kind of job."""
        self._seed = seed
        self._tasks: dict[Job, asyncio.Task[None]] = {}
        self._pacers: dict[tuple[str, str], Pacer] = {}
        self._begun: set[Job] = set()
        self._group: asyncio.TaskGroup | None = None
        self._wanted: tuple[Job, ...] = ()

    async def run(self) -> None:
        """Keep at it until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            self.apply(self._wanted)
            await asyncio.Event().wait()

    def apply(self, jobs: Iterable[Job]) -> None:
        """From now on do just these *jobs*; those that are under way already go on undisturbed."""
        self._wanted = tuple(jobs)
        self._missed.update({job.kind: 0 for job in self._wanted})
        if self._group is None:
            return
        for job in self._tasks.keys() - set(self._wanted):
            self._tasks.pop(job).cancel()
            self._pacers.pop((job.kind, job.name), None)
            self._begun.discard(job)
        for job in self._wanted:
            if job not in self._tasks:
                self._tasks[job] = self._group.create_task(self._repeat(job), name=f"{job.kind} {job.name}")

    @property
    def is_round_done(self) -> bool:
        """Every job has been done at least once."""
        return self._group is not None and self._begun >= set(self._wanted)

    def hurry(self, kind: str, name: str) -> None:
        """Do the job of this kind and name now, if there is one and it is not being done."""
        if pacer := self._pacers.get((kind, name)):
            pacer.hurry()

    async def _repeat(self, job: Job) -> None:
        pacer = self._pacers[job.kind, job.name] = Pacer(self._seed + job.name, job.interval)
        await pacer.first()
        is_well = await self._once(job)
        self._begun.add(job)
        while True:
            self._missed[job.kind] += pacer.late()
            await pacer.next(job.interval if is_well else min(job.interval, job.soon()))
            is_well = await self._once(job)

    async def _once(self, job: Job) -> bool:
        try:
            return await job.run()
        except Exception:
            log.exception("job failed", kind=job.kind, name=job.name)
            job.broke()
            return False
