"""The remediator's metrics, as of now: everything from memory, no I/O while scraping."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from odp_exporter import __version__
from odp_exporter.lb.driver import Admin, Health, Member
from odp_exporter.metrics.family import Family
from odp_exporter.metrics.rendering import Block, Template, Values, sample, single

from . import families
from .case import pause_over
from .engine import Engine
from .model import Fleet, Scope
from .phases import Phases
from .policy import Inventory
from .reconciling import Survey
from .stages import has_lease, stage_name


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the values come from."""

    engine: Engine
    inventory: Inventory
    surveys: Mapping[str, Survey]
    phases: Phases
    webhooks: Counter[str]
    heartbeat: Callable[[], datetime | None]
    is_active: Callable[[], bool]
    clock: Callable[[], datetime]


def collect(sources: Sources) -> list[Block]:
    """Every family."""
    now, fleet = sources.clock(), sources.engine.fleet
    return [*_repairs(sources, fleet, now), *_pools(sources, fleet, now), *_own(sources, fleet, now)]


def _repairs(sources: Sources, fleet: Fleet, now: datetime) -> Iterable[Block]:
    odps, counts = sources.inventory.targets, sources.engine.counts
    actions = list(product(*(label.values for label in families.REMEDIATION_ACTIONS.closed)))
    yield _by_odp(
        families.REMEDIATION_ACTIONS,
        odps,
        lambda odp: tuple(counts.actions.get((odp, action, outcome), 0) for action, outcome in actions),
    )
    reasons = families.REMEDIATION_REFUSALS.closed[0].values
    yield _by_odp(
        families.REMEDIATION_REFUSALS,
        odps,
        lambda odp: tuple(counts.refusals.get((odp, reason), 0) for reason in reasons),
    )
    yield _by_odp(
        families.REMEDIATION_STATE,
        odps,
        lambda odp: tuple(int(stage_name(fleet.stages.get(odp)) == name) for name in families.STAGES),
    )
    yield _by_odp(
        families.REMEDIATION_TARGET_PAUSED,
        odps,
        lambda odp: int(pause_over(fleet, odp, now, sources.inventory) is not None),
    )
    yield single(families.REMEDIATION_PHASE_DURATION, sources.phases.values())


def _pools(sources: Sources, fleet: Fleet, now: datetime) -> Iterable[Block]:
    states, sessions, orphans = list[bytes](), list[bytes](), list[bytes]()
    for pool, odp, member in _members(sources):
        labels = {"odp": odp, "lb": sources.inventory.pools[pool].lb or ""}
        current = lb_state(member)
        states += [
            sample(families.LB_BACKEND_STATE, {"odp": odp, "state": state, "lb": labels["lb"]}, int(state == current))
            for state in families.LB_STATES
        ]
        if member and member.sessions is not None:
            sessions.append(sample(families.LB_BACKEND_SESSIONS, labels, member.sessions))
        if member:
            explained = has_lease(fleet.stages.get(odp)) or pause_over(fleet, odp, now, sources.inventory)
            orphans.append(sample(families.LB_ORPHAN_DRAIN, labels, int(member.admin is Admin.DRAIN and not explained)))
    yield families.LB_BACKEND_STATE, b"".join(states)
    yield families.LB_BACKEND_SESSIONS, b"".join(sessions)
    yield families.LB_ORPHAN_DRAIN, b"".join(orphans)
    serving = {
        pool: sum(member.takes_sessions for member in survey.members.values())
        for pool, survey in sources.surveys.items()
        if survey.members is not None
    }
    yield _by_odp(families.LB_POOL_SERVING, serving, lambda pool: serving[pool])


def _own(sources: Sources, fleet: Fleet, now: datetime) -> Iterable[Block]:
    is_paused = any(pause.scope is Scope.FLEET and (not pause.until or now < pause.until) for pause in fleet.pauses)
    yield single(families.REMEDIATION_PAUSED, int(is_paused or fleet.brake is not None))
    yield single(families.REMEDIATION_BRAKE, int(fleet.brake is not None))
    yield single(families.REMEDIATION_ACTIVE, int(sources.is_active()))
    results = tuple(sources.webhooks[result] for result in families.WEBHOOK_RESULTS)
    yield single(families.REMEDIATION_WEBHOOKS, results)
    heartbeat = sources.heartbeat()
    yield single(families.REMEDIATION_WATCHDOG_TIMESTAMP, heartbeat.timestamp() if heartbeat else None)
    build = {"version": __version__, "python_version": platform.python_version()}
    yield families.REMEDIATOR_BUILD_INFO, sample(families.REMEDIATOR_BUILD_INFO, build, 1)


def lb_state(member: Member | None) -> str:
    """One of LB_STATES: what people asked for comes before what checks say."""
    if member is None:
        return "unknown"
    if member.admin is not Admin.READY:
        return member.admin.value
    return "down" if member.health is Health.DOWN else "up" if member.health is Health.UP else "unknown"


def _members(sources: Sources) -> Iterable[tuple[str, str, Member | None]]:
    for pool, survey in sources.surveys.items():
        for odp in sources.inventory.members.get(pool, ()):
            yield pool, odp, (survey.members or {}).get(odp)


def _by_odp(family: Family, owners: Iterable[str], values: Callable[[str], Values]) -> Block:
    template = Template(family)
    return family, b"".join(template.fill(owner, values(owner)) for owner in owners)
