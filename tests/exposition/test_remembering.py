"""What a collector remembers saves time and shows nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from odp_exporter.exposition.collector import Collector
from odp_exporter.exposition.tables.derived import Derived
from odp_exporter.metrics.rendering import Format, Written, page
from odp_exporter.observations import (
    CacheFileObservation,
    CacheObservation,
    CacheResult,
    GreetingObservation,
    HostObservation,
    OcpObservation,
    OcpResult,
    Phase,
    PingObservation,
    PingResult,
    ProbeResult,
    Server,
    ServerObservation,
    Watchdog,
)
from odp_exporter.store import Store
from odp_exporter.targets import Address, Ocp, Pool, Target

from .conftest import NOON

ODP, OTHER = Target("odp-1", Address("192.0.2.11", 2883)), Target("odp-9", Address("192.0.2.19", 2883), pool="trade")
POOL = Pool("trade", Address("192.0.2.100", 2883))
OCP = Ocp("ocp", "http://user:hunter2@192.0.2.10/services?Action=GetObProxyConfig")


def host(store: Store) -> HostObservation:
    seen = store.odps["odp-1"].host
    assert seen is not None
    return seen


def cache(store: Store) -> CacheObservation:
    seen = store.odps["odp-1"].cache
    assert seen is not None
    return seen


def ocp(store: Store) -> OcpObservation:
    seen = store.ocps["ocp"].latest
    assert seen is not None
    return seen


def spoilt(file: CacheFileObservation) -> CacheFileObservation:
    return replace(file, result=CacheResult.LENGTH, modified=NOON)


def busier(seen: HostObservation) -> HostObservation:
    return replace(seen, processes=tuple(replace(it, cpu_seconds=99.5, open_fds=None) for it in seen.processes))


def silent(seen: OcpObservation) -> OcpObservation:
    return replace(seen, endpoints=tuple(replace(it, result=OcpResult.TIMEOUT, status=0) for it in seen.endpoints))


def switched(seen: HostObservation) -> HostObservation:
    assert seen.parameters is not None
    values = {**seen.parameters.values, "enable_get_rslist_remote": "True", "proxy_mem_limited": "4G"}
    return replace(seen, parameters=replace(seen.parameters, values=values))


CHANGES: list[Callable[[Store], None]] = [
    lambda store: store.record(GreetingObservation("odp-1", NOON, ProbeResult.OK, {Phase.CONNECT: 0.3})),
    lambda store: store.record(GreetingObservation("odp-1", NOON, ProbeResult.INTERNAL_ERROR)),
    lambda store: store.record(GreetingObservation("odp-2", NOON, ProbeResult.GREETING_TIMEOUT)),
    lambda store: store.record_pool(GreetingObservation("trade", NOON, ProbeResult.RESET)),
    lambda store: store.record(PingObservation("odp-1", NOON, PingResult.DENIED, 0.1)),
    lambda store: store.record(busier(host(store))),
    lambda store: store.record(switched(host(store))),
    lambda store: store.record(replace(host(store), processes=(), watchdogs=frozenset(Watchdog), version="4.3.2.0")),
    lambda store: store.record(replace(host(store), parameters=None, cores=None, restarts={})),
    lambda store: store.record(replace(cache(store), at=NOON)),
    lambda store: store.record(replace(cache(store), files=tuple(map(spoilt, cache(store).files)))),
    lambda store: store.record(replace(cache(store), clusters=cache(store).clusters[:1], config_clusters=("trade",))),
    lambda store: store.record(replace(ocp(store), rs_lists=())),
    lambda store: store.record(replace(ocp(store), clusters=("trade",))),
    lambda store: store.record(silent(ocp(store))),
    lambda store: store.record(ServerObservation(Server("10.0.0.2", 2881), NOON, is_reachable=True)),
    lambda store: store.keep_servers(()),
    lambda store: store.keep(odps=[replace(ODP, labels={"idc": "sh1"}), OTHER], pools=[POOL], ocps=[OCP]),
    lambda store: store.keep(odps=[OTHER], pools=[], ocps=[]),
    lambda store: store.keep(odps=[ODP, OTHER], pools=[POOL], ocps=[OCP]),
]


def shown(collector: Collector, now: datetime, form: Format = Format.TEXT) -> str:
    collector.clock = lambda: now
    return page(collector.blocks(), form)


def shown_afresh(collector: Collector, now: datetime, form: Format = Format.TEXT) -> str:
    return shown(Collector(collector.store, collector.situation, collector.clock), now, form)


@pytest.mark.parametrize("form", Format)
def test_the_page_is_that_of_a_collector_which_remembers_nothing(collector: Collector, form: Format) -> None:
    before = shown(collector, NOON, form)
    for seconds, change in enumerate(CHANGES, 1):
        now = NOON + timedelta(seconds=seconds)
        change(collector.store)
        after = shown(collector, now, form)

        assert shown_afresh(collector, now, form) == after != before
        before = after


def test_what_grows_old_disappears_though_it_was_remembered(collector: Collector) -> None:
    later = NOON + timedelta(hours=1)

    assert "\nodp_up{" in shown(collector, NOON)
    assert "\nodp_up{" not in shown(collector, later)
    assert shown_afresh(collector, later) == shown(collector, later)


def test_lines_are_written_when_values_change_and_when_others_own_them() -> None:
    orders = list[tuple[str, float]]()

    def write(owner: str, value: float) -> bytes:
        orders.append((owner, value))
        return f"{owner} {value}\n".encode()

    written = Written()

    assert b"a 1\nb 1\n" == written.lines(["a", "b"], [1, 1], write)
    assert b"a 1\nb 2\n" == written.lines(["a", "b"], [1, 2], write)
    assert [("a", 1), ("b", 1), ("b", 2)] == orders
    for _ in range(2):
        assert b"a 1\nb 2\n" == written.lines(["a", "b"], [1, 2], write)
    assert b"a 3\nb 2\n" == written.lines(["a", "b"], [3, 2], write)
    assert b"a 1\nb 2\n" == written.lines(["a", "b"], [1, 2], write)
    assert [("a", 3), ("a", 1)] == orders[3:]
    assert b"b 2\n" == written.lines(["b"], [2], write)
    assert b"a 2\n" == written.lines(["a"], [2], write)


def test_what_follows_is_worked_out_when_premises_change_and_when_their_owner_was_forgotten() -> None:
    orders = list[list[int]]()

    def conclude(premises: list[int]) -> int:
        orders.append(premises)
        return sum(premises)

    derived = Derived(conclude)

    assert [3, 3, 4, 3] == [
        derived.of(owner, premises) for owner, premises in [("a", [1, 2]), ("a", [1, 2]), ("a", [1, 3]), ("b", [1, 2])]
    ]
    derived.forget_all_but({"b": None})
    assert (4, 3) == (derived.of("a", [1, 3]), derived.of("b", [1, 2]))
    assert [[1, 2], [1, 3], [1, 2], [1, 3]] == orders
