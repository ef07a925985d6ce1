"""The store as metric families: everything at a scrape, one answer at a probe on demand.

Collecting does no I/O and takes the time from the clock it is given.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from odp_exporter import __version__
from odp_exporter.clock import Clock
from odp_exporter.evidence import Intervals, Present
from odp_exporter.metrics.rendering import Block, Written, sample, several, single
from odp_exporter.observations import (
    GreetingObservation,
    OcpObservation,
    PingObservation,
    oldest,
)
from odp_exporter.ondemand import Answer
from odp_exporter.store import OdpRecord, ProbeRecord, Store
from odp_exporter.survival.start import NOT_ASKED, Answers, answers
from odp_exporter.survival.verdict import CacheContent, Evidence, Premises, judge, premises

from . import families
from .tables import cache, greeting, host, ocp, survival
from .tables.cache import Worth, worth
from .tables.derived import Derived
from .tables.row import Moment, OpenRow, Row, Table
from .tables.survival import Outlook, outlook

OWNERS = 100
"""Targets whose lines of one family are made in one go, which takes some milliseconds at most."""

S = TypeVar("S")


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
    servers_interval: timedelta | None = None
    """Of the probes of cached servers; None while those are off."""
    discovery_unseen: int = 0
    """Things that the last discovery was not shown."""
    target_file_problems: int = 0
    """Mistakes in the target files as they were last read."""
    build: Mapping[str, str] = field(default_factory=_build)

    @property
    def intervals(self) -> Intervals:
        """How old an observation may be to count."""
        return Intervals(self.host_interval, self.cache_interval, self.servers_interval)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered from one scrape to the next, so that only what has changed costs time."""

    written: defaultdict[tuple[str, int], Written] = field(default_factory=lambda: defaultdict(Written))
    """By the name of the family and the number of the slice."""
    worths: Derived[CacheContent, Worth] = field(default_factory=lambda: Derived(worth))
    outlooks: Derived[Premises, Outlook] = field(default_factory=lambda: Derived(outlook))
    answers: Derived[OcpObservation, Answers] = field(default_factory=lambda: Derived(answers))

    def forget_all_but(self, owners: Mapping[str, object]) -> None:
        """Drop what is known of owners that are gone."""
        for family, number in [key for key in self.written if key[1] * OWNERS >= len(owners)]:
            del self.written[family, number]
        for derived in (self.worths, self.outlooks, self.answers):
            derived.forget_all_but(owners)


class Collector:
    """Gives the families of everything in the store, as of now."""

    def __init__(self, store: Store, situation: Situation, clock: Clock) -> None:
        self.store = store
        self.situation = situation
        self.clock = clock
        self._known = _Known()

    def collect(self) -> list[Block]:
        """Every family; what could not be seen is absent from it."""
        return list(self.blocks())

    def blocks(self) -> Iterator[Block]:
        """The same bit by bit, for whoever has something else to do in between.

        All bits are of one moment and of the targets of that moment; what is counted of one target
        for one family is of one go, and may be newer than that of another.
        """
        self._known.forget_all_but({**self.store.odps, **self.store.pools, **self.store.ocps})
        moment = Moment(self.clock(), self.situation.interval)
        for subjects in (self._odps, self._pools, self._ocps):
            yield from subjects(moment)
        yield from self._exporter()

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
        odps, situation = dict(self.store.odps), self.situation
        # Observations are taken at once and not when their turn comes, so that all are of one moment.
        greetings = _greetings({name: odp.probes for name, odp in odps.items()}, moment)
        pings = _pings(odps, moment.now, situation.ping_interval)
        evidence = self._evidence(odps, moment.now)
        local = {name: it.host for name, it in evidence.items() if it.host and it.host.is_local}
        here = {name: it for name, it in evidence.items() if (seen := odps[name].host) and seen.is_local}
        yield from self._blocks(greeting.TABLE, greetings.items(), moment)
        yield from self._blocks(greeting.COUNTED, odps.items(), moment)
        if situation.ping_interval:
            yield from self._blocks(greeting.PING, pings.items(), moment)
            yield from self._blocks(greeting.PINGS_COUNTED, odps.items(), moment)
        yield from self._blocks(host.TABLE, local.items(), moment)
        yield from self._blocks(cache.TABLE, self._worths(evidence), moment)
        yield from self._blocks(survival.TABLE, self._outlooks(here), moment)

    def _evidence(self, odps: Mapping[str, OdpRecord], now: datetime) -> dict[str, Evidence]:
        """Of those *odps* of which more than probes tell."""
        present = Present(self.store, now, self.situation.intervals)
        return {name: present.evidence(odp) for name, odp in odps.items() if odp.host or odp.cache}

    def _worths(self, evidence: Mapping[str, Evidence]) -> Iterable[tuple[str, Worth]]:
        known = self._known.worths
        return ((name, known.of(name, CacheContent.of(it.cache))) for name, it in evidence.items() if it.cache)

    def _outlooks(self, evidence: Mapping[str, Evidence]) -> Iterable[tuple[str, Outlook]]:
        for name, it in evidence.items():
            given = self._known.answers.of(it.ocp.ocp, it.ocp) if it.ocp else NOT_ASKED
            yield name, self._known.outlooks.of(name, premises(it, given))

    def appraisal(self, odp: OdpRecord, now: datetime) -> survival.Appraisal:
        """What a restart, and an outage of OCP, would do to *odp*."""
        evidence = Present(self.store, now, self.situation.intervals).evidence(odp)
        return survival.Appraisal(evidence, judge(evidence))

    def _pools(self, moment: Moment) -> Iterable[Block]:
        pools = {name: record.probes for name, record in self.store.pools.items() if record.pool.vip}
        greetings = _greetings(pools, moment)
        yield from self._blocks(greeting.POOL, greetings.items(), moment)
        yield from self._blocks(greeting.POOL_COUNTED, pools.items(), moment)

    def _ocps(self, moment: Moment) -> Iterable[Block]:
        rounds = {
            name: record.latest
            for name, record in self.store.ocps.items()
            if record.latest and record.latest.at >= oldest(moment.now, record.ocp.interval)
        }
        yield from self._blocks(ocp.TABLE, rounds.items(), moment)
        yield from self._blocks(ocp.COUNTED, dict(self.store.ocps).items(), moment)

    def _exporter(self) -> Iterable[Block]:
        store, situation = self.store, self.situation
        yield single(families.EXPORTER_TARGETS, (len(store.odps), len(store.pools), len(store.ocps)))
        yield single(families.EXPORTER_DISCOVERY_UNSEEN, situation.discovery_unseen)
        yield single(families.EXPORTER_TARGET_FILE_PROBLEMS, situation.target_file_problems)
        yield several(families.EXPORTER_PROBE_OVERRUNS, sorted(store.overruns.items()))
        pushes = sorted(store.pushes.items())
        yield several(families.EXPORTER_NOTIFICATIONS_SENT, [(name, tally.sent) for name, tally in pushes])
        yield several(families.EXPORTER_NOTIFICATIONS_ERRORS, [(name, tally.errors) for name, tally in pushes])
        yield single(families.EXPORTER_CONFIG_RELOAD_SUCCESSFUL, int(situation.is_reload_ok))
        yield single(families.EXPORTER_CONFIG_RELOAD_TIMESTAMP, situation.reloaded_at.timestamp())
        yield families.EXPORTER_BUILD_INFO, sample(families.EXPORTER_BUILD_INFO, situation.build, 1)

    def _blocks(self, table: Table[S], subjects: Iterable[tuple[str, S]], moment: Moment) -> Iterable[Block]:
        pairs = iter(subjects)
        slices: Iterable[dict[str, S]] = iter(lambda: dict(islice(pairs, OWNERS)), {})
        for row in table:
            kept = list[dict[str, S]]()
            for number, some in enumerate(slices):
                kept.append(some)
                yield row.family, _lines(row, some, moment, self._known.written[row.family.name, number])
            slices = kept


def _once(table: Table[S], name: str, subject: S, moment: Moment) -> list[Block]:
    return [(row.family, _lines(row, {name: subject}, moment, Written())) for row in table]


def _lines(row: Row[S] | OpenRow[S], subjects: Mapping[str, S], moment: Moment, written: Written) -> bytes:
    match row:
        case Row(take=take):
            values = [take(subject, moment) for subject in subjects.values()]
            return written.lines(list(subjects), values, row.template.fill)
        case OpenRow(take=take_all):
            found = [take_all(subject, moment) for subject in subjects.values()]
            return written.lines(list(subjects), found, row.write)


def _greetings(probed: Mapping[str, ProbeRecord], moment: Moment) -> dict[str, GreetingObservation]:
    since = moment.oldest
    return {name: seen for name, record in probed.items() if (seen := record.latest) and seen.at >= since}


def _pings(odps: Mapping[str, OdpRecord], now: datetime, interval: timedelta | None) -> dict[str, PingObservation]:
    since = oldest(now, interval or timedelta())
    return {name: seen for name, odp in odps.items() if (seen := odp.ping) and seen.at >= since}
