import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.metronome import BEAT_SECONDS, metronome
from odp_exporter.schedule import Job, Schedule, next_due

pytestmark = pytest.mark.looptime
MINUTE = timedelta(minutes=1)


class Diary:
    """Jobs that write down when they were done, on the loop's own time."""

    def __init__(self) -> None:
        self.turns: dict[str, list[float]] = {}
        self.broken: list[str] = []

    def job(self, name: str, *, interval: timedelta = MINUTE, takes: float = 0, well: bool = True) -> Job:
        turns = self.turns.setdefault(name, [])

        async def run() -> bool:
            turns.append(asyncio.get_running_loop().time())
            await asyncio.sleep(takes)
            return well

        return Job("test", name, interval, run, subject=takes)

    def broken_job(self, name: str) -> Job:
        turns = self.turns.setdefault(name, [])

        async def run() -> bool:
            turns.append(asyncio.get_running_loop().time())
            raise ZeroDivisionError

        return Job("test", name, MINUTE, run, lambda: self.broken.append(name))


@asynccontextmanager
async def running(schedule: Schedule) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(schedule.run())
        await asyncio.sleep(0)
        yield
        task.cancel()


async def test_every_job_is_begun_within_half_a_second_whatever_its_interval() -> None:
    diary, schedule = Diary(), Schedule(Counter())
    schedule.apply([diary.job(f"odp-{number}") for number in range(50)])
    async with running(schedule):
        assert not schedule.is_round_done
        await asyncio.sleep(0.5 + BEAT_SECONDS)

        assert schedule.is_round_done
        assert all(diary.turns.values())


async def test_the_second_turn_comes_within_an_interval_of_the_first() -> None:
    """Else a fault from afar would be seen an interval late after each start and each change of the probes."""
    diary, schedule = Diary(), Schedule(Counter())
    schedule.apply([diary.job(f"odp-{number}") for number in range(50)])
    async with running(schedule):
        await asyncio.sleep(300)

    gaps = [later - earlier for turns in diary.turns.values() for earlier, later in itertools.pairwise(turns)]
    assert max(gaps) <= 60 + BEAT_SECONDS


async def test_a_job_that_begins_in_trouble_is_not_late_either_once_it_is_well() -> None:
    schedule, turns = Schedule(Counter()), dict[str, list[float]]()

    def job(name: str) -> Job:
        async def run() -> bool:
            turns.setdefault(name, []).append(asyncio.get_running_loop().time())
            return len(turns[name]) > 5

        return Job("test", name, MINUTE, run)

    schedule.apply([job(f"odp-{number}") for number in range(50)])
    async with running(schedule):
        await asyncio.sleep(300)

    first_gaps = {name: it[6] - it[5] for name, it in turns.items()}
    assert max(first_gaps.values()) <= 60 + BEAT_SECONDS
    assert max(first_gaps.values()) - min(first_gaps.values()) > 45


@given(st.floats(0, 1e6), st.floats(0, 1e4), st.sampled_from([0.1, 0.2, 1, 5, 60]))
def test_the_next_turn_is_the_first_on_the_grid_that_is_not_over(due: float, late: float, step: float) -> None:
    found = next_due(due, due + late, step)
    steps = (found - due) / step

    assert round(steps) == pytest.approx(steps)
    assert found >= due + late - 1e-6
    assert 1 == round(steps) or found - step < due + late


async def test_jobs_are_spread_over_their_interval_and_do_not_drift() -> None:
    diary, schedule = Diary(), Schedule(Counter())
    schedule.apply([diary.job(f"odp-{number}", takes=0.2) for number in range(50)])
    async with running(schedule):
        await asyncio.sleep(3600)

    steady = {name: turns[1:] for name, turns in diary.turns.items()}
    gaps = [later - earlier for turns in steady.values() for earlier, later in itertools.pairwise(turns)]
    assert {60.0} == {round(gap, 6) for gap in gaps}
    places = sorted(turns[0] % 60 for turns in steady.values())
    assert places[-1] - places[0] > 45


async def test_jobs_have_their_turns_on_common_beats() -> None:
    """A thousand targets a second are few turns of the event loop."""
    diary, schedule = Diary(), Schedule(Counter())
    schedule.apply([diary.job(f"odp-{number}", interval=timedelta(seconds=1)) for number in range(300)])
    async with running(schedule):
        await asyncio.sleep(10.5)

    moments = {moment for turns in diary.turns.values() for moment in turns if moment >= 9.5}
    beats = 1 / BEAT_SECONDS
    assert beats - 2 <= len(moments) <= beats + 1
    assert all(round(moment / BEAT_SECONDS) == pytest.approx(moment / BEAT_SECONDS) for moment in moments)
    assert {11, 12} >= {len(turns) for turns in diary.turns.values()}


async def test_a_job_in_trouble_is_done_every_second() -> None:
    diary, schedule = Diary(), Schedule(Counter())
    schedule.apply([diary.job("odp-1", well=False)])
    async with running(schedule):
        await asyncio.sleep(10)

    assert 10 <= len(diary.turns["odp-1"]) <= 11


async def test_a_job_says_itself_how_soon_it_is_done_in_trouble() -> None:
    diary, schedule = Diary(), Schedule(Counter())
    troubled = diary.job("odp-1", well=False)
    schedule.apply([replace(troubled, soon=lambda: timedelta(milliseconds=200))])
    async with running(schedule):
        await asyncio.sleep(10)

    assert 49 <= len(diary.turns["odp-1"]) <= 51


async def test_a_slow_job_misses_turns_that_are_counted_and_is_never_done_twice_at_a_time() -> None:
    missed: Counter[str] = Counter()
    diary, schedule = Diary(), Schedule(missed)
    schedule.apply([diary.job("odp-1", interval=timedelta(seconds=1), takes=2.5)])
    async with running(schedule):
        await asyncio.sleep(31)

    turns = diary.turns["odp-1"]
    assert all(later - earlier >= 2.5 for earlier, later in itertools.pairwise(turns))
    assert {"test": 2 * (len(turns) - 1)} == missed


async def test_an_unexpected_error_is_counted_and_the_job_goes_on() -> None:
    diary, schedule = Diary(), Schedule(Counter())
    schedule.apply([diary.broken_job("odp-1"), diary.job("odp-2")])
    async with running(schedule):
        await asyncio.sleep(5)

    assert len(diary.turns["odp-1"]) == len(diary.broken) >= 5
    assert 1 == len(diary.turns["odp-2"])


async def test_applying_other_jobs_leaves_equal_ones_undisturbed() -> None:
    diary, schedule = Diary(), Schedule(Counter())
    schedule.apply([diary.job("kept"), diary.job("dropped"), diary.job("changed", takes=1)])
    async with running(schedule):
        await asyncio.sleep(5)
        schedule.apply([diary.job("kept"), diary.job("changed", takes=2), diary.job("new")])
        assert not schedule.is_round_done
        await asyncio.sleep(5)

        assert schedule.is_round_done
    assert {"kept": 1, "dropped": 1, "changed": 2, "new": 1} == {
        name: len(turns) for name, turns in diary.turns.items()
    }


async def test_a_hurried_job_is_done_at_once_and_goes_on_from_there() -> None:
    diary, schedule = Diary(), Schedule(Counter())
    schedule.apply([diary.job("odp-1")])
    async with running(schedule):
        await asyncio.sleep(5)
        schedule.hurry("test", "odp-1")
        schedule.hurry("test", "nobody")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert 2 == len(diary.turns["odp-1"])
        await asyncio.sleep(0.1)

    assert 5 == round(diary.turns["odp-1"][1])


async def test_counts_of_missed_turns_only_grow() -> None:
    """Jobs of a kind share a counter, and wait while others count."""
    missed: Counter[str] = Counter()
    diary, schedule = Diary(), Schedule(missed)
    second = timedelta(seconds=1)
    schedule.apply([diary.job("slow", interval=second, takes=5.5), diary.job("quick", interval=second)])
    seen = []
    async with running(schedule):
        for _ in range(300):
            await asyncio.sleep(0.1)
            seen.append(missed["test"])

    assert sorted(seen) == seen
    assert seen[-1] >= 20


async def test_two_hosts_have_their_turns_at_different_times() -> None:
    """Or a fleet that was restarted at once would ask its OCP at once, every minute."""
    diaries = [Diary(), Diary()]
    for diary, seed in zip(diaries, ("host-1", "host-2"), strict=True):
        schedule = Schedule(Counter(), seed)
        schedule.apply([diary.job("ocp")])
        async with running(schedule):
            await asyncio.sleep(200)
    one, other = (turns[1] - turns[0] for turns in (diary.turns["ocp"] for diary in diaries))

    assert one != pytest.approx(other, abs=1)


async def test_who_is_woken_before_his_beat_waits_no_longer() -> None:
    waiter = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(1, waiter.set_result, None)
    await metronome().wait(waiter, asyncio.get_running_loop().time() + 5)

    assert 1 == pytest.approx(asyncio.get_running_loop().time(), abs=0.01)
    await asyncio.sleep(10)  # the beat finds nobody
