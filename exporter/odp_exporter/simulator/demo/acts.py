"""What happens in the demo: a death, a hang, and a hang that must not be repaired."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Collection, Iterable

import pymysql

from odp_exporter.simulator.fleet import Endpoint, Failure, Odp
from odp_exporter.simulator.stack.alertmanager import Alertmanager
from odp_exporter.simulator.stack.haproxy import HOST
from odp_exporter.simulator.stack.remediator import TOKEN
from odp_exporter.simulator.stack.site import Site, until

from .table import say, table
from .timeline import Timeline

PATIENCE_SECONDS = 45.0
"""For an act to come to its end; what has not come by then is told, and the next one begins."""


async def set_up(site: Site, clusters: Collection[str]) -> None:
    """Have every ODP know the *clusters*, and say what stands where."""
    for odp in site.odps.values():
        await asyncio.to_thread(_log_in, odp, clusters)
    known = dict.fromkeys(site.odps, len(clusters))
    await site.exporter.until(lambda metrics: metrics.by("odp", "odp_cache_clusters") == known)
    say(await _cast(site))


async def play(site: Site) -> None:
    """All acts, one after the other."""
    say(f"\n{await table(site)}")
    await _dies(site, "odp-2")
    await _calms_down(site)
    await _hangs(site, "odp-3")
    await _calms_down(site)
    await _hangs_at_a_bad_time(site, "odp-1")
    say("\nThat was all. Look around at the addresses above; Ctrl-C ends it.")


async def _dies(site: Site, odp: str) -> None:
    say(f"\n1. {odp} is killed.\n")
    timeline = await Timeline.of(site, odp)
    pid = site.odps[odp].pid
    site.odps[odp].kill(signal.SIGKILL)
    timeline.begins(f"{odp} killed (pid {pid}, SIGKILL)")
    await _ends(site, timeline, lambda: timeline.is_repaired)


async def _hangs(site: Site, odp: str) -> None:
    say(f"\n2. {odp} hangs: it still accepts connections and says nothing, which no port check sees.\n")
    timeline = await Timeline.of(site, odp)
    pid = site.odps[odp].pid
    site.odps[odp].kill(signal.SIGSTOP)
    timeline.begins(f"{odp} frozen (pid {pid}, SIGSTOP)")
    await _ends(site, timeline, lambda: timeline.is_repaired)


async def _hangs_at_a_bad_time(site: Site, odp: str) -> None:
    say(
        f"\n3. OCP gives its configuration, but no server lists; then {odp} hangs. Restarted now, it would lose"
        "\n   the clusters that it still knows.\n"
    )
    await site.ocp.break_(Endpoint.RS_LIST, Failure.STATUS, 500)
    await site.exporter.until(lambda metrics: metrics.value("odp_restart_safe", odp=odp) == 0)
    timeline = await Timeline.of(site, odp)
    pid = site.odps[odp].pid
    site.odps[odp].kill(signal.SIGSTOP)
    timeline.begins(f"{odp} frozen (pid {pid}, SIGSTOP)")
    await _ends(site, timeline, lambda: timeline.is_refused)
    say("\nOCP is mended, and the process goes on: it needs no repair any more.")
    site.odps[odp].kill(signal.SIGCONT)
    await site.ocp.heal()
    await until(site.is_calm)
    say(f"\n{await table(site)}")


async def _ends(site: Site, timeline: Timeline, is_over: Callable[[], bool]) -> None:
    await timeline.follow(is_over, seconds=PATIENCE_SECONDS)
    say(f"\n{await table(site)}")


async def _calms_down(site: Site) -> None:
    """An alert that is not over yet would make the next fault look like one of most of the fleet."""
    with contextlib.suppress(TimeoutError):
        await until(site.is_calm, seconds=PATIENCE_SECONDS)


async def _cast(site: Site) -> str:
    info = dict(line.split(": ", 1) for line in (await site.edge.ask("show info")).splitlines() if ": " in line)
    balancer = f"HAProxy {info['Version']}" if "Version" in info else "a stand-in (haproxy is not installed)"
    is_real = isinstance(site.alertmanagers[0], Alertmanager)
    telling = "Alertmanager" if is_real else "a stand-in that forwards (prometheus-alertmanager is not installed)"
    rows = [
        ("applications connect to", f"{HOST}:{site.edge.port}", balancer),
        ("OCP", site.ocp.base, "simulated, as are the ODPs"),
        ("exporter", site.exporter.url, "pushes alerts the moment it knows"),
        ("alerts go through", site.alertmanagers[0].url, telling),
        ("remediator", site.remediator.url, f"a page for people; any user, password {TOKEN}"),
    ]
    if site.prometheus:
        rows.insert(3, ("Prometheus", site.prometheus.url, "finds the same a second later, and keeps the record"))
    else:
        rows.insert(3, ("no Prometheus", "-", "not installed, or no rules: the exporter's push is the only way"))
    return "\n".join(f"{what:24}{where:26}{note}" for what, where, note in rows)


def _log_in(odp: Odp, clusters: Iterable[str]) -> None:
    """Only then does an ODP ask for a cluster's servers, and write its cache (odp-facts 2.4)."""
    host, port = odp.address
    for cluster in clusters:
        with contextlib.suppress(pymysql.Error):
            pymysql.connect(host=host, port=port, user=f"app@sys#{cluster}", connect_timeout=5, read_timeout=5).close()
