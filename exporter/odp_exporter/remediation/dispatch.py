"""Carries out commands, each as a named task with a deadline, and says how it ended.

For one ODP there is one at a time, and the next one waits until the former has
ended (S17). The exception is a drain that the load balancer has lost while the
repair goes on: that is renewed at once, beside a restart or a verification and
never beside what puts the ODP back. Whatever goes wrong becomes a Failure in
the completing event; like the probe loop's, the guard here catches every exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import assert_never

import structlog

from odp_exporter.actuators.actuator import ActuatorError, Restarted
from odp_exporter.clock import Clock, stopwatch
from odp_exporter.lb.driver import LbError

from .codec import whole
from .effects import Effects, ServesAgain
from .evidence import Observer
from .model import (
    Acting,
    Command,
    Drain,
    Drained,
    Draining,
    Enable,
    Enabled,
    Event,
    Evidence,
    Failure,
    Fleet,
    Look,
    Looked,
    Restart,
    RestartEnded,
    Verified,
    Verify,
    Verifying,
)
from .phases import Phases
from .policy import Policy
from .verification import NotServing
from .world import World

log = structlog.get_logger()

_KNOWN = (LbError, ActuatorError, NotServing, ServesAgain)


class Dispatch:
    """Acts on the world."""

    def __init__(  # noqa: PLR0913 - each is a different collaborator
        self,
        world: World,
        observer: Observer,
        *,
        policy: Policy,
        clock: Clock,
        phases: Phases,
        fleet: Callable[[], Fleet],
        put: Callable[[Event], None],
    ) -> None:
        self._observer = observer
        self._effects = Effects(world, observer, policy, clock)
        self._policy = policy
        self._clock = clock
        self._phases = phases
        self._fleet = fleet
        self._put = put
        self._under_way: dict[str, tuple[Command, asyncio.Task[None]]] = {}
        self._renewals: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Carry out commands until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            await asyncio.Event().wait()

    def carry_out(self, command: Command) -> None:
        """Begin *command*, unless the very same is under way."""
        if isinstance(command, Drain) and not isinstance(self._fleet().stages.get(command.odp), Draining):
            self._renew(command)
            return
        before = self._under_way.get(command.odp)
        if before and before[0] == command and not before[1].done():
            return
        awaited = [before[1]] if before else []
        if isinstance(command, Enable) and (renewal := self._renewals.get(command.odp)):
            awaited.append(renewal)
        name = f"{type(command).__name__} {command.odp}"
        self._under_way[command.odp] = command, self._tasks.create_task(self._guarded(command, awaited), name=name)

    @property
    def _tasks(self) -> asyncio.TaskGroup:
        assert self._group is not None  # noqa: S101 - the assembly starts us before the engine
        return self._group

    def _renew(self, command: Drain) -> None:
        """The stage goes on meanwhile; one that wants no drain any more gets none."""
        stage = self._fleet().stages.get(command.odp)
        before = self._renewals.get(command.odp)
        if (
            isinstance(stage, Acting | Verifying)
            and stage.episode.id == command.episode
            and not (before and not before.done())
        ):
            self._renewals[command.odp] = self._tasks.create_task(
                self._renewed(command.odp), name=f"renew {command.odp}"
            )

    async def _renewed(self, odp: str) -> None:
        try:
            await self._effects.renew(odp)
        except (LbError, TimeoutError) as error:
            log.warning("lost drain could not be renewed", odp=odp, reason=str(error) or "no answer in time")
        except Exception:
            log.exception("renewing failed", odp=odp)

    async def _guarded(self, command: Command, awaited: list[asyncio.Task[None]]) -> None:
        if awaited:
            await asyncio.wait(awaited)
        began = stopwatch()
        try:
            event = await self._completed(command)
        except TimeoutError:
            event = _failed(command, Failure("Deadline", f"not done after {stopwatch() - began:.1f}s"), self._clock())
        except Exception as error:
            if not isinstance(error, _KNOWN):
                log.exception("command failed", command=type(command).__name__, odp=command.odp)
            event = _failed(command, Failure(type(error).__name__, str(error)), self._clock())
        self._observe(event, stopwatch() - began)
        # What hosts and load balancers say goes into the journal, which takes whole letters only.
        self._put(whole(event))

    async def _completed(self, command: Command) -> Event:
        match command:
            case Look(odp, episode):
                async with asyncio.timeout(self._policy.evidence_max_age.total_seconds()):
                    alerts = self._fleet().alerts.get(odp, ())
                    return Looked(odp, episode, await self._observer.look(odp, alerts))
            case Drain(odp, episode, wait):
                await self._effects.drain(odp, wait)
                return Drained(odp, episode)
            case Restart(odp, episode):
                return RestartEnded(odp, episode, await self._effects.restart(command))
            case Verify():
                return await self._effects.verify(command)
            case Enable(odp, episode, weight):
                await self._effects.enable(odp, weight)
                return Enabled(odp, episode)
            case _:
                assert_never(command)

    def _observe(self, event: Event, seconds: float) -> None:
        match event:
            case Looked():
                self._phases.observe("decide", seconds)
            case Drained(failure=None):
                self._phases.observe("drain", seconds)
            case RestartEnded(result=Restarted(durations=durations)):
                for step, took in durations.items():
                    if step in {"stop", "start"}:
                        self._phases.observe(step, took)
            case Verified(failure=None):
                self._phases.observe("verify", seconds)
            case Enabled(failure=None):
                self._phases.observe("enable", seconds)
            case _:
                pass  # what failed has no duration worth an average


def _failed(command: Command, failure: Failure, now: datetime) -> Event:
    match command:
        case Look(odp, episode):
            nothing = Evidence(now, (), {}, None, None, None, None, (f"{failure.kind}: {failure.detail}",))
            return Looked(odp, episode, nothing)
        case Drain(odp, episode):
            return Drained(odp, episode, failure)
        case Restart(odp, episode):
            return RestartEnded(odp, episode, failure)
        case Verify(odp, episode):
            return Verified(odp, episode, failure)
        case Enable(odp, episode):
            return Enabled(odp, episode, failure)
        case _:
            assert_never(command)
