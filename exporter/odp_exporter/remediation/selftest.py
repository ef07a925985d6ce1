"""At the start: could everything be done that may have to be? What is missing is told before it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from datetime import timedelta

import structlog

from odp_exporter.actuators.actuator import ActuatorError
from odp_exporter.lb.driver import LbError

from .world import World

log = structlog.get_logger()

TIME = timedelta(seconds=10)


async def self_test(world: World) -> None:
    """Ask each load balancer and each actuator once, all at the same time; changes nothing, and never raises."""
    async with asyncio.TaskGroup() as group:
        for what, name, check in _checks(world):
            group.create_task(_told(what, name, check), name=f"self-test of {name}")


def _checks(world: World) -> Iterator[tuple[str, str, Awaitable[None]]]:
    for pool, lb in world.lbs.items():
        yield "load balancer", pool, lb.check()
    first = {id(actuator): (odp, actuator) for odp, actuator in reversed(list(world.actuators.items()))}
    for odp, actuator in first.values():
        yield "actuator", odp, actuator.check()


async def _told(what: str, name: str, check: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(TIME.total_seconds()):
            await check
    except (LbError, ActuatorError) as error:
        log.error("self-test failed", what=what, of=name, reason=str(error))  # noqa: TRY400 - a person needs the reason, not where in our code
    except TimeoutError:
        log.error("self-test failed", what=what, of=name, reason=f"no answer within {TIME.total_seconds():g}s")  # noqa: TRY400 - as above
