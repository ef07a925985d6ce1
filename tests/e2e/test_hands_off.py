"""What must not be touched is not, whatever an alert says, and the reason is recorded."""

from __future__ import annotations

import pytest
from odp_exporter.simulator.drills import repairs
from odp_exporter.simulator.stack.site import Site

from .conftest import MOST_FAILURES

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]


async def test_while_ocp_is_down_a_hung_odp_is_left_alone(site: Site) -> None:
    """Its cache is of no use: it would not come back with its clusters (S10)."""
    outcome = await repairs.ocp_down_and_frozen(site, "odp-1")

    assert ([], ["restart_unsafe"]) == (outcome.done, outcome.refused)
    assert (0, 1) == (outcome.starts, outcome.processes)


async def test_while_ocp_is_down_a_dead_odp_is_started_and_let_in_once_it_has_its_clusters(site: Site) -> None:
    """It serves nobody, so starting can only help; without clusters it would fail the logins that its peers serve."""
    held, outcome = await repairs.ocp_down_and_killed(site, "odp-2")

    assert (["no_clusters"], "DRAIN 1") == (held.held, held.state)
    assert (1, 1, "UP 1") == (outcome.starts, outcome.processes, outcome.state)
    assert outcome.failures <= MOST_FAILURES
    assert 0 == outcome.late_failures


async def test_while_ocp_is_half_broken_a_hung_odp_is_left_alone(site: Site) -> None:
    """A restart would cost it the clusters that it knows (S10)."""
    outcome = await repairs.ocp_half_broken_and_frozen(site, "odp-1")

    assert ([], ["restart_unsafe"]) == (outcome.done, outcome.refused)
    assert (0, 1) == (outcome.starts, outcome.processes)


async def test_what_a_person_has_paused_is_left_alone(site: Site) -> None:
    outcome = await repairs.paused(site, "odp-3")

    assert ([], ["paused"]) == (outcome.done, outcome.refused)
    assert (0, 0, "DOWN 1") == (outcome.starts, outcome.processes, outcome.state)


async def test_what_a_silence_covers_is_left_alone(site: Site) -> None:
    outcome = await repairs.silenced(site, "odp-4")

    assert [] == outcome.done
    assert (0, 1) == (outcome.starts, outcome.processes)


async def test_what_a_person_has_drained_is_left_alone(site: Site) -> None:
    """Neither restarted nor put back (S16, S26)."""
    outcome = await repairs.drained_by_operator(site, "odp-5")

    assert ([], ["held_by_person"]) == (outcome.done, outcome.refused)
    assert (0, 1, "DRAIN 1") == (outcome.starts, outcome.processes, outcome.state)
    assert 0 == outcome.failures


async def test_what_was_told_to_stop_may_finish_its_sessions(site: Site) -> None:
    """SIGUSR1: it looks hung from outside, and ends by itself (S22)."""
    outcome = await repairs.told_to_stop(site, "odp-1")

    assert ([], ["draining"]) == (outcome.done, outcome.refused)
    assert (0, 1) == (outcome.starts, outcome.processes)
