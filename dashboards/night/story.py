"""What goes wrong in the night, and when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from odp_exporter.simulator.fleet import Endpoint, Failure, Fault
from odp_exporter.simulator.stack.haproxy import HOST

from . import crowd
from .stage import Stage, stage

CRASH_LOOP, HANG, REFUSED, UNCACHED = "odp-2", "odp-4", "odp-3", "odp-6"
"""The ODPs to which something happens."""
_PEOPLE = 8
_LOG_IN_SECONDS = 1.0
_DEATH_SECONDS = 4.0
"""How long the crashing one lives each time."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Something that happens."""

    at: float
    """In shares of the night: 0 its begin, 1 its end."""
    happens: Callable[[Stage], Awaitable[None]]


async def _crash_again_and_again(stage: Stage) -> None:
    await stage.odps[CRASH_LOOP].fault(Fault.CRASH, _DEATH_SECONDS, lasting=True)


async def _hang(stage: Stage) -> None:
    await stage.odps[HANG].fault(Fault.HANG)


async def _break_ocp(stage: Stage) -> None:
    await stage.ocp.break_(Endpoint.RS_LIST, Failure.STATUS, 503)


async def _hang_without_ocp(stage: Stage) -> None:
    await stage.odps[REFUSED].fault(Fault.HANG)


NIGHT = (
    Scene(0.15, _crash_again_and_again),
    Scene(0.3, _hang),
    Scene(0.6, _break_ocp),
    Scene(0.7, _hang_without_ocp),
)


@asynccontextmanager
async def night(directory: Path, seconds: float) -> AsyncIterator[Stage]:
    """Play it over so many *seconds*; when the context begins it is over, and everything still runs."""
    async with stage(directory) as it, asyncio.TaskGroup() as group:
        clients = [group.create_task(each, name="clients") for each in _clients(it)]
        try:
            await _play(it, seconds)
            yield it
        finally:
            for each in clients:
                each.cancel()


def _clients(stage: Stage) -> list[Coroutine[None, None, None]]:
    dice = random.Random(7)  # noqa: S311 - the same night each time
    everybody = [
        crowd.come_and_go(HOST, balancer.ports.sql, people=_PEOPLE, dice=dice) for balancer in stage.balancers.values()
    ]
    cached = [odp for name, odp in stage.odps.items() if name != UNCACHED]
    return [*everybody, *(crowd.keep_logging_in(odp, every_seconds=_LOG_IN_SECONDS) for odp in cached)]


async def _play(stage: Stage, seconds: float) -> None:
    past = 0.0
    for scene in NIGHT:
        await asyncio.sleep((scene.at - past) * seconds)
        await scene.happens(stage)
        past = scene.at
    await asyncio.sleep((1 - past) * seconds)
