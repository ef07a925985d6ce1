"""How soon an ODP that does not greet is greeted again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from odp_exporter.jobs.greeting import VERY_SOON, greeting_job
from odp_exporter.jobs.means import Means
from odp_exporter.observations import GreetingObservation, HostObservation, ProbeResult
from odp_exporter.probes.greeting import GreetingSettings
from odp_exporter.probes.host import HostProbe
from odp_exporter.procfs.history import History
from odp_exporter.schedule import TROUBLE_INTERVAL
from odp_exporter.sentinel import Sentinel
from odp_exporter.store import Store
from odp_exporter.targets import Address, Target

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
TARGET = Target("odp-1", Address("127.0.0.1", 2883))
SILENT, REFUSED = ProbeResult.GREETING_TIMEOUT, ProbeResult.REFUSED


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.mark.parametrize(
    ("results", "is_local", "soon"),
    [
        ((), True, TROUBLE_INTERVAL),
        ((REFUSED,), True, VERY_SOON),
        ((REFUSED,), False, TROUBLE_INTERVAL),
        ((SILENT,), True, TROUBLE_INTERVAL),
        ((SILENT, SILENT), True, VERY_SOON),
        ((SILENT, SILENT), False, VERY_SOON),
        ((SILENT, SILENT, SILENT), True, TROUBLE_INTERVAL),
        ((SILENT, SILENT, SILENT, SILENT), True, TROUBLE_INTERVAL),
    ],
)
async def test_very_soon_where_that_costs_little_and_much_depends_on_it(
    threads: ThreadPoolExecutor, results: tuple[ProbeResult, ...], *, is_local: bool, soon: timedelta
) -> None:
    """A closed port costs ODP nothing; one that was called hung just now may only have paused."""
    store = Store()
    store.keep(odps=[TARGET], pools=[], ocps=[])
    store.record(HostObservation(TARGET.name, NOON, is_local=is_local, processes=(), is_listening=True))
    for result in results:
        store.record(GreetingObservation(TARGET.name, NOON, result))
    async with aiohttp.ClientSession() as session:
        with Sentinel(lambda _: None) as sentinel:
            means = Means(
                store=store,
                clock=lambda: NOON,
                session=session,
                host=HostProbe(History(None)),
                host_thread=threads,
                ping_threads=threads,
                hurry=lambda _kind, _name: None,
                slots=asyncio.Semaphore(1),
                sentinel=sentinel,
                host_seen=asyncio.Event(),
            )

            assert soon == greeting_job(TARGET, GreetingSettings(), means).soon()
