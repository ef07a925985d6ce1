"""How commands are carried out beside each other: over real sockets, a load balancer in memory and a stand-in host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from inspect import isawaitable
from pathlib import Path

import aiohttp
import pytest
from odp_exporter.actuators.actuator import HostUnreachable, Restarted
from odp_exporter.clock import wall_clock
from odp_exporter.lb.driver import Admin, Health, LbUnreachable, Member
from odp_exporter.lb.memory import Memory
from odp_exporter.remediation.alertmanagers import Alertmanagers
from odp_exporter.remediation.dispatch import Dispatch
from odp_exporter.remediation.evidence import Observer
from odp_exporter.remediation.exporters import Exporters
from odp_exporter.remediation.model import (
    SERVES_AGAIN,
    Acting,
    Command,
    Drain,
    Drained,
    Draining,
    Enable,
    Enabled,
    Enabling,
    Episode,
    Event,
    Failure,
    Fleet,
    Held,
    Hold,
    Lease,
    Replace,
    Restart,
    RestartEnded,
    Stage,
    Start,
    Verifying,
)
from odp_exporter.remediation.payload import Scope
from odp_exporter.remediation.phases import Phases
from odp_exporter.remediation.world import World
from odp_exporter.targets import Address, Pool, Target

from .payloads import alert, body
from .rig import QUICK, Host, Life, Odp, odps, rig

NOW = wall_clock()
EPISODE = Episode("e1", "odp-1", "OdpDown", NOW)
LEASE = Lease(1, NOW)
ACTING = Acting(EPISODE, NOW, Start(), LEASE)
RENEWAL = Drain("odp-1", "e1", timedelta())
RESTART = Restart("odp-1", "e1", None)


class Slow(Memory):
    """Tells in which order it was steered; each verb waits for `gate`, and the sessions last until it says so."""

    def __init__(self) -> None:
        super().__init__([Member("odp-1", Admin.READY, Health.UP, 1, 0)])
        self.verbs: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def drain(self, odp: str) -> None:
        """Once the gate is open."""
        self.verbs.append("drain")
        await self.gate.wait()
        await super().drain(odp)
        self.verbs.append("drained")

    async def enable(self, odp: str, weight: int | None) -> None:
        """At once."""
        self.verbs.append("enable")
        await super().enable(odp, weight)


@dataclass
class Bench:
    """A dispatcher, and what it told."""

    dispatch: Dispatch
    lb: Slow
    host: Host
    odp: Odp
    stages: dict[str, Stage]
    told: list[Event] = field(default_factory=list)

    def carry_out(self, command: Command, stage: Stage) -> None:
        """*command*, as of *stage*."""
        self.stages["odp-1"] = stage
        self.dispatch.carry_out(command)

    async def event(self) -> Event:
        """The first that was told."""
        await self.until(lambda: self.told)
        return self.told[0]

    async def until(self, what: Callable[[], object]) -> None:
        """Wait until *what* is true, or gives something awaitable that is."""
        async with asyncio.timeout(30):
            while not (await found if isawaitable(found := what()) else found):  # noqa: ASYNC110 - lists set no event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def working(odp: Odp) -> AsyncIterator[Bench]:
    targets = {"odp-1": Target("odp-1", Address("127.0.0.1", odp.port), pool="trade")}
    lb, host, stages, told = Slow(), Host({"odp-1": odp}), dict[str, Stage](), list[Event]()
    world = World(targets, {"trade": Pool("trade", lb="edge")}, {"trade": lb}, {"odp-1": host})
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        alertmanagers = Alertmanagers((), session, Scope((), ()), wall_clock)
        observer = Observer(world, alertmanagers, Exporters({}, session), wall_clock)
        made = Dispatch(
            world,
            observer,
            policy=QUICK,
            clock=wall_clock,
            phases=Phases(),
            fleet=lambda: Fleet(stages),
            put=told.append,
        )
        running = group.create_task(made.run(), name="dispatch")
        await asyncio.sleep(0)
        try:
            yield Bench(made, lb, host, odp, stages, told)
        finally:
            running.cancel()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with odps(("odp-1",)) as them, working(them["odp-1"]) as made:
        yield made


async def admin(bench: Bench) -> Admin:
    return (await bench.lb.members())["odp-1"].admin


async def is_drained(bench: Bench) -> bool:
    return await admin(bench) is Admin.DRAIN


async def test_a_lost_drain_is_renewed_beside_a_restart_and_not_after_it(bench: Bench) -> None:
    """A restart lasts up to 90 s, and clients would meet the dead one meanwhile (S19, S28)."""
    await bench.odp.become(Life.DEAD)
    bench.host.gate.clear()
    bench.carry_out(RESTART, ACTING)
    await bench.until(lambda: bench.host.begun)
    bench.carry_out(RENEWAL, ACTING)
    await bench.until(lambda: is_drained(bench))
    during = list(bench.told)
    bench.host.gate.set()
    ended = await bench.event()

    assert [] == during
    assert isinstance(ended, RestartEnded)
    assert isinstance(ended.result, Restarted)
    assert [ended] == bench.told


async def test_what_comes_next_for_the_same_odp_waits_until_the_former_has_ended(bench: Bench) -> None:
    """A restart that still hangs would meet one that is back in its load balancer (S17)."""
    await bench.odp.become(Life.DEAD)
    bench.host.gate.clear()
    bench.carry_out(RESTART, ACTING)
    await bench.until(lambda: bench.host.begun)
    bench.carry_out(Enable("odp-1", "e1", 1), Enabling(EPISODE, NOW, LEASE))
    await asyncio.sleep(0.05)
    during = list(bench.lb.verbs), list(bench.told)
    bench.host.gate.set()
    await bench.until(lambda: len(bench.told) > 1)

    assert ([], []) == during
    assert [RestartEnded, Enabled] == [type(event) for event in bench.told]
    assert ["enable"] == bench.lb.verbs


async def test_an_enable_waits_for_the_renewal_that_is_under_way(bench: Bench) -> None:
    """Else the drain would come last, and nobody would know (S26, S28)."""
    bench.lb.gate.clear()
    bench.carry_out(RENEWAL, Verifying(EPISODE, NOW, LEASE))
    await bench.until(lambda: bench.lb.verbs)
    bench.carry_out(Enable("odp-1", "e1", 1), Enabling(EPISODE, NOW, LEASE))
    await asyncio.sleep(0.05)
    bench.lb.gate.set()

    assert Enabled("odp-1", "e1") == await bench.event()
    assert ["drain", "drained", "enable"] == bench.lb.verbs
    assert Admin.READY is await admin(bench)


@pytest.mark.parametrize(
    "stage",
    [
        Enabling(EPISODE, NOW, LEASE),
        Held(EPISODE, NOW, LEASE, Hold.START_FAILED, "", NOW),
        Acting(replace(EPISODE, id="e2"), NOW, Start(), LEASE),
        None,
    ],
)
async def test_a_renewal_that_nobody_wants_any_more_is_none(bench: Bench, stage: Stage | None) -> None:
    """What was decided in the same breath has put it back."""
    if stage:
        bench.stages["odp-1"] = stage
    bench.dispatch.carry_out(RENEWAL)
    await asyncio.sleep(0.05)

    assert [] == bench.lb.verbs


async def test_renewals_of_the_same_drain_do_not_pile_up(bench: Bench) -> None:
    """A survey comes every three seconds, and a load balancer may hang for longer."""
    bench.lb.gate.clear()
    for _ in range(3):
        bench.carry_out(RENEWAL, ACTING)
        await bench.until(lambda: bench.lb.verbs)
    bench.lb.gate.set()
    await bench.until(lambda: is_drained(bench))

    assert ["drain", "drained"] == bench.lb.verbs


async def test_a_renewal_that_fails_is_told_and_ends_nothing(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.lb.failure = LbUnreachable("no answer")
    bench.carry_out(RENEWAL, ACTING)
    await bench.until(lambda: "lost drain could not be renewed" in capsys.readouterr().out)
    bench.lb.failure = None
    bench.carry_out(RENEWAL, ACTING)
    await bench.until(lambda: is_drained(bench))

    assert [] == bench.told


async def test_a_drain_that_was_lost_while_sessions_ended_is_confirmed_once_more(bench: Bench) -> None:
    """The restart that comes next relies on it (S19)."""
    bench.lb.put(replace((await bench.lb.members())["odp-1"], sessions=1))
    bench.carry_out(Drain("odp-1", "e1", timedelta(seconds=5)), Draining(EPISODE, NOW, Start(), LEASE))
    await asyncio.sleep(0.05)
    bench.lb.put(Member("odp-1", Admin.READY, (await bench.lb.members())["odp-1"].health, 1, 0))

    assert Drained("odp-1", "e1") == await bench.event()
    assert Admin.DRAIN is await admin(bench)


@pytest.mark.parametrize("wait", [timedelta(), timedelta(seconds=1)])
async def test_one_that_a_person_put_into_maintenance_meanwhile_is_theirs(bench: Bench, wait: timedelta) -> None:
    """Between the look and the restart, which would end what they work on (S16)."""
    bench.lb.put(replace((await bench.lb.members())["odp-1"], admin=Admin.MAINT))
    bench.carry_out(Drain("odp-1", "e1", wait), Draining(EPISODE, NOW, Start(), LEASE))
    ended = await bench.event()

    assert Drained("odp-1", "e1", Failure("LbRefused", "'odp-1' is in maintenance by a person")) == ended


async def test_one_that_greets_just_before_its_end_is_not_ended(bench: Bench) -> None:
    """(S8)."""
    process = bench.odp.identity
    bench.carry_out(Restart("odp-1", "e1", process), Acting(EPISODE, NOW, Replace(process), LEASE))

    assert RestartEnded("odp-1", "e1", Failure(SERVES_AGAIN, "process 100 greets")) == await bench.event()
    assert [] == bench.host.restarts


async def test_one_that_still_stands_still_is_ended_without_waiting_for_its_greeting(bench: Bench) -> None:
    """It cannot greet: the second that patience takes would be one without service."""
    await bench.odp.become(Life.SILENT)
    bench.host.is_stopped = True
    process = bench.odp.identity
    plan = Replace(process, is_stopped=True)
    bench.carry_out(Restart("odp-1", "e1", process, is_stopped=True), Acting(EPISODE, NOW, plan, LEASE))
    await bench.event()

    assert [process] == bench.host.kills
    assert 0 == bench.odp.visits


async def test_that_another_process_stands_still_does_not_spare_the_last_greeting(bench: Bench) -> None:
    """It says nothing of the one that may be ended, which a former life of ours may have replaced (S8, S20)."""
    before = bench.odp.identity
    bench.odp.pid += 1
    bench.host.is_stopped = True
    plan = Replace(before, is_stopped=True)
    bench.carry_out(Restart("odp-1", "e1", before, is_stopped=True), Acting(EPISODE, NOW, plan, LEASE))
    await bench.event()

    assert 1 == bench.odp.visits
    assert [] == bench.host.restarts


async def test_one_that_runs_and_greets_again_is_not_ended_though_it_stood_still(bench: Bench) -> None:
    """Somebody has sent it SIGCONT between the look and now (S8)."""
    process = bench.odp.identity
    plan = Replace(process, is_stopped=True)
    bench.carry_out(Restart("odp-1", "e1", process, is_stopped=True), Acting(EPISODE, NOW, plan, LEASE))

    assert RestartEnded("odp-1", "e1", Failure(SERVES_AGAIN, "process 100 greets")) == await bench.event()
    assert [] == bench.host.restarts


async def test_one_that_greets_and_cannot_be_seen_is_not_ended_either(bench: Bench) -> None:
    """(S8, S20)."""
    bench.host.blindness = HostUnreachable("no route")
    process = bench.odp.identity
    bench.carry_out(Restart("odp-1", "e1", process), Acting(EPISODE, NOW, Replace(process), LEASE))
    ended = await bench.event()

    assert isinstance(ended, RestartEnded)
    assert isinstance(ended.result, Failure)
    assert SERVES_AGAIN == ended.result.kind
    assert [] == bench.host.restarts


async def test_one_whose_memory_is_frozen_is_ended_although_it_greets(bench: Bench) -> None:
    """(odp-facts 7.5)."""
    process = bench.odp.identity
    plan = Replace(process, is_frozen=True)
    bench.carry_out(Restart("odp-1", "e1", process, is_frozen=True), Acting(EPISODE, NOW, plan, LEASE))
    await bench.event()

    assert [process] == bench.host.kills


async def test_one_that_a_former_life_of_ours_has_replaced_is_done(bench: Bench) -> None:
    """It greets because it was (S24)."""
    before = bench.odp.identity
    bench.odp.pid += 1
    bench.carry_out(Restart("odp-1", "e1", before), Acting(EPISODE, NOW, Replace(before), LEASE))
    ended = await bench.event()

    assert isinstance(ended, RestartEnded)
    assert isinstance(ended.result, Restarted)
    assert ended.result.was_done
    assert [] == bench.host.restarts


class Reloading(Memory):
    """A load balancer that, once armed, is replaced by a fresh one between two questions; drains survive that."""

    fresh: datetime | None = None

    async def members(self) -> Mapping[str, Member]:
        """By the one that answers now."""
        seen = await super().members()
        self._replace()
        return seen

    async def started(self) -> datetime | None:
        """By the one that answers now."""
        seen = await super().started()
        self._replace()
        return seen

    def _replace(self) -> None:
        self._started = self.fresh or self._started


async def test_what_an_old_load_balancer_shows_is_not_laid_at_the_door_of_a_new_one(tmp_path: Path) -> None:
    """A person's drain would be ended as an old one of ours (S26)."""
    lb = Reloading((await Memory.of("odp-1", "odp-2").members()).values(), started=NOW - timedelta(days=1))
    async with odps(("odp-1", "odp-2")) as running, rig(tmp_path, running, lb=lb) as made:
        await running["odp-1"].become(Life.DEAD)
        await made.post("/v1/alertmanager", body(alert()))
        await made.until(lambda: "odp-1" in made.fleet.released)
        await made.post("/v1/alertmanager", body(alert(status="resolved")))
        await made.until(lambda: not made.fleet.alerts and not made.fleet.stages)
        lb.put(replace((await lb.members())["odp-1"], admin=Admin.DRAIN))
        lb.fresh = wall_clock() + timedelta(hours=1)
        await made.until(lambda: "odp-1" not in made.fleet.released)
        await asyncio.sleep(0.5)

        assert Admin.DRAIN is (await lb.members())["odp-1"].admin
