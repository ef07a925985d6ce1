"""One ODP, all that is known of it, and what of that counts: what judge.py and its rules look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from odp_exporter.lb.driver import Admin, Health, Member
from odp_exporter.observations import Identity, ProbeResult
from odp_exporter.targets import Pool

from .model import (
    MEMORY_FROZEN,
    Acting,
    Draining,
    Enabling,
    Evidence,
    Fleet,
    Held,
    Looking,
    Pause,
    Report,
    Scope,
    Verifying,
    Wish,
)
from .policy import Inventory, Policy

_REPAIRED = (Draining, Acting, Verifying, Enabling)
_SILENCE = frozenset({ProbeResult.GREETING_TIMEOUT, ProbeResult.CONNECT_TIMEOUT})


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be judged, by what, and when."""

    fleet: Fleet
    odp: str
    evidence: Evidence
    now: datetime
    policy: Policy
    inventory: Inventory

    @property
    def pool(self) -> Pool | None:
        """Where it serves."""
        return self.inventory.pool_of(self.odp)

    @property
    def member(self) -> Member | None:
        """The ODP as its load balancer sees it."""
        return (self.evidence.members or {}).get(self.odp)

    @property
    def wish(self) -> Wish:
        """What its alerts ask for; one that crash loops is not helped by another restart."""
        wishes = {alert.wish for alert in self.fleet.alerts.get(self.odp, ())}
        return Wish.DRAIN if Wish.DRAIN in wishes else Wish.RESTART

    @property
    def report(self) -> Report | None:
        """The exporter's word, if it is fresh."""
        report = self.evidence.report
        is_fresh = report and abs(self.evidence.at - report.at) <= self.policy.report_max_age
        return report if is_fresh else None

    @property
    def held(self) -> Held | None:
        """It is held by us: the drain that is seen is ours."""
        stage = self.fleet.stages.get(self.odp)
        return stage.held if isinstance(stage, Looking) else stage if isinstance(stage, Held) else None

    @property
    def results(self) -> frozenset[ProbeResult]:
        """How our own greetings of it ended."""
        return frozenset(self.evidence.greetings)

    @property
    def is_serving(self) -> bool:
        """It has greeted us just now."""
        return ProbeResult.OK in self.results

    @property
    def is_silent(self) -> bool:
        """None of our greetings was answered or refused."""
        return bool(self.results) and self.results <= _SILENCE

    @property
    def is_dead(self) -> bool:
        """Nobody listens, and its host knows no process: it serves nobody."""
        host = self.evidence.host
        return self.results == {ProbeResult.REFUSED} and host is not None and not host.processes and host.owner is None

    @property
    def is_frozen(self) -> bool:
        """At its memory limit: so says its alert, and so does its exporter of the very process that owns the port."""
        host, report = self.evidence.host, self.report
        if host is None or host.owner is None or report is None or _lives(report.processes) != _lives([host.owner]):
            return False
        fires = {alert.name for alert in self.fleet.alerts.get(self.odp, ())}
        return report.is_memory_frozen and MEMORY_FROZEN in fires

    def serving_others(self) -> Iterator[str]:
        """Members that are proven to take sessions and to greet.

        Drained, unknown and paused ones are not, nor is what is under repair or cools down after one (S11).
        """
        cools_down = cooling(self.fleet, self.now, self.policy)
        for odp in self.inventory.members[self.pool.name] if self.pool else ():
            if odp != self.odp and odp not in cools_down and self._serves(odp):
                yield odp

    def _serves(self, odp: str) -> bool:
        member = (self.evidence.members or {}).get(odp)
        greets = self.evidence.peers.get(odp) is ProbeResult.OK
        return bool(member and greets and takes_sessions(member)) and not (
            is_out(self.fleet, odp) or pause_over(self.fleet, odp, self.now, self.inventory)
        )


def _lives(processes: Iterable[Identity]) -> list[tuple[str, int, int]]:
    """Without executables, which not everybody may read."""
    return [(process.boot_id, process.pid, process.start_ticks) for process in processes]


def takes_sessions(member: Member) -> bool:
    """New sessions may go to it; without checks of its own, its load balancer cannot say more."""
    return member.takes_sessions or (
        member.admin is Admin.READY and member.health is Health.UNKNOWN and member.weight != 0
    )


def is_out(fleet: Fleet, odp: str) -> bool:
    """It is out of its load balancer by our doing."""
    stage = fleet.stages.get(odp)
    return is_repaired(fleet, odp) or isinstance(stage, Held) or (isinstance(stage, Looking) and stage.held is not None)


def is_repaired(fleet: Fleet, odp: str) -> bool:
    """Something is being done to it."""
    return isinstance(fleet.stages.get(odp), _REPAIRED)


def cooling(fleet: Fleet, now: datetime, policy: Policy) -> Mapping[str, datetime]:
    """ODPs to which something was done so shortly ago that they may yet fail again, and when (S14)."""
    since, latest = now - policy.cool_down, dict[str, datetime]()
    for odp, at in (*((action.odp, action.at) for action in fleet.actions), *fleet.released.items()):
        if at > since:
            latest[odp] = max(at, latest.get(odp, at))
    return latest


def pause_over(fleet: Fleet, odp: str, now: datetime, inventory: Inventory) -> Pause | None:
    """A person's pause that covers *odp*."""
    if not fleet.pauses:
        return None
    pool = inventory.pool_of(odp)
    covering = {(Scope.FLEET, ""), (Scope.TARGET, odp), (Scope.POOL, pool.name if pool else "")}
    for pause in fleet.pauses:
        if _key(pause) in covering and (pause.until is None or now < pause.until):
            return pause
    return None


def _key(pause: Pause) -> tuple[Scope, str]:
    return pause.scope, "" if pause.scope is Scope.FLEET else pause.name
