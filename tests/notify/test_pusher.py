"""Pushing, against real HTTP servers that behave as Alertmanagers may."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from odp_exporter.notify.alerts import Alert
from odp_exporter.notify.notifier import Notifier
from odp_exporter.notify.pusher import NotifySettings, name_of, pause
from odp_exporter.notify.told import Told
from odp_exporter.observations import GreetingObservation, HostObservation, ProbeResult
from odp_exporter.store import Store
from odp_exporter.targets import Address, Target

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
QUIET = NotifySettings(resend_interval=timedelta(hours=1))
BRISK = NotifySettings(resend_interval=timedelta(milliseconds=100))
Alerts = list[dict[str, Any]]


@dataclass
class Receiver:
    """An Alertmanager that takes what it is given, or behaves as it is told."""

    url: str = ""
    status: int = 200
    mute: bool = False
    received: asyncio.Queue[Alerts] = field(default_factory=asyncio.Queue)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.mute:
            await asyncio.sleep(60)
        self.received.put_nowait(body)
        return web.Response(status=self.status)

    async def next(self) -> Alerts:
        async with asyncio.timeout(30):
            return await self.received.get()

    async def rest(self) -> AsyncIterator[Alerts]:
        """What still comes, until nothing has come for as long as several pushes of a brisk one would take."""
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0.5):
                    alerts = await self.received.get()
                yield alerts


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.add_routes([web.post("/api/v2/alerts", receiver.take)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as it:
        yield it


@pytest.fixture
def store() -> Store:
    it = Store()
    it.keep(odps=[Target("odp-1", Address("192.0.2.11", 2883))], pools=[], ocps=[])
    it.record(HostObservation("odp-1", NOON, is_local=True, is_listening=None))
    it.record(GreetingObservation("odp-1", NOON, ProbeResult.OK))
    return it


Start = Callable[..., Awaitable[Notifier]]


@pytest.fixture
async def start(store: Store) -> AsyncIterator[Start]:
    """Starts a notifier for Alertmanagers at these addresses."""
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        tasks = []

        async def begin(
            *urls: str, settings: NotifySettings = QUIET, clock: Callable[[], datetime] = lambda: NOON
        ) -> Notifier:
            notifier = Notifier(store, session, clock)
            notifier.apply(urls, settings)
            tasks.append(group.create_task(notifier.run()))
            await asyncio.sleep(0.05)
            return notifier

        yield begin
        for task in tasks:
            task.cancel()


def fail(store: Store) -> None:
    store.record(GreetingObservation("odp-1", NOON, ProbeResult.REFUSED))


def recover(store: Store) -> None:
    store.record(GreetingObservation("odp-1", NOON, ProbeResult.OK))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - a tally sets no event
            await asyncio.sleep(0.01)


async def test_a_verdict_is_pushed_at_once(store: Store, start: Start, receiver: Receiver) -> None:
    await start(receiver.url)
    fail(store)
    (alert,) = await receiver.next()

    assert {"alertname": "OdpDown", "odp": "odp-1", "severity": "critical", "remediation": "restart"} == alert["labels"]
    assert NOON == datetime.fromisoformat(alert["startsAt"])
    assert NOON + QUIET.expire_after == datetime.fromisoformat(alert["endsAt"])


async def test_it_is_pushed_again_while_it_lasts_and_not_ended_too_soon(
    store: Store, start: Start, receiver: Receiver
) -> None:
    """Whoever says it is over before Prometheus has seen it makes two outages of one."""
    await start(receiver.url, settings=BRISK)
    fail(store)
    for _ in range(3):
        await receiver.next()
    recover(store)

    async with asyncio.timeout(30):
        async for (alert,) in receiver.rest():
            assert datetime.fromisoformat(alert["endsAt"]) > NOON


async def test_that_it_is_over_is_said_once(store: Store, start: Start, receiver: Receiver) -> None:
    began = time.monotonic()

    def ticking() -> datetime:
        return NOON + timedelta(seconds=time.monotonic() - began)

    await start(receiver.url, settings=replace(QUIET, end_after=timedelta(milliseconds=200)), clock=ticking)
    fail(store)
    (fires,) = await receiver.next()
    recover(store)
    (ends,) = await receiver.next()
    await asyncio.sleep(0.4)

    assert fires["labels"] == ends["labels"]
    assert NOON + timedelta(milliseconds=200) <= datetime.fromisoformat(ends["endsAt"]) <= ticking()
    assert receiver.received.empty()


async def test_a_clock_that_is_set_back_does_not_put_the_end_off(
    store: Store, start: Start, receiver: Receiver
) -> None:
    times = [NOON]
    settings = replace(QUIET, end_after=timedelta(milliseconds=200))
    await start(receiver.url, settings=settings, clock=lambda: times[-1])
    fail(store)
    await receiver.next()
    recover(store)
    times.append(NOON - timedelta(hours=1))
    (ends,) = await receiver.next()

    assert times[-1] == datetime.fromisoformat(ends["endsAt"])


async def test_our_own_fault_ends_nothing_and_what_is_known_again_goes_on(
    store: Store, start: Start, receiver: Receiver
) -> None:
    await start(receiver.url, settings=replace(QUIET, end_after=timedelta(milliseconds=1)))
    fail(store)
    await receiver.next()
    store.record(GreetingObservation("odp-1", NOON, ProbeResult.INTERNAL_ERROR))
    await asyncio.sleep(0.1)
    fail(store)
    (again,) = await receiver.next()

    assert NOON + QUIET.expire_after == datetime.fromisoformat(again["endsAt"])


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 5), (1000, 5)])
def test_an_end_that_cannot_be_told_is_tried_ever_more_rarely(failures: int, seconds: float) -> None:
    down = Alert("OdpDown", "odp-1", None, NOON, "")
    told = Told({down.key: down}, {down.key: timedelta()})

    assert timedelta(seconds=seconds) == pause(told, timedelta(seconds=40), failures, NotifySettings())


async def test_a_host_name_that_cannot_be_is_a_failure_like_others(store: Store, start: Start) -> None:
    """The configuration refuses it; what gets by must not end the exporter."""
    await start("http://alertmanager..example:9093")
    fail(store)
    await until(lambda: store.pushes["alertmanager..example:9093"].errors > 1)


async def test_one_that_is_away_holds_up_no_other_and_is_told_when_it_is_back(
    store: Store, start: Start, receiver: Receiver
) -> None:
    async with receiving() as other:
        other.status = 503
        await start(other.url, receiver.url, settings=BRISK)
        fail(store)
        await receiver.next()
        await other.next()
        other.status = 200
        await other.next()
        await other.next()

    assert store.pushes[name_of(other.url)].errors > 0
    assert store.pushes[name_of(other.url)].sent > 0
    assert 0 == store.pushes[name_of(receiver.url)].errors


@pytest.mark.parametrize("status", [302, 308, 404, 500])
async def test_what_is_no_success_is_none(store: Store, start: Start, receiver: Receiver, status: int) -> None:
    """A proxy that asks for a login has told nobody."""
    receiver.status = status
    await start(receiver.url)
    fail(store)
    await until(lambda: store.pushes[name_of(receiver.url)].errors > 0)

    assert 0 == store.pushes[name_of(receiver.url)].sent


async def test_an_odp_that_was_found_down_is_pushed_as_soon_as_it_is_known_to_be_of_this_host(
    store: Store, start: Start, receiver: Receiver
) -> None:
    store.record(HostObservation("odp-1", NOON, is_local=False))
    await start(receiver.url)
    fail(store)
    store.record(HostObservation("odp-1", NOON, is_local=True))
    (alert,) = await receiver.next()

    assert "OdpDown" == alert["labels"]["alertname"]


async def test_one_that_never_answers_is_given_up_in_time(store: Store, start: Start, receiver: Receiver) -> None:
    receiver.mute = True
    await start(receiver.url, settings=NotifySettings(timeout=timedelta(milliseconds=50)))
    fail(store)
    await until(lambda: store.pushes[name_of(receiver.url)].errors > 0)
    receiver.mute = False

    assert ["OdpDown"] == [alert["labels"]["alertname"] for alert in await receiver.next()]


async def test_nobody_listens_there_is_counted_and_tried_again(store: Store, start: Start) -> None:
    await start("http://127.0.0.1:1")
    fail(store)
    await until(lambda: store.pushes["127.0.0.1:1"].errors > 1)

    assert 0 == store.pushes["127.0.0.1:1"].sent


async def test_a_reload_replaces_whom_it_tells(store: Store, start: Start, receiver: Receiver) -> None:
    async with receiving() as former:
        notifier = await start(former.url)
        notifier.apply((receiver.url,), QUIET)
        await asyncio.sleep(0.05)
        fail(store)
        await receiver.next()

        assert former.received.empty()
    assert {name_of(receiver.url)} == store.pushes.keys()


def test_credentials_in_an_address_stay_out_of_its_name() -> None:
    assert "192.0.2.20:9093" == name_of("http://admin:hunter2@192.0.2.20:9093/prefix")
