"""The demo: a simulated OCP and three simulated ODPs, the real exporter, and one ODP that gets killed.

All of them are real processes on loopback, below a temporary directory; they
are gone when the demo ends. What the table shows is read from the exporter's
/metrics, as Prometheus would read it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pymysql

from .exporter import Exporter, Metrics, exporter, naming
from .fleet import Fleet, Ocp, Odp

KILL_AFTER = 5.0
"""Seconds until one ODP is killed."""
START_AFTER = 5.0
"""Seconds until it is started again."""
_COLUMNS = ("ODP", "ADDRESS", "STATE", "LAST PROBE", "PID", "RESTARTS", "DOWN FOR", "CACHED CLUSTERS")


async def demo(seconds: float | None) -> None:
    """Run it for so many *seconds*, or until Ctrl-C."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    with TemporaryDirectory(prefix="odp-demo-") as directory:
        async with _Scene.set(Path(directory)) as scene:
            await _play(scene, stop)
    _say("ended; all its processes are gone")


@dataclass(frozen=True, slots=True)
class _Scene:
    odps: Sequence[Odp]
    ocp: Ocp
    exporter: Exporter

    @staticmethod
    @contextlib.asynccontextmanager
    async def set(directory: Path) -> AsyncIterator[_Scene]:
        """Everything started, and probed once."""
        async with Fleet(directory) as fleet:
            observer = await fleet.start_observer()
            ocp = await fleet.start_ocp({"trade": [str(observer)], "pay": [str(observer)]})
            options = {"config_server_refresh_interval": "10s"}
            odps = [await fleet.start_odp(f"odp-{number}", ocp=ocp, options=options) for number in (1, 2, 3)]
            for odp in odps:
                await asyncio.to_thread(_log_in, odp)
            async with exporter(directory, _config(odps, ocp, directory)) as running:
                yield _Scene(odps, ocp, running)


async def _play(scene: _Scene, stop: asyncio.Event) -> None:
    _say(f"exporter: {scene.exporter.url}/metrics and a page for people at {scene.exporter.url}/")
    _say(f"OCP: {scene.ocp.url}")
    victim = scene.odps[1]
    async with asyncio.TaskGroup() as group:
        story = group.create_task(_kill_and_start(victim))
        watch = group.create_task(_watch(scene))
        await stop.wait()
        story.cancel()
        watch.cancel()


async def _kill_and_start(victim: Odp) -> None:
    await asyncio.sleep(KILL_AFTER)
    _say(f"killing {victim.name}, pid {victim.pid}, with SIGKILL")
    victim.kill(signal.SIGKILL)
    await asyncio.sleep(START_AFTER)
    await victim.start()
    _say(f"started {victim.name} again, pid {victim.pid}")


async def _watch(scene: _Scene) -> None:
    """Print the table whenever more than a time in it has changed."""
    shown: object = None
    while True:
        metrics = await scene.exporter.metrics()
        rows = [_row(odp, metrics) for odp in scene.odps]
        gist = [(row[2], row[3], row[5], row[7]) for row in rows]
        if gist != shown:
            shown = gist
            _say("\n" + _table([_COLUMNS, *rows]) + "\n" + _ocp_line(metrics) + "\n")
        await asyncio.sleep(0.5)


def _row(odp: Odp, metrics: Metrics) -> tuple[str, ...]:
    host, port = odp.address
    causes = metrics.by("cause", "odp_restarts_total", odp=odp.name)
    return (
        odp.name,
        f"{host}:{port}",
        metrics.state(odp.name) or "-",
        metrics.chosen("result", "odp_probe_result", odp=odp.name) or "-",
        str(odp.pid) if metrics.value("odp_processes", odp=odp.name) else "-",
        ", ".join(f"{count:.0f} {cause}" for cause, count in causes.items() if count) or "0",
        f"{metrics.value('odp_unavailable_seconds_total', odp=odp.name) or 0:.1f} s",
        f"{metrics.value('odp_cache_clusters', odp=odp.name) or 0:.0f}",
    )


def _ocp_line(metrics: Metrics) -> str:
    answers = metrics.by("endpoint", "ocp_up", ocp="ocp")
    return "OCP: " + ", ".join(f"{endpoint} {'ok' if up else 'BAD'}" for endpoint, up in sorted(answers.items()))


def _table(rows: Iterable[Sequence[str]]) -> str:
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _config(odps: Iterable[Odp], ocp: Ocp, directory: Path) -> str:
    return naming(*odps) + (
        f"ocp:\n  - {{name: ocp, url: '{ocp.url}', interval: 1s}}\n"
        "probe: {interval: 1s, timeout: 500ms}\n"
        "cache: {interval: 1s}\n"
        f"state_directory: {directory / 'state'}\n"
    )


def _log_in(odp: Odp) -> None:
    """One login: only then does ODP ask for a cluster's servers, and write its cache (odp-facts 2.4)."""
    host, port = odp.address
    for cluster in ("trade", "pay"):
        with contextlib.suppress(pymysql.Error):
            pymysql.connect(host=host, port=port, user=f"app@sys#{cluster}", connect_timeout=5, read_timeout=5).close()


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the demo talks to a person


if __name__ == "__main__":
    asyncio.run(demo(float(sys.argv[1]) if sys.argv[1:] else None))
