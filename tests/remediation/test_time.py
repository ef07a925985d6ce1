"""Deadlines, holds, clocks that jump, and a remediator that was away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from odp_exporter.health import State
from odp_exporter.remediation.model import (
    Acting,
    Drain,
    Enable,
    Held,
    Hold,
    Look,
    Looking,
    Reason,
    Recovered,
    Restart,
    Scope,
    Tick,
    Verify,
    Wish,
)
from odp_exporter.remediation.policy import Policy

from .story import FAILED, NO_PROCESS, OLD, REFUSED, Story, cuts, drained

DEADLINES = {"looking": 15, "draining": 20, "acting": 90, "verifying": 30, "enabling": 30}
BACKSTOP = 5


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("looking", ("waiting", None)),
        ("draining", ("held", Hold.DRAIN_FAILED)),
        ("acting", ("held", Hold.STOP_FAILED)),
        ("verifying", ("held", Hold.VERIFY_FAILED)),
        ("enabling", ("draining", None)),
    ],
)
def test_no_stage_lasts_for_ever(stage: str, expected: tuple[str, Hold | None]) -> None:
    """A lost command is noticed; the drain stays, for the command may still be at work (S17, S18, S28)."""
    story = Story("a", "b").until(stage)

    assert [] == story.after(DEADLINES[stage] + BACKSTOP)(Tick())
    assert stage == story.stage_name()
    story.after(1)(Tick())
    now = story.stage()
    assert expected == (story.stage_name(), now.why if isinstance(now, Held) else None)


def test_a_start_without_an_end_is_held_too() -> None:
    story = Story("a", "b")
    story(story.alert())
    story(story.dead())
    story(story.drained())

    story.after(96)(Tick())
    assert ["start failed Overdue", "hold begun start_failed"] == story.told_of()[-2:]


def test_a_lost_enable_ends_drained_and_held() -> None:
    """(S18, S29)."""
    story = Story("a", "b").until("enabling")

    assert [Drain] == story.after(36).does(Tick())
    assert [] == story(story.drained())
    assert Hold.ENABLE_FAILED is held(story).why


def test_a_lost_look_of_a_held_one_leaves_it_held() -> None:
    story = Story("a", "b").until("draining")
    story(story.drained("a", FAILED))
    story.after(61)(Tick())

    assert [] == story.after(21)(Tick())
    assert Hold.DRAIN_FAILED is held(story).why
    assert story.now < held(story).until


@cuts
def test_one_that_is_held_is_put_back_as_soon_as_it_serves(cut: int | None) -> None:
    """With the weight it had; nothing stays drained for ever (S26, S28)."""
    story = Story("a", "b", cut=cut).hold(Hold.VERIFY_FAILED)

    assert [] == story.after(59)(Tick())
    assert [Verify] == story.after(1).does(Tick())
    assert [Enable("a", story.episode(), 100)] == story(story.verified())
    assert [] == story(story.enabled())
    assert "idle" == story.stage_name()


def test_of_many_that_are_held_not_all_are_looked_at_at_once() -> None:
    """But soon after: greeting them costs something."""
    story = Story(*"abcde", min_serving=0, policy=Policy(max_looks=2, max_failing_share=1.0))
    for odp in "abcde":
        story.until("verifying", odp)
        story(story.verified(odp, FAILED))

    assert [2, 2, 1, 0] == [len(story.after(61 if index == 0 else 1)(Tick())) for index in range(4)]


@cuts
def test_one_that_is_held_and_still_fails_is_held_for_the_same_reason(cut: int | None) -> None:
    story = Story("a", "b", cut=cut).hold(Hold.START_FAILED)
    story.after(61)(Tick())
    story(story.verified("a", FAILED))

    assert Hold.START_FAILED is held(story).why


@cuts
def test_a_person_may_have_a_held_one_looked_at_at_once(cut: int | None) -> None:
    """And what it did before no longer counts: they know (S14)."""
    story = Story("a", "b", cut=cut)
    for _ in range(3):
        story.repair()
        story.after(120)
    story(story.alert())
    story(story.dead())
    story(story.drained())
    assert Hold.CRASH_LOOP is held(story).why

    assert [Look] == story.after(1).does(story.resumed(Scope.TARGET, "a"))
    dead = story.evidence("a", REFUSED, NO_PROCESS, state=State.DOWN, members={"a": drained("a")})
    assert [Drain] == story.does(story.looked("a", dead))
    assert [Restart] == story.does(story.drained())


@cuts
def test_without_an_alert_a_resumed_one_only_has_to_serve(cut: int | None) -> None:
    story = Story("a", "b", cut=cut).hold()
    story(story.resolved())

    assert [Verify] == story.does(story.resumed(Scope.TARGET, "a"))


@cuts
def test_a_held_one_is_left_alone_while_a_person_has_paused_it(cut: int | None) -> None:
    """They may be at work on it: it must not get clients in between (S16)."""
    for scope, name in ((Scope.TARGET, "a"), (Scope.POOL, "trade"), (Scope.FLEET, "")):
        story = Story("a", "b", cut=cut).hold()
        story(story.paused(scope, name))
        assert [] == story.after(3600)(Tick())
        if scope is not Scope.TARGET:
            assert [] == story(story.resumed(Scope.TARGET, "a"))

        kinds = story.does(story.resumed(scope, name))
        assert [Look if scope is Scope.TARGET else Verify] == kinds + story.does(Tick())


@cuts
def test_a_pause_ends_by_itself_if_it_was_given_an_end(cut: int | None) -> None:
    """And that is recorded; it survives a restart of the remediator until then (S13, S30)."""
    story = Story("a", "b", cut=cut)
    story(story.paused(Scope.FLEET, seconds=60))
    story(story.alert())
    assert [] == story(story.dead())
    assert Reason.PAUSED is story.refusal()

    assert [] == story.after(5)(Tick())
    assert 1 == len(story.fleet.pauses)
    assert [Look] == story.after(60).does(Tick())
    assert 0 == len(story.fleet.pauses)
    assert "fleet, the pause by ann has expired: works on it" in [record.detail for record in story.records]
    assert [Drain] == story.does(story.dead())


def test_a_later_pause_takes_the_place_of_an_earlier_one() -> None:
    story = Story("a")
    story(story.paused(Scope.TARGET, "a", seconds=60))
    story(story.paused(Scope.TARGET, "a"))
    story(story.paused(Scope.POOL, "a"))

    assert [(Scope.TARGET, None), (Scope.POOL, None)] == [(each.scope, each.until) for each in story.fleet.pauses]
    story(story.resumed(Scope.TARGET, "a"))
    assert [Scope.POOL] == [each.scope for each in story.fleet.pauses]


def test_what_is_begun_is_finished_under_a_pause_of_the_fleet() -> None:
    """A restart that ended is verified and put back: half a repair helps nobody (S7)."""
    story = Story("a", "b").until("acting")
    story(story.paused(Scope.FLEET))

    assert [Verify] == story.does(story.restarted())
    assert [Enable] == story.does(story.verified())
    assert [] == story(story.enabled())


@pytest.mark.parametrize("stage", list(DEADLINES))
def test_a_clock_that_is_set_back_by_a_day_delays_nothing_by_a_day(stage: str) -> None:
    """Nor does it repeat anything."""
    story = Story("a", "b").until(stage)
    story.after(-86400)(Tick())
    assert stage == story.stage_name()

    story.after(DEADLINES[stage] + BACKSTOP + 1)(Tick())
    assert stage != story.stage_name()


def test_what_waits_or_is_held_goes_on_when_the_clock_is_set_back() -> None:
    waiting = Story("a", "b")
    waiting(waiting.alert())
    waiting(waiting.serves())
    being_held = Story("a", "b").hold()

    assert [Look] == waiting.after(-86400).does(Tick())
    assert [Verify] == being_held.after(-86400).does(Tick())


def test_cool_down_and_budget_survive_a_clock_that_is_set_back() -> None:
    """And end in time by the new one (S14)."""
    story = Story("a", "b")
    story.repair()
    story.after(-86400)(Tick())
    story(story.alert())
    story(story.dead())
    assert Reason.COOLING_DOWN is story.refusal()

    assert [Look] == story.after(61).does(Tick())
    assert [Drain] == story.does(story.dead())
    assert 2 == len(story.fleet.actions)


def test_after_a_long_absence_nothing_old_is_acted_on() -> None:
    """What the process to be ended is now, is looked at first (S8, S24)."""
    for stage in ("draining", "acting"):
        story = Story("a", "b").until(stage)

        assert [Look("a", story.episode())] == story.after(3600)(Recovered())
        looking = story.stage()
        assert isinstance(looking, Looking)
        assert looking.held is not None
        story.after(1)
        hung = story.evidence("a", members={"a": drained("a")})
        assert [Drain] == story.does(story.looked("a", hung))


def test_after_a_long_absence_one_without_an_alert_only_has_to_serve() -> None:
    story = Story("a", "b").until("acting")
    story(story.resolved())

    assert [Verify] == [type(command) for command in story.after(3600)(Recovered())]


def test_a_crash_loop_stays_out_after_a_long_absence() -> None:
    """It may greet just then: that proves nothing (S24, S27)."""
    story = Story("a", "b")
    story(story.alert("a", Wish.DRAIN))
    story(story.looked())

    assert [] == story.after(3600)(Recovered())
    assert Hold.CRASH_LOOP is held(story).why


def test_what_was_started_during_an_absence_has_to_have_its_clusters() -> None:
    """It is another process than before, whoever saw it begin (S24)."""
    story = Story("a", "b").until("acting")
    story(story.resolved())
    story.fleet = story.after(3600).decide(Recovered()).fleet

    assert [] == story(story.verified("a", safe=False))
    assert Hold.NO_CLUSTERS is held(story).why


def test_what_was_about_to_be_put_back_long_ago_has_to_serve_again_first() -> None:
    """Samples from then are void (S25)."""
    story = Story("a", "b").until("enabling")

    assert [Verify] == [type(command) for command in story.after(3600)(Recovered())]
    assert [Enable] == story.does(story.verified())


def test_after_a_short_absence_exactly_what_was_outstanding_is_ordered_again() -> None:
    """Of every ODP; what waits or is held has no command (S24)."""
    story = Story(*"abcdefgh", max_concurrent=9).until("acting")
    story(story.alert("b"))
    story(story.alert("c"))
    story(story.serves("c"))
    story(story.alert("d"))
    story(story.dead("d"))

    assert [
        Restart("a", story.episode("a"), OLD),
        Look("b", story.episode("b")),
        Drain("d", story.episode("d"), timedelta()),
    ] == story.after(10)(Recovered())
    assert () == story.decide(Recovered()).records


def test_deadlines_count_anew_after_an_absence() -> None:
    """Else what was ordered again would be given up at once."""
    story = Story("a", "b").until("acting")
    story.after(80)(Recovered())

    assert [] == story.after(80)(Tick())
    assert isinstance(story.stage(), Acting)
    assert [Verify] == story.does(story.restarted())


def test_a_crash_loop_is_left_alone_for_long() -> None:
    story = Story("a", "b")
    story(story.alert(wish=Wish.DRAIN))
    story(story.dead())
    story(story.drained())
    story(story.resolved())

    assert [] == story.after(899)(Tick())
    assert [Verify] == story.after(1).does(Tick())


def held(story: Story) -> Held:
    stage = story.stage()
    assert isinstance(stage, Held)
    return stage
