"""What must hold whatever happens, in whatever order, as often and as late as it likes.

A world of two pools is played at random: alerts, evidence of every kind,
completions (also late, doubled and of other episodes), surveys, people, clock
jumps, and deaths of the remediator at any moment. After each event the
invariants are checked against what was decided.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from odp_exporter.actuators.actuator import HostView, Restarted
from odp_exporter.health import State
from odp_exporter.lb.driver import Admin, Health, Member
from odp_exporter.observations import ProbeResult
from odp_exporter.remediation.codec import dump_fleet, load_fleet
from odp_exporter.remediation.model import (
    Acting,
    Alert,
    AlertFiring,
    AlertResolved,
    Command,
    Decision,
    Drain,
    Drained,
    Draining,
    Enable,
    Enabled,
    Enabling,
    Event,
    Evidence,
    Failure,
    Fleet,
    Held,
    Looked,
    Looking,
    Pause,
    Paused,
    Plan,
    Recovered,
    Report,
    Restart,
    RestartEnded,
    Resumed,
    Scope,
    Start,
    Surveyed,
    Tick,
    Verified,
    Verifying,
    Wish,
)
from odp_exporter.remediation.policy import Inventory, Policy
from odp_exporter.remediation.step import outstanding, step
from odp_exporter.targets import Address, Pool, Target

from .story import NEW, NOON, OLD

POOLS = {"p": ("a", "b", "c"), "q": ("d", "e", "f", "g")}
ODPS = tuple(odp for odps in POOLS.values() for odp in odps)
INVENTORY = Inventory(
    {odp: Target(odp, Address("192.0.2.1", 2883), pool=pool) for pool, odps in POOLS.items() for odp in odps},
    {
        "p": Pool("p", lb="edge", min_serving=1, max_concurrent=1),
        "q": Pool("q", lb="edge", min_serving=2, max_concurrent=2),
    },
)
POLICY = Policy(fleet_budget=6, max_failing_share=1.0, max_looks=4)
REPAIRED = Draining | Acting | Verifying | Enabling

odps = st.sampled_from([*ODPS, "stranger"])
admins = st.sampled_from([Admin.READY] * 6 + list(Admin))
healths = st.sampled_from([Health.UP] * 4 + list(Health))
results = st.sampled_from(
    [ProbeResult.OK] * 3 + [ProbeResult.REFUSED, ProbeResult.GREETING_TIMEOUT] * 2 + list(ProbeResult)
)
greetings = st.one_of(
    st.sampled_from([(ProbeResult.REFUSED,) * 2, (ProbeResult.GREETING_TIMEOUT,) * 2, (ProbeResult.OK,) * 2]),
    st.lists(results, max_size=3).map(tuple),
)
hosts = st.sampled_from(
    [None, HostView(()), HostView((OLD,), OLD), HostView((NEW,), NEW), HostView((OLD,), OLD), HostView((OLD, NEW), OLD)]
)
reports = st.one_of(
    st.none(),
    st.builds(
        lambda state, safe: Report(NOON, state, safe),
        st.sampled_from([State.HUNG, State.DOWN, *State]),
        st.sampled_from([True, True, True, False, None]),
    ),
)
failures = st.sampled_from([*[None] * 9, Failure("StartFailed", "no luck")])
ages = st.sampled_from([None, -86400, -10, 0, 3600])
scopes = st.sampled_from([(Scope.FLEET, ""), (Scope.POOL, "p"), (Scope.TARGET, "a"), (Scope.TARGET, "d")])

KINDS = {
    "dead": (ProbeResult.REFUSED, HostView(()), State.DOWN),
    "hung": (ProbeResult.GREETING_TIMEOUT, HostView((OLD,), OLD), State.HUNG),
    "well": (ProbeResult.OK, HostView((NEW,), NEW), State.SERVING),
}
kinds = st.sampled_from(["dead", "dead", "hung", "hung", "well", "arbitrary", "arbitrary"])


class Timeline(RuleBasedStateMachine):
    """A remediator's life."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet()
        self.now = NOON
        self.restarts: Counter[str] = Counter()
        """Restart commands by plan: the stage's own beginning names it."""
        self.seen: list[str] = []
        self.late: list[Event] = []

    @initialize()
    def begin(self) -> None:
        self.tell(Tick())

    def tell(self, event: Event) -> Decision:
        before = self.fleet
        decision = step(before, event, self.now, POLICY, INVENTORY)
        self.fleet = decision.fleet
        self.check(before, event, decision)
        return decision

    # What happens

    @rule(odp=odps, wish=st.sampled_from([Wish.RESTART] * 5 + [Wish.DRAIN]), key=st.sampled_from("xy"))
    def an_alert_fires(self, odp: str, wish: Wish, key: str) -> None:
        self.tell(AlertFiring(Alert(odp, "OdpDown", wish, key + wish, self.now)))

    @rule(odp=odps, key=st.sampled_from("xy"), wish=st.sampled_from(Wish))
    def an_alert_is_resolved(self, odp: str, key: str, wish: Wish) -> None:
        self.tell(AlertResolved(odp, key + wish))

    @rule(odp=st.sampled_from(ODPS), kind=kinds, steps=st.integers(0, 4), data=st.data())
    def an_odp_fails_and_its_repair_goes_some_way(self, odp: str, kind: str, steps: int, data: st.DataObject) -> None:
        self.tell(AlertFiring(Alert(odp, "OdpDown", Wish.RESTART, f"x{Wish.RESTART}", self.now)))
        self.tell(self.looked(odp, kind, data))
        for _ in range(steps):
            if isinstance(stage := self.fleet.stages.get(odp), REPAIRED):
                self.tell(self.completion(odp, stage, None))

    @rule(kind=kinds, data=st.data())
    def evidence_comes_in(self, kind: str, data: st.DataObject) -> None:
        for odp in [odp for odp, stage in self.fleet.stages.items() if isinstance(stage, Looking)]:
            self.tell(self.looked(odp, kind, data))

    def looked(self, odp: str, kind: str, data: st.DataObject) -> Looked:
        stage = self.fleet.stages.get(odp)
        evidence = self.arbitrary(odp, data) if kind == "arbitrary" else self.evidence(odp, *KINDS[kind])
        return Looked(odp, stage.episode.id if stage else "none", evidence)

    def evidence(self, odp: str, greeted: ProbeResult, host: HostView, state: State) -> Evidence:
        """All others are as they should be, and the load balancer shows what we have done."""
        pool = next(odps for odps in POOLS.values() if odp in odps)
        members = {name: Member(name, self.wanted(name), Health.UP, 100) for name in pool}
        peers = {name: ProbeResult.OK for name in pool if name != odp}
        report = Report(self.now, state, restart_safe=True)
        return Evidence(self.now, (greeted, greeted), peers, members, host, report, is_silenced=False)

    def wanted(self, odp: str) -> Admin:
        stage = self.fleet.stages.get(odp)
        is_out = isinstance(stage, REPAIRED | Held) or (isinstance(stage, Looking) and stage.held)
        return Admin.DRAIN if is_out else Admin.READY

    def arbitrary(self, odp: str, data: st.DataObject) -> Evidence:
        pool = next(odps for odps in POOLS.values() if odp in odps)
        members = {name: Member(name, data.draw(admins), data.draw(healths), 100) for name in pool}
        report = data.draw(reports)
        return Evidence(
            self.now - timedelta(seconds=data.draw(st.sampled_from([0, 0, 0, 0, 20]))),
            data.draw(greetings),
            {name: data.draw(results) for name in pool if name != odp},
            data.draw(st.sampled_from([members, members, members, None])),
            data.draw(hosts),
            replace(report, at=self.now) if report else None,
            data.draw(st.sampled_from([False] * 5 + [True, None])),
        )

    @rule(failures=st.lists(failures, min_size=3, max_size=7), seconds=st.integers(0, 25))
    def what_is_outstanding_completes(self, failures: list[Failure | None], seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        for failure, (odp, stage) in zip(failures, dict(self.fleet.stages).items(), strict=False):
            if isinstance(stage, REPAIRED):
                event = self.completion(odp, stage, failure)
                self.late.append(event)
                self.tell(event)

    def completion(self, odp: str, stage: REPAIRED, failure: Failure | None) -> Event:
        episode = stage.episode.id
        match stage:
            case Draining():
                return Drained(odp, episode, failure)
            case Acting():
                return RestartEnded(odp, episode, failure or Restarted(NEW, self.now))
            case Verifying():
                return Verified(odp, episode, failure)
            case Enabling():
                return Enabled(odp, episode, failure)

    @rule(data=st.data())
    def a_completion_comes_twice(self, data: st.DataObject) -> None:
        if self.late:
            self.tell(data.draw(st.sampled_from(self.late[-20:])))

    @rule(
        pool=st.sampled_from([*POOLS, "nowhere"]),
        data=st.data(),
        forgets=st.booleans(),
        age=st.sampled_from([None, -86400, -10, 0, 3600]),
    )
    def a_load_balancer_is_read(self, pool: str, data: st.DataObject, age: int | None, *, forgets: bool) -> None:
        names = POOLS.get(pool, ("x",))
        members = {
            name: Member(name, data.draw(admins) if forgets else self.wanted(name), Health.UP, 100) for name in names
        }
        started = None if age is None else self.now - timedelta(seconds=age)
        self.tell(Surveyed(pool, members, started))

    @rule(covered=scopes, seconds=st.sampled_from([None, 5, 60, 0, 0, 0, 0]))
    def a_person_pauses_or_resumes(self, covered: tuple[Scope, str], seconds: int | None) -> None:
        if seconds == 0:
            self.tell(Resumed(*covered, "ann", "done"))
            return
        until = self.now + timedelta(seconds=seconds) if seconds else None
        self.tell(Paused(Pause(*covered, "ann", "why", self.now, until)))

    @rule(seconds=st.one_of(st.integers(0, 20), st.sampled_from([61, 121, 3601, -1, -3600, 86400])))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.tell(Tick())

    @rule()
    def the_remediator_dies_and_starts_anew(self) -> None:
        fleet = load_fleet(dump_fleet(self.fleet))
        assert self.fleet == fleet
        self.fleet = fleet
        decision = self.tell(Recovered())
        again = [command for stage in self.fleet.stages.values() if (command := outstanding(stage, POLICY))]
        assert again == list(decision.commands)

    # What must hold

    def check(self, before: Fleet, event: Event, decision: Decision) -> None:
        for command in decision.commands:
            assert command.odp in INVENTORY.targets
            self.check_command(before, event, command)
        asked = Counter(command.odp for command in decision.commands)
        assert all(count == 1 for count in asked.values())
        # Written before it is done: what is asked for is what the stage says, or the renewal of a drain.
        for command in decision.commands:
            stage = decision.fleet.stages[command.odp]
            is_renewal = isinstance(event, Surveyed) and isinstance(command, Drain)
            assert is_renewal or command == outstanding(stage, POLICY)

    def check_command(self, before: Fleet, event: Event, command: Command) -> None:
        after = self.fleet.stages[command.odp]
        match command:
            case Drain() if isinstance(event, Looked) and isinstance(after, Draining):
                self.check_plan(before, event, after.plan)
            case Restart():
                self.check_restart(before, event, command)
            case Enable():
                assert isinstance(after, Enabling)
                assert after.lease.weight == command.weight
            case _:
                pass

    def check_plan(self, before: Fleet, event: Looked, plan: Plan) -> None:
        """Nothing is begun that any guard forbids."""
        odp, evidence = event.odp, event.evidence
        pool = INVENTORY.pool_of(odp)
        assert pool is not None
        assert not is_paused(before, odp, self.now)
        assert before.brake is None
        assert evidence.is_silenced is False
        assert evidence.members is not None
        assert abs(self.now - evidence.at) <= POLICY.evidence_max_age
        busy = [name for name in POOLS[pool.name] if name != odp and isinstance(before.stages.get(name), REPAIRED)]
        assert len(busy) < pool.max_concurrent
        is_dead = set(evidence.greetings) == {ProbeResult.REFUSED} and evidence.host == HostView(())
        if not is_dead:
            assert serving(before, odp, evidence, self.now) >= pool.min_serving
            assert not isinstance(plan, Start)
        recent = [action for action in before.actions if self.now - action.at < POLICY.fleet_window]
        assert len(recent) < POLICY.fleet_budget
        self.seen.append(odp)

    def check_restart(self, before: Fleet, event: Event, command: Restart) -> None:
        """Only after a drain, once, and only the process that was seen."""
        stage = before.stages[command.odp]
        if isinstance(event, Recovered):
            assert isinstance(stage, Acting)
            assert command == outstanding(stage, POLICY)
            return
        assert isinstance(event, Drained)
        assert event.failure is None
        assert isinstance(stage, Draining)
        assert not is_paused(before, command.odp, self.now)
        assert before.brake is None
        kill = None if isinstance(stage.plan, Start) else getattr(stage.plan, "process", None)
        assert kill == command.kill
        begun = f"{command.odp} {len([action for action in before.actions if action.odp == command.odp])} {stage.since}"
        self.restarts[begun] += 1
        assert 1 == self.restarts[begun]

    @invariant()
    def never_more_repairs_in_a_pool_than_allowed(self) -> None:
        for name, pool in INVENTORY.pools.items():
            acting = [odp for odp in POOLS[name] if isinstance(self.fleet.stages.get(odp), Acting)]
            assert len(acting) <= pool.max_concurrent

    @invariant()
    def every_drain_of_ours_ends_or_is_looked_at_again(self) -> None:
        """What has a lease has a command outstanding with a deadline, or a time at which it is looked at (S28)."""
        for stage in self.fleet.stages.values():
            if isinstance(stage, Held):
                assert stage.until - self.now <= POLICY.hold_max + timedelta(days=2)
            elif isinstance(stage, REPAIRED):
                assert outstanding(stage, POLICY) is not None

    @invariant()
    def only_the_inventory_is_believed_in(self) -> None:
        assert set(ODPS) >= {*self.fleet.stages, *self.fleet.alerts, *self.fleet.released}
        assert all(odp == stage.episode.odp for odp, stage in self.fleet.stages.items())

    def teardown(self) -> None:
        """Left to itself, with every ODP well, the fleet comes to rest: nothing stays drained."""
        self.tell(Resumed(Scope.FLEET, "", "ann", "end"))
        for covered in ((Scope.POOL, "p"), (Scope.TARGET, "a"), (Scope.TARGET, "d")):
            self.tell(Resumed(*covered, "ann", "end"))
        for odp, alerts in dict(self.fleet.alerts).items():
            for alert in alerts:
                self.tell(AlertResolved(odp, alert.key))
        for _ in range(40):
            self.now += timedelta(seconds=30)
            self.tell(Tick())
            for odp, stage in dict(self.fleet.stages).items():
                if isinstance(stage, REPAIRED):
                    self.tell(self.completion(odp, stage, None))
        assert {} == self.fleet.stages


def is_paused(fleet: Fleet, odp: str, now: datetime) -> bool:
    pool = next((name for name, odps in POOLS.items() if odp in odps), None)
    covering = {(Scope.FLEET, ""), (Scope.POOL, pool), (Scope.TARGET, odp)}
    return any(
        (pause.scope, pause.name) in covering and (pause.until is None or now < pause.until) for pause in fleet.pauses
    )


def serving(fleet: Fleet, odp: str, evidence: Evidence, now: datetime) -> int:
    """An independent count of the others that are proven to serve."""
    count = 0
    for name, member in (evidence.members or {}).items():
        stage = fleet.stages.get(name)
        is_ours = isinstance(stage, REPAIRED | Held) or (isinstance(stage, Looking) and stage.held)
        is_well = evidence.peers.get(name) is ProbeResult.OK and member.admin is Admin.READY and member.health != "down"
        count += name != odp and is_well and not is_ours and not is_paused(fleet, name, now)
    return count


TestTimeline = Timeline.TestCase
TestTimeline.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
