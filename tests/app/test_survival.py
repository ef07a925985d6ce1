"""The verdicts as the running exporter gives them, and as `inspect` prints them, over a simulated fleet."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pymysql
from odp_exporter.simulator.exporter import exporter, naming
from odp_exporter.simulator.fleet import Endpoint, Failure, Fault, Fleet, Ocp, Odp
from odp_exporter.simulator.fleet.processes import eventually

SECRET = "hunter2-meta"


def watching(ocp: Ocp) -> str:
    return (
        f"ocp:\n  - {{name: ocp, url: '{ocp.url}', interval: 200ms}}\n"
        "cache: {interval: 200ms}\nservers: {interval: 1s}\nprobe: {interval: 5s, timeout: 4s}\n"
    )


async def cached(fleet: Fleet) -> tuple[Ocp, Odp]:
    """An ODP with one cluster in its cache, of the two that its OCP lists."""
    observer = await fleet.start_observer()
    ocp = await fleet.start_ocp({"trade": [str(observer)], "pay": [str(observer)]}, password=SECRET)
    odp = await fleet.start_odp("odp-1", ocp=ocp, options={"config_server_refresh_interval": "1s"})
    await asyncio.to_thread(log_in, odp, "trade")
    await eventually(lambda: b"trade" in rslist(odp), "trade cached", within_seconds=20)
    return ocp, odp


def rslist(odp: Odp) -> bytes:
    """What the RS-list file holds; nothing while it is being replaced."""
    try:
        return (odp.home / "etc/obproxy_rslist_info.json").read_bytes()
    except FileNotFoundError:
        return b""


def log_in(odp: Odp, cluster: str) -> None:
    host, port = odp.address
    pymysql.connect(host=host, port=port, user=f"app@sys#{cluster}", connect_timeout=5, read_timeout=20).close()


async def inspect(*arguments: str) -> tuple[int, str, str]:
    """Exit status, output and errors of `odp-exporter inspect`."""
    command = (sys.executable, "-m", "odp_exporter", "inspect", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(50):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(), errors.decode()


async def test_the_exporter_sees_a_restart_become_dangerous(fleet: Fleet, tmp_path: Path) -> None:
    ocp, odp = await cached(fleet)
    async with exporter(tmp_path, naming(odp, more=watching(ocp))) as it:
        well = await it.until(
            lambda metrics: (
                metrics.value("odp_restart_safe", odp="odp-1") == 1
                and metrics.value("odp_cache_reachable_servers", odp="odp-1", ob_cluster="trade") == 1
            )
        )
        assert 1 == well.value("odp_cache_missing_clusters", odp="odp-1")
        assert 0 == well.value("odp_cache_stale_clusters", odp="odp-1")
        assert 0 == well.value("odp_survives_ocp_outage", odp="odp-1")

        await ocp.break_(Endpoint.RS_LIST, Failure.STATUS, 500)
        await it.until(lambda metrics: metrics.value("odp_restart_safe", odp="odp-1") == 0)
        status, body = await it.request("/api/v1/odps/odp-1")
        document = json.loads(body)

        await ocp.refuse()
        await it.until(lambda metrics: metrics.value("odp_restart_safe", odp="odp-1") == 1)
        log = it.log

    assert (200, False) == (status, document["restart_safe"])
    assert {("ocp_half_broken", "trade"), ("rs_list_fails", "trade")} == {
        (reason["reason"], reason["cluster"]) for reason in document["reasons"]
    }
    assert odp.pid == document["processes"][0]["pid"]
    assert SECRET not in body + log


async def test_inspect_tells_good_degraded_and_bad_by_its_exit_status(fleet: Fleet, tmp_path: Path) -> None:
    ocp, odp = await cached(fleet)
    config = tmp_path / "odp.yml"
    config.write_text(naming(odp, more=watching(ocp)), encoding="utf-8")
    missing = await inspect("--config.file", str(config), "odp-1")
    await ocp.set_clusters({"trade": [f"{odp.address[0]}:{odp.address[1]}"]})
    await odp.fault(Fault.HANG)
    hung = await inspect("--config.file", str(config))

    assert (1, "") == (missing[0], missing[2])
    assert "state       serving" in missing[1]
    assert f"pid {odp.pid}," in missing[1]
    assert "restart now: SAFE" in missing[1]
    assert "cluster_not_cached [pay]" in missing[1]
    assert "\x1b" not in missing[1]
    assert 2 == hung[0]
    assert "state       hung" in hung[1]
    assert SECRET not in missing[1] + hung[1]


async def test_inspect_needs_no_configuration_and_speaks_json(fleet: Fleet) -> None:
    _, odp = await cached(fleet)
    host, port = odp.address
    await asyncio.to_thread(log_in, odp, "pay")
    await eventually(lambda: b"pay" in rslist(odp), "pay cached", within_seconds=20)
    status, output, errors = await inspect("--json", f"{host}:{port}")
    (document,) = json.loads(output)

    assert (0, "", "good") == (status, errors, document["grade"])
    assert (True, True, "serving") == tuple(document[key] for key in ("restart_safe", "survives_ocp_outage", "state"))
    assert {"trade", "pay"} == {cluster["name"] for cluster in document["clusters"]}


async def test_inspect_reads_restarts_from_the_exporters_ledger_and_leaves_it_alone(
    fleet: Fleet, tmp_path: Path
) -> None:
    odp = await fleet.start_odp("odp-1")
    state = tmp_path / "state"
    state.mkdir()
    config = naming(odp, more=f"state_directory: {state}\nprobe: {{interval: 1s}}\n")
    async with exporter(tmp_path, config) as it:
        await it.until(lambda metrics: metrics.value("odp_processes", odp="odp-1") == 1)
        await odp.restart()
        await it.until(lambda metrics: metrics.value("odp_restarts_total", odp="odp-1", cause="stop") == 1)
    before = (state / "restarts.json").read_bytes()
    _, output, _ = await inspect("--config.file", str(tmp_path / "odp.yml"))

    assert "restarts    1 stop" in output
    assert before == (state / "restarts.json").read_bytes()


async def test_inspect_says_that_there_is_nothing_of_that_name(tmp_path: Path) -> None:
    config = tmp_path / "odp.yml"
    config.write_text("odps: [{name: odp-1, address: '127.0.0.1:1'}]\n", encoding="utf-8")
    status, output, errors = await inspect("--config.file", str(config), "odp-9")

    assert (2, "", "no such ODP: 'odp-9' (there are: odp-1)\n") == (status, output, errors)
