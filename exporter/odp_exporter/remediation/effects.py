"""What each kind of command does to the world, with its deadline; a failure is an exception."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from odp_exporter.actuators.actuator import ActuatorError, Order, Restarted
from odp_exporter.clock import Clock
from odp_exporter.lb.driver import Admin, LbRefused, LoadBalancer
from odp_exporter.observations import Identity
from odp_exporter.schedule import Pacer
from odp_exporter.settings import quoted

from .evidence import Observer
from .model import Restart, Verified, Verify
from .policy import Policy
from .verification import Proof, serves, takes_sessions
from .world import World

log = structlog.get_logger()

SESSIONS_PACE = timedelta(milliseconds=500)
RENEWAL_TIME = timedelta(seconds=5)
"""The next survey orders it again."""


class ServesAgain(Exception):
    """It greets just before its end: nothing was ended. Its name is SERVES_AGAIN."""


class Effects:
    """Acts on load balancers and hosts."""

    def __init__(self, world: World, observer: Observer, policy: Policy, clock: Clock) -> None:
        self._world = world
        self._observer = observer
        self._policy = policy
        self._clock = clock

    async def drain(self, odp: str, wait: timedelta) -> None:
        """Out of its load balancer, and still so after *wait* or once its sessions have ended (S19)."""
        lb = self._world.lb(odp)
        if lb is None:
            return
        async with asyncio.timeout(self._policy.drain_deadline.total_seconds()):
            await lb.drain(odp)
            if wait:
                await _sessions_ended(lb, odp, wait)
                await lb.drain(odp)
            # A driver does not touch what is in maintenance, and nor may what comes next (S16).
            member = (await lb.members()).get(odp)
            if member and member.admin is Admin.MAINT:
                message = f"{quoted(odp)} is in maintenance by a person"
                raise LbRefused(message)

    async def renew(self, odp: str) -> None:
        """Out again of a load balancer that has forgotten it."""
        if lb := self._world.lb(odp):
            async with asyncio.timeout(RENEWAL_TIME.total_seconds()):
                await lb.drain(odp)

    async def restart(self, command: Restart) -> Restarted:
        """Start it, or replace the process that may be ended; ServesAgain if that greets meanwhile (S8)."""
        target, actuator = self._world.targets[command.odp], self._world.actuators[command.odp]
        async with asyncio.timeout(self._policy.restart_deadline.total_seconds()):
            if command.kill and not command.is_frozen:
                await self._must_be_hung(command.odp, command.kill, is_stopped=command.is_stopped)
            return await actuator.restart(Order(target, command.kill))

    async def verify(self, command: Verify) -> Verified:
        """Greetings in a row, and what its exporter says of it then."""
        odp, policy = command.odp, self._policy
        proof = Proof(policy.verify_greetings, policy.verify_over, policy.verify_deadline)
        await serves(self._world.targets[odp], proof, since=command.since, clock=self._clock)
        report, others = await self._observer.afterwards(odp, policy.report_max_age)
        return Verified(odp, command.episode, report=report, others=others)

    async def enable(self, odp: str, weight: int | None) -> None:
        """Back in its load balancer, whose own check agrees (S29)."""
        lb = self._world.lb(odp)
        if lb is None:
            return
        async with asyncio.timeout(self._policy.enable_deadline.total_seconds()):
            await lb.enable(odp, weight)
            await takes_sessions(lb, odp)

    async def _must_be_hung(self, odp: str, process: Identity, *, is_stopped: bool) -> None:
        # One that still stands still cannot greet: to wait for that would only take time.
        if is_stopped and await self._stands_still(odp, process):
            return
        if not await self._observer.greets(odp):
            return
        try:
            host = await self._world.actuators[odp].look(self._world.targets[odp])
        except ActuatorError as error:
            message = f"it greets, and its process cannot be seen: {error}"
            raise ServesAgain(message) from error
        # Another one is what a former life of ours has started: the actuator says that it was done.
        if host.owner == process:
            message = f"process {process.pid} greets"
            raise ServesAgain(message)

    async def _stands_still(self, odp: str, process: Identity) -> bool:
        try:
            host = await self._world.actuators[odp].look(self._world.targets[odp])
        except ActuatorError:
            return False  # its greeting, or the restart itself, will tell
        return host.owner == process and host.is_stopped


async def _sessions_ended(lb: LoadBalancer, odp: str, wait: timedelta) -> None:
    """Wait until *odp* has no sessions, and no longer than *wait*; whoever cannot count them gets it all."""
    pacer = Pacer(odp, SESSIONS_PACE)
    try:
        async with asyncio.timeout(wait.total_seconds()):
            while True:
                member = (await lb.members()).get(odp)
                if member is None or member.sessions == 0:
                    return
                await pacer.next(SESSIONS_PACE)
    except TimeoutError:
        log.info("sessions outlived the drain", odp=odp, waited_seconds=wait.total_seconds())
