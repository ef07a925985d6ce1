"""What every driver keeps, whatever load balancer is behind it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from odp_exporter.lb.driver import Admin, Health, LbRefused, LoadBalancer, Member

WEIGHTS = {"odp-1": 10, "odp-2": 20, "odp-3": 30}


async def admins(driver: LoadBalancer) -> dict[str, Admin]:
    return {name: member.admin for name, member in (await driver.members()).items()}


async def test_members_are_those_of_the_pool_as_they_are(rig: Any) -> None:
    members = await rig.driver.members()

    assert {
        name: Member(name, Admin.READY, Health.UP, weight, sessions=0) for name, weight in WEIGHTS.items()
    } == members
    assert all(member.takes_sessions for member in members.values())


async def test_a_drained_member_takes_no_sessions_and_nothing_else_changes(rig: Any) -> None:
    before = await rig.driver.members()
    await rig.driver.drain("odp-2")

    after = await rig.driver.members()

    assert {**before, "odp-2": replace(before["odp-2"], admin=Admin.DRAIN)} == after
    assert not after["odp-2"].takes_sessions


async def test_draining_twice_is_draining_once(rig: Any) -> None:
    await rig.driver.drain("odp-1")
    once = await rig.driver.members()
    await rig.driver.drain("odp-1")

    assert once == await rig.driver.members()


async def test_a_drained_member_comes_back_as_it_was(rig: Any) -> None:
    before = await rig.driver.members()
    await rig.driver.drain("odp-1")
    await rig.driver.enable("odp-1", before["odp-1"].weight)
    await rig.driver.enable("odp-1", before["odp-1"].weight)

    assert before == await rig.driver.members()


async def test_enabling_gives_the_weight_that_is_asked_for(rig: Any) -> None:
    await rig.driver.drain("odp-1")
    await rig.driver.enable("odp-1", 7)

    assert 7 == (await rig.driver.members())["odp-1"].weight


async def test_enabling_at_no_weight_leaves_the_weight(rig: Any) -> None:
    await rig.driver.drain("odp-3")
    await rig.driver.enable("odp-3", None)

    assert (Admin.READY, 30) == ((member := (await rig.driver.members())["odp-3"]).admin, member.weight)


async def test_a_maintenance_is_a_persons_and_stays(rig: Any) -> None:
    """Neither a drain nor taking one back may end it (S16, S26)."""
    await rig.by_hand("odp-1", Admin.MAINT)
    await rig.driver.drain("odp-1")
    with pytest.raises(LbRefused, match="maintenance"):
        await rig.driver.enable("odp-1", 10)

    assert {"odp-1": Admin.MAINT, "odp-2": Admin.READY, "odp-3": Admin.READY} == await admins(rig.driver)


@pytest.mark.parametrize("name", ["odp-4", "", "odp-1; shutdown sessions server odp/odp-2", "odp-1\nquit"])
async def test_what_is_no_member_is_refused(rig: Any, name: str) -> None:
    for verb in (rig.driver.drain(name), rig.driver.enable(name, 1), rig.driver.kill_sessions(name)):
        with pytest.raises(LbRefused, match="no member of this pool"):
            await verb

    assert {Admin.READY} == set((await admins(rig.driver)).values())


async def test_a_drained_members_sessions_go_on_until_they_are_killed(rig: Any) -> None:
    await rig.connect(18)
    await rig.driver.drain("odp-3")
    before = (await rig.driver.members())["odp-3"].sessions
    await rig.driver.kill_sessions("odp-3")

    members = await rig.driver.members()

    assert before
    assert 0 == members["odp-3"].sessions
    assert members["odp-1"].sessions


async def test_killing_the_sessions_of_a_member_without_any_is_fine(rig: Any) -> None:
    await rig.driver.drain("odp-1")
    await rig.driver.kill_sessions("odp-1")

    assert 0 == (await rig.driver.members())["odp-1"].sessions


async def test_what_may_be_done_passes_the_check_which_changes_nothing(rig: Any) -> None:
    await rig.driver.drain("odp-1")
    before = await rig.driver.members()
    await rig.driver.check()

    assert before == await rig.driver.members()


async def test_the_start_of_a_load_balancer_lies_in_the_past(rig: Any) -> None:
    started = await rig.driver.started()

    assert started is None or started <= datetime.now(UTC) + timedelta(seconds=1)
