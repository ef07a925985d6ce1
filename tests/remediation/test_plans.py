"""Each plan from the alert to its end; every story is also told with the remediator killed at every step (S24)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from odp_exporter.actuators.actuator import HostUnreachable, HostView, NotIdentified, NotPermitted, Restarted
from odp_exporter.health import State
from odp_exporter.observations import ProbeResult
from odp_exporter.remediation.model import (
    NOTHING_DONE,
    SERVES_AGAIN,
    Drain,
    Draining,
    Enable,
    Failure,
    Held,
    Hold,
    Look,
    Reason,
    Restart,
    RestartEnded,
    Scope,
    TakeOut,
    Tick,
    Verify,
    Wish,
)
from odp_exporter.remediation.policy import Policy

from .story import FAILED, GREETED, NEW, NO_PROCESS, NOON, OLD, REFUSED, TIMED_OUT, Story, cuts, drained, ready


@cuts
def test_a_dead_odp_is_drained_started_verified_and_put_back(cut: int | None) -> None:
    """In this order, each step once (S19, S21, S24, S25, S26)."""
    story = Story("a", "b", cut=cut)
    episode = "20261125T120000-1"

    assert [Look("a", episode)] == story(story.alert())
    assert [Drain("a", episode, timedelta())] == story.after(1)(story.dead())
    assert [Restart("a", episode, None)] == story.after(1)(story.drained())
    story.after(2)
    assert [Verify("a", episode, story.now)] == story(story.restarted())
    assert [Enable("a", episode, 100)] == story.after(2)(story.verified())
    assert [] == story.after(1)(story.enabled())
    assert "idle" == story.stage_name()
    assert story.now == story.fleet.released["a"]


def test_nobody_waits_for_the_sessions_of_a_stopped_odp() -> None:
    """SIGSTOP has met it: they cannot go on."""
    story = Story("a", "b")
    story(story.alert())

    drains = story(story.looked("a", replace(story.evidence("a"), host=HostView((OLD,), OLD, is_stopped=True))))

    assert [Drain("a", story.episode(), timedelta())] == drains


@cuts
def test_a_hung_odp_is_replaced_and_only_the_process_that_was_seen_may_be_ended(cut: int | None) -> None:
    """Its sessions get a moment, for our view of it may be wrong (S19, S20)."""
    story = Story("a", "b", cut=cut)

    assert [Look] == story.does(story.alert())
    assert [Drain("a", story.episode(), timedelta(seconds=5))] == story(story.looked())
    assert [Restart("a", story.episode(), OLD)] == story.after(6)(story.drained())
    assert [Verify] == story.after(5).does(story.restarted())
    assert [Enable] == story.after(3).does(story.verified())
    assert [] == story(story.enabled())


@cuts
def test_the_audit_tells_all_of_it(cut: int | None) -> None:
    """With what was seen, whatever happened to the remediator meanwhile (S30)."""
    story = Story("a", "b", cut=cut)
    story.repair()

    assert [
        "look begun OdpDown",
        "look done start",
        "drain begun start",
        "drain done",
        "start begun",
        "start done",
        "verify begun",
        "verify done",
        "enable begun",
        "enable done",
    ] == story.told_of()
    assert "greetings: refused, refused; processes: none; exporter: down, a restart is safe; others: b ok" == (
        story.records[1].detail
    )


@cuts
def test_a_crash_looping_odp_is_taken_out_and_left_to_people(cut: int | None) -> None:
    """That it greets at this moment does not disprove that it dies again and again."""
    story = Story("a", "b", cut=cut)

    assert [Look] == story.does(story.alert(wish=Wish.DRAIN, name="OdpCrashLooping"))
    assert [Drain("a", story.episode(), timedelta())] == story(story.serves())
    assert [] == story(story.drained())
    assert ("held", Hold.CRASH_LOOP) == (story.stage_name(), held(story).why)


@cuts
def test_a_crash_looping_odp_stays_out_while_its_alert_fires_and_comes_back_when_it_serves(cut: int | None) -> None:
    """Else it would be put back and taken out again for ever (S14)."""
    story = Story("a", "b", cut=cut)
    story(story.alert(wish=Wish.DRAIN, name="OdpCrashLooping"))
    story(story.serves())
    story(story.drained())

    assert [] == story.after(3600)(Tick())
    assert [] == story(story.resolved(name="OdpCrashLooping"))
    assert [Verify] == story.does(Tick())
    assert [Enable] == story.does(story.verified())


@cuts
def test_a_person_who_resumes_it_has_answered_the_alert_that_still_fires(cut: int | None) -> None:
    """It looks minutes back: without this, the mended ODP would be taken out again at once."""
    story = Story("a", "b", cut=cut)
    looping = story.alert(wish=Wish.DRAIN, name="OdpCrashLooping")
    story(looping)
    story(story.serves())
    story(story.drained())

    assert [Verify] == story.after(600).does(story.resumed(Scope.TARGET, "a"))
    assert [Enable] == story.does(story.verified())
    assert [] == story(story.enabled())
    assert [] == story.after(120)(looping)
    assert [] == story(Tick())
    assert [Look] == story.does(story.alert(wish=Wish.DRAIN, name="OdpCrashLooping"))


def test_a_look_at_what_a_person_has_answered_is_called_off() -> None:
    story = Story("a", "b")
    story(story.alert(wish=Wish.DRAIN, name="OdpCrashLooping"))

    assert [] == story(story.resumed(Scope.TARGET, "a"))
    assert {} == story.fleet.stages


def test_an_answered_alert_that_ends_is_listened_to_when_it_comes_again() -> None:
    story = Story("a", "b")
    looping = story.alert(wish=Wish.DRAIN, name="OdpCrashLooping")
    story(looping)
    story(story.serves())
    story(story.drained())
    story(story.resumed(Scope.TARGET, "a"))
    story(story.verified())
    story(story.enabled())
    story(story.resolved(name="OdpCrashLooping"))

    assert {} == story.fleet.answered
    assert [Look] == story.does(looping)


@cuts
def test_the_fourth_restart_within_an_hour_is_none(cut: int | None) -> None:
    """A target that comes back and dies again goes to people; success does not erase the count (S14)."""
    story = Story("a", "b", cut=cut)
    for _ in range(3):
        assert Restart in story.repair()
        story.after(120)
    story(story.alert())

    assert [Drain] == story.does(story.dead())
    assert TakeOut(Hold.CRASH_LOOP) == draining(story).plan
    assert [] == story(story.drained())
    assert Hold.CRASH_LOOP is held(story).why


def test_time_erases_the_count() -> None:
    """After the window it is a new day (S14)."""
    story = Story("a", "b")
    for _ in range(3):
        story.repair()
        story.after(120)
    story.after(3600)(Tick())

    assert () == story.fleet.actions
    assert Restart in story.repair()


@cuts
def test_a_host_that_is_gone_is_only_drained(cut: int | None) -> None:
    """Nobody can be restarted there."""
    story = Story("a", "b", cut=cut)
    story(story.alert())

    gone = story.evidence("a", TIMED_OUT, None, state=None)
    assert [Drain] == story.does(story.looked("a", gone))
    assert [] == story(story.drained())
    assert Hold.HOST_GONE is held(story).why


@cuts
def test_a_dead_odp_is_started_even_with_ocp_broken_and_the_whole_fleet_failing(cut: int | None) -> None:
    """It serves nobody, so starting it can only help; the pool's limit of one at a time holds all the same."""
    story = Story("a", "b", cut=cut)
    story(story.alert("a"))
    story(story.alert("b"))
    gone = {"b": ProbeResult.REFUSED}
    dead = story.evidence("a", REFUSED, NO_PROCESS, state=State.DOWN, restart_safe=False, peers=gone)

    assert [Drain] == story.does(story.looked("a", dead))
    assert [] == story.does(story.dead("b"))
    assert Reason.POOL_BUSY is story.refusal("b")


@cuts
def test_memory_frozen_and_silent_once_is_enough(cut: int | None) -> None:
    story = Story("a", "b", cut=cut)
    story(story.alert())
    once = (ProbeResult.GREETING_TIMEOUT,)

    assert [] == story(story.looked("a", story.evidence("a", once)))
    assert [Look] == story.after(11).does(Tick())
    assert [Drain] == story.does(story.looked("a", story.evidence("a", once, is_memory_frozen=True)))


@cuts
def test_a_failed_drain_is_held_and_looked_at_anew(cut: int | None) -> None:
    """Nothing was done to the process, and the alert goes on: the repair may still be due."""
    story = Story("a", "b", cut=cut).until("draining")

    assert [] == story(story.drained("a", FAILED))
    assert Hold.DRAIN_FAILED is held(story).why
    assert [Look] == story.after(61).does(Tick())
    still = story.evidence("a", members={"a": drained("a")})
    assert [Drain] == story.does(story.looked("a", still))
    assert [Restart] == story.does(story.drained())


@cuts
def test_a_failed_drain_of_one_that_serves_again_is_undone(cut: int | None) -> None:
    story = Story("a", "b", cut=cut).until("draining")
    story(story.drained("a", FAILED))
    story.after(61)(Tick())
    serves = story.evidence("a", GREETED, state=State.SERVING, members={"a": drained("a")})

    assert [Verify] == story.does(story.looked("a", serves))
    assert [Enable("a", story.episode(), 100)] == story(story.verified())


@cuts
def test_a_failed_drain_that_may_not_be_repaired_stays_held(cut: int | None) -> None:
    """And its drain is never taken for a person's."""
    story = Story("a", "b", cut=cut).until("draining")
    story(story.drained("a", FAILED))
    story.after(61)(Tick())
    unsafe = story.evidence("a", restart_safe=False, members={"a": drained("a")})

    assert [] == story(story.looked("a", unsafe))
    assert Hold.DRAIN_FAILED is held(story).why
    assert story.now < held(story).until
    assert "look refused restart_unsafe" == story.told_of()[-1]


@cuts
def test_a_stop_that_failed_starts_nothing_and_is_held(cut: int | None) -> None:
    """(S21)."""
    story = Story("a", "b", cut=cut).until("acting")

    assert [] == story(story.restarted("a", Failure("StopFailed", "it lives")))
    assert Hold.STOP_FAILED is held(story).why
    assert ["replace failed StopFailed", "hold begun stop_failed"] == story.told_of()[-2:]


@cuts
def test_a_start_that_failed_is_held_and_never_put_back_before_it_serves(cut: int | None) -> None:
    """Fail-safe (S27), and looked at again, each time later (S28)."""
    story = Story("a", "b", cut=cut).hold(Hold.START_FAILED)
    waits = []
    for _ in range(12):
        assert [] == story.after(1)(Tick())
        waits.append((held(story).until - story.now).total_seconds() + 1)
        assert [Verify] == story.after(waits[-1]).does(Tick())
        assert [] == story(story.verified("a", Failure("NotServing", "refused")))
        assert Hold.START_FAILED is held(story).why

    assert 60 == waits[0]
    assert sorted(waits) == waits
    assert 15 * 60 == waits[-1]


@cuts
def test_one_that_does_not_serve_after_its_restart_is_held(cut: int | None) -> None:
    """A failed verification is a failed repair (S27)."""
    story = Story("a", "b", cut=cut).until("verifying")

    assert [] == story(story.verified("a", Failure("NotServing", "silent")))
    assert Hold.VERIFY_FAILED is held(story).why


@cuts
def test_one_that_its_load_balancer_does_not_take_back_is_drained_again(cut: int | None) -> None:
    """(S29)."""
    story = Story("a", "b", cut=cut).until("enabling")

    assert [Drain("a", story.episode(), timedelta())] == story(story.enabled("a", FAILED))
    assert [] == story(story.drained())
    assert Hold.ENABLE_FAILED is held(story).why
    assert [Verify] == story.after(61).does(Tick())
    assert [Enable("a", story.episode(), 100)] == story(story.verified())
    assert [] == story(story.enabled())
    assert "idle" == story.stage_name()


def test_samples_from_before_the_new_process_began_count_for_nothing() -> None:
    """Nor does a host whose clock is wrong change that (S25)."""
    hour = timedelta(hours=1)
    for began, since in ((NOON + hour, NOON), (NOON - hour, NOON), (NOON, NOON)):
        story = Story("a", "b").until("acting")

        assert [Verify("a", story.episode(), since)] == story(RestartEnded("a", story.episode(), Restarted(NEW, began)))


def test_the_weight_that_was_found_is_restored() -> None:
    """(S26)."""
    story = Story("a", "b")
    story(story.alert())
    story(story.looked("a", story.evidence(members={"a": ready("a", weight=37)})))
    for event in (story.drained, story.restarted):
        story(event())

    assert [Enable("a", story.episode(), 37)] == story(story.verified())


def test_the_weight_before_the_first_drain_is_restored_whatever_is_seen_later() -> None:
    """A load balancer may drain by weight (S26)."""
    story = Story("a", "b")
    story(story.alert())
    story(story.looked("a", story.evidence(members={"a": ready("a", weight=37)})))
    story(story.drained("a", FAILED))
    story.after(61)(Tick())
    story(story.looked("a", story.evidence(members={"a": replace(drained("a"), weight=0)})))
    for event in (story.drained, story.restarted):
        story(event())

    assert [Enable("a", story.episode(), 37)] == story(story.verified())


def test_evidence_that_grew_old_while_draining_kills_nobody() -> None:
    """The ODP may serve again by now (S8)."""
    story = Story("a", "b", policy=Policy(drain_deadline=timedelta(seconds=20))).until("draining")

    assert [] == story.after(21)(story.drained())
    assert Hold.DRAIN_FAILED is held(story).why


@cuts
def test_one_that_greets_just_before_it_would_be_ended_is_put_back(cut: int | None) -> None:
    """Nobody kills what serves (S8)."""
    story = Story("a", "b", cut=cut).until("acting")

    assert [Verify] == story.does(story.restarted("a", Failure(SERVES_AGAIN, "it greets")))
    assert [Enable] == story.does(story.verified())
    assert [] == story(story.enabled())
    assert "look done serves" in story.told_of()
    assert not any("failed" in told for told in story.told_of())


@pytest.mark.parametrize("kind", sorted(NOTHING_DONE | {SERVES_AGAIN}))
@cuts
def test_one_to_which_nothing_was_done_is_repaired_as_soon_as_that_is_possible(cut: int | None, kind: str) -> None:
    """It would be greeted for ever otherwise, and never started (S27)."""
    story = Story("a", "b", cut=cut).until("acting")
    story(story.restarted("a", Failure(kind, "")))
    if kind == SERVES_AGAIN:
        story(story.verified("a", FAILED))

    assert Hold.NOT_DONE is held(story).why
    assert [Look] == story.after(61).does(Tick())
    assert [Drain] == story.does(story.looked("a", story.evidence("a", members={"a": drained("a")})))
    assert [Restart] == story.does(story.drained())


def test_what_says_that_nothing_was_done_is_an_error_of_the_actuators() -> None:
    assert {error.__name__ for error in (HostUnreachable, NotIdentified, NotPermitted)} == NOTHING_DONE


def test_a_full_accept_queue_of_a_living_process_is_hung() -> None:
    story = Story("a", "b")
    story(story.alert())

    assert [Drain] == story.does(story.looked("a", story.evidence("a", TIMED_OUT)))


def test_one_whose_drain_by_hand_outlasts_its_time_is_hung() -> None:
    """Its exporter knows ODP's own timeout, and says so."""
    story = Story("a", "b")
    story(story.alert())
    told = HostView((OLD,), OLD, is_told_to_stop=True)

    assert [] == story(story.looked("a", story.evidence(host=told, state=State.DRAINING)))
    assert Reason.DRAINING is story.refusal()
    story.after(11)(Tick())
    assert [Drain] == story.does(story.looked("a", story.evidence(host=told, state=State.HUNG)))


def held(story: Story) -> Held:
    stage = story.stage()
    assert isinstance(stage, Held)
    return stage


def draining(story: Story) -> Draining:
    stage = story.stage()
    assert isinstance(stage, Draining)
    return stage
