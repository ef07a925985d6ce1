"""What a completed command leads to.

A completion counts only for the stage and the episode that asked for it; what
comes late, twice or out of order is dropped (S3). A failed step leaves the ODP
drained and held (S27): if it was restarted and does not serve, taking it out
costs nothing, and the load balancer's own checks would not send anybody there.
"""

from __future__ import annotations

from dataclasses import replace

from odp_exporter.actuators.actuator import Restarted

from .case import is_out, pause_over
from .explain import summary
from .judge import judge
from .limits import name_of
from .model import (
    NO_CLUSTERS,
    NOTHING_DONE,
    SERVES_AGAIN,
    Acting,
    Action,
    Brake,
    Decision,
    Drained,
    Draining,
    Enabled,
    Enabling,
    Failure,
    Fleet,
    Hold,
    Lease,
    Looked,
    Looking,
    Outcome,
    Plan,
    Reason,
    Record,
    Refusal,
    Replace,
    RestartEnded,
    Stage,
    TakeOut,
    Verified,
    Verifying,
    Waiting,
)
from .turns import Given, Turn, action_of, decided, failed, hold, record, until_next

_TAKES_TOO_LONG = "the drain took too long: what was seen before is void"


def looked(fleet: Fleet, event: Looked, given: Given) -> Decision:
    """Evidence is in: judge it."""
    stage = fleet.stages.get(event.odp)
    if not isinstance(stage, Looking) or not _is_of(stage, event):
        return Decision(fleet)
    verdict = judge(fleet, event.odp, event.evidence, given.now, given.policy, given.inventory)
    if not isinstance(verdict, Refusal):
        return _planned(fleet, stage, event, verdict, given)
    if stage.held and verdict.reason is Reason.SERVES:
        verifying = Verifying(stage.episode, given.now, stage.held.lease, held=stage.held.why)
        return decided(fleet, [Turn(event.odp, verifying)], given.policy)
    return _refused(fleet, stage, verdict, given, summary(event.evidence))


def drained(fleet: Fleet, event: Drained, given: Given) -> Decision:
    """It is out of the load balancer, or could not be taken out."""
    stage = fleet.stages.get(event.odp)
    if not isinstance(stage, Draining) or not _is_of(stage, event):
        return Decision(fleet)
    return decided(fleet, [_after_drain(fleet, stage, event.failure, given)], given.policy)


def restart_ended(fleet: Fleet, event: RestartEnded, given: Given) -> Decision:
    """A process was started, or not."""
    stage = fleet.stages.get(event.odp)
    if not isinstance(stage, Acting) or not _is_of(stage, event):
        return Decision(fleet)
    result = event.result
    if isinstance(result, Failure) and result.kind == SERVES_AGAIN:
        # Nothing has failed, and nobody needs to be woken.
        serves = record(stage.episode, "look", Outcome.DONE, reason=Reason.SERVES, detail=result.detail)
        verifying = Verifying(stage.episode, given.now, stage.lease, held=Hold.NOT_DONE)
        return decided(fleet, [Turn(event.odp, verifying, (serves,))], given.policy)
    if isinstance(result, Failure):
        held = hold(stage, _why(stage, result), _text(result), given)
        return decided(fleet, [Turn(event.odp, held, failed(stage, result))], given.policy)
    # Never before it was ordered nor in the future: the clock of its host is another one.
    after = min(max(result.began, stage.since), given.now)
    verifying = Verifying(stage.episode, given.now, stage.lease, after)
    done = _done(stage, _told(result))
    return decided(fleet, [Turn(event.odp, verifying, (done,))], given.policy)


def verified(fleet: Fleet, event: Verified, given: Given) -> Decision:
    """It serves, or it does not."""
    stage = fleet.stages.get(event.odp)
    if not isinstance(stage, Verifying) or not _is_of(stage, event):
        return Decision(fleet)
    failure = event.failure or _lost(fleet, stage, event, given)
    if failure:
        why = Hold.NO_CLUSTERS if failure.kind == NO_CLUSTERS else stage.held or Hold.VERIFY_FAILED
        return decided(
            fleet, [Turn(event.odp, hold(stage, why, _text(failure), given), failed(stage, failure))], given.policy
        )
    done = _done(stage)
    return decided(fleet, [Turn(event.odp, Enabling(stage.episode, given.now, stage.lease), (done,))], given.policy)


def _lost(fleet: Fleet, stage: Verifying, event: Verified, given: Given) -> Failure | None:
    """It has none of its clusters: so short after its start, its exporter's word on the next start holds for this one.

    If no other serves, or fewer than must, it is put back all the same: some logins are better than none.
    """
    is_new = stage.after is not None or stage.held in _NEW
    if not is_new or event.report is None or event.report.restart_safe is not False:
        return None
    others = [odp for odp in event.others if not is_out(fleet, odp)]
    why = f"{'; '.join(event.report.reasons)} (others serve: {', '.join(others[:_SHOWN])})"
    pool = given.inventory.pool_of(event.odp)
    return Failure(NO_CLUSTERS, why) if len(others) >= max(1, pool.min_serving if pool else 1) else None


_NEW = frozenset({Hold.START_FAILED, Hold.VERIFY_FAILED, Hold.ENABLE_FAILED, Hold.CRASH_LOOP, Hold.NO_CLUSTERS})
"""Whoever is held for one of these is another process than before the repair."""
_SHOWN = 3


def enabled(fleet: Fleet, event: Enabled, given: Given) -> Decision:
    """It is back, as the load balancer itself confirms; or it has to go out again (S29)."""
    stage = fleet.stages.get(event.odp)
    if not isinstance(stage, Enabling) or not _is_of(stage, event):
        return Decision(fleet)
    if event.failure:
        return decided(fleet, [taken_back(stage, event.failure, given)], given.policy)
    fleet = replace(fleet, released={**fleet.released, event.odp: given.now})
    done = _done(stage)
    return decided(fleet, [Turn(event.odp, None, (done,))], given.policy)


def taken_back(stage: Enabling, failure: Failure, given: Given) -> Turn:
    """Enabling did not work: out again, and held."""
    draining = Draining(stage.episode, given.now, TakeOut(Hold.ENABLE_FAILED), stage.lease)
    return Turn(stage.episode.odp, draining, failed(stage, failure))


def _planned(fleet: Fleet, stage: Looking, event: Looked, plan: Plan, given: Given) -> Decision:
    """The first step of *plan*; it is counted before it is taken (S14)."""
    members = event.evidence.members or {}
    lease = stage.held.lease if stage.held else Lease(members[event.odp].weight, given.now)
    fleet = replace(fleet, actions=(*fleet.actions, Action(event.odp, given.now, name_of(plan))))
    seen = record(stage.episode, "look", Outcome.DONE, reason=name_of(plan), detail=summary(event.evidence))
    draining = Draining(stage.episode, given.now, plan, lease)
    return decided(fleet, [Turn(event.odp, draining, (seen,))], given.policy)


def _refused(fleet: Fleet, stage: Looking, refusal: Refusal, given: Given, seen: str) -> Decision:
    records: tuple[Record, ...] = () if _is_known(fleet, stage, refusal.reason) else (_refusal(stage, refusal, seen),)
    if refusal.reason is Reason.BRAKE and fleet.brake is None:
        fleet = replace(fleet, brake=Brake(given.now, refusal.detail))
        records += (record(stage.episode, "brake", Outcome.BEGUN, detail=refusal.detail),)
    waiting: Stage = Waiting(stage.episode, given.now, refusal, given.now + given.policy.look_again)
    if stage.held:
        waiting = replace(stage.held, until=until_next(stage.held.lease, stage.held.why, given))
        # It was held before: that is no news.
        fleet = replace(fleet, stages={**fleet.stages, stage.episode.odp: waiting})
        return Decision(fleet, (), records, ((stage.episode.odp, refusal.reason),))
    return decided(fleet, [Turn(stage.episode.odp, waiting)], given.policy, records=records)


def _is_known(fleet: Fleet, stage: Looking, reason: Reason) -> bool:
    """It was told before: of this ODP, or once for all of them."""
    if stage.refused is reason:
        return True
    return reason is Reason.FLEET_FAILING and any(
        (isinstance(other, Waiting) and other.refusal.reason is reason)
        or (isinstance(other, Looking) and other.refused is reason)
        for other in fleet.stages.values()
    )


def _refusal(stage: Looking, refusal: Refusal, seen: str) -> Record:
    detail = f"{refusal.detail} ({seen})"
    return record(stage.episode, "look", Outcome.REFUSED, reason=refusal.reason, detail=detail)


def _after_drain(fleet: Fleet, stage: Draining, failure: Failure | None, given: Given) -> Turn:
    odp, now = stage.episode.odp, given.now
    if failure:
        held = hold(stage, undrained(stage), _text(failure), given)
        return Turn(odp, replace(held, is_undrained=True), failed(stage, failure))
    done = (_done(stage),)
    if isinstance(stage.plan, TakeOut):
        return Turn(odp, hold(stage, stage.plan.why, "out of the load balancer", given), done)
    if now - stage.since > given.policy.drain_deadline:
        return Turn(odp, hold(stage, Hold.DRAIN_FAILED, _TAKES_TOO_LONG, given), done)
    if detail := _stopped(fleet, odp, given):
        return Turn(odp, hold(stage, Hold.PAUSED, detail, given), done)
    return Turn(odp, Acting(stage.episode, now, stage.plan, stage.lease), done)


def undrained(stage: Draining) -> Hold:
    """Why it is held if its drain did not work: whatever it was to be taken out for still is the reason."""
    return stage.plan.why if isinstance(stage.plan, TakeOut) else Hold.DRAIN_FAILED


def _stopped(fleet: Fleet, odp: str, given: Given) -> str | None:
    """Why the process may not be touched any more, although the drain could be."""
    if pause := pause_over(fleet, odp, given.now, given.inventory):
        return f"{pause.scope} paused by {pause.who}: {pause.why}"
    return f"the brake is on: {fleet.brake.why}" if fleet.brake else None


def _is_of(stage: Stage, event: Looked | Drained | RestartEnded | Verified | Enabled) -> bool:
    return stage.episode.id == event.episode


def _why(stage: Acting, failure: Failure) -> Hold:
    if failure.kind in NOTHING_DONE:
        return Hold.NOT_DONE
    is_start = not isinstance(stage.plan, Replace) or failure.kind == "StartFailed"
    return Hold.START_FAILED if is_start else Hold.STOP_FAILED


def _done(stage: Stage, detail: str = "") -> Record:
    return record(stage.episode, action_of(stage) or "look", Outcome.DONE, detail=detail)


def _text(failure: Failure) -> str:
    return f"{failure.kind}: {failure.detail}"


def _told(result: Restarted) -> str:
    steps = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in result.durations.items())
    what = "was done already" if result.was_done else f"by {result.by}"
    return f"process {result.process.pid} {what}" + (f" ({steps})" if steps else "")
