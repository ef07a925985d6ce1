"""Every fault of the simulator, side by side: the alerts that must come of it come, and no others.

The real exporter over a simulated fleet, a real Prometheus with our rules, a real Alertmanager with our
routes. Each ODP and each OCP has the name of what befalls it, so that one run proves them all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path

import pytest
from odp_exporter.simulator.drills import UNDRILLED
from odp_exporter.simulator.drills import cache as of_cache
from odp_exporter.simulator.drills import ocp as of_ocp
from odp_exporter.simulator.drills import odp as of_odp
from odp_exporter.simulator.drills import watch as of_watch
from odp_exporter.simulator.exporter import Exporter, exporter, naming
from odp_exporter.simulator.fleet import Fleet, Ocp
from odp_exporter.simulator.stack.chain import Chain
from odp_exporter.simulator.stack.receiver import NotTold

from .conftest import ALERTS, Labels, OpenChain, receivers_of

SETTLED_SECONDS = 6.0
"""After the last alert that is awaited, for one that is not: `for` and two rounds of everything."""
Drills = Mapping[str, of_odp.Drill] | Mapping[str, of_ocp.Drill] | Mapping[str, of_watch.Drill]
Whom = Callable[[Labels], str]
ALWAYS = {"Watchdog"}
OFTEN = (
    "probe: {interval: 1s, timeout: 500ms, hasty_timeout: 500ms}\n"
    "process: {interval: 500ms}\ncache: {interval: 500ms}\n"
)
OF_ODP = {**of_odp.DRILLS, **of_cache.DRILLS}
OF_OWN_OCP = {**of_cache.OF_OCP, **of_cache.WITHOUT_OCP}


@contextlib.asynccontextmanager
async def watched(patients: Mapping[str, of_odp.Patient], directory: Path, more: str = "") -> AsyncIterator[Exporter]:
    """An exporter that looks often, and sees all of them serve with a cluster in their caches."""
    config = naming(*(patient.odp for patient in patients.values()), more=OFTEN + more)
    async with exporter(directory, f"{config}state_directory: {directory / 'state'}\n") as it:
        await it.until(lambda metrics: all(metrics.state(name) == "serving" for name in patients))
        await it.until(lambda metrics: metrics.by("odp", "odp_cache_clusters") == dict.fromkeys(patients, 1))
        yield it


@pytest.mark.timeout(150)
async def test_each_fault_of_an_odp_has_its_alerts_and_no_others(
    fleet: Fleet, hurried_chain: OpenChain, tmp_path: Path
) -> None:
    observer = await fleet.start_observer()
    ocp = await fleet.start_ocp({of_odp.CLUSTER: [str(observer)]})
    async with (
        of_odp.ward(fleet, ocp, OF_ODP) as patients,
        watched(patients, tmp_path) as it,
        hurried_chain(it) as running,
    ):
        await running.receiver.until(lambda told: told.name in ALWAYS)
        await until_recorded(running, "odp:odp_watchdog_running:max == 1")
        async with asyncio.TaskGroup() as group:
            for name, patient in patients.items():
                group.create_task(OF_ODP[name].strike(patient))
        await until_told(running, by("odp"), expected(OF_ODP))

    told = told_by(running, by("odp"))
    assert ALWAYS == told.pop("")
    assert expected(OF_ODP) == judged(told, OF_ODP)
    assert "late-start" in ended(running)
    assert "kill" not in ended(running)
    assert [] == astray(running)


@pytest.mark.timeout(150)
async def test_each_fault_of_an_ocp_has_its_alerts_and_no_others(
    fleet: Fleet, hurried_chain: OpenChain, tmp_path: Path
) -> None:
    """The ODP beside them, whose own OCP is well, says nothing."""
    observer = await fleet.start_observer()
    ocps = {name: await fleet.start_ocp({of_odp.CLUSTER: [str(observer)]}) for name in of_ocp.DRILLS}
    well = {"odp-1": of_odp.DRILLS["nothing"]}
    async with (
        of_odp.ward(fleet, ocps["nothing"], well) as patients,
        watched(patients, tmp_path, more=asking(ocps)) as it,
    ):
        await it.until(lambda metrics: metrics.by("ocp", "ocp_up", endpoint="rs_list") == dict.fromkeys(ocps, 1))
        async with hurried_chain(it) as running:
            await running.receiver.until(lambda told: told.name in ALWAYS)
            for name, ocp in ocps.items():
                await of_ocp.DRILLS[name].strike(ocp)
            await until_told(running, by("ocp"), expected(of_ocp.DRILLS))

    told = told_by(running, by("ocp"))
    assert ALWAYS == told.pop("")
    assert expected(of_ocp.DRILLS) == judged(told, of_ocp.DRILLS)
    assert [] == astray(running)


@pytest.mark.timeout(150)
async def test_what_a_cache_lacks_is_told_before_it_is_needed(
    fleet: Fleet, hurried_chain: OpenChain, tmp_path: Path
) -> None:
    """OCP learns of another cluster, moves one to other servers, and is lost together with the cache."""
    observer = await fleet.start_observer()
    ocps = {name: await fleet.start_ocp({of_odp.CLUSTER: [str(observer)]}) for name in OF_OWN_OCP}
    async with contextlib.AsyncExitStack() as opened:
        patients: dict[str, of_odp.Patient] = {}
        for name, drill in OF_OWN_OCP.items():
            patients |= await opened.enter_async_context(of_odp.ward(fleet, ocps[name], {name: drill}))
        it = await opened.enter_async_context(watched(patients, tmp_path, more=asking(ocps)))
        await it.until(lambda metrics: metrics.by("odp", "odp_survives_ocp_outage") == dict.fromkeys(ocps, 1))
        running = await opened.enter_async_context(hurried_chain(it))
        await running.receiver.until(lambda told: told.name in ALWAYS)
        for name, patient in patients.items():
            await OF_OWN_OCP[name].strike(patient)
        await until_told(running, by("odp"), expected(OF_OWN_OCP))

    told = told_by(running, by("odp"))
    assert ALWAYS | {"OcpBadReply", "OcpDown"} == told.pop("")
    assert expected(OF_OWN_OCP) == judged(told, OF_OWN_OCP)
    assert [] == astray(running)


@pytest.mark.timeout(150)
async def test_each_fault_of_a_pool_or_of_its_exporter_has_its_alerts_and_no_others(
    fleet: Fleet, hurried_chain: OpenChain, tmp_path: Path
) -> None:
    async with contextlib.AsyncExitStack() as opened:
        pools = {
            name: await opened.enter_async_context(of_watch.watched(fleet, tmp_path / name, name, OFTEN))
            for name in of_watch.DRILLS
        }
        running = await opened.enter_async_context(hurried_chain(*(pool.exporter for pool in pools.values())))
        await running.receiver.until(lambda told: told.name in ALWAYS)
        for name, pool in pools.items():
            await of_watch.DRILLS[name].strike(pool)
        await until_told(running, of_any(pools), expected(of_watch.DRILLS))

    assert {"": ALWAYS, **expected(of_watch.DRILLS)} == told_by(running, of_any(pools))
    assert {"member-lost"} == {told.labels["pool"] for told in running.receiver.told if told.name == "OdpDown"}
    assert [] == astray(running)


async def test_a_prometheus_that_knows_no_exporter_says_so(hurried_chain: OpenChain) -> None:
    async with hurried_chain() as running:
        await running.receiver.until(lambda told: told.name == "OdpExporterAbsent")

    assert [] == astray(running)


def by(label: str) -> Whom:
    return lambda labels: labels.get(label, "")


def of_any(pools: Mapping[str, of_watch.Watched]) -> Whom:
    owners = {name: pool for pool, watched in pools.items() for name in watched.names}
    return lambda labels: next((owners[value] for value in labels.values() if value in owners), "")


def asking(ocps: Mapping[str, Ocp]) -> str:
    asked = "".join(f"  - {{name: {name}, url: '{ocp.url}', interval: 1s}}\n" for name, ocp in ocps.items())
    return f"ocp:\n{asked}"


def test_no_alert_is_forgotten() -> None:
    """Each is provoked by a drill, or it is said why not."""
    tables: list[Drills] = [OF_ODP, OF_OWN_OCP, of_ocp.DRILLS, of_watch.DRILLS]
    drilled = {alert for table in tables for drill in table.values() for alert in drill.expected}

    assert set(ALERTS) == drilled | set(UNDRILLED)
    assert set() == drilled & set(UNDRILLED)


def expected(drills: Drills) -> dict[str, set[str]]:
    """What must come of each."""
    return {name: set(drill.expected) for name, drill in drills.items()}


def judged(
    told: Mapping[str, set[str]], drills: Mapping[str, of_odp.Drill] | Mapping[str, of_ocp.Drill]
) -> dict[str, set[str]]:
    """What came of each, but for what may come besides."""
    return {name: told.get(name, set()) - (drill.allowed.keys() - drill.expected) for name, drill in drills.items()}


def ended(running: Chain) -> set[str]:
    """The ODPs of which the remediator was told that they are down no more."""
    every = [told for told in running.receiver.told if told.receiver == "remediator" and told.name == "OdpDown"]
    return {told.labels["odp"] for told in every if told.status == "resolved"}


def astray(running: Chain) -> list[tuple[str, set[str]]]:
    """The alerts that came without the labels of their rule, or to others than the table says, and to whom."""
    came: dict[tuple[tuple[str, str], ...], set[str]] = {}
    for told in running.receiver.told:
        came.setdefault(tuple(sorted(told.labels.items())), set()).add(told.receiver)
    every = [(dict(labels), receivers) for labels, receivers in came.items()]
    return [
        (str(labels), receivers)
        for labels, receivers in every
        if not ALERTS[labels["alertname"]].items() <= labels.items() or receivers != set(receivers_of(labels))
    ]


async def until_told(running: Chain, whom: Whom, alerts: Mapping[str, Iterable[str]]) -> None:
    """Wait for all of these *alerts*, then for what is none of them."""
    wanted = {(name, alert) for name, each in alerts.items() for alert in each}
    # What does not come shows when what came is compared.
    with contextlib.suppress(NotTold):
        await running.receiver.wait(
            lambda: wanted <= {(whom(told.labels), told.name) for told in running.receiver.told}
        )
    await asyncio.sleep(SETTLED_SECONDS)


async def until_recorded(running: Chain, expression: str) -> None:
    """What is missed must have been there."""
    async with asyncio.timeout(20):
        while not await running.prometheus.query(expression):  # noqa: ASYNC110 - a database sets no event
            await asyncio.sleep(0.1)


def told_by(running: Chain, whom: Whom) -> dict[str, set[str]]:
    """The alerts that have fired, by whom they are about; those that are about nobody by none."""
    told: dict[str, set[str]] = {}
    for each in running.receiver.told:
        told.setdefault(whom(each.labels), set()).add(each.name)
    return told
