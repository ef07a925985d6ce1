"""Every situation is foretold, then played: prediction, table and what logins say afterwards must be one.

All ODPs start while their OCPs are well. Then OCPs and caches are brought into
their states, the exporter's own probes look, each ODP is restarted, and a
client logs in to each cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pymysql
import pytest
from odp_exporter.clock import wall_clock
from odp_exporter.evidence import Intervals, Present
from odp_exporter.exchange import open_session
from odp_exporter.ocp.rounds import Known
from odp_exporter.probes.cache import read_cache
from odp_exporter.probes.host import HostProbe
from odp_exporter.probes.ocp import ask
from odp_exporter.probes.servers import chosen, try_servers
from odp_exporter.procfs.history import History
from odp_exporter.simulator.fleet import Fleet, Ocp, Odp
from odp_exporter.simulator.fleet.ports import free_port
from odp_exporter.simulator.fleet.processes import eventually
from odp_exporter.simulator.scenarios import CLUSTERS, SCENARIOS, OcpState, Scenario, table
from odp_exporter.simulator.staging import spoil, stage
from odp_exporter.store import Store
from odp_exporter.survival.reasons import judged
from odp_exporter.survival.verdict import Verdict, judge
from odp_exporter.targets import Address, Target
from odp_exporter.targets import Ocp as OcpTarget

pytestmark = pytest.mark.timeout(600)  # 40 s of processor time, which a busy machine may not have
AT_A_TIME = 6
MINUTE = timedelta(minutes=1)
WITHOUT_OCP = frozenset({OcpState.NONE, OcpState.NOTHING})
GONE = frozenset({OcpState.REFUSES, OcpState.SILENT, OcpState.BOTH_FAIL, OcpState.HTML})
"""States in which OCP gives nothing at all."""


@dataclass(frozen=True)
class Played:
    """What was foretold, and what came."""

    verdict: Verdict
    usable: tuple[str, ...]


async def play(directory: Path) -> Mapping[Scenario, Played]:
    async with Fleet(directory / "fleet") as fleet:
        living, dead = str(await fleet.start_observer()), f"127.0.0.1:{free_port('127.0.0.1')}"
        clusters = {name: [living] for name in CLUSTERS}
        ocps = {state: await fleet.start_ocp(clusters) for state in OcpState if state not in WITHOUT_OCP}
        odps = await start_all(fleet, ocps, living)
        for scenario, odp in odps.items():
            stage(odp.home, scenario, living, dead)
        for state, ocp in ocps.items():
            await spoil(ocp, state, clusters)
        verdicts = await foretell(odps, ocps)
        return {it: Played(verdicts[it], usable) for it, usable in (await restart_all(odps)).items()}


async def start_all(fleet: Fleet, ocps: Mapping[OcpState, Ocp], living: str) -> dict[Scenario, Odp]:
    slots = asyncio.Semaphore(AT_A_TIME)

    async def start(number: int, scenario: Scenario) -> Odp:
        static = {"rootservice_list": living} if scenario.ocp is OcpState.NONE else {}
        async with slots:
            odp = await fleet.start_odp(
                f"odp-{number}",
                ocp=ocps.get(scenario.ocp),
                options={**scenario.options, **static},
                release=scenario.release,
                waits=False,
            )
            await odp.wait_listening()
            return odp

    async with asyncio.TaskGroup() as group:
        tasks = {it: group.create_task(start(number, it)) for number, it in enumerate(SCENARIOS)}
    return {it: task.result() for it, task in tasks.items()}


async def foretell(odps: Mapping[Scenario, Odp], ocps: Mapping[OcpState, Ocp]) -> dict[Scenario, Verdict]:
    """What the exporter says with nothing known but what it sees now."""
    targets = {it: Target(it.name, Address(*odp.address)) for it, odp in odps.items()}
    asked = [OcpTarget(str(state), ocp.url) for state, ocp in ocps.items()]
    store = Store()
    store.keep(odps=targets.values(), pools=(), ocps=asked)
    with contextlib.closing(History(None)) as history, ThreadPoolExecutor(1) as thread:
        host, loop = HostProbe(history), asyncio.get_running_loop()
        for seen in await loop.run_in_executor(thread, host.observe, list(targets.values()), wall_clock()):
            store.record(seen)
            assert seen.home is not None
            store.record(read_cache(seen.target, seen.home, wall_clock()))
    caches = [odp.cache for odp in store.odps.values() if odp.cache]
    await ask_all(store, odps, asked)
    for tried in await try_servers(chosen(caches, 100), timeout=timedelta(seconds=1), clock=wall_clock):
        store.record(tried)
    intervals = Intervals(MINUTE, MINUTE, MINUTE)
    present = Present(store, wall_clock(), intervals)
    return {it: judge(present.evidence(store.odps[it.name])) for it in odps}


async def ask_all(store: Store, odps: Mapping[Scenario, Odp], asked: list[OcpTarget]) -> None:
    async def ask_one(ocp: OcpTarget) -> None:
        caches = (store.odps[it.name].cache for it in odps if str(it.ocp) == ocp.name)
        urls = {name: url for cache in caches if cache for name, url in cache.rs_urls.items()}
        store.record(await ask(ocp, session=session, clock=wall_clock, known=Known(cached_urls=urls)))

    async with open_session() as session, asyncio.TaskGroup() as group:
        for ocp in asked:
            group.create_task(ask_one(ocp))


async def restart_all(odps: Mapping[Scenario, Odp]) -> dict[Scenario, tuple[str, ...]]:
    slots = asyncio.Semaphore(AT_A_TIME)

    async def restart(odp: Odp, scenario: Scenario) -> tuple[str, ...]:
        # Those that wait for a silent OCP need no turn at the processor.
        async with contextlib.nullcontext() if scenario.ocp is OcpState.SILENT else slots:
            before = odp.pid
            odp.kill()
            await eventually(lambda: not odp.is_running, f"{odp.name} gone", within_seconds=20)
            await odp.start(waits=False)
            await odp.wait_listening(other_than=before)
            outcomes = [await asyncio.to_thread(logs_in, odp, cluster) for cluster in CLUSTERS]
        return tuple(cluster for cluster, works in zip(CLUSTERS, outcomes, strict=True) if works)

    async with asyncio.TaskGroup() as group:
        tasks = {it: group.create_task(restart(odp, it)) for it, odp in odps.items()}
    return {it: task.result() for it, task in tasks.items()}


def logs_in(odp: Odp, cluster: str) -> bool:
    """A login works; one that does not is refused with 4669, or dropped without a word (odp-facts 1.7)."""
    host, port = odp.address
    try:
        pymysql.connect(host=host, port=port, user=f"app@sys#{cluster}", connect_timeout=5, read_timeout=30).close()
    except pymysql.Error as error:
        if error.args[0] not in {2013, 4669}:
            raise
        return False
    return True


async def test_every_prediction_comes_true(tmp_path: Path) -> None:
    """One test, for all ODPs start and restart side by side."""
    played = await play(tmp_path)
    cases = [(it.name, cluster, it) for it in SCENARIOS for cluster in CLUSTERS]

    # What was played is what the table says,
    assert {it.name: it.usable for it in SCENARIOS} == {it.name: played[it].usable for it in SCENARIOS}
    # the exporter had foretold it for each ODP and each cluster, without once saying that it cannot know,
    assert {it.name: it.is_safe for it in SCENARIOS} == {it.name: played[it].verdict.restart_safe for it in SCENARIOS}
    assert {(name, cluster): cluster in it.usable for name, cluster, it in cases} == {
        (name, cluster): foretold(played[it].verdict, cluster) for name, cluster, it in cases
    }
    # and those that it said would survive an outage of OCP are those that did.
    gone = [it for it in SCENARIOS if it.ocp in GONE]
    assert {it.name: it.usable == CLUSTERS for it in gone} == {
        it.name: played[it].verdict.survives_ocp_outage for it in gone
    }


def foretold(verdict: Verdict, cluster: str) -> bool | None:
    """Whether logins to *cluster* would work after a restart."""
    of_cluster = (judged(it.restart) for it in verdict.clusters if it.cluster == cluster)
    return next(of_cluster, verdict.restart_safe)


def test_each_scenario_is_another_one() -> None:
    assert len(SCENARIOS) == len({it.name for it in SCENARIOS})
    assert len(SCENARIOS) >= 40


def test_the_table_of_the_page_is_this_one() -> None:
    page = (Path(__file__).parents[2] / "docs/survival.md").read_text(encoding="utf-8")

    assert table() in page
