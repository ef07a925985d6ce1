"""OCP half-broken and a dead ODP: it is started, greets, and has none of its clusters; its peers serve from memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from odp_exporter.health import State
from odp_exporter.lb.driver import Admin
from odp_exporter.remediation.model import (
    SERVES_AGAIN,
    Enable,
    Failure,
    Held,
    Hold,
    Report,
    Tick,
    Verified,
    Verify,
    Verifying,
)

from .payloads import alert, body
from .rig import Life, Odp, odps, rig
from .story import FAILED, Story, cuts


def why(story: Story) -> Hold | None:
    stage = story.stage()
    return stage.why if isinstance(stage, Held) else None


@cuts
def test_one_that_came_back_without_its_clusters_is_held_until_it_would_have_them(cut: int | None) -> None:
    """The load balancer sees that it greets, and nothing of the logins that fail (S10, S27)."""
    story = Story("a", "b", cut=cut).until("verifying")

    assert [] == story(story.verified(safe=False))
    assert Hold.NO_CLUSTERS is why(story)
    assert "verify failed NoClusters" in story.told_of()
    assert [Verify] == story.after(61).does(Tick())
    assert [] == story(story.verified(safe=False))
    assert [Verify] == story.after(61).does(Tick())
    assert [Enable] == story.does(story.verified(safe=True))
    assert [] == story(story.enabled())


@cuts
@pytest.mark.parametrize("safe", [True, None])
def test_what_nobody_knows_keeps_nobody_out(cut: int | None, *, safe: bool | None) -> None:
    story = Story("a", "b", cut=cut).until("verifying")

    assert [Enable] == story.does(story.verified(safe=safe))


def test_an_exporter_that_is_silent_keeps_nobody_out() -> None:
    story = Story("a", "b").until("verifying")

    assert [Enable] == story.does(Verified("a", story.episode(), others=("b",)))


def test_without_any_other_that_serves_it_is_put_back_all_the_same() -> None:
    """Some logins are better than none."""
    story = Story("a", "b").until("verifying")

    assert [Enable] == story.does(story.verified(safe=False, others=()))


@pytest.mark.parametrize(("others", "is_held"), [(("b", "c"), True), (("b",), False)])
def test_when_fewer_serve_than_must_it_is_put_back_too(others: tuple[str, ...], *, is_held: bool) -> None:
    """One broken list of many would otherwise take one after the other out for good (S11)."""
    story = Story("a", "b", "c", min_serving=2).until("verifying")
    story(story.verified(safe=False, others=others))

    assert is_held is (Hold.NO_CLUSTERS is why(story))


def test_others_that_are_out_by_our_doing_do_not_count() -> None:
    """They greet as well, and take no sessions from now on (S11)."""
    story = Story("a", "b", max_concurrent=2).until("verifying")
    story(story.alert("b"))
    story(story.dead("b"))

    assert "draining" == story.stage_name("b")
    assert [Enable] == story.does(story.verified(safe=False, others=("b",)))


def test_when_no_other_serves_any_more_it_is_put_back_within_a_minute() -> None:
    """However long it has been out."""
    story = Story("a", "b").until("verifying")
    story(story.verified(safe=False))
    for _ in range(60):
        assert [Verify] == story.after(61).does(Tick())
        story(story.verified(safe=False))

    assert [Verify] == story.after(61).does(Tick())
    assert [Enable] == story.does(story.verified(safe=False, others=()))


def test_one_that_was_never_ended_has_its_clusters_in_memory() -> None:
    """That a restart would lose them is no reason to hold it."""
    serves_again = Story("a", "b").until("acting")
    serves_again(serves_again.restarted("a", Failure(SERVES_AGAIN, "it greets")))
    undrained = Story("a", "b").until("draining")
    undrained(undrained.drained("a", FAILED))
    undrained(undrained.resolved())
    undrained.after(61)(Tick())

    for story in (serves_again, undrained):
        assert isinstance(story.stage(), Verifying)
        assert [Enable] == story.does(story.verified(safe=False))


def test_one_that_was_held_after_its_start_failed_is_a_new_one_too() -> None:
    """Its watchdog or a person has started it since."""
    story = Story("a", "b").hold(Hold.START_FAILED)

    assert [Verify] == story.after(61).does(Tick())
    assert [] == story(story.verified(safe=False))
    assert Hold.NO_CLUSTERS is why(story)


def test_that_it_was_held_for_is_told_with_the_reasons() -> None:
    story = Story("a", "b").until("verifying")
    report = Report(story.now, State.SERVING, restart_safe=False, reasons=("ocp_half_broken", "rs_list_fails"))
    story(Verified("a", story.episode(), report=report, others=("b",)))
    stage = story.stage()

    assert isinstance(stage, Held)
    assert "NoClusters: ocp_half_broken; rs_list_fails (others serve: b)" == stage.detail


@pytest.fixture
async def running() -> AsyncIterator[dict[str, Odp]]:
    async with odps(("odp-1", "odp-2")) as them:
        yield them


async def test_it_is_started_held_and_put_back_when_ocp_answers_again(tmp_path: Path, running: dict[str, Odp]) -> None:
    safe: dict[str, bool | None] = {"odp-1": False}
    async with rig(tmp_path, running, safe=safe) as made:
        await running["odp-1"].become(Life.DEAD)
        await made.post("/v1/alertmanager", body(alert()))
        await made.until(lambda: isinstance(made.fleet.stages.get("odp-1"), Held))
        held = (await made.lb.members())["odp-1"].admin
        safe["odp-1"] = True
        await made.until(lambda: "odp-1" in made.fleet.released)

        assert Admin.DRAIN is held
        assert ["odp-1"] == made.host.restarts
        assert Admin.READY is (await made.lb.members())["odp-1"].admin


@pytest.mark.parametrize("peer", [Life.SILENT, Life.DEAD])
async def test_it_is_put_back_if_no_other_serves(tmp_path: Path, running: dict[str, Odp], peer: Life) -> None:
    async with rig(tmp_path, running, safe={"odp-1": False}) as made:
        for odp, life in (("odp-1", Life.DEAD), ("odp-2", peer)):
            await running[odp].become(life)
        await made.post("/v1/alertmanager", body(alert()))
        await made.until(lambda: "odp-1" in made.fleet.released)

        assert ["odp-1"] == made.host.restarts
