"""A fleet, a clock and what is seen: stories of repairs are told with it.

    story = Story("a", "b")
    assert [Look] == story.does(story.alert("a"))

With *cut* the remediator dies before that many of its events and starts anew
from its journal: what it orders again must be exactly what is outstanding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from odp_exporter.actuators.actuator import HostView, Restarted
from odp_exporter.health import State
from odp_exporter.lb.driver import Admin, Health, Member
from odp_exporter.observations import Identity, ProbeResult
from odp_exporter.remediation.codec import dump_event, dump_fleet, load_event, load_fleet
from odp_exporter.remediation.model import (
    Alert,
    AlertFiring,
    AlertResolved,
    Command,
    Decision,
    Drain,
    Drained,
    Enable,
    Enabled,
    Event,
    Evidence,
    Failure,
    Fleet,
    Hold,
    Look,
    Looked,
    Pause,
    Paused,
    Reason,
    Record,
    Recovered,
    Report,
    Restart,
    RestartEnded,
    Resumed,
    Scope,
    Stage,
    Surveyed,
    Verified,
    Verify,
    Waiting,
    Wish,
)
from odp_exporter.remediation.policy import Inventory, Policy
from odp_exporter.remediation.step import outstanding, step
from odp_exporter.targets import Address, Pool, Target

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
OLD = Identity("boot", 4711, 1, "/opt/obproxy/bin/obproxy")
NEW = Identity("boot", 4712, 2, "/opt/obproxy/bin/obproxy")
REFUSED = (ProbeResult.REFUSED, ProbeResult.REFUSED)
SILENT = (ProbeResult.GREETING_TIMEOUT, ProbeResult.GREETING_TIMEOUT)
TIMED_OUT = (ProbeResult.CONNECT_TIMEOUT, ProbeResult.CONNECT_TIMEOUT)
GREETED = (ProbeResult.OK, ProbeResult.OK)
NO_PROCESS = HostView(())
ALIVE = HostView((OLD,), OLD)
FAILED = Failure("LbUnreachable", "no answer")


def inventory(*odps: str, pool: str = "trade", min_serving: int = 1, max_concurrent: int = 1) -> Inventory:
    targets = {odp: Target(odp, Address("192.0.2.1", 2883), pool=pool) for odp in odps}
    return Inventory(targets, {pool: Pool(pool, lb="edge", min_serving=min_serving, max_concurrent=max_concurrent)})


def ready(odp: str, health: Health = Health.UP, weight: int | None = 100) -> Member:
    return Member(odp, Admin.READY, health, weight)


def drained(odp: str, admin: Admin = Admin.DRAIN) -> Member:
    return Member(odp, admin, Health.DOWN, 100)


cuts = pytest.mark.parametrize("cut", [None, *range(1, 12)])
"""Tells the story whole, and once more for each step before which the remediator is killed (S24)."""


class Story:
    """What happens to the ODPs of one pool, a day after nothing did."""

    def __init__(
        self,
        *odps: str,
        policy: Policy | None = None,
        min_serving: int = 1,
        max_concurrent: int = 1,
        cut: int | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self.inventory = inventory(*odps, min_serving=min_serving, max_concurrent=max_concurrent)
        self.fleet = Fleet()
        self.now = NOON
        self.records: list[Record] = []
        self.refusals: list[tuple[str, Reason]] = []
        self.cut = cut
        self.told = 0

    def __call__(self, event: Event) -> list[Command]:
        """Tell *event*, and what it leads to."""
        if self.told == self.cut:
            self.die()
        self.told += 1
        decision = self.decide(load_event(dump_event(event)))
        self.fleet = decision.fleet
        self.records += decision.records
        self.refusals += decision.refusals
        return list(decision.commands)

    def decide(self, event: Event) -> Decision:
        return step(self.fleet, event, self.now, self.policy, self.inventory)

    def does(self, event: Event) -> list[type]:
        """The kinds of commands that *event* leads to."""
        return [type(command) for command in self(event)]

    def after(self, seconds: float) -> Story:
        self.now += timedelta(seconds=seconds)
        return self

    def die(self) -> None:
        """SIGKILL, and a new start from the journal (S24)."""
        before = [command for stage in self.fleet.stages.values() if (command := outstanding(stage, self.policy))]
        self.fleet = load_fleet(dump_fleet(self.fleet))
        decision = self.decide(Recovered())
        self.fleet = decision.fleet
        assert [_without_time(command) for command in before] == [_without_time(one) for one in decision.commands]
        assert () == decision.records

    # What is believed

    def stage(self, odp: str = "a") -> Stage | None:
        return self.fleet.stages.get(odp)

    def stage_name(self, odp: str = "a") -> str:
        return type(self.stage(odp)).__name__.lower() if self.stage(odp) else "idle"

    def episode(self, odp: str = "a") -> str:
        stage = self.stage(odp)
        return stage.episode.id if stage else "none"

    def refusal(self, odp: str = "a") -> Reason | None:
        stage = self.stage(odp)
        return stage.refusal.reason if isinstance(stage, Waiting) else None

    def told_of(self, odp: str = "a") -> list[str]:
        """Its audit, without details."""
        return [
            " ".join(filter(None, (record.action, record.outcome, record.reason)))
            for record in self.records
            if record.odp == odp
        ]

    # What happens

    def alert(self, odp: str = "a", wish: Wish = Wish.RESTART, key: str = "", name: str = "OdpDown") -> AlertFiring:
        return AlertFiring(Alert(odp, name, wish, key or f"{name} {odp}", self.now))

    def resolved(self, odp: str = "a", name: str = "OdpDown") -> AlertResolved:
        return AlertResolved(odp, f"{name} {odp}")

    def evidence(
        self,
        odp: str = "a",
        greetings: tuple[ProbeResult, ...] = SILENT,
        host: HostView | None = ALIVE,
        *,
        state: State | None = State.HUNG,
        restart_safe: bool | None = True,
        is_memory_frozen: bool = False,
        processes: tuple[Identity, ...] = (OLD,),
        is_silenced: bool | None = False,
        members: Mapping[str, Member] | None = None,
        peers: Mapping[str, ProbeResult] | None = None,
        age: float = 0,
        report_age: float = 1,
    ) -> Evidence:
        """A hung ODP in a healthy pool, but for what is said otherwise; without *state* its exporter is not heard."""
        at = self.now - timedelta(seconds=age)
        others = [name for name in self.inventory.members["trade"] if name != odp]
        shown = {name: ready(name) if name in others else ready(name, Health.DOWN) for name in (*others, odp)}
        at_report = at - timedelta(seconds=report_age)
        report = state and Report(at_report, state, restart_safe, ("OCP",), is_memory_frozen, processes)
        greeted = dict.fromkeys(others, ProbeResult.OK)
        return Evidence(
            at,
            greetings,
            {**greeted, **(peers or {})},
            {**shown, **(members or {})},
            host,
            report or None,
            is_silenced,
        )

    def looked(self, odp: str = "a", evidence: Evidence | None = None) -> Looked:
        return Looked(odp, self.episode(odp), evidence or self.evidence(odp))

    def dead(self, odp: str = "a") -> Looked:
        return self.looked(odp, self.evidence(odp, REFUSED, NO_PROCESS, state=State.DOWN))

    def serves(self, odp: str = "a") -> Looked:
        return self.looked(odp, self.evidence(odp, GREETED, state=State.SERVING, members={odp: ready(odp)}))

    def unheard(self, odp: str = "a") -> Looked:
        """Hung, and its exporter is not heard."""
        return self.looked(odp, self.evidence(odp, state=None))

    def drained(self, odp: str = "a", failure: Failure | None = None) -> Drained:
        return Drained(odp, self.episode(odp), failure)

    def restarted(self, odp: str = "a", failure: Failure | None = None) -> RestartEnded:
        return RestartEnded(odp, self.episode(odp), failure or Restarted(NEW, self.now))

    def verified(
        self,
        odp: str = "a",
        failure: Failure | None = None,
        *,
        safe: bool | None = True,
        others: tuple[str, ...] = ("b",),
    ) -> Verified:
        report = Report(self.now, State.SERVING, safe, ("ocp_half_broken",))
        return Verified(odp, self.episode(odp), failure, report, others)

    def enabled(self, odp: str = "a", failure: Failure | None = None) -> Enabled:
        return Enabled(odp, self.episode(odp), failure)

    def surveyed(self, *members: Member, lb_started: datetime | None = NOON - timedelta(days=1)) -> Surveyed:
        return Surveyed("trade", {member.odp: member for member in members}, lb_started)

    def paused(self, scope: Scope, name: str = "", seconds: float | None = None) -> Paused:
        until = self.now + timedelta(seconds=seconds) if seconds else None
        return Paused(Pause(scope, name, "ann", "works on it", self.now, until))

    def resumed(self, scope: Scope, name: str = "") -> Resumed:
        return Resumed(scope, name, "ann", "done")

    # Parts that many stories have

    def repair(self, odp: str = "a") -> list[type]:
        """From the alert of a dead ODP to its return, in so many steps of one second."""
        kinds = self.does(self.alert(odp))
        for event in (self.dead, self.drained, self.restarted, self.verified, self.enabled):
            kinds += self.after(1).does(event(odp))
        return kinds + self.does(self.resolved(odp))

    def until(self, stage: str, odp: str = "a") -> Story:
        """The repair of a hung *odp* has come to *stage*."""
        self(self.alert(odp))
        for event in (self.looked, self.drained, self.restarted, self.verified):
            if self.stage_name(odp) == stage:
                return self
            self(event(odp))
        return self

    def hold(self, why: Hold = Hold.VERIFY_FAILED) -> Story:
        """The repair of a has failed."""
        failure = Failure("StartFailed", "no luck")
        is_restart = why is Hold.START_FAILED
        self.until("acting" if is_restart else "verifying")
        self(self.restarted("a", failure) if is_restart else self.verified("a", failure))
        return self


def _without_time(command: Command) -> Command:
    return replace(command, since=NOON) if isinstance(command, Verify) else command


__all__ = [
    "ALIVE",
    "FAILED",
    "GREETED",
    "NEW",
    "NOON",
    "NO_PROCESS",
    "OLD",
    "REFUSED",
    "SILENT",
    "TIMED_OUT",
    "Drain",
    "Enable",
    "Look",
    "Restart",
    "Story",
    "Verify",
    "cuts",
    "drained",
    "inventory",
    "ready",
]
