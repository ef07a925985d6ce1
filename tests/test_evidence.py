from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from odp_exporter.evidence import Intervals, Present
from odp_exporter.observations import (
    CacheObservation,
    HostObservation,
    OcpObservation,
    Parameters,
    Server,
    ServerObservation,
)
from odp_exporter.store import Store
from odp_exporter.survival.verdict import Evidence
from odp_exporter.targets import Address, Ocp, Target

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INTERVALS = Intervals(MINUTE, MINUTE, MINUTE)
SERVER = Server("192.0.2.21", 2881)


def host(url: str | None) -> HostObservation:
    known = None if url is None else Parameters({"obproxy_config_server_url": url}, "")
    return HostObservation("odp-1", NOON, is_local=True, parameters=known)


@pytest.fixture
def store() -> Store:
    """An ODP, two OCPs of which one has a password, and a third that is the first under another name."""
    it = Store()
    urls = {"mine": "http://user:hunter2@192.0.2.10/s?x", "other": "http://192.0.2.99/s?x"}
    ocps = [Ocp(name, url) for name, url in (*urls.items(), ("again", urls["mine"]))]
    it.keep(odps=[Target("odp-1", Address("192.0.2.1", 2883))], pools=[], ocps=ocps)
    for ocp in ocps:
        it.record(OcpObservation(ocp.name, NOON, ()))
    it.record(CacheObservation("odp-1", NOON, ()))
    it.record(ServerObservation(SERVER, NOON, is_reachable=True))
    return it


def evidence(store: Store, later: timedelta = timedelta()) -> Evidence:
    return Present(store, NOON + later, INTERVALS).evidence(store.odps["odp-1"])


@pytest.mark.parametrize(
    ("url", "ocp"),
    [
        ("http://***@192.0.2.10/s?x", "mine"),
        ("http://192.0.2.99/s?x", "other"),
        ("http://192.0.2.98/s?x", None),
        ("", None),
        (None, None),
    ],
)
def test_an_odp_asks_the_ocp_whose_url_it_has(store: Store, url: str | None, ocp: str | None) -> None:
    store.record(host(url))
    asked = evidence(store).ocp

    assert ocp == (asked.ocp if asked else None)


def test_what_is_as_old_as_three_intervals_still_counts_and_what_is_older_does_not(store: Store) -> None:
    store.record(host("http://192.0.2.99/s?x"))
    instant = timedelta(microseconds=1)
    last, late = evidence(store, 3 * MINUTE), evidence(store, 3 * MINUTE + instant)

    assert (NOON, NOON, {SERVER: True}) == (last.host and last.host.at, last.cache and last.cache.at, last.reachable)
    assert Evidence(ocp=late.ocp, reachable={}) == late


def test_where_servers_are_not_probed_none_is_known_to_answer_or_not(store: Store) -> None:
    present = Present(store, NOON, Intervals(MINUTE, MINUTE, servers=None))

    assert present.evidence(store.odps["odp-1"]).reachable is None
