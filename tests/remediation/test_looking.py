"""What the remediator itself sees of an ODP, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from odp_exporter.clock import Clock, wall_clock
from odp_exporter.lb.memory import Memory
from odp_exporter.observations import GreetingObservation, ProbeResult
from odp_exporter.probes.greeting import Deadlines, probe
from odp_exporter.remediation import evidence
from odp_exporter.remediation.alertmanagers import Alertmanagers
from odp_exporter.remediation.evidence import DEADLINES, HASTY, Observer
from odp_exporter.remediation.exporters import Exporters
from odp_exporter.remediation.payload import Scope
from odp_exporter.remediation.world import World
from odp_exporter.targets import Address, Pool, Target

from .rig import Host, Life, Odp, exporter, odps

SILENT = (ProbeResult.GREETING_TIMEOUT,) * 2


@pytest.fixture
async def odp() -> AsyncIterator[Odp]:
    async with odps(["odp-1"]) as running:
        yield running["odp-1"]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> list[Deadlines]:
    """How long each greeting was waited for at most."""
    given: list[Deadlines] = []

    async def noted(odp: str, address: Address, *, deadlines: Deadlines, clock: Clock) -> GreetingObservation:
        given.append(deadlines)
        return await probe(odp, address, deadlines=deadlines, clock=clock)

    monkeypatch.setattr(evidence, "probe", noted)
    return given


async def greetings(odp: Odp, *, told: Life, is_stopped: bool = False) -> tuple[ProbeResult, ...]:
    """What a look hears while the exporter says that the ODP is as *told*."""
    said = Odp("odp-1")
    said.life = told
    target = Target("odp-1", Address("127.0.0.1", odp.port), pool="trade")
    world = World(
        {"odp-1": target},
        {"trade": Pool("trade", lb="edge")},
        {"trade": Memory.of("odp-1")},
        {"odp-1": Host({"odp-1": odp}, is_stopped=is_stopped)},
    )
    async with exporter({"odp-1": said}, {}, "") as url, aiohttp.ClientSession() as session:
        nobody = Alertmanagers((), session, Scope(frozenset(), frozenset()), wall_clock)
        observer = Observer(world, nobody, Exporters({"default": url}, session), wall_clock)
        return (await observer.look("odp-1", ())).greetings


async def test_two_short_silences_of_a_stopped_process_are_enough(odp: Odp, patience: list[Deadlines]) -> None:
    """Where its exporter says the same."""
    await odp.become(Life.SILENT)
    heard = await greetings(odp, told=Life.SILENT, is_stopped=True)

    assert SILENT == heard
    assert [HASTY, HASTY] == patience


@pytest.mark.parametrize(("told", "is_stopped"), [(Life.DEAD, True), (Life.SILENT, False)])
async def test_any_other_silence_is_waited_out_twice(
    odp: Odp, patience: list[Deadlines], told: Life, *, is_stopped: bool
) -> None:
    """Its exporter says otherwise, or its process runs and may only be slow."""
    await odp.become(Life.SILENT)
    heard = await greetings(odp, told=told, is_stopped=is_stopped)

    assert SILENT == heard
    assert [HASTY, HASTY, DEADLINES, DEADLINES] == patience


@pytest.mark.parametrize(("life", "result"), [(Life.SERVING, ProbeResult.OK), (Life.DEAD, ProbeResult.REFUSED)])
async def test_one_that_answers_is_asked_once(
    odp: Odp, life: Life, result: ProbeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If its answer comes before the second question is due, which on a busy machine takes a while."""
    monkeypatch.setattr(evidence, "APART_SECONDS", 20)
    await odp.become(life)

    assert (result,) == await greetings(odp, told=life)
