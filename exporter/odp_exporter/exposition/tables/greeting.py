"""What probes say of an ODP or of a pool's address, and what is counted of them."""

from __future__ import annotations

from itertools import chain

from odp_exporter.exposition import families
from odp_exporter.health import State
from odp_exporter.metrics.rendering import Values
from odp_exporter.observations import GreetingObservation, PingObservation, PingResult, ProbeResult
from odp_exporter.store import OdpRecord, ProbeRecord

from .row import Moment, OpenRow, Row, Samples, Table, buckets

_STATES = {state: tuple(int(state is other) for other in State) for state in State}
# Tuples, because going through an enum costs more than the rest of a scrape.
_PROBE_RESULTS = tuple(ProbeResult)
_PING_RESULTS = tuple(PingResult)


def _probe_results(record: ProbeRecord) -> Values:
    return tuple([record.results.get(result, 0) for result in _PROBE_RESULTS])


def _probe_durations(record: ProbeRecord) -> Values:
    return tuple(chain.from_iterable(map(buckets, record.durations.values())))


def present_state(record: OdpRecord, moment: Moment) -> State:
    """The state of an ODP, which nobody knows once probes have ceased."""
    latest = record.probes.latest
    return record.health.state if latest and latest.at >= moment.oldest else State.UNKNOWN


def _up(greeting: GreetingObservation, _: Moment) -> Values:
    # Of a fault of the exporter's own, nothing follows for the ODP.
    return None if greeting.result is ProbeResult.INTERNAL_ERROR else int(greeting.is_ok)


def _info(record: OdpRecord, _: Moment) -> Samples:
    target, host = record.target, record.host
    version = host.version if host and host.version else ""
    return [({"address": str(target.address), "pool": target.pool or "", "version": version, **target.labels}, 1)]


def _unavailable(record: OdpRecord, _: Moment) -> Values:
    # Up to the last greeting and not to now: a clock that is set must not make a counter jump, or fall.
    return (record.outages + record.health.outage_lasted).total_seconds()


def _last_probe(record: OdpRecord, _: Moment) -> Values:
    return record.probes.latest.at.timestamp() if record.probes.latest else None


COUNTED: Table[OdpRecord] = (
    Row(families.ODP_STATE, lambda record, moment: _STATES[present_state(record, moment)]),
    OpenRow(families.ODP_INFO, _info),
    Row(families.ODP_PROBES, lambda record, _: _probe_results(record.probes)),
    Row(families.ODP_PROBE_DURATION, lambda record, _: _probe_durations(record.probes)),
    Row(families.ODP_PROBE_LAST_TIMESTAMP, _last_probe),
    Row(families.ODP_UNAVAILABLE, _unavailable),
    Row(families.ODP_RECOVERY_DURATION, lambda record, _: buckets(record.recoveries)),
)
"""What is counted for every ODP, probed already or not."""

TABLE: Table[GreetingObservation] = (
    Row(families.ODP_UP, _up),
    OpenRow(families.ODP_PROBE_RESULT, lambda greeting, _: [({"result": greeting.result}, 1)]),
)
"""What a recent greeting says."""

PINGS_COUNTED: Table[OdpRecord] = (
    Row(families.ODP_PINGS, lambda record, _: tuple([record.pings.get(result, 0) for result in _PING_RESULTS])),
)
"""What is counted for every ODP while the ping module is on."""

PING: Table[PingObservation] = (Row(families.ODP_PING_UP, lambda ping, _: int(ping.result is PingResult.OK)),)
"""What a recent ping says."""

POOL_COUNTED: Table[ProbeRecord] = (
    Row(families.ODP_POOL_PROBES, lambda record, _: _probe_results(record)),
    Row(families.ODP_POOL_PROBE_DURATION, lambda record, _: _probe_durations(record)),
)
"""What is counted for every pool with an address."""

POOL: Table[GreetingObservation] = (Row(families.ODP_POOL_UP, _up),)
"""What a recent greeting through the load balancer says."""
