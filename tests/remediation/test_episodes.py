"""Alerts, episodes and completions: said twice, too late, or in another order, they do nothing wrong."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from odp_exporter.actuators.actuator import Restarted
from odp_exporter.health import State
from odp_exporter.observations import ProbeResult
from odp_exporter.remediation.model import (
    Drain,
    Drained,
    Enable,
    Enabled,
    Failure,
    Look,
    Looked,
    Reason,
    RestartEnded,
    Scope,
    Tick,
    Verified,
    Verify,
    Wish,
)
from odp_exporter.remediation.policy import Policy

from .story import FAILED, GREETED, NEW, NO_PROCESS, REFUSED, Story, cuts, drained, inventory


@cuts
def test_an_alert_that_is_said_again_and_again_begins_one_repair(cut: int | None) -> None:
    """By two Alertmanagers, in every group notification, in any order (S3)."""
    story = Story("a", "b", cut=cut)

    assert [Look] == story.does(story.alert())
    for event in (story.dead, story.drained, story.restarted, story.verified, story.enabled):
        assert [] == story(story.alert())
        assert 1 == len(story(event())) or "idle" == story.stage_name()
    assert 1 == story.fleet.episodes


@cuts
def test_the_start_of_an_alert_may_move(cut: int | None) -> None:
    """It does after a restart of Prometheus or Alertmanager (S4)."""
    story = Story("a", "b", cut=cut)
    story(story.alert())

    assert [] == story.after(300)(story.alert())
    assert 1 == len(story.fleet.alerts["a"])


@cuts
def test_the_same_alert_after_its_end_is_another_episode(cut: int | None) -> None:
    """Fingerprints are the same for all recurrences (S4)."""
    story = Story("a", "b", cut=cut)
    story(story.alert())
    first = story.episode()
    story(story.resolved())

    assert [Look] == story.does(story.alert())
    assert first != story.episode()


def test_a_completion_of_an_earlier_episode_is_dropped() -> None:
    """Even if both began at the same moment (S3, S25)."""
    story = Story("a", "b")
    story(story.alert())
    late = story.dead()
    story(story.resolved())
    story(story.alert())

    assert [] == story(late)
    assert "looking" == story.stage_name()


@pytest.mark.parametrize("stage", ["looking", "draining", "acting", "verifying", "enabling"])
def test_completions_of_another_stage_are_dropped(stage: str) -> None:
    """Late ones, doubled ones, and all of an idle or unknown ODP (S3)."""
    story = Story("a", "b").until(stage)
    before, own = story.fleet, COMPLETES[stage]
    events: list[Looked | Drained | RestartEnded | Verified | Enabled] = [
        Looked("a", story.episode(), story.evidence()),
        story.drained(),
        story.drained("a", FAILED),
        story.restarted(),
        story.verified(),
        story.enabled(),
        story.drained("b"),
        Verified("stranger", "1"),
        Drained("a", "another"),
        Enabled("a", "another"),
    ]

    for event in events:
        if not isinstance(event, own) or event.episode == "another":
            assert [] == story(event)
            assert before == story.fleet


COMPLETES: dict[str, type] = {
    "looking": Looked,
    "draining": Drained,
    "acting": RestartEnded,
    "verifying": Verified,
    "enabling": Enabled,
}


@pytest.mark.parametrize("stage", ["draining", "acting", "verifying", "enabling"])
def test_resolved_stops_nothing_that_was_begun(stage: str) -> None:
    """It is finished to a safe state, and proves nothing of the ODP's health (S7)."""
    story = Story("a", "b").until(stage)
    before = story.stage()

    assert [] == story(story.resolved())
    assert before == story.stage()


@cuts
def test_resolved_calls_off_what_has_not_begun(cut: int | None) -> None:
    """And is recorded (S7)."""
    for refused in (False, True):
        story = Story("a", "b", cut=cut)
        story(story.alert())
        if refused:
            story(story.serves())
        assert [] == story(story.resolved())

        assert "idle" == story.stage_name()
        assert "look done resolved" == story.told_of()[-1]
        assert [] == story.after(3600)(Tick())


@cuts
def test_as_long_as_one_alert_fires_there_is_reason_to_look(cut: int | None) -> None:
    story = Story("a", "b", cut=cut)
    story(story.alert(name="OdpDown"))
    story(story.alert(name="OdpHung"))
    story(story.serves())
    story(story.resolved(name="OdpDown"))
    assert [] == story(story.resolved(name="OdpDown"))

    assert [Look] == story.after(11).does(Tick())


@cuts
def test_a_refused_repair_is_looked_at_again_and_told_only_when_its_reason_changes(cut: int | None) -> None:
    """Every look is a look at what is (S8, S30)."""
    story = Story("a", "b", cut=cut)
    story(story.alert())
    for event in (story.serves, story.serves, story.unheard):
        assert [] == story.after(1)(Tick())
        assert [] == story(event())
        assert [Look] == story.after(11).does(Tick())

    assert [Drain] == story.does(story.dead())
    assert [
        "look begun OdpDown",
        "look refused serves",
        "look refused restart_unknown",
        "look done start",
        "drain begun start",
    ] == story.told_of()


def test_evidence_from_before_the_look_decides_nothing() -> None:
    """Its probes may show what was before an action (S25)."""
    story = Story("a", "b")
    story(story.alert())

    assert [] == story(story.looked("a", story.evidence("a", REFUSED, NO_PROCESS, age=1)))
    assert Reason.UNCLEAR is story.refusal()


@cuts
def test_one_at_a_time_and_the_next_in_line_as_soon_as_there_is_room(cut: int | None) -> None:
    """Whoever waits longest comes first (S12, S17)."""
    story = Story(*"abcd", cut=cut)
    for odp in "abc":
        story.after(1)(story.alert(odp))
    assert [Drain] == story.does(story.dead("a"))
    assert [] == story.does(story.dead("c"))
    assert [] == story.does(story.dead("b"))
    assert [] == story.after(1)(Tick())

    for event in (story.drained, story.restarted, story.verified, story.enabled):
        story(event("a"))
    story(story.resolved("a"))
    assert [Look("b", story.episode("b"))] == story(Tick())
    assert [Drain] == story.does(story.dead("b"))
    assert Reason.POOL_BUSY is story.refusal("c")


def test_two_that_are_looked_at_together_are_not_repaired_together() -> None:
    """The second decision knows of the first (S12)."""
    story = Story(*"abcd")
    for odp in "ab":
        story(story.alert(odp))

    assert [[Drain], []] == [story.does(story.dead(odp)) for odp in "ab"]


def test_max_concurrent_may_be_more() -> None:
    story = Story(*"abcdef", max_concurrent=2)
    for odp in "abc":
        story(story.alert(odp))

    assert [[Drain], [Drain], []] == [story.does(story.dead(odp)) for odp in "abc"]


@cuts
def test_half_a_fleet_is_not_looked_at_all_at_once(cut: int | None) -> None:
    """Looking costs every ODP something; nobody is forgotten for that."""
    story = Story(*"abcdef", policy=Policy(max_looks=2), cut=cut)

    assert [[Look], [Look], [], []] == [story.does(story.alert(odp)) for odp in "abcd"]
    assert [] == story(Tick())
    story(story.serves("a"))
    assert [Look] == story.does(Tick())
    assert ["waiting", "looking", "looking", "idle"] == [story.stage_name(odp) for odp in "abcd"]


def test_nobody_is_forgotten_when_there_are_more_than_can_be_looked_at() -> None:
    """Who was not looked at for the longest time comes first, new alerts before all."""
    story = Story(*"abcdefgh", policy=Policy(max_looks=2, look_again=timedelta(seconds=1)))
    looks = [command.odp for odp in "abcdefg" for command in story(story.alert(odp))]
    for _ in range(20):
        for odp in [odp for odp in "abcdefgh" if "looking" == story.stage_name(odp)]:
            story(story.serves(odp))
        looks += [command.odp for command in story.after(1)(Tick())]

    assert {5, 6, 7} >= {Counter(looks)[odp] for odp in "abcdefg"}
    assert "abcdefg" == "".join(looks[:7])


def test_the_brake_between_the_drain_and_the_restart_is_in_time() -> None:
    """A person is to say whether anything goes on (S13)."""
    story = Story("a", "b", "c", "d", max_concurrent=2, policy=Policy(fleet_budget=1)).until("draining")
    story(story.alert("b"))
    story(story.dead("b"))
    assert story.fleet.brake is not None

    assert [] == story(story.drained())
    assert "hold begun paused" == story.told_of()[-1]


@cuts
def test_an_alert_that_outlives_the_repair_is_looked_at_and_found_stale(cut: int | None) -> None:
    """Not repaired once more (S8, S14)."""
    story = Story("a", "b", cut=cut).until("enabling")
    story(story.enabled())

    assert [Look] == story.does(Tick())
    assert [] == story(story.serves())
    assert Reason.SERVES is story.refusal()


@cuts
def test_one_that_fails_again_at_once_waits_for_its_cool_down(cut: int | None) -> None:
    """(S14)."""
    story = Story("a", "b", cut=cut)
    story.repair()
    story(story.alert())

    assert [] == story(story.dead())
    assert Reason.COOLING_DOWN is story.refusal()
    assert [Look] == story.after(61).does(Tick())
    assert [Drain] == story.does(story.dead())


def test_a_pause_between_the_drain_and_the_restart_is_in_time() -> None:
    """What a person has stopped is not killed a moment later (S16); once they are done it is looked at anew."""
    story = Story("a", "b").until("draining")
    story(story.paused(Scope.TARGET, "a"))

    assert [] == story(story.drained())
    assert "hold begun paused" == story.told_of()[-1]
    assert [] == story.after(3600)(Tick())
    assert [Look] == story.does(story.resumed(Scope.TARGET, "a"))
    serving = story.evidence("a", GREETED, state=State.SERVING, members={"a": drained("a")})
    assert [Verify] == story.does(story.looked("a", serving))


def test_a_resolved_alert_while_a_held_one_is_looked_at_leaves_it_held() -> None:
    """Never is a drain of ours forgotten (S17, S28)."""
    story = Story("a", "b").until("draining")
    story(story.drained("a", FAILED))
    story.after(61)(Tick())
    assert "looking" == story.stage_name()

    assert [] == story(story.resolved())
    assert "held" == story.stage_name()
    assert [Verify] == story.does(Tick())


def test_what_the_inventory_has_no_more_is_left_alone_and_told() -> None:
    """No command for an unknown target (S15)."""
    story = Story("a", "b").until("acting")
    story.inventory = inventory("b")

    assert [] == story(Tick())
    assert ({}, {}) == (story.fleet.stages, story.fleet.alerts)
    assert "no longer in the inventory; its stage was acting; its drain is left to people" == story.records[-1].detail


def test_a_watchdog_that_was_faster_is_seen_as_done() -> None:
    """The order names the process to end; another one in its place means that it was done (S22, S24)."""
    story = Story("a", "b").until("acting")
    done = Restarted(NEW, story.now - timedelta(seconds=5), was_done=True, by="obproxyd")

    assert [Verify] == story.does(RestartEnded("a", story.episode(), done))
    assert "process 4712 was done already" in [record.detail for record in story.records]


def test_peers_that_fail_do_not_count_for_a_crash_loop_either() -> None:
    """Taking out for good is the most intrusive step (S11)."""
    story = Story("a", "b")
    story(story.alert(wish=Wish.DRAIN))

    assert [] == story(story.looked("a", story.evidence(peers={"b": ProbeResult.REFUSED})))
    assert Reason.MIN_SERVING is story.refusal()


def test_failures_name_their_kind() -> None:
    """For the audit (S30)."""
    story = Story("a", "b").until("enabling")
    story(story.enabled("a", Failure("LbUnconfirmed", "still down")))

    assert "enable failed LbUnconfirmed" in story.told_of()
    assert Enable not in {type(command) for command in story(Tick())}


@cuts
def test_each_look_that_is_refused_counts_and_only_a_new_reason_is_recorded(cut: int | None) -> None:
    """What goes on is seen to go on, and the history stays readable (S30)."""
    story = Story("a", "b", cut=cut)
    story(story.alert())
    for _ in range(3):
        story(story.serves())
        story.after(11)(Tick())
    story(story.unheard())

    assert [("a", Reason.SERVES)] * 3 + [("a", Reason.RESTART_UNKNOWN)] == story.refusals
    assert ["look refused serves", "look refused restart_unknown"] == story.told_of()[1:]


def test_a_refused_look_at_a_held_one_and_one_that_was_never_answered_count_too() -> None:
    story = Story("a", "b").until("draining")
    story(story.drained("a", FAILED))
    story.after(61)(Tick())
    story(story.unheard())
    story(story.alert("b"))
    story.after(21)(Tick())

    assert [("a", Reason.RESTART_UNKNOWN), ("b", Reason.UNCLEAR)] == story.refusals
