"""What one ODP's turn of fate is, and how turns become a decision.

A stage says by itself which command is outstanding: so a turn only names the
new stage, and the command follows from it; after a crash the very same ones
follow from the stages in the journal (S24).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .limits import name_of
from .model import (
    Acting,
    ActionName,
    Alert,
    Command,
    Decision,
    Drain,
    Draining,
    Enable,
    Enabling,
    Episode,
    Failure,
    Fleet,
    Held,
    Hold,
    Lease,
    Look,
    Looking,
    Outcome,
    Reason,
    Record,
    Replace,
    Restart,
    Stage,
    Start,
    Verify,
    Verifying,
    Waiting,
    Wish,
)
from .policy import Inventory, Policy


@dataclass(frozen=True, slots=True)
class Given:
    """What every decision is made under."""

    now: datetime
    policy: Policy
    inventory: Inventory


@dataclass(frozen=True, slots=True)
class Turn:
    """One ODP enters *stage*; None: it is idle."""

    odp: str
    stage: Stage | None
    ended: tuple[Record, ...] = ()
    """How what went before ended; that the new stage begins is said by decided()."""


def outstanding(stage: Stage, policy: Policy) -> Command | None:
    """What is to be done in *stage*; as often as it is asked for, it is the same."""
    odp, episode = stage.episode.odp, stage.episode.id
    match stage:
        case Looking():
            return Look(odp, episode)
        case Draining(plan=plan):
            has_sessions = isinstance(plan, Replace) and not plan.is_stopped
            return Drain(odp, episode, policy.session_wait if has_sessions else timedelta())
        case Acting(plan=plan):
            return _restart(stage.episode, plan)
        case Verifying(after=after):
            return Verify(odp, episode, after or stage.since)
        case Enabling(lease=lease):
            return Enable(odp, episode, lease.weight)
        case Waiting() | Held():
            return None


def _restart(episode: Episode, plan: Start | Replace) -> Restart:
    if isinstance(plan, Replace):
        return Restart(episode.odp, episode.id, plan.process, plan.is_frozen, plan.is_stopped)
    return Restart(episode.odp, episode.id, None)


def decided(fleet: Fleet, turns: Iterable[Turn], policy: Policy, *, records: tuple[Record, ...] = ()) -> Decision:
    """The *fleet* after *turns*, what is to be done now, and what is to be remembered."""
    stages, commands, told, refusals = dict(fleet.stages), list[Command](), list(records), list[tuple[str, Reason]]()
    for turn in turns:
        told += turn.ended
        if turn.stage is None:
            stages.pop(turn.odp, None)
            continue
        stages[turn.odp] = turn.stage
        told += _begun(turn.stage)
        if isinstance(turn.stage, Waiting):
            refusals.append((turn.odp, turn.stage.refusal.reason))
        if command := outstanding(turn.stage, policy):
            commands.append(command)
    return Decision(replace(fleet, stages=stages), tuple(commands), tuple(told), tuple(refusals))


def record(episode: Episode, action: str, outcome: Outcome, *, reason: str = "", detail: str = "") -> Record:
    """A line of the audit about *episode*."""
    return Record(episode.odp, episode.id, action, outcome, reason, detail)


def begin(fleet: Fleet, odp: str, name: str, given: Given) -> tuple[Fleet, Episode]:
    """A new episode of *odp*, whose id no other has."""
    number = fleet.episodes + 1
    return replace(fleet, episodes=number), Episode(f"{given.now:%Y%m%dT%H%M%S}-{number}", odp, name, given.now)


def look_at(fleet: Fleet, alert: Alert, given: Given) -> tuple[Fleet, Turn]:
    """*alert* begins an episode."""
    fleet, episode = begin(fleet, alert.odp, alert.name, given)
    began = record(episode, "look", Outcome.BEGUN, reason=alert.name, detail=f"wishes {alert.wish}")
    return fleet, Turn(alert.odp, Looking(episode, given.now), (began,))


def hold(stage: Draining | Acting | Verifying, why: Hold, detail: str, given: Given) -> Held:
    """Out of the load balancer, and left to people."""
    return Held(stage.episode, given.now, stage.lease, why, detail, until_next(stage.lease, why, given))


def until_next(lease: Lease, why: Hold, given: Given) -> datetime:
    """When a held ODP is looked at again: the longer it has been out, the later."""
    policy, out = given.policy, given.now - lease.since
    match why:
        case Hold.CRASH_LOOP:
            return given.now + policy.hold_max
        case Hold.NO_CLUSTERS:  # it greets: as soon as OCP answers, or nobody else serves, it is needed
            return given.now + policy.hold
        case _:
            return given.now + min(max(out / 2, policy.hold), policy.hold_max)


def again(fleet: Fleet, held: Held, given: Given, *, by_evidence: bool) -> Looking | Verifying:
    """A held ODP is looked at again: whether it serves, or (*by_evidence*) what ails it, if an alert still says so."""
    wishes = {alert.wish for alert in fleet.alerts.get(held.episode.odp, ())}
    if by_evidence and wishes == {Wish.RESTART}:
        return Looking(held.episode, given.now, held=held)
    return Verifying(held.episode, given.now, held.lease, held=held.why)


def failed(stage: Stage, failure: Failure) -> tuple[Record, ...]:
    """What was done in *stage* has failed."""
    action = action_of(stage)
    if action is None:
        return ()
    return (record(stage.episode, action, Outcome.FAILED, reason=failure.kind, detail=failure.detail),)


def action_of(stage: Stage) -> ActionName | None:
    """What is done in *stage*."""
    match stage:
        case Acting(plan=plan):
            return ActionName.REPLACE if isinstance(plan, Replace) else ActionName.START
        case Looking() | Waiting():
            return None
        case _:
            return _ACTIONS[type(stage)]


_ACTIONS = {
    Draining: ActionName.DRAIN,
    Verifying: ActionName.VERIFY,
    Enabling: ActionName.ENABLE,
    Held: ActionName.HOLD,
}


def _begun(stage: Stage) -> tuple[Record, ...]:
    action = action_of(stage)
    if action is None:
        return ()
    reason, detail = _particulars(stage)
    return (record(stage.episode, action, Outcome.BEGUN, reason=reason, detail=detail),)


def _particulars(stage: Stage) -> tuple[str, str]:
    match stage:
        case Draining(plan=plan):
            return name_of(plan), ""
        case Acting(plan=Replace(process=process)):
            return "", f"process {process.pid}"
        case Held(why=why, detail=detail):
            return why, detail
        case _:
            return "", ""
