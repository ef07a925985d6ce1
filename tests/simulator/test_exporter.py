from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from odp_exporter.simulator.exporter import ExporterFailed, exporter
from odp_exporter.simulator.fleet.processes import eventually, is_alive

STARTER = """
import asyncio, pathlib, sys
from odp_exporter.simulator.exporter import exporter

async def main():
    async with exporter(pathlib.Path(sys.argv[1]), sys.argv[2]) as it:
        print(it.process.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
QUIET = "odps: [{address: '192.0.2.11:2883'}]\n"


async def test_an_exporter_that_does_not_heed_its_end_is_killed_and_that_is_said(tmp_path: Path) -> None:
    async with exporter(tmp_path, QUIET) as it:
        os.kill(it.process.pid, signal.SIGSTOP)
        with pytest.raises(ExporterFailed, match="had to be killed"):
            await it.stop(within_seconds=0.2)

    assert -signal.SIGKILL == it.process.returncode


async def test_an_exporter_that_heeds_its_end_has_its_own_status(tmp_path: Path) -> None:
    async with exporter(tmp_path, QUIET) as it:
        assert 0 == await it.stop()


async def test_no_exporter_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    starter = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTER, str(tmp_path), QUIET), stdout=asyncio.subprocess.PIPE
    )
    assert starter.stdout
    pid = int(await starter.stdout.readline())
    starter.kill()
    await starter.wait()

    await eventually(lambda: not is_alive(pid), "the exporter's end", within_seconds=10)
