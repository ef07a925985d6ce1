from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from odp_exporter.observations import CacheObservation, ClusterServers, Server, ServerObservation
from odp_exporter.probes.servers import SLOTS, ServerSettings, chosen, due, try_servers
from odp_exporter.settings import MIN_INTERVAL

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SETTINGS = ServerSettings()
SERVERS = tuple(Server(f"192.0.2.{number}", 2881) for number in range(1, 101))


def cache(*entries: ClusterServers) -> CacheObservation:
    return CacheObservation("odp-1", NOON, (), entries)


def of(cluster: str, *servers: Server) -> ClusterServers:
    return ClusterServers(cluster, 1, frozenset(servers))


@pytest.fixture
def listening() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Server("127.0.0.1", server.getsockname()[1])


def test_a_server_of_many_odps_and_clusters_is_one_server() -> None:
    caches = [cache(of("ob1", *SERVERS[:2])), cache(of("ob1", *SERVERS[:2])), cache(of("ob2", SERVERS[1]))]

    assert sorted(SERVERS[:2]) == sorted(chosen(caches, 100))


def test_of_each_cluster_some_come_before_any_clusters_rest() -> None:
    large, small = of("ob1", *SERVERS[:50]), of("ob2", *SERVERS[50:52])
    found = chosen([cache(large, small)], 4)

    assert (2, 2) == (len(set(found) & large.servers), len(set(found) & small.servers))


def times_tried(seed: str, intervals: int, settings: ServerSettings = SETTINGS) -> tuple[Counter[Server], Counter[int]]:
    """How often each server is tried, and how many at a time, when all parts of each interval come."""
    known: dict[Server, ServerObservation] = {}
    tries, at_a_time = Counter[Server](), Counter[int]()
    for part in range(intervals * SLOTS):
        now = NOON + part * settings.step
        found = due(SERVERS, known, now, settings=settings, seed=seed)
        tries.update(found)
        at_a_time[part] = len(found)
        known |= {server: ServerObservation(server, now, is_reachable=True) for server in found}
    return tries, at_a_time


def test_what_was_never_tried_is_tried_at_once() -> None:
    assert list(SERVERS) == due(SERVERS, {}, NOON, settings=SETTINGS, seed="")


def test_no_server_is_tried_more_often_than_once_a_minute() -> None:
    tries, _ = times_tried("host", 10)

    assert {9, 10} >= set(tries.values())


def test_servers_are_tried_again_and_again_at_the_shortest_interval() -> None:
    """The parts of a shorter one would come and go between two turns of the job."""
    settings = ServerSettings(interval=timedelta(seconds=1))
    tries, _ = times_tried("host", 10, settings)

    assert MIN_INTERVAL <= settings.step
    assert {9, 10} >= set(tries.values())


def test_a_server_is_tried_though_its_part_of_the_interval_was_missed() -> None:
    """The tries of an earlier part may take longer than a part does."""
    known = {server: ServerObservation(server, NOON, is_reachable=True) for server in SERVERS}
    every_other = [due(SERVERS, known, NOON + part * SETTINGS.step, settings=SETTINGS, seed="") for part in (12, 19)]

    assert sorted(SERVERS) == sorted(every_other[1])
    assert 0 < len(every_other[0]) < len(SERVERS)


def test_a_clock_that_was_set_back_puts_no_try_off() -> None:
    known = {server: ServerObservation(server, NOON, is_reachable=True) for server in SERVERS}
    back = NOON - timedelta(hours=1)
    tried = [due(SERVERS, known, back + part * SETTINGS.step, settings=SETTINGS, seed="") for part in range(SLOTS)]

    assert sorted(SERVERS) == sorted(server for servers in tried for server in servers)


def test_the_tries_are_spread_over_the_minute() -> None:
    _, at_a_time = times_tried("host", 10)

    assert max(count for part, count in at_a_time.items() if part >= 2 * SLOTS) <= len(SERVERS) / 4


def test_two_hosts_do_not_knock_in_step() -> None:
    known = {server: ServerObservation(server, NOON, is_reachable=True) for server in SERVERS}
    later = NOON + 12 * SETTINGS.step
    one, other = (due(SERVERS, known, later, settings=SETTINGS, seed=seed) for seed in ("host-1", "host-2"))

    assert one != other


async def test_a_server_that_listens_is_reachable_and_one_that_does_not_is_not(listening: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        closed = Server("127.0.0.1", closing.getsockname()[1])
    seen = await try_servers([listening, closed], timeout=timedelta(seconds=1), clock=lambda: NOON)

    assert [
        ServerObservation(listening, NOON, is_reachable=True),
        ServerObservation(closed, NOON, is_reachable=False, detail=f"127.0.0.1:{closed.sql_port}: connection refused"),
    ] == list(seen)


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    """A full accept queue answers no SYN."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        first = socket.create_connection(address)
        second = socket.socket()
        second.setblocking(False)  # noqa: FBT003 - the socket's own signature
        second.connect_ex(address)
        with first, second:
            (seen,) = await try_servers(
                [Server("127.0.0.1", address[1])], timeout=timedelta(seconds=0.2), clock=lambda: NOON
            )

    assert not seen.is_reachable
    assert "no connection within" in seen.detail
