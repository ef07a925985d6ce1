"""What OCP answers, and what is counted of it."""

from __future__ import annotations

from collections.abc import Callable

from odp_exporter.exposition import families
from odp_exporter.metrics.rendering import Values
from odp_exporter.observations import Endpoint, EndpointObservation, OcpObservation, OcpResult
from odp_exporter.store import OcpRecord

from .row import Moment, OpenRow, Row, Samples, Table, buckets

_RESULTS = tuple((endpoint, result) for endpoint in Endpoint for result in OcpResult)


def _replies(ocp: OcpObservation) -> dict[Endpoint, EndpointObservation]:
    """One reply per endpoint: the first bad one, or the first."""
    replies: dict[Endpoint, EndpointObservation] = {}
    for reply in sorted(ocp.endpoints, key=lambda reply: reply.result is OcpResult.OK):
        replies.setdefault(reply.endpoint, reply)
    return replies


def _of_replies(take: Callable[[EndpointObservation], float]) -> Callable[[OcpObservation, Moment], Values]:
    def values(ocp: OcpObservation, _: Moment) -> Values:
        replies = _replies(ocp)
        return tuple(take(replies[endpoint]) if endpoint in replies else None for endpoint in Endpoint)

    return values


def _clusters(ocp: OcpObservation, _: Moment) -> Values:
    config = _replies(ocp).get(Endpoint.CONFIG)
    return len(ocp.clusters) if config and config.result is OcpResult.OK else None


def _ocp_results(ocp: OcpObservation, _: Moment) -> Samples:
    replies = _replies(ocp)
    return [({"endpoint": name, "result": replies[name].result}, 1) for name in Endpoint if name in replies]


TABLE: Table[OcpObservation] = (
    Row(families.OCP_UP, _of_replies(lambda reply: int(reply.result is OcpResult.OK))),
    Row(families.OCP_HTTP_STATUS_CODE, _of_replies(lambda reply: reply.status)),
    OpenRow(families.OCP_RESULT, _ocp_results),
    Row(families.OCP_CLUSTERS, _clusters),
)
"""What a recent round of questions to an OCP says."""

COUNTED: Table[OcpRecord] = (
    Row(families.OCP_REQUESTS, lambda record, _: tuple([record.results.get(key, 0) for key in _RESULTS])),
    Row(
        families.OCP_REQUEST_DURATION,
        lambda record, _: tuple([value for each in record.durations.values() for value in buckets(each)]),
    ),
)
"""What is counted for every OCP."""
