"""An ODP at its memory limit lives on half-dead and greets: it is repaired all the same, and no other is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.actuators.actuator import HostView
from odp_exporter.health import State
from odp_exporter.lb.driver import Admin
from odp_exporter.observations import ProbeResult
from odp_exporter.remediation.judge import judge
from odp_exporter.remediation.model import (
    MEMORY_FROZEN,
    Action,
    Alert,
    Drain,
    Enable,
    Failure,
    Fleet,
    Held,
    Look,
    Reason,
    Refusal,
    Replace,
    Restart,
    Tick,
    Verify,
    Waiting,
    Wish,
)
from odp_exporter.remediation.policy import Policy

from .payloads import alert, body
from .rig import Life, Odp, odps, rig
from .story import FAILED, GREETED, NEW, NOON, OLD, SILENT, Story, cuts, drained, ready

LIVING = Story("a", "b", "c")
FROZEN: dict[str, object] = {"greetings": GREETED, "state": State.SERVING, "is_memory_frozen": True}
FIRES = Fleet(alerts={"a": (Alert("a", MEMORY_FROZEN, Wish.RESTART, "k", NOON),)})


def verdict(fleet: Fleet = FIRES, /, **seen: object) -> object:
    evidence = LIVING.evidence("a", **{**FROZEN, **seen})  # type: ignore[arg-type]  # a table's columns have one type
    return judge(fleet, "a", evidence, NOON, Policy(), LIVING.inventory)


@pytest.mark.parametrize(
    "greetings", [GREETED, SILENT, (ProbeResult.RESET,), (ProbeResult.GREETING_TIMEOUT, ProbeResult.OK)]
)
def test_one_that_is_frozen_is_replaced_whether_it_greets_or_not(greetings: tuple[ProbeResult, ...]) -> None:
    """A greeting needs hardly any memory (odp-facts 7.5)."""
    assert Replace(OLD, is_frozen=True) == verdict(greetings=greetings)


def test_that_its_exporter_could_read_no_executable_makes_it_no_other_process() -> None:
    assert Replace(OLD, is_frozen=True) == verdict(processes=(replace(OLD, executable="obproxy"),))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param({"is_memory_frozen": False}, Reason.SERVES, id="its exporter says that it is not"),
        pytest.param({"state": None}, Reason.SERVES, id="its exporter is silent"),
        pytest.param({"report_age": 31}, Reason.SERVES, id="its exporter spoke long ago"),
        pytest.param({"processes": (NEW,)}, Reason.SERVES, id="S20 another process was frozen"),
        pytest.param({"processes": ()}, Reason.SERVES, id="S20 nobody says which process"),
        pytest.param({"processes": (OLD, NEW)}, Reason.SERVES, id="S20 one of two processes"),
        pytest.param({"host": HostView((NEW,), NEW)}, Reason.SERVES, id="S20 another one has taken its place"),
        pytest.param({"host": HostView((OLD, NEW), OLD)}, Reason.DUPLICATE, id="S20 two claim its port"),
        pytest.param({"host": None}, Reason.SERVES, id="S20 its processes cannot be seen"),
        pytest.param({"restart_safe": False}, Reason.RESTART_UNSAFE, id="S10 it would not come back"),
        pytest.param({"restart_safe": None}, Reason.RESTART_UNKNOWN, id="S10 nobody knows whether it would"),
        pytest.param({"peers": dict.fromkeys("bc", ProbeResult.REFUSED)}, Reason.MIN_SERVING, id="S11 no other serves"),
        pytest.param({"state": State.DRAINING}, Reason.DRAINING, id="S22 it was told to stop"),
        pytest.param({"members": {"a": drained("a")}}, Reason.HELD_BY_PERSON, id="S16 drained by a person"),
        pytest.param({"is_silenced": True}, Reason.SILENCED, id="S16 silenced"),
        pytest.param({"greetings": (ProbeResult.INTERNAL_ERROR,)}, Reason.UNCLEAR, id="S8 a fault of our own"),
    ],
)
def test_one_that_greets_is_left_alone_unless_all_is_certain(seen: dict[str, object], expected: Reason) -> None:
    """Every limit for a living process holds."""
    judged = verdict(**seen)

    assert isinstance(judged, Refusal)
    assert expected is judged.reason


def test_the_word_of_an_exporter_alone_ends_nobody() -> None:
    """Another alert asked (S8)."""
    judged = verdict(Fleet(alerts={"a": (Alert("a", "OdpDown", Wish.RESTART, "k", NOON),)}))

    assert isinstance(judged, Refusal)
    assert Reason.SERVES is judged.reason


def test_most_of_the_fleet_frozen_is_left_alone() -> None:
    """The same load froze them all, and would freeze the rest sooner (S9)."""
    alerts = {odp: (Alert(odp, MEMORY_FROZEN, Wish.RESTART, odp, NOON),) for odp in "ab"}
    judged = verdict(Fleet(alerts=alerts))

    assert isinstance(judged, Refusal)
    assert Reason.FLEET_FAILING is judged.reason


@cuts
def test_a_frozen_one_that_greets_is_drained_waited_for_replaced_and_put_back(cut: int | None) -> None:
    """Its sessions are waited for, since it may serve some of them still."""
    story = Story("a", "b", cut=cut)

    assert [Look] == story.does(story.alert(name=MEMORY_FROZEN))
    seen = story.looked("a", story.evidence("a", **{**FROZEN, "members": {"a": ready("a")}}))  # type: ignore[arg-type]  # as above
    assert [Drain("a", story.episode(), Policy().session_wait)] == story(seen)
    assert [Restart("a", story.episode(), OLD, is_frozen=True)] == story.after(6)(story.drained())
    assert [Verify] == story.after(5).does(story.restarted())
    assert [Enable] == story.after(3).does(story.verified())
    assert [] == story(story.enabled())


@cuts
def test_a_frozen_one_that_cannot_be_ended_stays_out_until_its_alert_is_over(cut: int | None) -> None:
    """It would greet, be put back, and fail its clients again (S27)."""
    story = Story("a", "b", cut=cut)
    story(story.alert(name=MEMORY_FROZEN))
    story(story.looked("a", story.evidence("a", **FROZEN)))  # type: ignore[arg-type]  # as above
    story.after(6)(story.drained())
    story(story.restarted("a", Failure("StopFailed", "it lives")))

    assert [] == story.after(3600)(Tick())
    assert isinstance(story.stage(), Held)
    story(story.resolved(name=MEMORY_FROZEN))
    assert [Verify] == story.after(1).does(Tick())


def test_one_that_freezes_again_and_again_stays_out_until_its_alert_is_over() -> None:
    """Whoever greets is put back else, and this one fails its clients (S14)."""
    story = Story("a", "b")
    story.fleet = Fleet(actions=tuple(Action("a", NOON - timedelta(minutes=ago), "replace") for ago in (10, 20, 30)))
    story(story.alert(name=MEMORY_FROZEN))
    story(story.looked("a", story.evidence("a", **FROZEN)))  # type: ignore[arg-type]  # as above
    story(story.drained())

    assert ["hold begun crash_loop"] == story.told_of()[-1:]
    assert [] == story.after(3600)(Tick())
    story(story.resolved(name=MEMORY_FROZEN))
    assert [Verify] == story.after(1).does(Tick())


def test_a_frozen_one_whose_drain_failed_is_tried_again() -> None:
    """Nothing was done to it yet."""
    story = Story("a", "b")
    story(story.alert(name=MEMORY_FROZEN))
    story(story.looked("a", story.evidence("a", **FROZEN)))  # type: ignore[arg-type]  # as above
    story.after(6)(story.drained("a", FAILED))

    assert [Look] == story.after(61).does(Tick())
    assert [Drain] == story.does(story.looked("a", story.evidence("a", **FROZEN)))  # type: ignore[arg-type]  # as above


@pytest.fixture
async def running() -> AsyncIterator[dict[str, Odp]]:
    async with odps(("odp-1", "odp-2", "odp-3")) as them:
        yield them


@pytest.mark.parametrize("name", [MEMORY_FROZEN, "OdpHung"])
async def test_it_is_restarted_once_although_it_greets(tmp_path: Path, running: dict[str, Odp], name: str) -> None:
    """By its own alert only; the same report is no reason for another one's."""
    async with rig(tmp_path, running) as made:
        before = running["odp-1"].identity
        running["odp-1"].is_frozen = True
        await made.post("/v1/alertmanager", body(alert(alertname=name)))
        await made.until(lambda: isinstance(made.fleet.stages.get("odp-1"), Waiting) or made.fleet.released)

        assert ([before] if name == MEMORY_FROZEN else []) == made.host.kills
        assert Admin.READY is (await made.lb.members())["odp-1"].admin
        assert Life.SERVING is running["odp-1"].life
