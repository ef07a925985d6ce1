"""What the tests of the whole exporter share: it runs as a process of its own, over a simulated fleet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from odp_exporter.simulator.fleet import Fleet


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """Simulated processes that end with the test."""
    async with Fleet(tmp_path / "fleet") as running:
        yield running
