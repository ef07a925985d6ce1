"""Whether an ODP would come back from a restart and live through an outage of OCP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from odp_exporter.exposition import families
from odp_exporter.metrics.rendering import Values
from odp_exporter.survival import comparison
from odp_exporter.survival.reasons import Findings, Reason
from odp_exporter.survival.start import Answers, Cached
from odp_exporter.survival.verdict import Evidence, Premises, Verdict, weigh

from .cache import MAX_CLUSTERS
from .row import OpenRow, Row, Samples, Table


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What is known of an ODP of this host, and what it comes to."""

    evidence: Evidence
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the page says of an ODP's survival as long as its premises stay the same."""

    missing: Values
    stale: Values
    answering: Samples
    restart_safe: Values
    restart_reasons: Values
    survives_ocp_outage: Values


def outlook(known: Premises) -> Outlook:
    """What to say of these premises."""
    verdict = weigh(known)
    return Outlook(
        missing=_counted(comparison.missing, known),
        stale=_counted(comparison.stale, known),
        answering=_answering(known),
        restart_safe=_number(verdict.restart_safe),
        restart_reasons=_reasons(verdict.restart),
        survives_ocp_outage=_number(verdict.survives_ocp_outage),
    )


def _counted(differ: Callable[[Answers, Cached], frozenset[str] | None], known: Premises) -> Values:
    clusters = differ(known.given, known.cache) if known.cache else None
    return None if clusters is None else len(clusters)


def _answering(known: Premises) -> Samples:
    if known.cache is None or known.reachable is None:
        return []
    counts = comparison.answering(known.cache, known.reachable)
    return [({"ob_cluster": name}, counts[name]) for name in sorted(counts)[:MAX_CLUSTERS]]


def _reasons(findings: Findings) -> Values:
    found = {finding.reason for finding in findings}
    return tuple(int(reason in found) for reason in Reason)


def _number(verdict: bool | None) -> Values:  # noqa: FBT001 - the verdict itself
    return None if verdict is None else int(verdict)


TABLE: Table[Outlook] = (
    Row(families.ODP_CACHE_MISSING_CLUSTERS, lambda it, _: it.missing),
    Row(families.ODP_CACHE_STALE_CLUSTERS, lambda it, _: it.stale),
    OpenRow(families.ODP_CACHE_REACHABLE_SERVERS, lambda it, _: it.answering),
    Row(families.ODP_RESTART_SAFE, lambda it, _: it.restart_safe),
    Row(families.ODP_RESTART_UNSAFE_REASON, lambda it, _: it.restart_reasons),
    Row(families.ODP_SURVIVES_OCP_OUTAGE, lambda it, _: it.survives_ocp_outage),
)
"""What restarts and outages would do; only for an ODP of this host."""
