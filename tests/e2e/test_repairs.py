"""Repairs from end to end: Prometheus finds, Alertmanager tells, HAProxy obeys, clients hardly notice."""

from __future__ import annotations

import pytest
from odp_exporter.simulator.drills import repairs
from odp_exporter.simulator.stack.site import Site

from .conftest import MOST_FAILURES

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]


async def test_a_killed_odp_is_started_once_and_is_back(site: Site) -> None:
    outcome = await repairs.killed(site, "odp-1")

    assert ["drain", "start", "verify", "enable"] == outcome.done
    assert (1, 1, "UP 1") == (outcome.starts, outcome.processes, outcome.state)
    assert outcome.failures <= MOST_FAILURES
    assert 0 == outcome.late_failures


async def test_a_frozen_odp_is_replaced_once_and_is_back(site: Site) -> None:
    outcome = await repairs.frozen(site, "odp-2")

    assert ["drain", "replace", "verify", "enable"] == outcome.done
    assert (1, 1, "UP 1") == (outcome.starts, outcome.processes, outcome.state)
    assert outcome.failures <= MOST_FAILURES
    assert 0 == outcome.late_failures


async def test_beside_a_watchdog_there_is_one_new_process(site: Site) -> None:
    """obproxyd.sh starts whatever is missing, and so does the remediator: one of them does (S22)."""
    outcome = await repairs.watched(site, "odp-3")

    assert ["drain", "replace", "verify", "enable"] == outcome.done
    assert (1, 1, "UP 1") == (outcome.starts, outcome.processes, outcome.state)
    assert 0 == outcome.late_failures


async def test_a_failed_start_is_held_out_of_the_load_balancer_until_it_serves(site: Site) -> None:
    held, mended = await repairs.failed_start(site, "odp-4")

    assert ("DRAIN 1", ["start_failed"], 0, 0) == (held.state, held.held, held.restarts, held.processes)
    assert 0 == held.late_failures
    assert ("UP 1", 0, 1) == (mended.state, mended.restarts, mended.processes)
    assert 0 == mended.late_failures


async def test_a_crash_loop_is_held_and_told_until_a_person_has_mended_it(site: Site) -> None:
    """Success does not erase what was before; a person's word does (S14). The drill waits until people are told."""
    held, mended, later = await repairs.crash_loop(site, "odp-5")

    assert "DRAIN 1" == held.state
    assert held.held[-1] in {"crash_loop", "verify_failed"}  # the latter where it dies before it is verified
    assert held.restarts <= 3
    assert ("UP 1", held.restarts, 1) == (mended.state, mended.restarts, mended.processes)
    # Its alert looks ten minutes back and fires still.
    assert "UP 1" == later.state
