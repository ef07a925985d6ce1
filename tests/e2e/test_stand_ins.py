"""Where neither HAProxy nor Alertmanager is installed, stand-ins do; and the demo shows either."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from odp_exporter.simulator.drills import repairs
from odp_exporter.simulator.fleet.processes import working_below
from odp_exporter.simulator.stack.site import Blueprint, Programs, site

pytestmark = pytest.mark.timeout(150)


async def test_a_killed_odp_is_repaired_through_the_stand_ins(tmp_path: Path) -> None:
    async with site(tmp_path, Blueprint(Programs(), odps=["odp-1", "odp-2"], pushes=True)) as running:
        outcome = await repairs.killed(running, "odp-1")

    assert ["drain", "start", "verify", "enable"] == outcome.done
    assert (1, 1, "UP 1") == (outcome.starts, outcome.processes, outcome.state)
    assert 0 == outcome.late_failures


async def test_the_demo_repairs_refuses_and_leaves_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Below a short path: that of a socket may have 97 bytes."""
    directory = tmp_path_factory.mktemp("demo")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "odp_exporter.simulator.demo", "60"),
        env={"TMPDIR": str(directory), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
    )
    said = (await process.communicate())[0].decode()

    assert 0 == process.returncode
    assert 2 == said.count("back in the load balancer")
    assert 1 == said.count("REFUSED, restart_unsafe")
    assert said.endswith("ended; all its processes are gone\n")
    assert [] == list(working_below(directory))
    assert [] == os.listdir(directory)  # noqa: PTH208 - once, at the end
