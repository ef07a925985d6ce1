"""Whole repairs: real HTTP, real sockets and a real journal; the load balancer is in memory, the host a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from odp_exporter.actuators.actuator import StartFailed
from odp_exporter.lb.driver import Admin, Health, LbUnreachable, Member
from odp_exporter.lb.memory import Memory
from odp_exporter.remediation.journal import Journal
from odp_exporter.remediation.journal_entries import Batch
from odp_exporter.remediation.model import Held, Waiting

from .payloads import alert, body
from .rig import Host, Life, Odp, Rig, odps, rig

WEBHOOK = "/v1/alertmanager"
NAMES = ("odp-1", "odp-2", "odp-3")


@pytest.fixture
async def running() -> AsyncIterator[dict[str, Odp]]:
    async with odps(NAMES) as them:
        yield them


@pytest.fixture
async def remediator(tmp_path: Path, running: dict[str, Odp]) -> AsyncIterator[Rig]:
    async with rig(tmp_path, running) as made:
        yield made


def is_back(made: Rig) -> bool:
    """odp-1 serves, and nothing is left to do about it."""
    return made.odps["odp-1"].life is Life.SERVING and isinstance(made.fleet.stages.get("odp-1"), Waiting | None)


async def admin(lb: Memory, odp: str = "odp-1") -> Admin:
    return (await lb.members())[odp].admin


async def refused(made: Rig, reason: str) -> bool:
    return await made.metric(f'odp_remediation_refusals_total{{odp="odp-1",reason="{reason}"}}') not in {"", "0"}


@pytest.mark.parametrize("life", [Life.DEAD, Life.SILENT])
async def test_it_is_restarted_once_and_put_back(remediator: Rig, life: Life) -> None:
    """Dead or hung: out of the load balancer, restarted, verified, back in."""
    before = remediator.odps["odp-1"].identity
    await remediator.odps["odp-1"].become(life)
    await remediator.post(WEBHOOK, body(alert()))
    await remediator.until(lambda: remediator.host.restarts and is_back(remediator))

    assert ["odp-1"] == remediator.host.restarts
    assert [None if life is Life.DEAD else before] == remediator.host.kills
    assert Admin.READY is await admin(remediator.lb)
    for action in ("drain", "start" if life is Life.DEAD else "replace", "verify", "enable"):
        done = f'odp_remediation_actions_total{{odp="odp-1",action="{action}",outcome="done"}}'
        assert "1" == await remediator.metric(done)
    for phase in ("detect", "drain", "verify", "enable"):
        assert "1" == await remediator.metric(f'odp_remediation_phase_duration_seconds_count{{phase="{phase}"}}')


async def test_one_that_serves_is_left_alone(remediator: Rig) -> None:
    """The alert is stale (S8)."""
    await remediator.post(WEBHOOK, body(alert()))
    await remediator.until(lambda: refused(remediator, "serves"))

    assert [] == remediator.host.restarts
    assert Admin.READY is await admin(remediator.lb)


@pytest.mark.parametrize(("safe", "reason"), [(False, "restart_unsafe"), (None, "restart_unknown")])
async def test_a_living_one_that_would_not_come_back_is_left_alone(
    tmp_path: Path, running: dict[str, Odp], *, safe: bool | None, reason: str
) -> None:
    """It would be lost for certain, where it now may be only slow (S10)."""
    async with rig(tmp_path, running, safe={"odp-1": safe}) as made:
        await running["odp-1"].become(Life.SILENT)
        await made.post(WEBHOOK, body(alert()))
        await made.until(lambda: refused(made, reason))

        assert [] == made.host.restarts
        assert Admin.READY is await admin(made.lb)


async def test_an_unknown_load_balancer_forbids(remediator: Rig) -> None:
    """What it does with the others is unknown too (S11)."""
    await remediator.odps["odp-1"].become(Life.SILENT)
    remediator.lb.failure = LbUnreachable("gone")
    await remediator.post(WEBHOOK, body(alert()))
    await remediator.until(lambda: refused(remediator, "lb_unknown"))
    await remediator.until(lambda: remediator.metric('odp_lb_backend_state{odp="odp-1",state="unknown",lb="edge"} 1'))

    assert [] == remediator.host.restarts
    assert "1" == await remediator.metric('odp_lb_backend_state{odp="odp-1",state="unknown",lb="edge"}')
    assert "" == await remediator.metric("odp_lb_pool_serving")


async def test_a_drain_by_a_person_is_left_alone(remediator: Rig) -> None:
    """Nobody knows what for (S16, S26)."""
    await remediator.odps["odp-1"].become(Life.SILENT)
    remediator.lb.put(Member("odp-1", Admin.DRAIN, Health.UP, weight=1, sessions=0))
    await remediator.post(WEBHOOK, body(alert()))
    await remediator.until(lambda: refused(remediator, "held_by_person"))
    await remediator.until(lambda: remediator.metric('odp_lb_orphan_drain{odp="odp-1",lb="edge"}'))

    assert [] == remediator.host.restarts
    assert "1" == await remediator.metric('odp_lb_orphan_drain{odp="odp-1",lb="edge"}')


async def test_an_end_does_not_break_off_what_is_under_way(tmp_path: Path, running: dict[str, Odp]) -> None:
    """It ends in a safe state (S7)."""
    host = Host(running)
    host.gate.clear()
    async with rig(tmp_path, running, host=host) as made:
        await running["odp-1"].become(Life.DEAD)
        await made.post(WEBHOOK, body(alert()))
        await made.until(lambda: made.metric('odp_remediation_state{odp="odp-1",state="acting"} 1'))
        await made.post(WEBHOOK, body(alert(status="resolved")))
        host.gate.set()
        await made.until(lambda: is_back(made))

        assert ["odp-1"] == host.restarts
        assert Admin.READY is await admin(made.lb)


async def test_a_load_balancer_that_forgot_a_drain_is_told_again(tmp_path: Path, running: dict[str, Odp]) -> None:
    """By its own question, at once after a reload; and nobody is told of what is none of ours (S28)."""
    host = Host(running)
    host.gate.clear()
    async with rig(tmp_path, running, host=host) as made:
        before = await made.asked("odp-1")
        await running["odp-1"].become(Life.DEAD)
        await made.post(WEBHOOK, body(alert()))
        await made.until(lambda: made.metric('odp_remediation_state{odp="odp-1",state="acting"} 1'))
        shown = await made.asked("odp-1")
        made.lb.put(Member("odp-1", Admin.READY, Health.DOWN, weight=1, sessions=0))
        forgotten = await made.asked("odp-1")
        host.gate.set()

        assert (b"\n", b"\n", b"drain\n", b"\n") == (before, shown, forgotten, await made.asked("odp-2"))


async def test_one_that_does_not_come_back_is_held_out_for_people(tmp_path: Path, running: dict[str, Odp]) -> None:
    """(S27): failed, drained, and told; not tried again and again."""
    host = Host(running)
    host.failure = StartFailed("no new process")
    async with rig(tmp_path, running, host=host) as made:
        await running["odp-1"].become(Life.DEAD)
        await made.post(WEBHOOK, body(alert()))
        await made.until(lambda: isinstance(made.fleet.stages.get("odp-1"), Held))

        await made.until(lambda: made.metric('odp_lb_orphan_drain{odp="odp-1",lb="edge"}'))

        assert Admin.DRAIN is await admin(made.lb)
        assert "0" == await made.metric('odp_lb_orphan_drain{odp="odp-1",lb="edge"}')
        assert "no new process" in (await made.get("/v1/history"))[1]


async def test_a_dry_run_decides_the_same_and_changes_nothing(tmp_path: Path, running: dict[str, Odp]) -> None:
    """(S31): beside the journal of the real one, not in it."""
    await running["odp-1"].become(Life.SILENT)
    async with rig(tmp_path, running, is_dry=True) as made:
        await made.post(WEBHOOK, body(alert()))
        await made.until(lambda: isinstance(made.fleet.stages.get("odp-1"), Waiting))
        _, history = await made.get("/v1/history")

        assert [] == made.host.restarts
        assert Admin.READY is await admin(made.lb)
        assert "would drain" in history
        assert "0" == await made.metric("odp_remediation_active")
    assert not (tmp_path / "journal.db").exists()


async def test_a_plan_is_what_would_be_done_and_is_not_done(remediator: Rig) -> None:
    """(S31): the same look and the same step, nothing believed and nothing written."""
    serving = await remediator.get("/v1/plan?odp=odp-2")
    await remediator.odps["odp-1"].become(Life.SILENT)
    _, hung = await remediator.get("/v1/plan?odp=odp-1")
    unknown = await remediator.get("/v1/plan?odp=odp-9")

    assert '"commands": []' in serving[1]
    assert '"commands": ["drain"]' in hung
    assert (404, "no ODP of the inventory: 'odp-9'") == unknown
    assert {} == dict(remediator.fleet.stages)
    assert '{"records": []}' == (await remediator.get("/v1/history"))[1]


async def test_what_could_not_be_done_is_told_at_the_start(
    tmp_path: Path, running: dict[str, Odp], capsys: pytest.CaptureFixture[str]
) -> None:
    """A socket that may not be written is found by day (S32)."""
    lb = Memory.of(*running)
    lb.failure = LbUnreachable("permission denied")
    async with rig(tmp_path, running, lb=lb) as made:
        await made.until(
            lambda: "self-test failed" in (said := capsys.readouterr().out) and "permission denied" in said
        )

        assert {} == dict(made.fleet.stages)


class Killed(Exception):
    """As if by SIGKILL."""


class Mortal(Journal):
    """A journal whose remediator is killed at its commit number *last*, just before or just after that is written."""

    def __init__(self, path: Path, last: int, *, is_written: bool) -> None:
        super().__init__(path)
        self._left = last
        self._is_written = is_written

    async def commit(self, batch: Batch) -> None:
        """Write, or die."""
        self._left -= 1
        if self._left > 0 or self._is_written:
            await super().commit(batch)
        if self._left <= 0:
            raise Killed


def mortal(last: int, *, is_written: bool) -> Callable[[Path], Journal]:
    return lambda path: Mortal(path, last, is_written=is_written)


@pytest.mark.parametrize("life", [Life.DEAD, Life.SILENT])
@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("step", range(1, 9))
async def test_killed_at_any_step_the_next_life_ends_the_repair(
    tmp_path: Path, running: dict[str, Odp], step: int, *, is_written: bool, life: Life
) -> None:
    """Exactly one restart, and back in the load balancer; the alert is not sent again (S24)."""
    host, lb = Host(running), Memory.of(*running)
    await running["odp-1"].become(life)
    with suppress(ExceptionGroup):
        async with rig(tmp_path, running, host=host, lb=lb, journal_at=mortal(step, is_written=is_written)) as first:
            await first.post(WEBHOOK, body(alert()))
            with suppress(TimeoutError):
                await first.until(lambda: host.restarts and is_back(first), seconds=3)
    async with rig(tmp_path, running, host=host, lb=lb) as second:
        await second.until(lambda: is_back(second))
        await asyncio.sleep(0.1)
        # The alert still fires, so that a tick may have begun another look.
        await second.until(lambda: is_back(second))

        assert ["odp-1"] == host.restarts
        assert Admin.READY is await admin(lb)
