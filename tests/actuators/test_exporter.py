"""What odp-exporter, beside the ODP, makes of a restart by us."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from odp_exporter.actuators.local import Local, LocalSettings
from odp_exporter.simulator.exporter import Metrics, exporter, naming
from odp_exporter.simulator.fleet import Fleet

from .conftest import identity_of, order_for


def restarts(metrics: Metrics) -> dict[str, float]:
    return {cause: count for cause, count in metrics.by("cause", "odp_restarts_total", odp="odp-1").items() if count}


@pytest.mark.parametrize("number", [0, signal.SIGSTOP])
async def test_the_exporter_counts_it_as_ours(number: int, fleet: Fleet, tmp_path: Path) -> None:
    """Whether the process heeded SIGTERM or had to be killed."""
    odp = await fleet.start_odp("odp-1")
    state = tmp_path / "exporter"
    text = f"probe: {{interval: 200ms, timeout: 150ms}}\nprocess: {{interval: 100ms}}\nstate_directory: {state}\n"
    order = order_for(odp, identity_of(odp.pid))
    async with exporter(tmp_path, naming(odp, more=text)) as it:
        await it.until_state("odp-1", "serving")
        if number:
            odp.kill(number)

        await Local(LocalSettings(tmp_path / "state", exporter_state_directory=state)).restart(order)
        metrics = await it.until(lambda metrics: bool(restarts(metrics)))

    assert {"remediation": 1.0} == restarts(metrics)
