"""The remediator's mind: folds one event into the fleet, and says what is to be done.

Pure. The only function that changes a fleet. What it returns is written to
the journal before any command is carried out; after a crash, Recovered gives
the same commands again (S24). The rules:

1. An alert is the reason to look, and nothing more; its end ends waiting, and
   stops nothing that was begun (S7).
2. One ODP has one stage, one episode, and one outstanding command (S17).
3. judge() decides on what was just seen (judge.py).
4. Drained, then acted on, then verified, then put back; what fails is left
   drained and held (completions.py).
5. No stage lasts for ever (ticking.py), and no drain is forgotten (balancing.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from .balancing import surveyed
from .completions import drained, enabled, looked, restart_ended, verified
from .model import (
    ActionName,
    Alert,
    AlertFiring,
    AlertResolved,
    Decision,
    Drained,
    Enabled,
    Event,
    Fleet,
    Looked,
    Looking,
    Outcome,
    Paused,
    Record,
    Recovered,
    RestartEnded,
    Resumed,
    Stage,
    Surveyed,
    Tick,
    Verified,
    Waiting,
)
from .people import paused, resumed
from .policy import Inventory, Policy
from .stages import has_lease, stage_name
from .ticking import looking, recovered, tick
from .turns import Given, Turn, decided, look_at, outstanding, record

__all__ = ["outstanding", "step"]

_NEVER = datetime.min.replace(tzinfo=UTC)
MAX_ALERTS = 100
"""Of one ODP that are remembered; a label that is another one each time makes another alert each time."""


def step(fleet: Fleet, event: Event, now: datetime, policy: Policy, inventory: Inventory) -> Decision:
    """Fold one *event* into the *fleet*."""
    given = Given(now, policy, inventory)
    if fleet.stages.keys() <= inventory.targets.keys() >= fleet.alerts.keys():
        return _folded(fleet, event, given)
    fleet, gone = _without_strangers(fleet, inventory)
    decision = _folded(fleet, event, given)
    return replace(decision, records=gone + decision.records)


def _folded(fleet: Fleet, event: Event, given: Given) -> Decision:  # noqa: C901, PLR0911, PLR0912 - one line for each kind of event
    match event:
        case AlertFiring(alert):
            return _firing(fleet, alert, given)
        case AlertResolved():
            return _resolved(fleet, event, given)
        case Looked():
            return looked(fleet, event, given)
        case Drained():
            return drained(fleet, event, given)
        case RestartEnded():
            return restart_ended(fleet, event, given)
        case Verified():
            return verified(fleet, event, given)
        case Enabled():
            return enabled(fleet, event, given)
        case Surveyed():
            return surveyed(fleet, event, given)
        case Paused(pause):
            return paused(fleet, pause)
        case Resumed():
            return resumed(fleet, event, given)
        case Tick():
            return tick(fleet, given)
        case Recovered():
            return recovered(fleet, given)
        case _:
            assert_never(event)


def _without_strangers(fleet: Fleet, inventory: Inventory) -> tuple[Fleet, tuple[Record, ...]]:
    """Nothing is done to what the inventory has no more (S15); a drain of ours there is a person's matter."""
    stages = {odp: stage for odp, stage in fleet.stages.items() if odp in inventory.targets}
    alerts = {odp: firing for odp, firing in fleet.alerts.items() if odp in inventory.targets}
    gone = [stage for odp, stage in fleet.stages.items() if odp not in inventory.targets]
    return replace(fleet, stages=stages, alerts=alerts), tuple(_stranger(stage) for stage in gone)


def _stranger(stage: Stage) -> Record:
    was = f"no longer in the inventory; its stage was {stage_name(stage)}"
    if has_lease(stage):
        detail = f"{was}; its drain is left to people"
        return record(stage.episode, ActionName.HOLD, Outcome.FAILED, reason="gone", detail=detail)
    return record(stage.episode, "look", Outcome.DONE, detail=was)


def _firing(fleet: Fleet, alert: Alert, given: Given) -> Decision:
    """However often it is said, an alert fires once; it begins an episode only where there is none (S3, S4)."""
    if given.inventory.pool_of(alert.odp) is None or alert.since <= fleet.answered.get(alert.key, _NEVER):
        return Decision(fleet)
    fleet = _unanswered(fleet, alert.key)
    known = fleet.alerts.get(alert.odp, ())
    if len(known) < MAX_ALERTS and all(other.key != alert.key for other in known):
        fleet = replace(fleet, alerts={**fleet.alerts, alert.odp: (*known, alert)})
    if alert.odp in fleet.stages or looking(fleet) >= given.policy.max_looks:
        return Decision(fleet)
    fleet, turn = look_at(fleet, alert, given)
    return decided(fleet, [turn], given.policy)


def _unanswered(fleet: Fleet, key: str) -> Fleet:
    """It is over, or fires anew: what a person said of it counts no more."""
    if key not in fleet.answered:
        return fleet
    return replace(fleet, answered={other: since for other, since in fleet.answered.items() if other != key})


def _resolved(fleet: Fleet, event: AlertResolved, given: Given) -> Decision:
    fleet = _unanswered(fleet, event.key)
    known = fleet.alerts.get(event.odp, ())
    left = tuple(alert for alert in known if alert.key != event.key)
    if left == known:
        return Decision(fleet)
    alerts = {odp: firing for odp, firing in fleet.alerts.items() if odp != event.odp}
    fleet = replace(fleet, alerts={**alerts, event.odp: left} if left else alerts)
    return Decision(fleet) if left else _quiet(fleet, event.odp, given)


def _quiet(fleet: Fleet, odp: str, given: Given) -> Decision:
    """No alert of *odp* fires: what has not begun is called off."""
    match fleet.stages.get(odp):
        case Waiting(episode=episode) | Looking(episode=episode, held=None):
            over = record(episode, "look", Outcome.DONE, reason="resolved")
            return decided(fleet, [Turn(odp, None, (over,))], given.policy)
        case Looking(held=held) if held:
            return Decision(replace(fleet, stages={**fleet.stages, odp: replace(held, until=given.now)}))
        case _:
            return Decision(fleet)
