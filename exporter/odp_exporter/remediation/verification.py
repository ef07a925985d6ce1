"""Does an ODP serve again? Whole greetings first, then the load balancer's own check (S25, S29)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from odp_exporter.clock import Clock
from odp_exporter.lb.driver import Admin, Health, LoadBalancer
from odp_exporter.probes.greeting import Deadlines, probe
from odp_exporter.schedule import Pacer
from odp_exporter.targets import Target

DEADLINES = Deadlines(timedelta(seconds=1), timedelta(seconds=1))
LB_PACE = timedelta(milliseconds=250)


class NotServing(Exception):
    """It was not seen to serve in time."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What it takes to be believed."""

    greetings: int
    """Whole ones in a row."""
    over: timedelta
    """From the start of the process to the last of them, at least; they are spread over it."""
    within: timedelta
    """By then it must be proven."""


async def serves(target: Target, proof: Proof, *, since: datetime, clock: Clock) -> None:
    """Return once *target* has proven itself with greetings later than *since*; NotServing if it does not in time."""
    pace = proof.over / max(1, proof.greetings - 1)
    pacer, streak, last = Pacer(target.name, max(pace, timedelta(milliseconds=50))), list[datetime](), "not greeted yet"
    try:
        async with asyncio.timeout(proof.within.total_seconds()):
            while True:
                seen = await probe(target.name, target.address, deadlines=DEADLINES, clock=clock)
                last = f"{seen.result}: {seen.detail}" if seen.detail else str(seen.result)
                streak = [*streak, seen.at] if seen.is_ok and seen.at >= since else []
                if len(streak) >= proof.greetings and streak[-1] - since >= proof.over:
                    return
                await pacer.next(max(pace, timedelta(milliseconds=50)))
    except TimeoutError as error:
        message = f"{len(streak)} of {proof.greetings} greetings within {proof.within.total_seconds():g}s; last: {last}"
        raise NotServing(message) from error


async def takes_sessions(lb: LoadBalancer, odp: str) -> None:
    """Return once the load balancer's own check agrees that *odp* serves. Whoever calls sets the deadline."""
    pacer = Pacer(odp, LB_PACE)
    while True:
        member = (await lb.members()).get(odp)
        # A load balancer that does not check tells nothing; the greetings have to do.
        if member and member.admin is Admin.READY and member.health in {Health.UP, Health.UNKNOWN}:
            return
        await pacer.next(LB_PACE)
