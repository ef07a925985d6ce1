"""However an alert comes, and however often: one restart."""

from __future__ import annotations

import pytest
from odp_exporter.simulator.drills import repairs
from odp_exporter.simulator.drills.repairs import Ways

from .conftest import MOST_FAILURES, OpenSite

pytestmark = pytest.mark.timeout(180)
ONCE = (["drain", "start", "verify", "enable"], 1, 1, "UP 1")


async def test_the_push_alone_is_enough(opened: OpenSite) -> None:
    """Without Prometheus."""
    async with opened(ways=Ways.PUSHED, odps=2) as site:
        outcome = await repairs.killed(site, "odp-1")

    assert ONCE == (outcome.done, outcome.starts, outcome.processes, outcome.state)
    assert outcome.failures <= MOST_FAILURES
    assert 0 == outcome.late_failures


async def test_two_alertmanagers_told_twice_are_one_restart(opened: OpenSite) -> None:
    """Prometheus and the exporter tell both, and each tells the remediator (S3)."""
    async with opened(ways=Ways.ALL_TWICE, odps=2) as site:
        outcome = await repairs.killed(site, "odp-1")
        metrics = await site.remediator.metrics()
        told = await repairs.alerts_of(site, "odp-1")

    assert ONCE == (outcome.done, outcome.starts, outcome.processes, outcome.state)
    assert [1, 1] == told
    came = metrics.by("result", "odp_remediation_webhooks_total")
    assert 2 <= came["accepted"] + came["duplicate"]


async def test_an_alert_whose_webhook_was_lost_is_found_by_asking(opened: OpenSite) -> None:
    """The remediator was away as it fired, and no notification ever comes through."""
    async with opened(ways=Ways.LOST, odps=2) as site:
        outcome = await repairs.fired_while_away(site, "odp-1")
        metrics = await site.remediator.metrics()

    assert ONCE == (outcome.done, outcome.starts, outcome.processes, outcome.state)
    assert {0} == set(metrics.by("result", "odp_remediation_webhooks_total").values())
