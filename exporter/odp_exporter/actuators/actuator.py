"""What every actuator can do: look at an ODP's processes, and start or replace them.

Who calls sets the overall deadline; the order says how long its steps may take.
An order is idempotent: it names the process that may be ended, and if another
one serves in its place already, the order counts as done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from odp_exporter.observations import Identity, Watchdog
from odp_exporter.targets import Target


class ActuatorError(Exception):
    """The host could not be asked, or the order not be carried out."""


class HostUnreachable(ActuatorError):
    """Nothing is known and nothing was done."""


class NotIdentified(ActuatorError):
    """Not exactly the process that was meant; nothing was done."""


class NotPermitted(ActuatorError):
    """It may not be done; nothing was done."""


class StopFailed(ActuatorError):
    """The old process lives, or something else holds the port; nothing was started."""


class StartFailed(ActuatorError):
    """The old process is gone, and no new one came up."""


class Unfinished(ActuatorError):
    """No answer came; what was done is not known, and the same order given again finishes it."""


@dataclass(frozen=True, slots=True)
class HostView:
    """An ODP's processes, as whoever would act on them sees them."""

    processes: tuple[Identity, ...]
    """Every living process that owns or claims the SQL port; oldest first."""
    owner: Identity | None = None
    """The one whose socket listens on the port."""
    is_hot_restarting: bool = False
    is_told_to_stop: bool = False
    is_stopped: bool = False
    """The owner stands still, by SIGSTOP (state T): none of its sessions can go on."""
    watchdogs: frozenset[Watchdog] = frozenset()
    """What would start it again without our doing."""
    obstacles: tuple[str, ...] = ()
    """Why a start would fail: binary missing, disk full, not our user."""


class Step(StrEnum):
    """The part of a restart that a duration is of."""

    EVIDENCE = "evidence"
    STOP = "stop"
    START = "start"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done with one ODP."""

    target: Target
    kill: Identity | None
    """The one process that may be ended; None: nobody may be, a dead ODP is started."""
    evidence_budget: timedelta = timedelta(seconds=5)
    """For looking at the process before it is ended; zero: no evidence."""
    stop_grace: timedelta = timedelta(seconds=2)
    """From SIGTERM to SIGKILL; ODP needs up to 1.5 s (odp-facts 7.4)."""
    start_timeout: timedelta = timedelta(seconds=45)
    """Until the new process greets; a black-holed OCP alone costs 15 s (odp-facts 1.2)."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """An order that was carried out."""

    process: Identity
    """The one that serves now."""
    began: datetime
    """When the new process was started."""
    durations: Mapping[Step, float] = field(default_factory=dict)
    """Seconds of each step."""
    by: str = "self"
    """Who started it: self, or the watchdog that was let do it."""
    evidence: Path | None = None
    """Where the evidence lies, on the ODP's host."""
    was_done: bool = False
    """Another process served in place of the one to be ended already; nothing was done."""


class Actuator(Protocol):
    """Acts on the host of any of its targets."""

    async def look(self, target: Target) -> HostView:
        """The processes of *target* now; changes nothing, and fails as an order would where it may not act."""
        ...

    async def restart(self, order: Order) -> Restarted:
        """Carry out *order*; returns once the new process has greeted."""
        ...

    async def check(self) -> None:
        """Could orders be carried out at all? An ActuatorError says what is missing; changes nothing."""
        ...
