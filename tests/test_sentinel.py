from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from odp_exporter.observations import HostObservation, Identity, Process
from odp_exporter.sentinel import Sentinel

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def seen(*pids: int, target: str = "odp-1") -> HostObservation:
    return HostObservation(target, NOON, is_local=True, processes=tuple(process(pid) for pid in pids))


def process(pid: int) -> Process:
    return Process(Identity("boot", pid, 1, "obproxy"), NOON, 1, "S", (), None, 0, 0.0, 1, None, None)


@pytest.fixture
def alarms() -> asyncio.Queue[str]:
    return asyncio.Queue()


@pytest.fixture
async def sentinel(alarms: asyncio.Queue[str]) -> AsyncIterator[Sentinel]:
    with Sentinel(alarms.put_nowait) as it:
        yield it


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "60"]) as running:
        yield running
        running.kill()


async def test_the_end_of_a_process_is_told_at_once(
    sentinel: Sentinel, alarms: asyncio.Queue[str], sleeper: subprocess.Popen[bytes]
) -> None:
    sentinel.guard(seen(sleeper.pid))
    sleeper.kill()
    async with asyncio.timeout(10):
        told = await alarms.get()

    assert "odp-1" == told


@pytest.mark.parametrize("forget", ["guard", "keep"])
async def test_a_process_that_is_no_longer_of_interest_ends_unnoticed(
    sentinel: Sentinel, alarms: asyncio.Queue[str], sleeper: subprocess.Popen[bytes], forget: str
) -> None:
    sentinel.guard(seen(sleeper.pid))
    if forget == "guard":
        sentinel.guard(seen())
    else:
        sentinel.keep(["odp-2"])
    sleeper.kill()
    await asyncio.to_thread(sleeper.wait, 10)
    await asyncio.sleep(0.1)

    assert alarms.empty()


async def test_a_process_that_is_gone_already_is_left_to_the_next_look(
    sentinel: Sentinel, alarms: asyncio.Queue[str], sleeper: subprocess.Popen[bytes]
) -> None:
    sleeper.kill()
    sleeper.wait(10)
    sentinel.guard(seen(sleeper.pid))

    assert alarms.empty()


async def test_clients_that_wait_for_two_looks_are_told_once(sentinel: Sentinel, alarms: asyncio.Queue[str]) -> None:
    sentinel.weigh({"odp-1": 3}, 0.0)
    assert not sentinel.is_doubted("odp-1")
    for now in (1.0, 3.0, 5.0):
        sentinel.weigh({"odp-1": 1, "odp-2": 0}, now)

    assert ["odp-1"] == [alarms.get_nowait() for _ in range(alarms.qsize())]
    assert sentinel.is_doubted("odp-1")
    assert not sentinel.is_doubted("odp-2")


async def test_a_first_client_that_waits_is_worth_another_look(sentinel: Sentinel) -> None:
    wondering = [sentinel.is_wondering]
    for waiting in (1, 1, 0):
        sentinel.weigh({"odp-1": waiting}, 0.0)
        wondering.append(sentinel.is_wondering)

    assert [False, True, False, False] == wondering


async def test_an_empty_queue_dispels_the_doubt(sentinel: Sentinel, alarms: asyncio.Queue[str]) -> None:
    for waiting in (1, 0, 1, 0):
        sentinel.weigh({"odp-1": waiting}, 0.0)

    assert alarms.empty()
    assert not sentinel.is_doubted("odp-1")


async def test_waves_of_clients_are_told_once_a_second(sentinel: Sentinel, alarms: asyncio.Queue[str]) -> None:
    """A busy ODP that is well pays for each alarm with a greeting."""
    told = []
    for now in (10.0, 10.3, 10.6, 10.9, 11.2, 11.5):
        for waiting in (1, 1, 0):
            sentinel.weigh({"odp-1": waiting}, now)
        told.append(alarms.qsize())

    assert [1, 1, 1, 1, 2, 2] == told


async def test_an_alarm_that_would_come_too_soon_is_given_later(sentinel: Sentinel, alarms: asyncio.Queue[str]) -> None:
    """Unless nobody waits any more: what hangs must be found however well it was just now."""
    told = []
    for now, waiting in ((10.0, 1), (10.1, 1), (10.2, 0), (10.4, 1), (10.6, 1), (10.9, 1), (11.2, 1), (11.4, 1)):
        sentinel.weigh({"odp-1": waiting}, now)
        told.append(alarms.qsize())

    assert [0, 1, 1, 1, 1, 1, 2, 2] == told
