"""Why an ODP restarted, as the whole exporter counts it."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from odp_exporter.simulator.exporter import Exporter, Metrics, exporter, naming
from odp_exporter.simulator.fleet import Fault, Fleet, Odp

Blow = Callable[[Odp], Awaitable[None]]


FAST = "{interval: 200ms, timeout: 150ms}"
PATIENT = "{interval: 20s, timeout: 10s, hasty_timeout: 10s}"
"""What a busy machine delays is no outage."""


def settings(directory: Path, probe: str = FAST) -> str:
    return f"probe: {probe}\nprocess: {{interval: 100ms}}\nstate_directory: {directory / 'state'}\n"


async def watched(it: Exporter) -> Metrics:
    """Once it serves, and its process has been seen."""
    return await it.until(
        lambda metrics: metrics.state("odp-1") == "serving" and metrics.value("odp_processes", odp="odp-1") == 1
    )


def restarts(metrics: Metrics) -> dict[str, float]:
    return {cause: count for cause, count in metrics.by("cause", "odp_restarts_total", odp="odp-1").items() if count}


def signalled(number: int) -> Blow:
    async def blow(odp: Odp) -> None:
        odp.kill(number)

    return blow


def faulted(fault: Fault) -> Blow:
    async def blow(odp: Odp) -> None:
        await odp.fault(fault)

    return blow


@pytest.mark.parametrize(
    ("blow", "cause"),
    [
        (signalled(signal.SIGKILL), "signal"),
        (signalled(signal.SIGQUIT), "signal"),
        (signalled(signal.SIGSEGV), "crash"),
        (signalled(signal.SIGTERM), "stop"),
        (signalled(signal.SIGINT), "stop"),
        (signalled(signal.SIGUSR1), "stop"),
        (faulted(Fault.CRASH), "crash"),
        (faulted(Fault.CORE), "crash"),
    ],
)
async def test_each_end_has_its_cause(blow: Blow, cause: str, fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=settings(tmp_path))) as it:
        await watched(it)
        await blow(odp)
        await odp.wait_gone()
        await odp.start()
        metrics = await it.until(lambda metrics: bool(restarts(metrics)))

    assert {cause: 1} == restarts(metrics)


async def test_a_hot_restart_is_no_outage_and_has_its_own_cause(fleet: Fleet, tmp_path: Path) -> None:
    """Two processes share the port for a while; the greeting never fails (odp-facts 7.6)."""
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=settings(tmp_path))) as it:
        await watched(it)
        await odp.fault(Fault.HOT_RESTART)
        metrics = await it.until(lambda metrics: bool(restarts(metrics)))

    assert {"hot_restart": 1} == restarts(metrics)


async def test_the_count_survives_the_exporter_and_includes_what_it_slept_through(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    config = naming(odp, more=settings(tmp_path))
    async with exporter(tmp_path, config) as it:
        await watched(it)
        await odp.restart()
        await it.until(lambda metrics: restarts(metrics) == {"stop": 1})
    await odp.restart()
    await odp.restart()
    async with exporter(tmp_path, config) as it:
        metrics = await it.until(lambda metrics: sum(restarts(metrics).values()) == 3)

    assert {"stop": 3} == restarts(metrics)


async def test_a_crash_without_a_core_that_nobody_watched_ends_the_log(fleet: Fleet, tmp_path: Path) -> None:
    """No exit status, no signal line: the log just ends (odp-facts 7.7)."""
    odp = await fleet.start_odp("odp-1")
    config = naming(odp, more=settings(tmp_path))
    async with exporter(tmp_path, config) as it:
        await watched(it)
    await odp.fault(Fault.CRASH)
    await odp.wait_gone()
    await odp.start()
    async with exporter(tmp_path, config) as it:
        metrics = await it.until(lambda metrics: bool(restarts(metrics)))

    assert {"crash": 1} == restarts(metrics)


async def test_core_files_are_counted_and_dated(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=settings(tmp_path))) as it:
        before = await watched(it)
        await odp.fault(Fault.CORE)
        await odp.wait_gone()
        await odp.start()
        metrics = await it.until(lambda metrics: metrics.value("odp_core_dumps_total", odp="odp-1") != 0)

    assert (0, None) == (
        before.value("odp_core_dumps_total", odp="odp-1"),
        before.value("odp_core_dump_last_timestamp_seconds", odp="odp-1"),
    )
    assert 1 == metrics.value("odp_core_dumps_total", odp="odp-1")
    assert metrics.value("odp_core_dump_last_timestamp_seconds", odp="odp-1") is not None


async def test_recoveries_are_timed(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=settings(tmp_path, PATIENT))) as it:
        await watched(it)
        odp.kill()
        await it.until_state("odp-1", "down")
        await asyncio.sleep(0.5)
        await odp.start()
        metrics = await it.until_state("odp-1", "serving")

    assert 1 == metrics.value("odp_recovery_duration_seconds_count", odp="odp-1")
    assert metrics.value("odp_unavailable_seconds_total", odp="odp-1") == metrics.value(
        "odp_recovery_duration_seconds_sum", odp="odp-1"
    )
    assert (metrics.value("odp_unavailable_seconds_total", odp="odp-1") or 0) >= 0.5


async def test_a_watchdog_is_seen_and_its_restart_counted(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=settings(tmp_path))) as it:
        await it.until(lambda metrics: metrics.value("odp_watchdog_running", odp="odp-1", kind="obproxyd") == 0)
        await fleet.watchdog(odp)
        await it.until(lambda metrics: metrics.value("odp_watchdog_running", odp="odp-1", kind="obproxyd") == 1)
        odp.kill()
        metrics = await it.until(lambda metrics: bool(restarts(metrics)))

    assert {"signal": 1} == restarts(metrics)


async def test_a_second_odp_on_the_port_is_a_duplicate(fleet: Fleet, tmp_path: Path) -> None:
    """What obproxyd.sh makes of a hung ODP; the second one cannot bind and ends, if it is not held."""
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=settings(tmp_path))) as it:
        await it.until(lambda metrics: metrics.value("odp_processes", odp="odp-1") == 1)
        await odp.fault(Fault.SLOW_START, 10)
        await odp.start(waits=False)
        metrics = await it.until(lambda metrics: metrics.value("odp_processes", odp="odp-1") == 2)

    assert {} == restarts(metrics)
