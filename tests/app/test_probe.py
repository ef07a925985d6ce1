"""Probes on demand: what /probe serves, and what it refuses."""

import asyncio
from pathlib import Path

import pytest
from odp_exporter.simulator.exporter import Metrics, exporter, naming
from odp_exporter.simulator.fleet import Fault, Fleet

FAST = "probe: {interval: 200ms, timeout: 150ms}\n"
PATIENT = "probe: {interval: 20s, timeout: 10s}\n"
"""For greetings that must come, however busy the machine is."""


async def test_by_name_and_by_address_of_what_is_configured(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=PATIENT)) as it:
        for target in ("odp-1", f"{odp.address[0]}:{odp.address[1]}"):
            status, body = await it.request(f"/probe?target={target}")
            metrics = Metrics.parsed(body)

            assert 200 == status
            assert (1, 1) == (metrics.value("probe_success"), metrics.value("odp_up", odp="odp-1"))


async def test_nothing_else_is_probed(fleet: Fleet, tmp_path: Path) -> None:
    """Else the exporter would scan networks for whoever asks."""
    odp, other = await fleet.start_odp("odp-1"), await fleet.start_odp("other")
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        address = f"{other.address[0]}:{other.address[1]}"
        status, body = await it.request(f"/probe?target={address}")

    assert 403 == status
    assert f"not a target of this exporter: '{address}' (there are: odp-1; web.allow_targets allows more)\n" == body


async def test_patterns_allow_more(fleet: Fleet, tmp_path: Path) -> None:
    odp, other = await fleet.start_odp("odp-1"), await fleet.start_odp("other")
    port = other.address[1]
    more = f"{FAST}web: {{allow_targets: ['127.0.0.0/8:{port}']}}\n"
    async with exporter(tmp_path, naming(odp, more=more)) as it:
        assert 200 == (await it.request(f"/probe?target=127.0.0.1:{port}"))[0]
        assert 403 == (await it.request(f"/probe?target=127.0.0.1:{port + 1}"))[0]
        assert 403 == (await it.request(f"/probe?target=localhost:{port}"))[0]


async def test_debug_tells_a_person_what_happened(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        odp.kill()
        await it.until_state("odp-1", "down")
        status, body = await it.request("/probe?target=odp-1&debug=true")

    assert 200 == status
    assert "connection refused" in body
    assert "probe_success 0" in body


async def test_an_ocp_by_its_name(fleet: Fleet, tmp_path: Path) -> None:
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    async with exporter(tmp_path, f"ocp: [{{name: ocp, url: '{ocp.url}'}}]\n") as it:
        good = Metrics.parsed((await it.request("/probe?target=ocp&module=ocp"))[1])
        status, _ = await it.request("/probe?target=other&module=ocp")

    assert (1, 403) == (good.value("probe_success"), status)


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("target=odp-1&module=nonsense", 400, "unknown module: 'nonsense' (there are: greeting, ocp)"),
        ("module=greeting", 400, "target"),
        ("target=", 400, "missing"),
        ("target=2130706433:22", 403, "not an address"),
        ("target=http://127.0.0.1:22/", 403, "not an address"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_the_way_out(
    query: str, status: int, told: str, fleet: Fleet, tmp_path: Path
) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        seen, body = await it.request(f"/probe?{query}")

    assert (status, True) == (seen, told in body)


async def test_a_flood_of_probes_is_turned_away_and_delays_no_other(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    slow = "probe: {interval: 2s, timeout: 1s}\n"
    async with exporter(tmp_path, naming(odp, more=slow)) as it:
        await odp.fault(Fault.HANG)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(it.request("/probe?target=odp-1")) for _ in range(60)]
            await it.until_state("odp-1", "hung")
        statuses = [task.result()[0] for task in asked]

    assert {200, 503} >= set(statuses)
    assert 200 in statuses
