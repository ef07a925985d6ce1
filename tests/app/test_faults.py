"""Every fault of a simulated ODP, and what the whole exporter says of it."""

import asyncio
import signal
import time
from pathlib import Path

import pytest
from odp_exporter.procfs.history import SETTLING
from odp_exporter.simulator.exporter import Exporter, exporter, naming
from odp_exporter.simulator.fleet import Fault, Fleet, Odp

FAST = "probe: {interval: 200ms, timeout: 150ms}\nprocess: {interval: 100ms}\ncache: {interval: 100ms}\n"
"""Settings under which nobody need wait for intervals."""


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.HANG, ("hung", "greeting_timeout")),
        (Fault.FREEZE, ("hung", "greeting_timeout")),
        (Fault.CRASH, ("down", "refused")),
        (Fault.CORE, ("down", "refused")),
        (Fault.OOM, ("down", "refused")),
        (Fault.ERROR_PACKET, ("unknown", "error_packet")),
        (Fault.CLOSE, ("unknown", "closed")),
        (Fault.RESET, ("unknown", "reset")),
        (Fault.SHORT, ("unknown", "closed")),
        (Fault.GARBAGE, ("unknown", "malformed")),
        (Fault.HTTP, ("unknown", "malformed")),
    ],
)
async def test_a_fault_has_its_state_and_result(
    fault: Fault, expected: tuple[str, str], fleet: Fleet, tmp_path: Path
) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        await it.until_state("odp-1", "serving")
        await odp.fault(fault)
        # One that was greeted when it died is reset first; a probe that a busy machine delays changes no state.
        metrics = await it.until(
            lambda metrics: (
                expected == (metrics.state("odp-1"), metrics.chosen("result", "odp_probe_result", odp="odp-1"))
            )
        )

    assert 0 == metrics.value("odp_up", odp="odp-1")


async def test_an_odp_that_stopped_taking_memory_says_so(fleet: Fleet, tmp_path: Path) -> None:
    """From 4.3 on it lives on half-dead instead of ending (odp-facts 7.5)."""
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        await it.until(lambda metrics: metrics.value("odp_memory_frozen", odp="odp-1") == 0)
        await odp.fault(Fault.FREEZE)

        await it.until(lambda metrics: metrics.value("odp_memory_frozen", odp="odp-1") == 1)


async def test_a_greeting_that_trickles_past_its_deadline_is_hung(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        await odp.fault(Fault.TRICKLE, 5)
        await it.until_state("odp-1", "hung")
        await odp.clear()

        await it.until_state("odp-1", "serving")


async def test_a_stopped_process_is_hung_with_clients_in_its_accept_queue(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        odp.kill(signal.SIGSTOP)
        metrics = await it.until(
            lambda metrics: (
                metrics.state("odp-1") == "hung" and (metrics.value("odp_accept_queue", odp="odp-1") or 0) > 0
            )
        )
        assert 1 == metrics.value("odp_processes", odp="odp-1")
        odp.kill(signal.SIGCONT)

        await it.until_state("odp-1", "serving")


async def test_a_draining_odp_is_draining_and_not_hung(fleet: Fleet, tmp_path: Path) -> None:
    """An established session keeps it alive after SIGUSR1; from outside it looks hung (odp-facts 4.5)."""
    odp = await fleet.start_odp("odp-1", options={"hot_upgrade_exit_timeout": "20000000"})
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        await it.until_state("odp-1", "serving")
        _, session = await _session(odp.address)
        await odp.fault(Fault.DRAIN)
        metrics = await it.until_state("odp-1", "draining")
        session.close()

    assert 0 == metrics.value("odp_up", odp="odp-1")


async def test_a_slow_start_is_starting_until_it_serves(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        await it.until_state("odp-1", "serving")
        odp.kill()
        await it.until_state("odp-1", "down")
        await odp.fault(Fault.SLOW_START, 4)
        await odp.start(waits=False)
        await it.until_state("odp-1", "starting")

        await it.until_state("odp-1", "serving")


async def test_while_nobody_listens_on_this_host_it_is_asked_often(fleet: Fleet, tmp_path: Path) -> None:
    """Or a recovery of half a second would be told as one of a second and more."""
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp)) as it:
        await it.until_state("odp-1", "serving")
        odp.kill()
        await it.until_state("odp-1", "down")
        began = time.monotonic()
        await it.until(lambda metrics: (metrics.value("odp_probes_total", odp="odp-1", result="refused") or 0) > 20)

    assert time.monotonic() - began < 15


async def test_a_start_that_fails_leaves_it_down_and_counts_no_restart(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, naming(odp, more=FAST)) as it:
        await it.until_state("odp-1", "serving")
        odp.kill()
        await it.until_state("odp-1", "down")
        await odp.fault(Fault.REFUSE_START)
        before = await _restarts_over_a_quick_start(it, odp)
        metrics = await it.until(lambda metrics: metrics.value("odp_processes", odp="odp-1") == 0)

    assert "down" == metrics.state("odp-1")
    assert before == metrics.by("cause", "odp_restarts_total", odp="odp-1")


async def _restarts_over_a_quick_start(it: Exporter, odp: Odp) -> dict[str, float]:
    """The counts before a start that failed as quickly as a real one; on a busy machine the simulator's may not."""
    for _ in range(10):
        before = (await it.metrics()).by("cause", "odp_restarts_total", odp=odp.name)
        began = time.monotonic()
        await odp.start(waits=False)
        await odp.wait_gone()
        if time.monotonic() - began < SETTLING.total_seconds():
            return before
        await it.until(lambda metrics: metrics.value("odp_processes", odp=odp.name) == 0)
    raise AssertionError("no start failed quickly: the machine is too busy")


async def _session(address: tuple[str, int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that has connected and stays."""
    reader, writer = await asyncio.open_connection(*address)
    await reader.readexactly(4)
    return reader, writer


async def test_a_death_is_followed_by_a_probe_at_once_whatever_the_interval(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    rarely = "probe: {interval: 1h}\nprocess: {interval: 1h, queue_interval: 1h}\n"
    async with exporter(tmp_path, naming(odp, more=rarely)) as it:
        await it.until_state("odp-1", "serving")
        odp.kill()

        await it.until_state("odp-1", "down")


async def test_clients_that_wait_to_be_accepted_bring_a_probe_at_once(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    rarely = "probe: {interval: 1h, timeout: 20s}\nprocess: {interval: 1h, queue_interval: 100ms}\n"
    async with exporter(tmp_path, naming(odp, more=rarely)) as it:
        await it.until_state("odp-1", "serving")
        odp.kill(signal.SIGSTOP)
        _, client = await asyncio.open_connection(*odp.address)
        await it.until_state("odp-1", "hung")
        client.close()
        odp.kill(signal.SIGCONT)
