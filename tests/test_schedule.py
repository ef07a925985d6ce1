import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from odp_exporter.schedule import Job, Schedule

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
        await asyncio.sleep(0.51)

        assert schedule.is_round_done
        assert all(1 == len(turns) for turns in diary.turns.values())


async def test_jobs_are_spread_over_their_interval_and_do_not_drift() -> None:
    diary, schedule = Diary(), Schedule(Counter())
    schedule.apply([diary.job(f"odp-{number}", takes=0.2) for number in range(50)])
    async with running(schedule):
        await asyncio.sleep(3600)

    steady = {name: turns[2:] for name, turns in diary.turns.items()}
    gaps = [later - earlier for turns in steady.values() for earlier, later in itertools.pairwise(turns)]
    assert {60.0} == {round(gap, 6) for gap in gaps}
    places = sorted(turns[0] % 60 for turns in steady.values())
    assert places[-1] - places[0] > 45


async def test_a_job_in_trouble_is_done_every_second() -> None:
    diary, schedule = Diary(), Schedule(Counter())
    schedule.apply([diary.job("odp-1", well=False)])
    async with running(schedule):
        await asyncio.sleep(10)

    assert 10 <= len(diary.turns["odp-1"]) <= 11


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
