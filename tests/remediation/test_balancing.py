"""What the reconciler finds at the load balancer, and whose it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from odp_exporter.lb.driver import Admin, Health, Member
from odp_exporter.remediation.model import Brake, Drain, Enable, Held, Hold, Look, Scope, Tick, Verify, Wish
from odp_exporter.remediation.policy import Inventory

from .story import FAILED, REFUSED, Story, cuts, drained, ready

MAINT = drained("a", Admin.MAINT)


@pytest.mark.parametrize("stage", ["acting", "verifying"])
def test_a_drain_that_a_reload_lost_is_renewed_while_the_repair_goes_on(stage: str) -> None:
    """HAProxy forgets it on reload; the completion of the renewal is nobody's (S28)."""
    story = Story("a", "b").until(stage).after(6)
    before = story.stage()

    assert [Drain("a", story.episode(), timedelta())] == story(story.surveyed(ready("a"), ready("b")))
    assert [] == story(story.drained())
    assert before == story.stage()
    assert ["redrain begun"] == story.told_of()[-1:]


@cuts
def test_a_drain_of_a_held_one_that_was_lost_is_made_again(cut: int | None) -> None:
    """And then it is held for the same reason as before (S28)."""
    story = Story("a", "b", cut=cut).hold(Hold.START_FAILED).after(6)

    assert [Drain("a", story.episode(), timedelta())] == story(story.surveyed(ready("a"), ready("b")))
    assert [] == story(story.drained())
    stage = story.stage()
    assert isinstance(stage, Held)
    assert Hold.START_FAILED is stage.why


def test_a_drain_that_was_refused_is_not_ordered_with_each_survey() -> None:
    """A socket that may only be read refuses for ever: that is not told ten times a minute."""
    story = Story("a", "b").until("draining")
    story(story.drained("a", FAILED))

    assert [] == story.after(6)(story.surveyed(ready("a"), ready("b")))
    assert ["drain failed LbUnreachable", "hold begun drain_failed"] == story.told_of()[-2:]
    assert [Drain] == story.after(55).does(story.surveyed(ready("a"), ready("b")))


@pytest.mark.parametrize("stage", ["looking", "draining", "enabling"])
def test_what_is_being_drained_or_put_back_is_not_judged_by_what_was_read_meanwhile(stage: str) -> None:
    story = Story("a", "b").until(stage).after(6)
    before = story.fleet

    assert [] == story(story.surveyed(ready("a"), ready("b")))
    assert before == story.fleet


def test_what_was_read_before_the_drain_says_nothing_of_it() -> None:
    story = Story("a", "b").until("acting").after(4)

    assert [] == story(story.surveyed(ready("a"), ready("b")))


def test_a_load_balancer_that_cannot_drain_is_not_asked_to_for_ever() -> None:
    """The `none` driver shows all as ready."""
    story = Story("a", "b")
    known = story.inventory
    story.inventory = Inventory(known.targets, known.pools, undrainable=frozenset({"trade"}))
    story.until("verifying").after(6)

    assert [] == story(story.surveyed(ready("a", Health.UNKNOWN), ready("b", Health.UNKNOWN)))


@cuts
def test_a_drain_of_ours_that_a_fresh_load_balancer_brings_back_is_ended_once_it_serves(cut: int | None) -> None:
    """A stale state file does that, long after (S25, S28)."""
    story = Story("a", "b", cut=cut)
    story.repair()
    started = story.after(3600).now

    assert [Verify] == story.after(10).does(story.surveyed(drained("a"), ready("b"), lb_started=started))
    assert [Enable("a", "20261125T130015-2", 100)] == story(story.verified())
    assert [] == story(story.enabled())
    assert ["verify done", "enable begun", "enable done"] == story.told_of()[-3:]
    assert "idle" == story.stage_name()


def test_an_orphan_that_does_not_serve_stays_out_and_is_repaired_if_an_alert_says_so() -> None:
    """(S25, S27)."""
    story = Story("a", "b")
    story.repair()
    story.after(3600)(story.surveyed(drained("a"), ready("b"), lb_started=story.now))

    assert [] == story(story.verified("a", FAILED))
    assert "held" == story.stage_name()
    story(story.alert())
    assert [Look] == story.after(61).does(Tick())


@pytest.mark.parametrize("is_restarted", [False, True])
@cuts
def test_a_drain_first_seen_long_after_the_load_balancers_begin_is_a_persons(
    cut: int | None,
    is_restarted: bool,  # noqa: FBT001 - pytest gives it by name
) -> None:
    """They had the time, while we were away or could not read it; also if it restarts and remembers it (S16, S26)."""
    story = Story("a", "b", cut=cut)
    story.repair()
    started = story.after(3600).now

    assert [] == story.after(3600)(story.surveyed(drained("a"), ready("b"), lb_started=started))
    again = story.now if is_restarted else started
    assert [] == story.after(3)(story.surveyed(drained("a"), ready("b"), lb_started=again))
    assert "idle" == story.stage_name()


def test_a_restart_of_the_load_balancer_is_no_reason_to_cool_down() -> None:
    """Nothing was done to the ODP."""
    story = Story("a", "b")
    story.repair()
    started = story.after(86_400).now
    story.after(3)(story.surveyed(ready("a"), ready("b"), lb_started=started))
    story.after(3)(story.alert())

    assert [Drain] == story.does(story.dead())


@pytest.mark.parametrize("seconds", [None, -86400, 4])
@cuts
def test_a_drain_under_the_same_load_balancer_is_a_persons_for_good(cut: int | None, seconds: int | None) -> None:
    """Also if it restarts later and remembers it; clocks may differ by some seconds (S16, S26)."""
    story = Story("a", "b", cut=cut)
    story.repair()
    started = None if seconds is None else story.fleet.released["a"] + timedelta(seconds=seconds)

    assert [] == story.after(60)(story.surveyed(drained("a"), ready("b"), lb_started=started))
    assert {} == story.fleet.released
    assert [] == story.after(60)(story.surveyed(drained("a"), ready("b"), lb_started=story.now))


def test_an_orphan_that_was_drained_by_its_weight_gets_the_weight_of_the_configuration() -> None:
    """Zero is no weight to restore (S26)."""
    story = Story("a", "b")
    story.repair()
    found = story.after(3600).surveyed(replace(drained("a"), weight=0), lb_started=story.now)

    assert [Verify] == story.does(found)
    assert [None] == [command.weight for command in story(story.verified()) if isinstance(command, Enable)]


@cuts
def test_a_drain_that_a_fresh_load_balancer_did_not_show_at_first_is_a_persons(cut: int | None) -> None:
    """It began without our drain: so who drained it then was not we (S26)."""
    story = Story("a", "b", cut=cut)
    story.repair()
    started = story.after(3600).now

    assert [] == story.after(10)(story.surveyed(ready("a"), ready("b"), lb_started=started))
    assert [] == story.after(60)(story.surveyed(drained("a"), ready("b"), lb_started=started))
    assert "idle" == story.stage_name()


def test_why_it_is_held_outlives_a_drain_that_fails() -> None:
    """Else one without its clusters, or one that crash loops, would be put back once the load balancer answers."""
    story = Story("a", "b").until("verifying")
    story(story.verified("a", safe=False))
    story.after(6)(story.surveyed(ready("a"), ready("b")))
    story(story.drained("a", FAILED))

    assert ["hold begun no_clusters"] * 2 == [told for told in story.told_of() if told.startswith("hold")]
    assert [] == story.after(6)(story.surveyed(ready("a"), ready("b")))  # told once, not with each survey
    story(story.resolved())
    story.after(61)(Tick())
    assert [] == story(story.verified("a", safe=False))


def test_a_drain_of_one_that_we_never_drained_is_a_persons() -> None:
    """(S26)."""
    story = Story("a", "b")

    assert [] == story(story.surveyed(drained("a"), drained("b"), lb_started=story.now))
    assert "idle" == story.stage_name()


@pytest.mark.parametrize("begin", ["verifying", "held"])
def test_maintenance_of_one_that_we_drained_makes_it_theirs(begin: str) -> None:
    """It is never put back by us (S16, S26)."""
    story = Story("a", "b").hold() if begin == "held" else Story("a", "b").until("verifying")
    story(story.resolved())

    assert [] == story(story.surveyed(MAINT, ready("b")))
    assert "idle" == story.stage_name()
    assert [] == story.after(3600)(Tick())
    assert [] == story(story.surveyed(drained("a"), ready("b"), lb_started=story.now))


def test_an_orphan_that_an_alert_waits_for_is_repaired() -> None:
    """Else it would wait for ever for the person who seems to have drained it (S28)."""
    story = Story("a", "b")
    story.repair()
    story.after(3600)(story.alert())
    mine = story.evidence("a", REFUSED, members={"a": drained("a")})
    assert [] == story(story.looked("a", mine))
    assert "look refused held_by_person" == story.told_of()[-1]

    assert [Look] == story.does(story.surveyed(drained("a"), ready("b"), lb_started=story.now))
    assert [Drain] == story.does(story.looked("a", story.evidence("a", members={"a": drained("a")})))


@pytest.mark.parametrize("scope", list(Scope))
def test_an_orphan_in_what_is_paused_stays(scope: Scope) -> None:
    """Nothing is begun there (S13, S16); afterwards it is ended."""
    story = Story("a", "b")
    story.repair()
    name = {Scope.TARGET: "a", Scope.POOL: "trade", Scope.FLEET: ""}[scope]
    story.after(3600)(story.paused(scope, name))
    found = story.surveyed(drained("a"), ready("b"), lb_started=story.now)

    assert [] == story.after(1)(found)
    story(story.resumed(scope, name))
    assert [Verify] == story.does(found)


def test_an_orphan_stays_while_the_brake_is_on() -> None:
    """(S13)."""
    story = Story("a", "b")
    story.repair()
    story.fleet = replace(story.fleet, brake=Brake(story.now, "too many"))
    found = story.after(3600).surveyed(drained("a"), ready("b"), lb_started=story.now)

    assert [] == story(found)
    story(story.resumed(Scope.FLEET))
    assert [Verify] == story.does(found)


def test_a_drain_after_maintenance_is_a_persons_also_under_a_fresh_load_balancer() -> None:
    """They had it in their hands in between (S26)."""
    story = Story("a", "b")
    story.repair()
    started = story.after(3600).now

    assert [] == story(story.surveyed(MAINT, ready("b"), lb_started=started))
    assert [] == story(story.surveyed(drained("a"), ready("b"), lb_started=started))


def test_a_person_who_has_paused_a_held_one_may_put_it_back_by_hand() -> None:
    """We would fight them otherwise (S16)."""
    story = Story("a", "b").hold()
    story(story.paused(Scope.TARGET, "a"))

    assert [] == story.after(60)(story.surveyed(ready("a"), ready("b")))
    assert "held" == story.stage_name()


def test_strangers_in_a_load_balancer_are_not_ours() -> None:
    """And a pool that nobody knows is none (S15)."""
    story = Story("a", "b")
    story.repair()
    before = story.fleet
    strangers = [Member("x", Admin.DRAIN, Health.DOWN)]

    assert [] == story(story.surveyed(*strangers, lb_started=story.now))
    assert before == story.fleet


def test_an_enable_that_fails_while_the_drain_is_lost_ends_held() -> None:
    """Two failures at once still end drained (S27)."""
    story = Story("a", "b").until("enabling")
    story(story.enabled("a", FAILED))
    story(story.drained("a", FAILED))

    assert [] == story.after(60).does(story.surveyed(ready("a"), ready("b")))
    assert [Drain] == story.after(1).does(story.surveyed(ready("a"), ready("b")))
    assert [] == story(story.drained())
    assert "held" == story.stage_name()


def test_a_crash_loop_whose_drain_is_lost_stays_out() -> None:
    story = Story("a", "b")
    story(story.alert(wish=Wish.DRAIN))
    story(story.dead())
    story(story.drained())

    assert [Drain] == story.after(60).does(story.surveyed(ready("a"), ready("b")))
    assert [] == story(story.drained())
    story(story.resolved())
    assert [Verify] == story.after(901).does(Tick())
