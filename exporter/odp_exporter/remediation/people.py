"""What a person's word leads to: pauses, and their end."""

from __future__ import annotations

from dataclasses import replace

from .case import pause_over
from .model import Decision, Fleet, Held, Looking, Outcome, Pause, Record, Resumed, Scope, Waiting, Wish
from .turns import Given, Turn, again, decided


def paused(fleet: Fleet, pause: Pause) -> Decision:
    """Nothing new is begun in what *pause* covers; a later one for the same takes the place of an earlier one."""
    others = [other for other in fleet.pauses if (other.scope, other.name) != (pause.scope, pause.name)]
    detail = f"{pause.who}: {pause.why}" + (f" (until {pause.until:%Y-%m-%d %H:%M:%S %Z})" if pause.until else "")
    begun = said(pause.scope, pause.name, "pause", Outcome.BEGUN, detail)
    return Decision(replace(fleet, pauses=(*others, pause)), (), (begun,))


def resumed(fleet: Fleet, event: Resumed, given: Given) -> Decision:
    """The pause ends; for the fleet the brake too, for an ODP what it is held for.

    What was done before is acknowledged thereby, and no longer counts (S14).
    """
    kept = tuple(pause for pause in fleet.pauses if (pause.scope, pause.name) != (event.scope, event.name))
    fleet = _acknowledged(replace(fleet, pauses=kept), event)
    done = said(event.scope, event.name, "resume", Outcome.DONE, f"{event.who}: {event.why}")
    return decided(fleet, _released(fleet, event, given), given.policy, records=(done,))


def said(scope: Scope, name: str, action: str, outcome: Outcome, detail: str) -> Record:
    """A line of the audit about what a person said of one ODP, a pool or the fleet."""
    what = f"{scope} {name}".strip()
    return Record(name if scope is Scope.TARGET else "", "", action, outcome, scope, f"{what}, {detail}")


def _acknowledged(fleet: Fleet, event: Resumed) -> Fleet:
    match event.scope:
        case Scope.FLEET if fleet.brake:
            # Else the very next action would pull the brake again.
            return replace(fleet, brake=None, actions=())
        case Scope.TARGET:
            actions = tuple(action for action in fleet.actions if action.odp != event.name)
            return _called_off(_answered(replace(fleet, actions=actions), event.name), event.name)
        case _:
            return fleet


def _answered(fleet: Fleet, odp: str) -> Fleet:
    """That it crash looped is over, though its alert looks minutes back and fires on."""
    firing = fleet.alerts.get(odp, ())
    past = {alert.key: alert.since for alert in firing if alert.wish is Wish.DRAIN}
    left = tuple(alert for alert in firing if alert.key not in past)
    others = {name: alerts for name, alerts in fleet.alerts.items() if name != odp}
    return replace(
        fleet, alerts={**others, odp: left} if left else others, answered=dict([*fleet.answered.items(), *past.items()])
    )


def _called_off(fleet: Fleet, odp: str) -> Fleet:
    """What has not begun has no reason any more, if no alert of *odp* is left."""
    match fleet.stages.get(odp):
        case Waiting() | Looking(held=None) if odp not in fleet.alerts:
            return replace(fleet, stages={name: stage for name, stage in fleet.stages.items() if name != odp})
        case _:
            return fleet


def _released(fleet: Fleet, event: Resumed, given: Given) -> list[Turn]:
    stage = fleet.stages.get(event.name)
    is_held = event.scope is Scope.TARGET and isinstance(stage, Held)
    if not is_held or pause_over(fleet, event.name, given.now, given.inventory):
        return []
    return [Turn(event.name, again(fleet, stage, given, by_evidence=True))] if isinstance(stage, Held) else []
