from __future__ import annotations

import asyncio
from pathlib import Path

from odp_exporter.simulator.fleet import Fault, Fleet
from odp_exporter.simulator.fleet.processes import eventually


async def test_it_is_a_process_named_obproxyd_sh_that_starts_a_dead_odp(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1")
    watchdog = await fleet.watchdog(odp)
    await eventually(
        lambda: Path(f"/proc/{watchdog.pid}/comm").read_text() == "obproxyd.sh\n", "its name", within_seconds=20
    )
    before = odp.pid
    odp.kill()
    await odp.wait_listening(other_than=before)

    assert watchdog.is_running
    assert odp.pid not in {0, before}
    await watchdog.stop()
    assert odp.is_running


async def test_it_does_not_see_a_hang(fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1")
    await odp.fault(Fault.HANG)
    await fleet.watchdog(odp)
    before = odp.pid
    await asyncio.sleep(2.5)

    assert [before] == odp.pids
