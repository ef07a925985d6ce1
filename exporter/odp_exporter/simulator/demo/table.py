"""How the site stands, as a table: from the exporter's /metrics, as Prometheus reads it, and from the load balancer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from odp_exporter.simulator.exporter import Metrics
from odp_exporter.simulator.fleet import Odp
from odp_exporter.simulator.stack.site import Site

_COLUMNS = ("ODP", "ADDRESS", "STATE", "LAST PROBE", "PID", "RESTARTS", "DOWN FOR", "CACHED CLUSTERS", "BALANCER")


def say(text: str) -> None:
    """Tell the person who watches."""
    print(text, flush=True)  # noqa: T201 - the demo talks to a person


async def table(site: Site) -> str:
    """One row per ODP, and a line about OCP."""
    metrics, states = await site.exporter.metrics(), await site.edge.states()
    rows = [(*_row(odp, metrics), states.get(odp.name, "-").split()[0]) for odp in site.odps.values()]
    return f"{_aligned([_COLUMNS, *rows])}\n{_ocp_line(metrics)}"


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


def _aligned(rows: Iterable[Sequence[str]]) -> str:
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
