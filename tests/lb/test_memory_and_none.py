"""The two that steer nothing real."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from odp_exporter.lb.driver import Admin, Health, LbRefused, LbUnreachable, Member
from odp_exporter.lb.memory import Memory
from odp_exporter.lb.none import NoLoadBalancer, NoneSettings
from odp_exporter.targets import Address, Target

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def test_a_fresh_one_in_memory_has_forgotten_drains_but_no_maintenance() -> None:
    memory = Memory.of("odp-1", "odp-2")
    memory.put(Member("odp-2", Admin.MAINT, Health.UNKNOWN, 1, 0))
    await memory.drain("odp-1")
    memory.restart(NOON)

    assert [Admin.READY, Admin.MAINT] == [member.admin for member in (await memory.members()).values()]
    assert NOON == await memory.started()


async def test_one_in_memory_fails_as_it_is_told() -> None:
    memory = Memory.of("odp-1")
    memory.failure = LbUnreachable("gone")
    for verb in (memory.members, memory.started, memory.check):
        with pytest.raises(LbUnreachable):
            await verb()
    with pytest.raises(LbUnreachable):
        await memory.drain("odp-1")

    memory.failure = None
    assert Admin.READY is (await memory.members())["odp-1"].admin


async def test_none_knows_its_members_and_says_that_it_cannot_drain() -> None:
    none = NoLoadBalancer(NoneSettings(), [Target("odp-1", Address("127.0.0.1", 2883))])
    await none.check()
    await none.drain("odp-1")
    await none.kill_sessions("odp-1")
    await none.enable("odp-1", 5)

    assert {"odp-1": Member("odp-1", Admin.READY, Health.UNKNOWN)} == await none.members()
    assert None is await none.started()
    assert (False, False, False) == (
        none.capabilities.drains,
        none.capabilities.counts_sessions,
        none.capabilities.kills_sessions,
    )
    with pytest.raises(LbRefused, match="no member of this pool: 'odp-2'"):
        await none.drain("odp-2")
