"""What stands between a plan and its first step, one by one: who would be repaired, is not, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from odp_exporter.actuators.actuator import HostView
from odp_exporter.health import State
from odp_exporter.lb.driver import Admin, Health, Member
from odp_exporter.observations import ProbeResult
from odp_exporter.remediation.judge import judge
from odp_exporter.remediation.model import (
    Action,
    Alert,
    AlertFiring,
    Brake,
    Drain,
    Episode,
    Evidence,
    Fleet,
    Held,
    Hold,
    Lease,
    Look,
    Looking,
    Pause,
    Reason,
    Refusal,
    Replace,
    Scope,
    Stage,
    Start,
    TakeOut,
    Tick,
    Verifying,
    Wish,
)
from odp_exporter.remediation.policy import Policy

from .story import (
    ALIVE,
    GREETED,
    NEW,
    NO_PROCESS,
    NOON,
    OLD,
    REFUSED,
    SILENT,
    TIMED_OUT,
    Story,
    cuts,
    drained,
    inventory,
    ready,
)

LIVING = Story("a", "b", "c")
ONE_DEAD = {"greetings": REFUSED, "host": NO_PROCESS, "state": State.DOWN}


def verdict(fleet: Fleet | None = None, /, **seen: object) -> object:
    """The judgement of a hung ODP of three, whose pool needs one."""
    evidence = LIVING.evidence("a", **seen)  # type: ignore[arg-type]  # a table's columns have one type
    return judge(fleet or Fleet(), "a", evidence, NOON, Policy(), LIVING.inventory)


def reason(fleet: Fleet | None = None, /, **seen: object) -> Reason | None:
    judged = verdict(fleet, **seen)
    return judged.reason if isinstance(judged, Refusal) else None


def paused(scope: Scope, name: str = "", seconds: float | None = None) -> Fleet:
    until = NOON + timedelta(seconds=seconds) if seconds else None
    return Fleet(pauses=(Pause(scope, name, "ann", "why", NOON - timedelta(hours=1), until),))


def acted(*seconds_ago: float, odp: str = "a", plan: str = "start") -> Fleet:
    return Fleet(actions=tuple(Action(odp, NOON - timedelta(seconds=ago), plan) for ago in seconds_ago))


def staged(odp: str, make: Callable[[Episode], Stage]) -> Fleet:
    return Fleet(stages={odp: make(Episode("1", odp, "OdpDown", NOON))})


def verifying(episode: Episode) -> Stage:
    return Verifying(episode, NOON, Lease(1, NOON))


def held(episode: Episode) -> Stage:
    return Held(episode, NOON, Lease(1, NOON), Hold.CRASH_LOOP, "", NOON)


def held_and_looked_at(episode: Episode) -> Stage:
    return Looking(episode, NOON, held=Held(episode, NOON, Lease(1, NOON), Hold.DRAIN_FAILED, "", NOON))


def fires(*odps: str, wish: Wish = Wish.RESTART) -> Fleet:
    return Fleet(alerts={odp: (Alert(odp, "OdpDown", wish, odp, NOON),) for odp in odps})


def test_without_a_guard_in_the_way_the_plans_are_these() -> None:
    assert Replace(OLD) == verdict()
    assert Start() == verdict(**ONE_DEAD)
    assert TakeOut(Hold.HOST_GONE) == verdict(greetings=TIMED_OUT, host=None, state=None)
    assert TakeOut(Hold.CRASH_LOOP) == verdict(fires("a", wish=Wish.DRAIN))


BOTH = [{}, ONE_DEAD]


def test_one_that_serves_is_not_taken_out_while_a_silence_may_cover_its_crash_loop() -> None:
    """An Alertmanager that has just started has its silences, and no alerts yet (S16)."""
    loops, serves = fires("a", wish=Wish.DRAIN), {"greetings": GREETED, "state": State.SERVING}

    assert Reason.ALERTMANAGER_UNKNOWN is reason(loops, **serves, is_silenced=None)
    assert Reason.SILENCED is reason(loops, **serves, is_silenced=True)
    assert TakeOut(Hold.CRASH_LOOP) == verdict(loops, **serves)


@pytest.mark.parametrize("seen", BOTH, ids=["hung", "dead"])
@pytest.mark.parametrize(
    ("fleet", "more", "expected"),
    [
        pytest.param(paused(Scope.TARGET, "a"), {}, Reason.PAUSED, id="S16 target paused"),
        pytest.param(paused(Scope.POOL, "trade"), {}, Reason.PAUSED, id="S16 pool paused"),
        pytest.param(paused(Scope.FLEET), {}, Reason.PAUSED, id="S13 fleet paused"),
        pytest.param(paused(Scope.TARGET, "a", 1), {}, Reason.PAUSED, id="S16 paused for a second more"),
        pytest.param(Fleet(brake=Brake(NOON, "11 actions")), {}, Reason.BRAKE, id="S13 brake"),
        pytest.param(Fleet(), {"is_silenced": True}, Reason.SILENCED, id="S16 silenced"),
        pytest.param(Fleet(), {"is_silenced": None}, Reason.ALERTMANAGER_UNKNOWN, id="S16 silences unknown"),
        pytest.param(acted(59), {}, Reason.COOLING_DOWN, id="S14 cooling down"),
        pytest.param(Fleet(released={"a": NOON}), {}, Reason.COOLING_DOWN, id="S14 just put back"),
        pytest.param(staged("b", verifying), {}, Reason.POOL_BUSY, id="S17 another is under repair"),
        pytest.param(
            Fleet(actions=tuple(Action("b", NOON, "start") for _ in range(10))), {}, Reason.BRAKE, id="S13 fleet budget"
        ),
        pytest.param(Fleet(), {"members": {"a": drained("a")}}, Reason.HELD_BY_PERSON, id="S16 drained by a person"),
        pytest.param(
            Fleet(), {"members": {"a": drained("a", Admin.MAINT)}}, Reason.HELD_BY_PERSON, id="S16 in maintenance"
        ),
        pytest.param(
            Fleet(), {"members": {"a": ready("a", weight=0)}}, Reason.HELD_BY_PERSON, id="S16 drained by its weight"
        ),
        pytest.param(Fleet(), {"state": State.STARTING}, Reason.STARTING, id="starting"),
        pytest.param(Fleet(), {"state": State.DRAINING}, Reason.DRAINING, id="S22 draining"),
        pytest.param(Fleet(), {"state": State.SERVING}, Reason.UNCLEAR, id="S8 its exporter sees it serve"),
        pytest.param(Fleet(), {"age": 16}, Reason.UNCLEAR, id="S8 old evidence"),
        pytest.param(Fleet(), {"age": -16}, Reason.UNCLEAR, id="S8 evidence from the future"),
    ],
)
def test_refused_whatever_ails_it(
    fleet: Fleet, more: dict[str, object], expected: Reason, seen: dict[str, object]
) -> None:
    assert expected is reason(fleet, **{**seen, **more})


@pytest.mark.parametrize(
    ("fleet", "seen"),
    [
        pytest.param(paused(Scope.TARGET, "b"), {}, id="another target is paused"),
        pytest.param(paused(Scope.POOL, "orders"), {}, id="another pool is paused"),
        pytest.param(paused(Scope.TARGET, "a", -1), {}, id="the pause is over"),
        pytest.param(acted(60), {}, id="cooled down"),
        pytest.param(acted(61, odp="b"), {}, id="something was done to another"),
        pytest.param(acted(*[3601] * 3), {}, id="budget spent long ago"),
        pytest.param(staged("b", held), {}, id="another is held"),
        pytest.param(
            Fleet(), {"members": {"a": ready("a", Health.UNKNOWN, None)}}, id="its load balancer checks nothing"
        ),
    ],
)
def test_not_refused(fleet: Fleet, seen: dict[str, object]) -> None:
    """A guard that refuses more than it should keeps people awake as well."""
    assert Replace(OLD) == verdict(fleet, **seen)


@pytest.mark.parametrize(
    ("fleet", "seen", "expected"),
    [
        pytest.param(Fleet(), {"restart_safe": False}, Reason.RESTART_UNSAFE, id="S10 OCP half-broken"),
        pytest.param(Fleet(), {"restart_safe": None}, Reason.RESTART_UNKNOWN, id="S10 nobody knows"),
        pytest.param(Fleet(), {"state": None}, Reason.RESTART_UNKNOWN, id="S10 its exporter is silent"),
        pytest.param(Fleet(), {"report_age": 31}, Reason.RESTART_UNKNOWN, id="S10 its exporter spoke long ago"),
        pytest.param(fires("a", "b"), {}, Reason.FLEET_FAILING, id="S9 two of three fail"),
        pytest.param(staged("b", held), {"peers": {"c": ProbeResult.REFUSED}}, Reason.MIN_SERVING, id="S11 held"),
        pytest.param(
            acted(59, odp="b"), {"peers": {"c": ProbeResult.REFUSED}}, Reason.MIN_SERVING, id="S11 cools down"
        ),
        pytest.param(
            Fleet(released={"b": NOON}),
            {"peers": {"c": ProbeResult.REFUSED}},
            Reason.MIN_SERVING,
            id="S11 just put back",
        ),
        pytest.param(
            staged("b", held_and_looked_at),
            {"peers": {"c": ProbeResult.REFUSED}},
            Reason.MIN_SERVING,
            id="S11 held and being looked at",
        ),
        pytest.param(
            Fleet(),
            {"peers": dict.fromkeys("bc", ProbeResult.GREETING_TIMEOUT)},
            Reason.MIN_SERVING,
            id="S11 others are silent",
        ),
        pytest.param(
            Fleet(), {"members": {"b": drained("b"), "c": drained("c")}}, Reason.MIN_SERVING, id="S11 others drained"
        ),
        pytest.param(
            Fleet(),
            {"members": {odp: ready(odp, Health.DOWN) for odp in "bc"}},
            Reason.MIN_SERVING,
            id="S11 others down for their load balancer",
        ),
        pytest.param(
            Fleet(), {"members": {odp: ready(odp, weight=0) for odp in "bc"}}, Reason.MIN_SERVING, id="S11 weight 0"
        ),
        pytest.param(
            replace(
                paused(Scope.TARGET, "b"), pauses=(*paused(Scope.TARGET, "b").pauses, *paused(Scope.TARGET, "c").pauses)
            ),
            {},
            Reason.MIN_SERVING,
            id="S11 others in maintenance",
        ),
    ],
)
def test_a_living_one_is_not_taken_out_or_ended_if(fleet: Fleet, seen: dict[str, object], expected: Reason) -> None:
    """And a dead one is started in the same situation: it serves nobody, so it costs nothing."""
    assert expected is reason(fleet, **seen)
    assert Start() == verdict(fleet, **{**seen, **ONE_DEAD, "report_age": 1})


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param({"greetings": GREETED}, Reason.SERVES, id="S8 it serves"),
        pytest.param({"greetings": (SILENT[0], GREETED[0])}, Reason.SERVES, id="S8 it serves again"),
        pytest.param(
            {"greetings": GREETED, "is_silenced": None},
            Reason.SERVES,
            id="S8 it serves, and its alert is nowhere any more",
        ),
        pytest.param(
            {"state": State.SERVING, "report_age": 31},
            Reason.RESTART_UNKNOWN,
            id="S8 its exporter saw it serve long ago",
        ),
        pytest.param({"greetings": ()}, Reason.UNCLEAR, id="S8 not greeted"),
        pytest.param({"greetings": (ProbeResult.INTERNAL_ERROR,)}, Reason.UNCLEAR, id="S8 our own fault"),
        pytest.param({"greetings": SILENT[:1]}, Reason.UNCLEAR, id="silent once is weather"),
        pytest.param({"greetings": (REFUSED[0], SILENT[0])}, Reason.UNCLEAR, id="refused and silent"),
        pytest.param({"greetings": REFUSED}, Reason.UNCLEAR, id="refused, and a process lives"),
        pytest.param({"greetings": (ProbeResult.RESET,) * 2}, Reason.UNCLEAR, id="reset"),
        pytest.param({"greetings": (ProbeResult.ERROR_PACKET,) * 2}, Reason.UNCLEAR, id="error packets"),
        pytest.param({"greetings": (ProbeResult.UNREACHABLE,) * 2, "host": None}, Reason.HOST_UNREACHABLE, id="S9 DNS"),
        pytest.param({"host": HostView((OLD, NEW), OLD)}, Reason.DUPLICATE, id="S20 two processes"),
        pytest.param({"host": HostView((OLD,), None)}, Reason.UNIDENTIFIED, id="S20 nobody owns the port"),
        pytest.param({"host": HostView((OLD,), NEW)}, Reason.UNIDENTIFIED, id="S20 another owns the port"),
        pytest.param({"host": HostView((), NEW)}, Reason.UNIDENTIFIED, id="S20 a stranger owns the port"),
        pytest.param(
            {**ONE_DEAD, "host": HostView((), NEW)}, Reason.UNIDENTIFIED, id="S20 refused, and a stranger owns the port"
        ),
        pytest.param({"host": NO_PROCESS}, Reason.UNIDENTIFIED, id="S20 silent, and no process is seen"),
        pytest.param(
            {"host": HostView((OLD,), OLD, is_told_to_stop=True), "state": None}, Reason.DRAINING, id="S22 told to stop"
        ),
        pytest.param(
            {"host": HostView((OLD, NEW), OLD, is_hot_restarting=True), "state": State.DOWN},
            Reason.DRAINING,
            id="S22 hot-restarting",
        ),
        pytest.param(
            {"host": replace(ALIVE, obstacles=("disk full",))}, Reason.OBSTACLE, id="S10 disk full, and it lives"
        ),
        pytest.param(
            {**ONE_DEAD, "host": HostView((), obstacles=("no binary",))},
            Reason.OBSTACLE,
            id="S10 no binary, and it is dead",
        ),
        pytest.param({"host": None}, Reason.HOST_UNREACHABLE, id="silent, and its processes cannot be seen"),
        pytest.param(
            {"host": None, "greetings": TIMED_OUT},
            Reason.HOST_UNREACHABLE,
            id="its exporter lives on a host that is gone",
        ),
    ],
)
def test_what_ails_it_is_not_what_we_cure(seen: dict[str, object], expected: Reason) -> None:
    assert expected is reason(**seen)


def test_a_load_balancer_that_cannot_be_read_forbids_everything() -> None:
    """Unknown is not drained (S11)."""
    for members in (None, {"b": ready("b")}):
        evidence = replace(LIVING.evidence("a", REFUSED, NO_PROCESS, state=State.DOWN), members=members)

        assert Reason.LB_UNKNOWN is judged(evidence)


def test_a_host_that_is_gone_for_us_alone_is_our_own_trouble() -> None:
    """The load balancer reaches it, or we reach nobody (S9)."""
    gone = {"greetings": TIMED_OUT, "host": None, "state": None}

    assert Reason.UNCLEAR is reason(**gone, members={"a": ready("a")})
    assert Reason.UNCLEAR is reason(**gone, peers=dict.fromkeys("bc", ProbeResult.CONNECT_TIMEOUT))


def test_default_deny() -> None:
    """What is in no pool of the inventory is not touched, however it came here (S15)."""
    evidence = LIVING.evidence("a")

    assert Reason.UNCLEAR is judged(evidence, odp="stranger")
    assert [] == Story("a")(AlertFiring(Alert("stranger", "OdpDown", Wish.RESTART, "k", NOON)))
    assert () == inventory("a", pool="trade").members.get("orders", ())


def test_our_own_drain_is_no_persons_but_maintenance_is() -> None:
    """(S26)."""
    fleet = staged("a", held)

    assert Replace(OLD) == verdict(fleet, members={"a": drained("a")})
    assert Reason.HELD_BY_PERSON is reason(fleet, members={"a": drained("a", Admin.MAINT)})


def test_one_that_fails_alone_is_no_majority() -> None:
    """A fleet of one would never be repaired otherwise; what is proven dead always is (S9)."""
    alone = Story("a")
    evidence = alone.evidence("a", REFUSED, NO_PROCESS, state=State.DOWN)

    assert Start() == judge(fires("a"), "a", evidence, NOON, Policy(), alone.inventory)


def test_a_spent_budget_takes_out_what_lives_only_if_enough_are_left() -> None:
    """Keeping it out for good is the most intrusive step of all (S11, S12)."""
    spent = acted(100, 1000, 2000)

    assert TakeOut(Hold.CRASH_LOOP) == verdict(acted(100, 1000, 2000, plan="replace"))
    assert Replace(OLD) == verdict(acted(100, 1000, 2000, plan="take_out:host_gone"))
    assert TakeOut(Hold.CRASH_LOOP) == verdict(spent)
    assert Reason.MIN_SERVING is reason(spent, peers=dict.fromkeys("bc", ProbeResult.REFUSED))
    assert TakeOut(Hold.CRASH_LOOP) == verdict(spent, **ONE_DEAD, peers=dict.fromkeys("bc", ProbeResult.REFUSED))
    assert Reason.SERVES is reason(spent, greetings=GREETED)


def test_an_old_load_balancer_without_checks_counts_with_our_own_greetings() -> None:
    """The `none` driver can say no more than that they are ready."""
    members: dict[str, Member] = {odp: ready(odp, Health.UNKNOWN, None) for odp in "abc"}

    assert Replace(OLD) == verdict(members=members)
    assert Reason.MIN_SERVING is reason(members=members, peers=dict.fromkeys("bc", ProbeResult.REFUSED))


@cuts
def test_the_brake_trips_itself_and_only_a_person_releases_it(cut: int | None) -> None:
    """And it survives a restart (S13)."""
    story = Story(*"abcd", policy=Policy(fleet_budget=2), cut=cut)
    for odp in "ab":
        story.repair(odp)
    story(story.alert("c"))

    assert [] == story(story.dead("c"))
    assert story.fleet.brake is not None
    assert ["look refused brake", "brake begun"] == story.told_of("c")[-2:]
    assert [Look] == story.after(86400).does(Tick())
    assert [] == story(story.dead("c"))
    assert Reason.BRAKE is story.refusal("c")

    story(story.resumed(Scope.FLEET))
    assert [Look] == story.after(11).does(Tick())
    assert [Drain] == story.does(story.dead("c"))


@cuts
def test_once_released_the_brake_does_not_trip_again_for_what_was_done_before(cut: int | None) -> None:
    """A person knows of it (S13, S14)."""
    story = Story(*"abcd", policy=Policy(fleet_budget=2), cut=cut)
    for odp in "ab":
        story.repair(odp)
    story(story.alert("c"))
    story(story.dead("c"))
    story(story.resumed(Scope.FLEET))

    assert [Look] == story.after(11).does(Tick())
    assert [Drain] == story.does(story.dead("c"))


@cuts
def test_most_of_the_fleet_failing_is_told_once(cut: int | None) -> None:
    """Not a thousand times (S9, S30)."""
    story = Story(*"abcdef", cut=cut)
    for odp in "abcd":
        story(story.alert(odp))
    for odp in "abcd":
        story(story.looked(odp))

    assert [Reason.FLEET_FAILING] * 4 == [story.refusal(odp) for odp in "abcd"]
    assert ["a"] == [record.odp for record in story.records if record.reason == Reason.FLEET_FAILING]


def judged(evidence: Evidence, odp: str = "a") -> Reason | None:
    found = judge(Fleet(), odp, evidence, NOON, Policy(), LIVING.inventory)
    return found.reason if isinstance(found, Refusal) else None
