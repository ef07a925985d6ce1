"""What a survey of a load balancer leads to: wanted against actual, every few seconds.

* A drain of ours that the load balancer has forgotten, for instance by a
  reload, is ordered again (S28). A drain in the making, and an ODP that is
  being put back, are not judged by what was read meanwhile.
* A drain that nobody wants: if the load balancer began after we put the ODP
  back, and begins with it, it has brought our old drain to life. We end it once
  the ODP serves. All other drains are a person's, and are never touched (S26);
  from then on not even if that load balancer restarts and remembers them. What
  is first seen long after its begin may be a person's, and is theirs.
* Maintenance is a person's word too: an ODP that we held is theirs from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from odp_exporter.lb.driver import Admin, Member

from .case import pause_over
from .model import (
    Acting,
    ActionName,
    Decision,
    Drain,
    Draining,
    Episode,
    Fleet,
    Held,
    Hold,
    Lease,
    Looking,
    Outcome,
    Record,
    Stage,
    Surveyed,
    TakeOut,
    Verifying,
    Waiting,
)
from .turns import Given, Turn, begin, decided, record

BEGIN = timedelta(seconds=30)
"""A survey within this time of the load balancer's begin shows what it began with."""
_DRAINED = (Held, Verifying, Acting)
"""Stages in which a drain of ours is to be seen."""


def surveyed(fleet: Fleet, event: Surveyed, given: Given) -> Decision:
    """Compare what *event* shows with what we believe."""
    members = [event.members[odp] for odp in given.inventory.members.get(event.pool, ()) if odp in event.members]
    out = [member for member in members if member.admin is not Admin.READY]
    lost = [] if event.pool in given.inventory.undrainable else list(_lost(fleet, members, given))
    theirs = [stage for member in out if (stage := _taken_over(fleet, member))]
    orphans = [member for member in out if _is_orphan(fleet, member, event, given)]
    fleet = _remembered(fleet, members, event, given)
    fleet, adopted = _adopted(fleet, orphans, given)
    decision = decided(fleet, [*map(_left, theirs), *adopted, *_drained_again(lost, given)], given.policy)
    # Beside what is outstanding: the repair goes on, and nobody waits for these to complete.
    renewals = [stage for stage in lost if not isinstance(stage, Held)]
    commands = [Drain(stage.episode.odp, stage.episode.id, timedelta()) for stage in renewals]
    return Decision(decision.fleet, (*decision.commands, *commands), (*decision.records, *map(_renewed, renewals)))


def _lost(fleet: Fleet, members: Iterable[Member], given: Given) -> Iterator[Held | Verifying | Acting]:
    """The stages whose drain is gone; of a held ODP that a person has paused, they will know why."""
    for member in members:
        stage = fleet.stages.get(member.odp)
        if not isinstance(stage, _DRAINED) or member.admin is not Admin.READY:
            continue
        # A drain that was refused is refused again: that is not tried, and told, with each survey.
        is_undone = isinstance(stage, Held) and (stage.is_undrained or stage.why is Hold.DRAIN_FAILED)
        is_old = given.now - stage.since > (given.policy.hold if is_undone else given.policy.survey_grace)
        is_theirs = isinstance(stage, Held) and pause_over(fleet, member.odp, given.now, given.inventory)
        if is_old and not is_theirs:
            yield stage


def _drained_again(lost: Iterable[Stage], given: Given) -> Iterator[Turn]:
    for stage in lost:
        if isinstance(stage, Held):
            draining = Draining(stage.episode, given.now, TakeOut(stage.why), stage.lease)
            yield Turn(stage.episode.odp, draining, (_renewed(stage),))


def _renewed(stage: Stage) -> Record:
    return record(stage.episode, "redrain", Outcome.BEGUN, detail="the load balancer had lost our drain")


def _taken_over(fleet: Fleet, member: Member) -> Held | Verifying | None:
    stage = fleet.stages.get(member.odp)
    return stage if member.admin is Admin.MAINT and isinstance(stage, Held | Verifying) else None


def _left(stage: Held | Verifying) -> Turn:
    theirs = record(stage.episode, ActionName.HOLD, Outcome.DONE, detail="in maintenance by a person")
    return Turn(stage.episode.odp, None, (theirs,))


def _is_orphan(fleet: Fleet, member: Member, event: Surveyed, given: Given) -> bool:
    """An old drain of ours came back, and nothing forbids to end it."""
    if not _is_unowned(fleet, member) or member.admin is not Admin.DRAIN or fleet.brake:
        return False
    is_paused = pause_over(fleet, member.odp, given.now, given.inventory)
    return _is_old(fleet, member.odp, _before(event, given)) and _is_begin(event, given) and not is_paused


def _is_unowned(fleet: Fleet, member: Member) -> bool:
    return isinstance(fleet.stages.get(member.odp), Waiting | None)


def _is_old(fleet: Fleet, odp: str, before: datetime) -> bool:
    """We put it back, and it was last seen so, under an earlier life of the load balancer."""
    released, ready = fleet.released.get(odp), fleet.ready.get(odp)
    return released is not None and released < before and (ready is None or ready < before)


def _is_begin(event: Surveyed, given: Given) -> bool:
    return event.lb_started is not None and given.now - event.lb_started <= BEGIN


def _before(event: Surveyed, given: Given) -> datetime:
    """What we put back before this was put back to an earlier life of the load balancer."""
    return event.lb_started - given.policy.survey_grace if event.lb_started else datetime.min.replace(tzinfo=UTC)


def _adopted(fleet: Fleet, orphans: Iterable[Member], given: Given) -> tuple[Fleet, list[Turn]]:
    turns = []
    for member in orphans:
        stage, lease = fleet.stages.get(member.odp), Lease(member.weight or None, given.now)
        if stage is None:
            fleet, episode = begin(fleet, member.odp, "orphan", given)
            # Nobody has proven that it serves: if it does not, an alert may still have it repaired.
            verifying = Verifying(episode, given.now, lease, held=Hold.DRAIN_FAILED)
            turns.append(Turn(member.odp, verifying, (_found(episode),)))
            continue
        # An alert fires: it needs more than to be put back, and what forbade that was our own drain.
        held = Held(stage.episode, given.now, lease, Hold.DRAIN_FAILED, "an old drain of ours", given.now)
        turns.append(Turn(member.odp, Looking(stage.episode, given.now, held=held), (_found(stage.episode),)))
    return fleet, turns


def _found(episode: Episode) -> Record:
    return record(episode, "orphan", Outcome.BEGUN, detail="an old drain of ours came back with its load balancer")


def _remembered(fleet: Fleet, members: Iterable[Member], event: Surveyed, given: Given) -> Fleet:
    """Which drains could still be old ones of ours."""
    before = _before(event, given)
    known = [member for member in members if member.odp in fleet.released]
    old = {member.odp for member in known if _is_old(fleet, member.odp, before)}
    seen = [member.odp for member in known if member.admin is Admin.READY and member.odp in old]
    out = [member for member in known if member.admin is not Admin.READY]
    is_begin = _is_begin(event, given)
    theirs = {each.odp for each in out if each.admin is Admin.MAINT or each.odp not in old or not is_begin}
    if not seen and not theirs:
        return fleet
    released = {odp: at for odp, at in fleet.released.items() if odp not in theirs}
    ready = {**fleet.ready, **dict.fromkeys(seen, given.now)}
    return replace(fleet, released=released, ready={odp: at for odp, at in ready.items() if odp in released})
