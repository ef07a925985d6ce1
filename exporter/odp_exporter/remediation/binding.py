"""The pure core, bound to the policy and inventory that it decides by; a dry run is the same one, rehearsed (S31)."""

from __future__ import annotations

from datetime import datetime

from . import codec
from .engine import Core
from .model import Decision, Event, Fleet
from .policy import Inventory, Policy
from .rehearsal import rehearsed
from .step import step


def core(policy: Policy, known: Inventory, *, is_dry: bool) -> Core:
    """What the engine folds events with."""

    def live(fleet: Fleet, event: Event, now: datetime) -> Decision:
        return step(fleet, event, now, policy, known)

    def dry(fleet: Fleet, event: Event, now: datetime) -> Decision:
        return rehearsed(fleet, live(fleet, event, now), now, policy.hold)

    return Core(
        dry if is_dry else live,
        codec.FleetText(),
        codec.load_fleet,
        lambda event: codec.dump_event(event).decode(),
    )
