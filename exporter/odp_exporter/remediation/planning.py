"""What would be done about an ODP now: the look and the step that an alert would get, and nothing is believed (S31)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from odp_exporter.clock import Clock

from .engine import Core
from .evidence import Observer
from .model import Alert, AlertFiring, Evidence, Fleet, Looked, Looking, Wish
from .payload import alert_key
from .stages import stage_name, told


@dataclass(frozen=True, slots=True)
class Planned:
    """The decision about one ODP, and what it rests on."""

    odp: str
    stage: str
    """Where it would stand afterwards."""
    why: str
    commands: tuple[str, ...]
    """What would be begun at once."""
    evidence: Evidence | None
    """None: nothing is looked at, for a repair is under way."""


async def plan(odp: str, fleet: Fleet, core: Core, observer: Observer, clock: Clock) -> Planned:
    """What would be done about *odp*, were an alert to ask for its restart now."""
    assumed = _alerted(fleet, odp, core, clock())
    stage = assumed.stages.get(odp)
    if not isinstance(stage, Looking):
        return Planned(odp, stage_name(stage), told(stage), (), None)
    evidence = await observer.look(odp, fleet.alerts.get(odp, ()))
    decision = core.step(assumed, Looked(odp, stage.episode.id, evidence), clock())
    after = decision.fleet.stages.get(odp)
    why = told(after) or "; ".join(record.detail for record in decision.records if record.odp == odp)
    commands = tuple(type(command).__name__.lower() for command in decision.commands if command.odp == odp)
    return Planned(odp, stage_name(after), why, commands, evidence)


def _alerted(fleet: Fleet, odp: str, core: Core, now: datetime) -> Fleet:
    """*fleet*, in which something has just asked for a repair of *odp*."""
    stages = {name: it for name, it in fleet.stages.items() if name != odp or stage_name(it) not in _PASSIVE}
    firing = {name: alerts for name, alerts in fleet.alerts.items() if name != odp}
    idle = replace(fleet, stages=stages, alerts=firing)
    alerts = fleet.alerts.get(odp) or (Alert(odp, "plan", Wish.RESTART, alert_key({"plan": odp}, ()), now),)
    for alert in alerts:
        idle = core.step(idle, AlertFiring(alert), now).fleet
    return idle


_PASSIVE = frozenset({"waiting", "looking"})
"""Stages in which nothing is done; what was refused is looked at anew."""
