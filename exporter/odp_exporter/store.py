"""The latest observation of everything, and the tallies that counters need.

One task writes, the same event loop reads: no lock. What is kept is bounded by
the number of targets; nothing here does I/O or knows a metric name.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from .health import Health, State, after_greeting, after_host
from .observations import (
    CacheObservation,
    Endpoint,
    GreetingObservation,
    HostObservation,
    Observation,
    OcpObservation,
    OcpResult,
    Phase,
    PingObservation,
    PingResult,
    ProbeResult,
    Server,
    ServerObservation,
)
from .targets import Ocp, Pool, Target

PROBE_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds; a greeting on loopback takes 0.2 to 2 ms (odp-facts 4.5)."""
OCP_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds; ODP gives up after 5 (odp-facts 1.2)."""
RECOVERY_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 1800.0)
"""Seconds; 1 is the line between a fast recovery and a slow one."""


class Histogram:
    """Counts of values at or below each bound."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """One count per bound, not cumulated, and one for what exceeds them all."""
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Add one *value*."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(slots=True)
class ProbeRecord:
    """What greeting probes of one address have given so far."""

    latest: GreetingObservation | None = None
    results: Counter[ProbeResult] = field(default_factory=Counter)
    durations: dict[Phase, Histogram] = field(
        default_factory=lambda: {phase: Histogram(PROBE_BOUNDS) for phase in Phase}
    )

    def add(self, observation: GreetingObservation) -> None:
        """Count *observation* and keep it as the latest."""
        self.latest = observation
        self.results[observation.result] += 1
        for phase, seconds in observation.durations.items():
            self.durations[phase].observe(seconds)


@dataclass(slots=True)
class OdpRecord:
    """All that is known of one ODP."""

    target: Target
    probes: ProbeRecord = field(default_factory=ProbeRecord)
    health: Health = field(default_factory=Health)
    outages: timedelta = timedelta()
    """Sum of the ended outages."""
    recoveries: Histogram = field(default_factory=lambda: Histogram(RECOVERY_BOUNDS))
    host: HostObservation | None = None
    cache: CacheObservation | None = None
    ping: PingObservation | None = None
    pings: Counter[PingResult] = field(default_factory=Counter)

    @property
    def verdict(self) -> tuple[State, bool, bool]:
        """All that decides which alerts fire; whether it is of this host is among it."""
        host = self.host
        return self.health.state, bool(host and host.is_local), bool(host and host.is_memory_frozen)


@dataclass(slots=True)
class PoolRecord:
    """All that is known of one pool's address."""

    pool: Pool
    probes: ProbeRecord = field(default_factory=ProbeRecord)


@dataclass(slots=True)
class OcpRecord:
    """All that is known of one OCP."""

    ocp: Ocp
    latest: OcpObservation | None = None
    results: Counter[tuple[Endpoint, OcpResult]] = field(default_factory=Counter)
    durations: dict[Endpoint, Histogram] = field(
        default_factory=lambda: {endpoint: Histogram(OCP_BOUNDS) for endpoint in Endpoint}
    )


@dataclass(slots=True)
class PushTally:
    """What became of the alerts pushed to one Alertmanager."""

    sent: int = 0
    errors: int = 0

    def add(self, alerts: int, *, is_ok: bool) -> None:
        """Count one push of so many *alerts*."""
        self.sent += alerts if is_ok else 0
        self.errors += 0 if is_ok else alerts


def _ignore() -> None:
    pass


class Store:
    """Records by name, for as long as their target is probed."""

    def __init__(self, on_verdict: Callable[[], None] = _ignore) -> None:
        self.on_verdict = on_verdict
        """Called when the verdict on some ODP has changed."""
        self.odps: dict[str, OdpRecord] = {}
        self.pools: dict[str, PoolRecord] = {}
        self.ocps: dict[str, OcpRecord] = {}
        self.servers: dict[Server, ServerObservation] = {}
        """The latest look at each cached server; all ODPs of this host share it."""
        self.overruns: Counter[str] = Counter()
        """Rounds that took longer than their interval, by kind of probe."""
        self.pushes: dict[str, PushTally] = {}
        """By Alertmanager, host and port."""

    def keep(self, *, odps: Iterable[Target], pools: Iterable[Pool], ocps: Iterable[Ocp]) -> None:
        """Begin records of what is new, drop those of what is gone, leave the rest as they are."""
        self.odps = {target.name: self._odp(target) for target in odps}
        self.pools = {pool.name: self._pool(pool) for pool in pools}
        self.ocps = {ocp.name: self._ocp(ocp) for ocp in ocps}

    def record(self, observation: Observation) -> None:
        """Take in one *observation*; one of a target that is gone is dropped."""
        match observation:
            case GreetingObservation():
                self._record_greeting(observation)
            case HostObservation():
                self._record_host(observation)
            case CacheObservation():
                if record := self.odps.get(observation.target):
                    record.cache = observation
            case PingObservation():
                if record := self.odps.get(observation.target):
                    record.ping = observation
                    record.pings[observation.result] += 1
            case OcpObservation():
                self._record_ocp(observation)
            case ServerObservation():
                self.servers[observation.server] = observation

    def keep_servers(self, servers: Collection[Server]) -> None:
        """Drop what is known of all cached servers but these."""
        self.servers = {server: seen for server, seen in self.servers.items() if server in servers}

    def keep_pushes(self, alertmanagers: Iterable[str]) -> None:
        """Count what is pushed to these, and drop the counts of all others."""
        self.pushes = {name: self.pushes.get(name) or PushTally() for name in alertmanagers}

    def _record_greeting(self, observation: GreetingObservation) -> None:
        record = self.odps.get(observation.target)
        if record is None:
            return
        record.probes.add(observation)
        before = record.health.state
        record.health, outage = after_greeting(record.health, observation, record.host)
        self._tell(before is not record.health.state)
        if outage is not None:
            record.outages += outage.duration
            record.recoveries.observe(outage.duration.total_seconds())

    def record_pool(self, observation: GreetingObservation) -> None:
        """Take in a probe of a pool's address; pools and ODPs may share names."""
        if record := self.pools.get(observation.target):
            record.probes.add(observation)

    def _record_host(self, observation: HostObservation) -> None:
        if record := self.odps.get(observation.target):
            before = record.verdict
            record.host = observation
            record.health = after_host(record.health, record.probes.latest, observation)
            self._tell(before != record.verdict)

    def _tell(self, is_changed: bool) -> None:  # noqa: FBT001 - the one thing it is told
        if is_changed:
            self.on_verdict()

    def _record_ocp(self, observation: OcpObservation) -> None:
        record = self.ocps.get(observation.ocp)
        if record is None:
            return
        record.latest = observation
        for reply in (it for it in observation.endpoints if not it.is_carried):
            record.results[reply.endpoint, reply.result] += 1
            if reply.result is not OcpResult.NOT_ASKED:
                record.durations[reply.endpoint].observe(reply.seconds)

    def _odp(self, target: Target) -> OdpRecord:
        record = self.odps.get(target.name)
        if record is None or record.target.address != target.address:
            return OdpRecord(target)
        record.target = target
        return record

    def _pool(self, pool: Pool) -> PoolRecord:
        record = self.pools.get(pool.name)
        if record is None or record.pool.vip != pool.vip:
            return PoolRecord(pool)
        record.pool = pool
        return record

    def _ocp(self, ocp: Ocp) -> OcpRecord:
        record = self.ocps.get(ocp.name)
        if record is None or record.ocp.url != ocp.url:
            return OcpRecord(ocp)
        record.ocp = ocp
        return record
