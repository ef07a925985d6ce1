"""Most of the fleet at once: what is dead is started, what lives is not touched."""

from __future__ import annotations

import pytest
from odp_exporter.simulator.drills import repairs
from odp_exporter.simulator.stack.site import Site

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]


MOST = ("odp-1", "odp-2", "odp-3")
"""Three of five."""


async def test_most_of_the_pool_killed_at_once_is_started_two_at_a_time(site: Site) -> None:
    outcomes = await repairs.most_killed(site, MOST)
    records = [each for each in await site.remediator.history() if each.odp in MOST]

    assert dict.fromkeys(MOST, (1, 1, "UP 1")) == {
        odp: (outcome.starts, outcome.processes, outcome.state) for odp, outcome in outcomes.items()
    }
    assert 2 == repairs.most_under_repair(records)


async def test_most_of_the_pool_hung_at_once_is_no_reason_to_restart(site: Site) -> None:
    """A shared cause is likelier, which is told once and not for each (S9)."""
    outcomes = await repairs.most_frozen(site, MOST)
    refused = [reason for outcome in outcomes.values() for reason in outcome.refused]

    assert dict.fromkeys(MOST, ([], 0, 1)) == {
        odp: (outcome.done, outcome.starts, outcome.processes) for odp, outcome in outcomes.items()
    }
    assert 1 == refused.count("fleet_failing")
