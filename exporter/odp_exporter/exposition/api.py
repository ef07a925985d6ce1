"""What the exporter knows of its ODPs, as JSON: for the remediator, and for scripts.

Rendered from the store; asking causes no probe. It holds no secret: no
argument list, no URL, no parameter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from aiohttp import web

from odp_exporter.observations import CacheObservation, Endpoint, HostObservation, OcpObservation
from odp_exporter.settings import quoted
from odp_exporter.store import OdpRecord
from odp_exporter.survival import comparison
from odp_exporter.survival.reasons import EXPLANATIONS, Finding, judged
from odp_exporter.survival.verdict import ClusterVerdict, Evidence

from .collector import Collector
from .tables.greeting import present_state
from .tables.row import Moment
from .tables.survival import Appraisal

Document = dict[str, object]
"""An object of the reply; its keys are described in docs/api.md."""


class Api:
    """The pages below /api/v1/."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def odps(self, _: web.Request) -> web.Response:
        """Every ODP."""
        return _json([self._document(odp) for odp in self._collector.store.odps.values()])

    async def odp(self, request: web.Request) -> web.Response:
        """One ODP by its name."""
        name, odps = request.match_info["name"], self._collector.store.odps
        if odp := odps.get(name):
            return _json(self._document(odp))
        return _json({"error": f"no such ODP: {quoted(name)}", "odps": sorted(odps)}, status=404)

    def _document(self, odp: OdpRecord) -> Document:
        collector = self._collector
        moment = Moment(collector.clock(), collector.situation.interval)
        return odp_document(odp, collector.appraisal(odp, moment.now), moment)


def odp_document(odp: OdpRecord, appraisal: Appraisal, moment: Moment) -> Document:
    """All that is known of one ODP."""
    evidence, verdict = appraisal.evidence, appraisal.verdict
    host = evidence.host
    return {
        "name": odp.target.name,
        "at": _newest(odp, evidence),
        "state": present_state(odp, moment),
        "is_memory_frozen": host.is_memory_frozen if host else None,
        "is_hot_restarting": host.is_hot_restarting if host else None,
        "is_told_to_stop": host.is_told_to_stop if host else None,
        "restart_safe": verdict.restart_safe,
        "reasons": _reasons(verdict.restart),
        "survives_ocp_outage": verdict.survives_ocp_outage,
        "outage_reasons": _reasons(verdict.outage),
        "clusters": _clusters(verdict.clusters, evidence),
        "processes": _processes(host),
        "watchdogs": sorted(host.watchdogs) if host else [],
        "ocp": _ocp(evidence.ocp),
        "cache": _cache(evidence.cache),
        "unseen": list(host.unseen) if host else [],
    }


def _newest(odp: OdpRecord, evidence: Evidence) -> float | None:
    seen = (odp.probes.latest, evidence.host, evidence.cache, evidence.ocp)
    return max((_seconds(it.at) for it in seen if it), default=None)


def _seconds(at: datetime) -> float:
    return round(at.timestamp(), 3)


def _reasons(findings: Iterable[Finding]) -> list[Document]:
    return [
        {
            "reason": it.reason,
            "cluster": it.cluster,
            "detail": it.detail,
            "sentence": EXPLANATIONS[it.reason].sentence,
            "way_out": EXPLANATIONS[it.reason].way_out,
        }
        for it in findings
    ]


def _clusters(verdicts: Iterable[ClusterVerdict], evidence: Evidence) -> list[Document]:
    answering = comparison.answering(evidence.cache, evidence.reachable or {}) if evidence.cache else {}
    return [
        {
            "name": it.cluster,
            "is_at_stake": it.is_at_stake,
            "restart_safe": judged(it.restart),
            "survives_ocp_outage": judged(it.outage),
            "reachable_servers": answering.get(it.cluster),
        }
        for it in verdicts
    ]


def _processes(host: HostObservation | None) -> list[Document]:
    return [
        {
            "boot_id": it.identity.boot_id,
            "pid": it.identity.pid,
            "start_ticks": it.identity.start_ticks,
            "executable": it.identity.executable,
        }
        for it in (host.processes if host else ())
    ]


def _ocp(ocp: OcpObservation | None) -> Document | None:
    if ocp is None:
        return None
    return {
        "name": ocp.ocp,
        "at": _seconds(ocp.at),
        "endpoints": [
            {"endpoint": it.endpoint, "cluster": it.cluster, "result": it.result, "detail": it.detail}
            for endpoint in Endpoint
            for it in ocp.endpoints
            if it.endpoint is endpoint
        ],
    }


def _cache(cache: CacheObservation | None) -> Document | None:
    if cache is None:
        return None
    return {
        "at": _seconds(cache.at),
        "files": [
            {"file": it.file, "result": it.result, "path": str(it.path) if it.path else None, "detail": it.detail}
            for it in cache.files
        ],
    }


def _json(document: object, *, status: int = 200) -> web.Response:
    text = json.dumps(document, indent=2, ensure_ascii=True) + "\n"
    return web.Response(status=status, text=text, content_type="application/json")
