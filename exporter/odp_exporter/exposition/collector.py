"""The store as metric families: everything at a scrape, one answer at a probe on demand.

Collecting does no I/O and takes the time from the clock it is given.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from odp_exporter import __version__
from odp_exporter.clock import Clock
from odp_exporter.observations import (
    CacheObservation,
    GreetingObservation,
    HostObservation,
    OcpObservation,
    PingObservation,
)
from odp_exporter.ondemand import Answer
from odp_exporter.store import Store

from . import families
from .family import Family
from .rendering import Block, Templates, Values, sample
from .tables import cache, greeting, host, ocp
from .tables.row import Moment, OpenRow, Row, Table

S = TypeVar("S")
Seen = TypeVar("Seen", GreetingObservation, PingObservation, HostObservation, CacheObservation)


def _build() -> Mapping[str, str]:
    return {"version": __version__, "python_version": platform.python_version()}


@dataclass(frozen=True, slots=True)
class Situation:
    """What the exporter knows of itself; the application replaces it when that changes."""

    interval: timedelta
    """Of the greeting probes."""
    host_interval: timedelta
    """Of the looks at this host's processes."""
    cache_interval: timedelta
    """Of the readings of the cache files."""
    reloaded_at: datetime
    """When the configuration in use was loaded."""
    is_reload_ok: bool = True
    """The last attempt to load the configuration succeeded."""
    ping_interval: timedelta | None = None
    """Of the pings; None while the ping module is off."""
    discovery_unseen: int = 0
    """Things that the last discovery was not shown."""
    target_file_problems: int = 0
    """Mistakes in the target files as they were last read."""
    build: Mapping[str, str] = field(default_factory=_build)


class Collector:
    """Gives the families of everything in the store, as of now."""

    def __init__(self, store: Store, situation: Situation, clock: Clock) -> None:
        self.store = store
        self.situation = situation
        self.clock = clock
        self._templates: dict[str, Templates] = {}

    def collect(self) -> list[Block]:
        """Every family; what could not be seen is absent from it."""
        now = self.clock()
        moment = Moment(now, self.situation.interval)
        return [*self._odps(moment), *self._pools(moment), *self._ocps(moment), *self._exporter()]

    def answered(self, answer: Answer) -> list[Block]:
        """The families of one *answer* to a probe on demand, without those that count."""
        moment = Moment(self.clock(), timedelta())
        match answer:
            case GreetingObservation(target=name):
                return _once(greeting.POOL if self._is_pool(name) else greeting.TABLE, name, answer, moment)
            case PingObservation(target=name):
                return [] if self._is_pool(name) else _once(greeting.PING, name, answer, moment)
            case OcpObservation(ocp=name):
                return _once(ocp.TABLE, name, answer, moment)

    def _is_pool(self, name: str) -> bool:
        # As ondemand.py takes names: an ODP before a pool.
        return name in self.store.pools and name not in self.store.odps

    def _odps(self, moment: Moment) -> Iterable[Block]:
        odps = self.store.odps
        greetings = {name: odp.probes.latest for name, odp in odps.items()}
        hosts = _fresh({name: odp.host for name, odp in odps.items()}, Moment(moment.now, self.situation.host_interval))
        local = {name: host for name, host in hosts.items() if host.is_local}
        caches = _fresh(
            {name: odp.cache for name, odp in odps.items()}, Moment(moment.now, self.situation.cache_interval)
        )
        yield from self._blocks(greeting.TABLE, _fresh(greetings, moment), moment)
        yield from self._blocks(greeting.COUNTED, odps, moment)
        if interval := self.situation.ping_interval:
            pings = _fresh({name: odp.ping for name, odp in odps.items()}, Moment(moment.now, interval))
            yield from self._blocks(greeting.PING, pings, moment)
            yield from self._blocks(greeting.PINGS_COUNTED, odps, moment)
        yield from self._blocks(host.TABLE, local, moment)
        yield from self._blocks(cache.TABLE, caches, moment)

    def _pools(self, moment: Moment) -> Iterable[Block]:
        pools = {name: record.probes for name, record in self.store.pools.items() if record.pool.vip}
        greetings = {name: probes.latest for name, probes in pools.items()}
        yield from self._blocks(greeting.POOL, _fresh(greetings, moment), moment)
        yield from self._blocks(greeting.POOL_COUNTED, pools, moment)

    def _ocps(self, moment: Moment) -> Iterable[Block]:
        rounds = {
            name: record.latest
            for name, record in self.store.ocps.items()
            if record.latest and Moment(moment.now, record.ocp.interval).is_fresh(record.latest.at)
        }
        yield from self._blocks(ocp.TABLE, rounds, moment)
        yield from self._blocks(ocp.COUNTED, self.store.ocps, moment)

    def _exporter(self) -> Iterable[Block]:
        store, situation = self.store, self.situation
        yield single(families.EXPORTER_TARGETS, (len(store.odps), len(store.pools), len(store.ocps)))
        yield single(families.EXPORTER_DISCOVERY_UNSEEN, situation.discovery_unseen)
        yield single(families.EXPORTER_TARGET_FILE_PROBLEMS, situation.target_file_problems)
        yield several(families.EXPORTER_PROBE_OVERRUNS, sorted(store.overruns.items()))
        yield single(families.EXPORTER_CONFIG_RELOAD_SUCCESSFUL, int(situation.is_reload_ok))
        yield single(families.EXPORTER_CONFIG_RELOAD_TIMESTAMP, situation.reloaded_at.timestamp())
        yield families.EXPORTER_BUILD_INFO, sample(families.EXPORTER_BUILD_INFO, situation.build, 1)

    def _blocks(self, table: Table[S], subjects: Mapping[str, S], moment: Moment) -> Iterable[Block]:
        for row in table:
            templates = self._templates.get(row.family.name) or Templates(row.family)
            self._templates[row.family.name] = templates
            templates.forget_all_but(subjects)
            yield row.family, _lines(row, subjects, moment, templates)


def single(family: Family, values: Values) -> Block:
    """A family that no ODP, pool or OCP owns."""
    return family, Templates(family).fill("", values)


def several(family: Family, values: Iterable[tuple[str, float]]) -> Block:
    """A family with one label, whose values turn up at run time."""
    (label,) = family.open
    return family, "".join(sample(family, {label: name}, value) for name, value in values)


def _once(table: Table[S], name: str, subject: S, moment: Moment) -> list[Block]:
    return [(row.family, _lines(row, {name: subject}, moment, Templates(row.family))) for row in table]


def _lines(row: Row[S] | OpenRow[S], subjects: Mapping[str, S], moment: Moment, templates: Templates) -> str:
    match row:
        case Row():
            return "".join([templates.fill(name, row.take(subject, moment)) for name, subject in subjects.items()])
        case OpenRow():
            return "".join(
                sample(row.family, {str(row.family.owner): name, **labels}, value)
                for name, subject in subjects.items()
                for labels, value in row.take(subject, moment)
            )


def _fresh(observations: Mapping[str, Seen | None], moment: Moment) -> dict[str, Seen]:
    return {name: seen for name, seen in observations.items() if seen and moment.is_fresh(seen.at)}
