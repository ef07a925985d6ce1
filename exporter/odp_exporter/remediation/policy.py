"""The numbers that people set for repairs, and what may be repaired.

Values only. The defaults are for a pool of a few ODPs; what each protects
against stands under it. Nothing outside the inventory is ever acted on (S15).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, model_validator
from pydantic.dataclasses import dataclass as settings_block

from odp_exporter.settings import STRICT, Duration, PositiveCount, quoted
from odp_exporter.targets import Pool, Target


def parse_share(value: object) -> float:
    """More than nothing and at most everything: `0.5`."""
    try:
        share = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else 0.0
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        message = f"not a share: {quoted(value)} (more than 0, at most 1: try '0.5')"
        raise ValueError(message)
    return share


Share = Annotated[float, BeforeValidator(parse_share)]


@settings_block(frozen=True, slots=True, config=STRICT)
class Policy:
    """How much may be done, how often, and how long it may take."""

    evidence_max_age: Duration = timedelta(seconds=15)
    """A look may take this long; what is older decides nothing (S8). Two silent greetings take 2 s, ssh some more."""
    report_max_age: Duration = timedelta(seconds=30)
    """The exporter's own word counts for as long; it looks once a second, and clocks of hosts differ."""
    look_again: Duration = timedelta(seconds=10)
    """After a refusal; each look makes every ODP of the pool log about 5 KB for each greeting (odp-facts 4.7)."""
    max_looks: PositiveCount = 20
    """ODPs that are looked at at a time: when half a fleet fails, looking must not be what finishes it."""

    cool_down: Duration = timedelta(minutes=1)
    """From one action on an ODP to the next: what it changed must show first (S14)."""
    target_budget: PositiveCount = 3
    """Restarts of one ODP in *target_window*; then it counts as crash looping and is left to people (S14)."""
    target_window: Duration = timedelta(hours=1)
    fleet_budget: PositiveCount = 10
    """Actions in the whole fleet in *fleet_window*; the next one pulls the brake (S13)."""
    fleet_window: Duration = timedelta(hours=1)
    max_failing_share: Share = 0.5
    """Of the fleet; if more fail at once, a shared cause is likelier, and no living ODP is touched (S9)."""
    min_failing: PositiveCount = 2
    """Fewer than this are never "most of the fleet": one of one is no majority worth the name."""

    session_wait: Duration = timedelta(seconds=5)
    """For the sessions of a drained ODP that lives; none for one that SIGSTOP has met, whose sessions cannot go on."""
    drain_deadline: Duration = timedelta(seconds=20)
    """From the decision to the confirmed drain, waiting included; after that the evidence is void (S8)."""
    restart_deadline: Duration = timedelta(seconds=90)
    """Evidence, stop and start; a black-holed OCP alone delays a start by 15 s (odp-facts 1.2)."""
    verify_deadline: Duration = timedelta(seconds=30)
    """For *verify_greetings* in a row."""
    enable_deadline: Duration = timedelta(seconds=30)
    """Until the load balancer's own check agrees: 4 s with HAProxy's defaults."""
    verify_greetings: PositiveCount = 3
    """Whole ones in a row before an ODP is put back (S25)."""
    verify_over: Duration = timedelta(seconds=2)
    """From the start of the new process to the last of them; a crash loop dies within that time."""

    hold: Duration = timedelta(minutes=1)
    """A held ODP is looked at again this much later at least, and after half the time that it has been out."""
    hold_max: Duration = timedelta(minutes=15)
    """And this much later at most; one that crash looped is left alone for so long at once."""
    survey_grace: Duration = timedelta(seconds=5)
    """What a load balancer was read to show, and when it says that it began, may be this much off."""

    @property
    def lease_expiry(self) -> timedelta:
        """A drain of ours is no older than this, or the ODP is held (S28)."""
        return self.drain_deadline + self.restart_deadline + self.verify_deadline + self.enable_deadline

    @model_validator(mode="after")
    def _consistent(self) -> Policy:
        for shorter, longer in _SHORTER_THAN:
            if getattr(self, shorter) >= getattr(self, longer):
                message = f"{shorter} must be shorter than {longer}"
                raise ValueError(message)
        return self


_SHORTER_THAN = (("session_wait", "drain_deadline"), ("verify_over", "verify_deadline"), ("hold", "hold_max"))


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that may be repaired; an ODP without a pool may not, for nobody could take it out."""

    targets: Mapping[str, Target] = field(default_factory=dict)
    """By name; those that are in none of the pools are left out."""
    pools: Mapping[str, Pool] = field(default_factory=dict)
    """By name, with their limits and the name of their load balancer."""
    actuators: Mapping[str, str] = field(default_factory=dict)
    """Name of the actuator that acts on each ODP."""
    undrainable: frozenset[str] = frozenset()
    """Pools whose load balancer can only tell (Capabilities.drains is false)."""
    members: Mapping[str, tuple[str, ...]] = field(init=False)
    """The ODPs of each pool."""

    def __post_init__(self) -> None:
        targets = {name: target for name, target in self.targets.items() if target.pool in self.pools}
        members: dict[str, list[str]] = {name: [] for name in self.pools}
        for target in targets.values():
            members[target.pool or ""].append(target.name)
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "members", {name: tuple(odps) for name, odps in members.items()})

    def pool_of(self, odp: str) -> Pool | None:
        """The pool in which *odp* serves; None: it may not be repaired."""
        target = self.targets.get(odp)
        return self.pools.get(target.pool) if target and target.pool else None
