"""The remediator is killed in the middle of a repair; its next life ends it."""

from __future__ import annotations

import pytest
from odp_exporter.simulator.drills import repairs
from odp_exporter.simulator.stack.site import Site

from .conftest import MOST_FAILURES

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]


PHASES = {"looking": "odp-1", "draining": "odp-2", "acting": "odp-3", "verifying": "odp-4", "enabling": "odp-5"}


@pytest.mark.parametrize("phase", PHASES)
async def test_the_next_life_ends_the_repair_with_one_restart(site: Site, phase: str) -> None:
    """SIGKILL at whatever is under way when the phase is seen, or just after (S24)."""
    outcome = await repairs.remediator_killed(site, PHASES[phase], phase)

    assert (1, 1, 1, "UP 1") == (outcome.restarts, outcome.starts, outcome.processes, outcome.state)
    assert outcome.failures <= MOST_FAILURES
    assert 0 == outcome.late_failures
