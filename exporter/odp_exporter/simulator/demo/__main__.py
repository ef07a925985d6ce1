"""`python -m odp_exporter.simulator.demo [SECONDS]`: everything below a temporary directory, and gone at the end."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from odp_exporter.simulator.stack.chain import files_of
from odp_exporter.simulator.stack.site import Blueprint, Programs, site

from .acts import play, set_up
from .table import say

CLUSTERS = ("trade", "pay")
RULES = Path(__file__).parents[4] / "rules" / "fast"
"""In a checkout; an installed package has none, and then there is no Prometheus."""


async def demo(seconds: float | None) -> None:
    """Play it, and go on for so many *seconds* from its first act, or until Ctrl-C."""
    playing = asyncio.create_task(_played(seconds), name="demo")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, playing.cancel)
    await asyncio.wait([playing])
    if not playing.cancelled():
        playing.result()
    say("\nended; all its processes are gone")


async def _played(seconds: float | None) -> None:
    say("starting an OCP, three ODPs and what stands around them ...")
    blueprint = Blueprint(
        Programs.found(),
        clusters=CLUSTERS,
        options={"config_server_refresh_interval": "2s"},
        rules=files_of(RULES),
        pushes=True,
    )
    with TemporaryDirectory(prefix="odp-demo-") as directory:
        async with site(Path(directory), blueprint) as running:
            await set_up(running, CLUSTERS)
            try:
                async with asyncio.timeout(seconds):
                    await play(running)
                    await asyncio.Event().wait()
            except TimeoutError:
                return


if __name__ == "__main__":
    asyncio.run(demo(float(sys.argv[1]) if sys.argv[1:] else None))
