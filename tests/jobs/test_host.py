"""The look at this host, as it is done again and again."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

from odp_exporter.exchange import open_session
from odp_exporter.jobs.host import host_job
from odp_exporter.jobs.means import Means
from odp_exporter.probes.host import HostProbe
from odp_exporter.procfs.history import History
from odp_exporter.sentinel import Sentinel
from odp_exporter.store import Store
from odp_exporter.targets import Address, Target

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
RARELY = timedelta(minutes=1)


async def test_what_the_host_shows_counts_for_as_long_as_it_is_not_looked_at_again() -> None:
    store = Store()
    store.keep(odps=[Target("odp-1", Address("127.0.0.1", 1))], pools=[], ocps=[])
    with closing(History(None)) as history, ThreadPoolExecutor(1) as thread, Sentinel(lambda _: None) as sentinel:
        async with open_session() as session:
            means = Means(
                store=store,
                clock=lambda: NOON,
                session=session,
                host=HostProbe(history),
                host_thread=thread,
                ping_threads=thread,
                hurry=lambda *_: None,
                slots=asyncio.Semaphore(1),
                sentinel=sentinel,
                host_seen=asyncio.Event(),
            )
            await host_job(RARELY, means).run()
    seen = store.odps["odp-1"].host

    assert seen
    assert (True, RARELY) == (seen.is_local, seen.interval)
