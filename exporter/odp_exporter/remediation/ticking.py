"""What the passing of time leads to, and a new start of the remediator.

Deadlines here are a backstop: who carries a command out keeps the same ones
and tells of it. A stage whose command was lost ends all the same, never by
dropping the drain (S17, S28). The clock may be set back: what seems to lie in
the future is taken to be now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import islice
from operator import attrgetter

from .case import pause_over
from .completions import taken_back, undrained
from .limits import repairs
from .model import (
    MEMORY_FROZEN,
    Acting,
    Alert,
    Decision,
    Draining,
    Enabling,
    Failure,
    Fleet,
    Held,
    Hold,
    Looking,
    Outcome,
    Pause,
    Reason,
    Record,
    Refusal,
    Replace,
    Stage,
    Verifying,
    Waiting,
    Wish,
)
from .people import said
from .policy import Policy
from .turns import Given, Turn, again, decided, failed, hold, look_at, outstanding, until_next

_BACKSTOP = timedelta(seconds=5)
"""Who carries a command out has this much longer to say that its deadline passed."""
_SINCE = attrgetter("since")
_ON_EVIDENCE = frozenset({Hold.DRAIN_FAILED, Hold.PAUSED, Hold.NOT_DONE})
"""Held before anything was done to the process: the repair may still be due."""


def tick(fleet: Fleet, given: Given) -> Decision:
    """Time has passed: what is overdue, due, or free to go."""
    fleet, expired = _aged(fleet, given)
    stages = fleet.stages.values()
    moving = [stage for stage in stages if type(stage) in _DEADLINES]
    turns = [turn for stage in moving if (turn := _overdue(stage, given))]
    held = (turn for stage in stages if isinstance(stage, Held) and (turn := _due(fleet, stage, given)))
    turns += islice(held, given.policy.max_looks)
    fleet, looks = _looks(fleet, given)
    return decided(fleet, [*turns, *looks], given.policy, records=expired)


def recovered(fleet: Fleet, given: Given) -> Decision:
    """Order again what was outstanding; what has been so for too long is looked at anew (S24)."""
    stages, commands = dict(fleet.stages), []
    for odp, stage in fleet.stages.items():
        stages[odp] = _resumed(fleet, stage, given)
        if command := outstanding(stages[odp], given.policy):
            commands.append(command)
    return Decision(replace(fleet, stages=stages), tuple(commands))


def _resumed(fleet: Fleet, stage: Stage, given: Given) -> Stage:
    if isinstance(stage, Waiting | Held):
        return stage
    if isinstance(stage, Draining | Acting) and _is_over(stage, given):
        return _after_absence(fleet, stage, given)
    if isinstance(stage, Enabling) and _is_over(stage, given):
        return Verifying(stage.episode, given.now, stage.lease)
    # The evidence of a drain stays as old as it is; all else has its time anew.
    return stage if isinstance(stage, Draining) else replace(stage, since=given.now)


def _after_absence(fleet: Fleet, stage: Draining | Acting, given: Given) -> Stage:
    why = undrained(stage) if isinstance(stage, Draining) else Hold.DRAIN_FAILED
    held = hold(stage, why, "the remediator was away for too long", given)
    if _is_kept_out(fleet, held):
        return held
    resumed = again(fleet, held, given, by_evidence=why in _ON_EVIDENCE)
    if isinstance(stage, Acting) and isinstance(resumed, Verifying):
        return replace(resumed, after=stage.since)  # what runs by now may be the process that was ordered
    return resumed


def _is_kept_out(fleet: Fleet, stage: Held) -> bool:
    return any(_keeps_out(alert, stage) for alert in fleet.alerts.get(stage.episode.odp, ()))


def _aged(fleet: Fleet, given: Given) -> tuple[Fleet, tuple[Record, ...]]:
    """Without what has expired, and with nothing in the future."""
    now, policy = given.now, given.policy
    window = max(policy.target_window, policy.fleet_window, policy.cool_down)
    expired = [pause for pause in fleet.pauses if pause.until and pause.until <= now]
    if any(now - action.at >= window or action.at > now for action in fleet.actions):
        kept = [action for action in fleet.actions if now - action.at < window]
        fleet = replace(fleet, actions=tuple(replace(action, at=min(action.at, now)) for action in kept))
    if expired:
        fleet = replace(fleet, pauses=tuple(pause for pause in fleet.pauses if pause not in expired))
    seen = (*map(_SINCE, fleet.stages.values()), *fleet.released.values(), *fleet.ready.values())
    if max(seen, default=now) > now:
        fleet = _set_back(fleet, now)
    return fleet, tuple(_expiry(pause) for pause in expired)


def _set_back(fleet: Fleet, now: datetime) -> Fleet:
    stages: dict[str, Stage] = {odp: replace(each, since=min(each.since, now)) for odp, each in fleet.stages.items()}
    released, ready = ({odp: min(at, now) for odp, at in each.items()} for each in (fleet.released, fleet.ready))
    return replace(fleet, stages=stages, released=released, ready=ready)


def _expiry(pause: Pause) -> Record:
    detail = f"the pause by {pause.who} has expired: {pause.why}"
    return said(pause.scope, pause.name, "resume", Outcome.DONE, detail)


def _is_over(stage: Stage, given: Given) -> bool:
    deadline = _DEADLINES.get(type(stage))
    return deadline is not None and given.now - stage.since > deadline(given.policy) + _BACKSTOP


_DEADLINES: Mapping[type, Callable[[Policy], timedelta]] = {
    Looking: lambda policy: policy.evidence_max_age,
    Draining: lambda policy: policy.drain_deadline,
    Acting: lambda policy: policy.restart_deadline,
    Verifying: lambda policy: policy.verify_deadline,
    Enabling: lambda policy: policy.enable_deadline,
}


def _overdue(stage: Stage, given: Given) -> Turn | None:
    if not _is_over(stage, given):
        return None
    nothing = f"nothing was heard for {(given.now - stage.since).total_seconds():.0f} s"
    failure = Failure("Overdue", nothing)
    if isinstance(stage, Enabling):
        return taken_back(stage, failure, given)
    return Turn(stage.episode.odp, _given_up(stage, nothing, given), failed(stage, failure))


def _given_up(stage: Stage, nothing: str, given: Given) -> Stage:
    match stage:
        case Looking(held=Held() as held):
            return replace(held, until=until_next(held.lease, held.why, given))
        case Looking():
            refusal = Refusal(Reason.UNCLEAR, nothing)
            return Waiting(stage.episode, given.now, refusal, given.now + given.policy.look_again)
        case Draining():
            return replace(hold(stage, undrained(stage), nothing, given), is_undrained=True)
        case Acting(plan=plan):
            why = Hold.STOP_FAILED if isinstance(plan, Replace) else Hold.START_FAILED
            return hold(stage, why, nothing, given)
        case Verifying(held=why):
            return hold(stage, why or Hold.VERIFY_FAILED, nothing, given)
        case _:
            return stage


def _due(fleet: Fleet, stage: Held, given: Given) -> Turn | None:
    """A held ODP whose time has come."""
    odp = stage.episode.odp
    if given.now < stage.until <= given.now + given.policy.hold_max:
        return None
    if pause_over(fleet, odp, given.now, given.inventory):
        return None
    if _is_kept_out(fleet, stage):
        return None
    return Turn(odp, again(fleet, stage, given, by_evidence=stage.why in _ON_EVIDENCE))


def _keeps_out(alert: Alert, stage: Held) -> bool:
    """That it greets would prove nothing: it crash loops, is frozen and could not be ended, or freezes every time."""
    is_frozen = alert.name == MEMORY_FROZEN and stage.why in {Hold.STOP_FAILED, Hold.CRASH_LOOP}
    return is_frozen or alert.wish is Wish.DRAIN


def _looks(fleet: Fleet, given: Given) -> tuple[Fleet, list[Turn]]:
    """As many looks as may begin now: what was never looked at first, then what was not for the longest time."""
    free, turns = max(given.policy.max_looks - looking(fleet), 0), []
    waiting = _ready(fleet, given)
    new = [] if fleet.alerts.keys() <= fleet.stages.keys() else [odp for odp in fleet.alerts if odp not in fleet.stages]
    for odp in new[:free]:
        fleet, turn = look_at(fleet, fleet.alerts[odp][0], given)
        turns.append(turn)
    oldest = nsmallest(free - len(turns), waiting, key=_SINCE)
    return fleet, turns + [Turn(stage.episode.odp, _once_more(stage, given)) for stage in oldest]


def _began(stage: Waiting) -> datetime:
    return stage.episode.began


def looking(fleet: Fleet) -> int:
    """How many ODPs are being looked at."""
    return [type(stage) for stage in fleet.stages.values()].count(Looking)


def _once_more(stage: Waiting, given: Given) -> Looking:
    return Looking(stage.episode, given.now, stage.refusal.reason)


def _ready(fleet: Fleet, given: Given) -> list[Waiting]:
    """Those whose time has come, and for each place in a pool that is free, the first that waits for it."""
    now, latest = given.now, given.now + given.policy.look_again
    waiting = [stage for stage in fleet.stages.values() if type(stage) is Waiting]
    ready = [stage for stage in waiting if not now < stage.until <= latest]
    queue = [stage for stage in waiting if stage.refusal.reason is Reason.POOL_BUSY and now < stage.until <= latest]
    return [*ready, *_next_in_line(fleet, queue, given)]


def _next_in_line(fleet: Fleet, queue: Iterable[Waiting], given: Given) -> Iterator[Waiting]:
    taken: Counter[str] = Counter()
    for stage in sorted(queue, key=_began):
        pool = given.inventory.pool_of(stage.episode.odp)
        if pool is None:
            continue
        if pool.name not in taken:
            taken[pool.name] = len(repairs(fleet, pool.name, given.inventory))
        if taken[pool.name] < pool.max_concurrent:
            taken[pool.name] += 1
            yield stage
