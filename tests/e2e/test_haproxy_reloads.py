"""HAProxy is reloaded in the middle of a repair: its new worker knows of no drain."""

from __future__ import annotations

import pytest
from odp_exporter.simulator.drills import repairs
from odp_exporter.simulator.stack.site import Site

from .conftest import MOST_FAILURES

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]


PHASES = {"draining": "odp-1", "acting": "odp-2", "verifying": "odp-3", "enabling": "odp-4"}


@pytest.mark.parametrize("phase", PHASES)
async def test_a_reload_changes_nothing_about_the_repair(site: Site, phase: str) -> None:
    """The agent and the reconciler say the drain again (S28)."""
    outcome = await repairs.reloaded(site, PHASES[phase], phase)

    assert (1, 1, 1, "UP 1") == (outcome.restarts, outcome.starts, outcome.processes, outcome.state)
    assert outcome.failures <= MOST_FAILURES


async def test_a_reload_lets_nobody_in_who_is_held(site: Site) -> None:
    held, mended = await repairs.reloaded_while_held(site, "odp-5")

    assert ("DRAIN 1", 0, 0) == (held.state, held.restarts, held.processes)
    assert held.failures <= MOST_FAILURES
    assert ("UP 1", 0, 1) == (mended.state, mended.restarts, mended.processes)
