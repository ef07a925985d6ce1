"""Drills: faults struck on purpose, and the alerts that must come of each.

    odp.py      of one ODP: its process, its limits
    cache.py    of what it knows of its clusters: its cache, and its own OCP
    ocp.py      of OCP, endpoint by endpoint
    watch.py    of a pool, and of the exporter that watches it
    repairs.py  what the remediator makes of it

A new fault or alert is one line in one of these tables. Tests strike them all and compare what arrives; the
benchmark of latency strikes them all and looks at the clock.
"""

from __future__ import annotations

from collections.abc import Mapping

UNDRILLED: Mapping[str, str] = {
    "OdpOomKilled": "only the kernel can tell an OOM kill; tests/procfs and promtool's tests have it",
    "OcpUnknown": "takes an exporter that no longer asks; promtool's tests have it",
    "OdpAvailabilityBurnSlow": "takes days; promtool's tests have it",
    "OdpExporterAbsent": "takes a Prometheus that knows no exporter; tests/alerting has it",
    "OdpRemediatorDown": "takes a remediator",
    "OdpRemediatorDeaf": "takes a remediator",
    "OdpRemediationFailed": "takes a remediator",
    "OdpRemediationRefused": "takes a remediator",
    "OdpRemediationPaused": "takes a remediator",
    "OdpOrphanDrain": "takes a remediator",
    "Watchdog": "always fires",
}
"""Alerts that no drill provokes, and why."""
