"""May anything be done to an ODP, and what: the one place where that is decided.

The order, and the first that applies decides. When unsure, nothing is done,
and the refusal says why.

1. Default deny: what is in no pool of the inventory is not touched (S15).
2. Evidence that is old, or from before this look, decides nothing (S8, S25).
3. Hands off: a person's pause, the brake, a silence; also if Alertmanager
   cannot be asked about silences (S13, S16).
4. The load balancer: unknown is a refusal, and a drain, maintenance or weight
   of zero that is not ours is a person's word (S11, S16, S26).
5. What ails it (diagnosis.py).
6. How much may be done (limits.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from odp_exporter.lb.driver import Admin

from .case import Case, pause_over
from .diagnosis import diagnose
from .limits import limited
from .model import Evidence, Fleet, Looking, Plan, Reason, Refusal, Wish
from .policy import Inventory, Policy


def judge(  # noqa: PLR0913, PLR0917 - all that a decision rests on
    fleet: Fleet, odp: str, evidence: Evidence, now: datetime, policy: Policy, inventory: Inventory
) -> Plan | Refusal:
    """What to do about *odp*, of which *evidence* was gathered just now."""
    case = Case(fleet, odp, evidence, now, policy, inventory)
    for rule in _HANDS_OFF:
        if refusal := rule(case):
            return refusal
    plan = diagnose(case)
    return plan if isinstance(plan, Refusal) else limited(case, plan)


def _ours(case: Case) -> Refusal | None:
    return None if case.pool else Refusal(Reason.UNCLEAR, "in no pool of the inventory")


def _fresh(case: Case) -> Refusal | None:
    age = abs(case.now - case.evidence.at)
    if age > case.policy.evidence_max_age:
        return Refusal(Reason.UNCLEAR, f"the evidence is {age.total_seconds():.0f} s off")
    stage = case.fleet.stages.get(case.odp)
    if isinstance(stage, Looking) and case.evidence.at < stage.since:
        return Refusal(Reason.UNCLEAR, "the evidence is from before this look")
    return None


def _allowed(case: Case) -> Refusal | None:
    if pause := pause_over(case.fleet, case.odp, case.now, case.inventory):
        return Refusal(Reason.PAUSED, f"{pause.scope} paused by {pause.who}: {pause.why}")
    if case.fleet.brake:
        return Refusal(Reason.BRAKE, case.fleet.brake.why)
    return None


def _audible(case: Case) -> Refusal | None:
    match case.evidence.is_silenced:
        case None if case.is_serving and not case.is_frozen and case.wish is not Wish.DRAIN:
            return None  # there is nothing to do that a silence could forbid: the alert is over, or about to be
        case None:
            return Refusal(Reason.ALERTMANAGER_UNKNOWN, "nobody says whether a silence covers it")
        case True:
            return Refusal(Reason.SILENCED, "a silence or an inhibition covers the alert")
        case False:
            return None


def _steered_by_us(case: Case) -> Refusal | None:
    member = case.member
    if member is None:
        return Refusal(Reason.LB_UNKNOWN, "its load balancer does not say what it does with it")
    if member.admin is Admin.READY and (member.weight != 0 or case.held):
        return None
    if member.admin is Admin.DRAIN and case.held:
        return None
    return Refusal(Reason.HELD_BY_PERSON, f"{_word(member.admin)} in its load balancer, and not by us")


def _word(admin: Admin) -> str:
    return "weight 0" if admin is Admin.READY else admin.value


_HANDS_OFF: tuple[Callable[[Case], Refusal | None], ...] = (_ours, _fresh, _allowed, _audible, _steered_by_us)
