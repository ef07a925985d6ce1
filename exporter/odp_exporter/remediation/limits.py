"""How much may be done to one ODP, one pool and the fleet: what stands between a plan and its first step.

The first limit that applies decides. All of them hold for the first intrusive
step, which is the drain (S12). What concerns an ODP that lives does not hold
for one that is proven dead: it serves nobody, so starting it, or taking it
out, costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from .case import Case, cooling, is_repaired
from .model import Action, Fleet, Hold, Plan, Reason, Refusal, Replace, TakeOut
from .policy import Inventory, Policy


def limited(case: Case, plan: Plan) -> Plan | Refusal:
    """*plan*, or out of the load balancer for good if its budget is spent, or what forbids both."""
    plan = _within_budget(case, plan)
    for limit in _LIMITS:
        if refusal := limit(case, plan):
            return refusal
    return plan


def name_of(plan: Plan) -> str:
    """The word for *plan* in the history."""
    return f"take_out:{plan.why}" if isinstance(plan, TakeOut) else type(plan).__name__.lower()


def repairs(fleet: Fleet, pool: str, inventory: Inventory, *, besides: str = "") -> list[str]:
    """Members of *pool* to which something is being done."""
    if not fleet.stages:
        return []
    return [odp for odp in inventory.members[pool] if odp != besides and is_repaired(fleet, odp)]


def failing(fleet: Fleet) -> int:
    """ODPs for which an alert fires, or that are not idle."""
    return len(fleet.alerts.keys() | fleet.stages.keys())


def within(actions: Collection[Action], now: datetime, window: timedelta) -> int:
    """How many of *actions* began in the *window* that ends now."""
    return sum(now - action.at < window for action in actions)


def restarts(fleet: Fleet, odp: str, now: datetime, policy: Policy) -> int:
    """How often *odp* was restarted in its budget's window."""
    own = [action for action in fleet.actions if action.odp == odp and action.plan in _RESTARTS]
    return within(own, now, policy.target_window)


def _within_budget(case: Case, plan: Plan) -> Plan:
    spent = restarts(case.fleet, case.odp, case.now, case.policy)
    is_spent = spent >= case.policy.target_budget and not isinstance(plan, TakeOut)
    return TakeOut(Hold.CRASH_LOOP) if is_spent else plan


def _cooled_down(case: Case, _: Plan) -> Refusal | None:
    at = cooling(case.fleet, case.now, case.policy).get(case.odp)
    return Refusal(Reason.COOLING_DOWN, f"something was done to it at {at:%H:%M:%S}") if at else None


def _unobstructed(case: Case, plan: Plan) -> Refusal | None:
    host = case.evidence.host
    if isinstance(plan, TakeOut) or host is None or not host.obstacles:
        return None
    return Refusal(Reason.OBSTACLE, f"a start would fail: {'; '.join(host.obstacles)}")


def _one_at_a_time(case: Case, _: Plan) -> Refusal | None:
    if case.pool is None:
        return Refusal(Reason.UNCLEAR, "in no pool")
    busy = repairs(case.fleet, case.pool.name, case.inventory, besides=case.odp)
    if len(busy) < case.pool.max_concurrent:
        return None
    return Refusal(Reason.POOL_BUSY, f"under repair in its pool: {', '.join(busy)}")


def _no_shared_cause(case: Case, _: Plan) -> Refusal | None:
    count, total = failing(case.fleet), len(case.inventory.targets)
    is_majority = count > case.policy.max_failing_share * total and count >= case.policy.min_failing
    if case.is_dead or not is_majority:
        return None
    return Refusal(Reason.FLEET_FAILING, f"{count} of {total} ODPs fail at once: a shared cause is likelier")


def _comes_back(case: Case, plan: Plan) -> Refusal | None:
    """With its clusters, as far as can be known; for one that is dead that is no question."""
    if not isinstance(plan, Replace) or (case.report and case.report.restart_safe):
        return None
    why = "; ".join(case.report.reasons) if case.report else "its exporter has not said"
    if case.report and case.report.restart_safe is False:
        return Refusal(Reason.RESTART_UNSAFE, why)
    return Refusal(Reason.RESTART_UNKNOWN, why)


def _enough_left(case: Case, _: Plan) -> Refusal | None:
    if case.pool is None or case.is_dead:
        return None
    left = list(case.serving_others())
    if len(left) >= case.pool.min_serving:
        return None
    return Refusal(Reason.MIN_SERVING, f"{len(left)} would be left ({case.pool.min_serving} must): {', '.join(left)}")


def _brake(case: Case, _: Plan) -> Refusal | None:
    begun = within(case.fleet.actions, case.now, case.policy.fleet_window)
    if begun < case.policy.fleet_budget:
        return None
    return Refusal(Reason.BRAKE, f"{begun} actions in {case.policy.fleet_window}: something else is wrong")


_RESTARTS = frozenset({"start", "replace"})
_LIMITS: tuple[Callable[[Case, Plan], Refusal | None], ...] = (
    _cooled_down,
    _unobstructed,
    _one_at_a_time,
    _no_shared_cause,
    _comes_back,
    _enough_left,
    _brake,
)
