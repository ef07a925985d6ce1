"""What OCP is spared while all is well, and what not: asked of a simulated OCP, which counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from odp_exporter.exchange import open_session
from odp_exporter.observations import Endpoint, OcpObservation, OcpResult, Server
from odp_exporter.ocp.rounds import ROUNDS, Known
from odp_exporter.probes.ocp import ask
from odp_exporter.simulator import fleet
from odp_exporter.simulator.fleet import Failure, Fleet
from odp_exporter.store import Store
from odp_exporter.targets import Ocp

NAMES = [f"ob{number}" for number in range(10)]
SERVER = "192.0.2.11:2881"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[fleet.Ocp]:
    async with Fleet(tmp_path) as running:
        yield await running.start_ocp({name: [SERVER] for name in NAMES})


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


async def one_round(
    server: fleet.Ocp,
    session: aiohttp.ClientSession,
    before: OcpObservation | None,
    *,
    is_calm: bool = True,
    cached_urls: dict[str, str] | None = None,
) -> tuple[OcpObservation, dict[str, int]]:
    """A round, and how many questions it has cost OCP."""
    counts = await server.counts()
    known = Known(before, cached_urls or {}, is_calm)
    seen = await ask(Ocp("ocp", server.url), session=session, clock=lambda: datetime.now(UTC), known=known)
    return seen, {name: count - counts.get(name, 0) for name, count in (await server.counts()).items()}


def results(seen: OcpObservation, endpoint: Endpoint) -> set[OcpResult]:
    return {reply.result for reply in seen.endpoints if reply.endpoint is endpoint}


async def test_five_rounds_ask_for_everything_once(server: fleet.Ocp, session: aiohttp.ClientSession) -> None:
    seen, cost = await one_round(server, session, None)
    assert {"version": 1, "config": 1, "rs_list": 10} == cost
    asked, configs = set(), 0
    for _ in range(ROUNDS):
        seen, cost = await one_round(server, session, seen)
        assert (1, 2) == (cost["version"], cost["rs_list"])
        configs += cost["config"]
        replies = [reply for reply in seen.endpoints if reply.endpoint is Endpoint.RS_LIST]
        asked |= {reply.cluster for reply in replies if not reply.is_carried}

    assert (set(NAMES), 1) == (asked, configs)
    assert NAMES == [reply.cluster for reply in seen.endpoints if reply.endpoint is Endpoint.RS_LIST]
    assert len(NAMES) == len(seen.rs_lists)


async def test_an_rs_list_that_changes_without_the_version_is_noticed(
    server: fleet.Ocp, session: aiohttp.ClientSession
) -> None:
    seen, _ = await one_round(server, session, None)
    await server.set_clusters({name: ["192.0.2.99:2881"] for name in NAMES})
    for _ in range(ROUNDS):
        seen, _ = await one_round(server, session, seen)

    assert {Server("192.0.2.99", 2881)} == {one for it in seen.rs_lists for one in it.servers}


async def test_a_new_version_has_everything_asked(server: fleet.Ocp, session: aiohttp.ClientSession) -> None:
    before, _ = await one_round(server, session, None)
    await server.set_clusters({name: [SERVER] for name in NAMES[:3]})
    seen, cost = await one_round(server, session, before)

    assert {"version": 1, "config": 1, "rs_list": 3} == cost
    assert tuple(NAMES[:3]) == seen.clusters


async def test_a_broken_rs_list_has_everything_asked_in_the_same_round(
    server: fleet.Ocp, session: aiohttp.ClientSession
) -> None:
    before, _ = await one_round(server, session, None)
    await server.break_(fleet.Endpoint.RS_LIST, Failure.STATUS, 503)
    seen, cost = await one_round(server, session, before)
    _, again = await one_round(server, session, seen)

    assert {OcpResult.HTTP_STATUS} == results(seen, Endpoint.RS_LIST)
    assert 1 == cost["config"]
    assert {"version": 1, "config": 1, "rs_list": 10} == again


async def test_a_configuration_that_breaks_under_the_same_version_is_seen_within_five_rounds(
    server: fleet.Ocp, session: aiohttp.ClientSession
) -> None:
    seen, _ = await one_round(server, session, None)
    await server.break_(fleet.Endpoint.CONFIG, Failure.HTML)
    rounds = 0
    while results(seen, Endpoint.CONFIG) == {OcpResult.OK} and rounds < ROUNDS:
        seen, _ = await one_round(server, session, seen)
        rounds += 1

    assert {OcpResult.NOT_JSON} == results(seen, Endpoint.CONFIG)


async def test_while_an_odp_is_in_trouble_everything_is_asked(
    server: fleet.Ocp, session: aiohttp.ClientSession
) -> None:
    before, _ = await one_round(server, session, None)
    _, cost = await one_round(server, session, before, is_calm=False)

    assert {"version": 1, "config": 1, "rs_list": 10} == cost


async def test_without_a_configuration_rs_lists_are_asked_for_where_the_last_one_said(
    server: fleet.Ocp, session: aiohttp.ClientSession
) -> None:
    before, _ = await one_round(server, session, None)
    await server.break_(fleet.Endpoint.CONFIG, Failure.STATUS, 500)
    seen, cost = await one_round(server, session, before, is_calm=False)

    assert {OcpResult.OK} == results(seen, Endpoint.RS_LIST)
    assert 10 == cost["rs_list"]
    assert () == seen.clusters


async def test_without_ever_a_configuration_the_caches_say_where_to_ask(
    server: fleet.Ocp, session: aiohttp.ClientSession
) -> None:
    await server.break_(fleet.Endpoint.CONFIG, Failure.STATUS, 500)
    urls = {"ob1": f"{server.base}/services?Action=ObRootServiceInfo&ObRegion=ob1"}
    seen, _ = await one_round(server, session, None, cached_urls=urls)

    assert {"ob1"} == {reply.cluster for reply in seen.endpoints if reply.endpoint is Endpoint.RS_LIST}
    assert {OcpResult.OK} == results(seen, Endpoint.RS_LIST)


async def test_what_was_taken_over_is_not_counted_twice(server: fleet.Ocp, session: aiohttp.ClientSession) -> None:
    store = Store()
    store.keep(odps=(), pools=(), ocps=[Ocp("ocp", server.url)])
    seen, _ = await one_round(server, session, None)
    store.record(seen)
    seen, _ = await one_round(server, session, seen)
    store.record(seen)
    counted = store.ocps["ocp"].results

    assert (2, 1, 12) == tuple(counted[endpoint, OcpResult.OK] for endpoint in Endpoint)


async def test_a_version_that_says_it_failed_is_overlooked_as_odp_does(
    server: fleet.Ocp, session: aiohttp.ClientSession
) -> None:
    await server.break_(fleet.Endpoint.VERSION, Failure.CODE, 500)
    seen, _ = await one_round(server, session, None)
    await server.break_(fleet.Endpoint.VERSION, Failure.STATUS, 500)
    other, _ = await one_round(server, session, None)

    assert (OcpResult.CODE, True) == (seen.endpoints[0].result, seen.endpoints[0].is_overlooked)
    assert (OcpResult.HTTP_STATUS, False) == (other.endpoints[0].result, other.endpoints[0].is_overlooked)
    assert "ObRootServiceInfo" not in repr(seen)
