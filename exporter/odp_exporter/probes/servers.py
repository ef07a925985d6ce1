"""Tries whether cached servers accept a TCP connection on their SQL port.

It looks no further, because a login is ODP's business. All ODPs of this host
share what is found, each server is tried at most once per interval, and the
tries are spread over it by a hash of host and server, so that a fleet does
not knock at an OBServer's door in step.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import zip_longest
from typing import Annotated

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from odp_exporter.clock import Clock
from odp_exporter.connecting import NotConnected, connect
from odp_exporter.observations import CacheObservation, ClusterServers, ProbeResult, Server, ServerObservation
from odp_exporter.settings import MIN_INTERVAL, STRICT, Boolean, Duration, PositiveCount, parse_interval
from odp_exporter.targets import Address

SLOTS = 10
"""Parts of the interval over which the tries are spread."""
AT_A_TIME = 16
_Interval = Annotated[timedelta, BeforeValidator(partial(parse_interval, at_least=SLOTS * MIN_INTERVAL))]
"""There must be a turn of the job in every part of it."""
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True, config=STRICT)
class ServerSettings:
    """How cached servers are probed."""

    enabled: Boolean = True
    """Else cached servers are taken for reachable."""
    interval: _Interval = timedelta(minutes=1)
    """No server is tried more often, however many ODPs have it cached."""
    timeout: Duration = timedelta(seconds=1)
    max: PositiveCount = 200
    """Servers that are tried at all; of each cluster some, before any cluster's are all."""

    @property
    def step(self) -> timedelta:
        """From one part of the interval to the next."""
        return self.interval / SLOTS


def chosen(caches: Iterable[CacheObservation], most: int) -> tuple[Server, ...]:
    """The cached servers to try, at *most* so many: the first of each cluster, then the second of each."""
    entries: set[ClusterServers] = {entry for cache in caches for entry in cache.clusters}
    ordered = [sorted(entry.servers) for entry in sorted(entries, key=lambda it: (it.cluster, it.cluster_id or 0))]
    rows = zip_longest(*ordered)
    found = dict.fromkeys(server for row in rows for server in row if server is not None)
    return tuple(found)[:most]


def due(
    servers: Iterable[Server],
    known: Mapping[Server, ServerObservation],
    now: datetime,
    *,
    settings: ServerSettings,
    seed: str,
) -> list[Server]:
    """Those to try *now*: what was never tried, and what has come to its place in the interval since it was."""
    return [
        server
        for server in servers
        if server not in known or _is_due(_place(seed, server), known[server].at, now, settings)
    ]


def _is_due(place: int, then: datetime, now: datetime, settings: ServerSettings) -> bool:
    """Its place has come since it had rested from the try *then*, be it while the job was late for that part."""
    rested = then + settings.interval - settings.step
    if then > now:
        # A clock that was set back must not put the next try off.
        rested = now - settings.step
    first = _EPOCH + place * settings.step
    return (now - first) // settings.interval > (rested - first) // settings.interval


def _place(seed: str, server: Server) -> int:
    return zlib.crc32(f"{seed}/{server.ip}:{server.sql_port}".encode()) % SLOTS


async def try_servers(servers: Collection[Server], *, timeout: timedelta, clock: Clock) -> Sequence[ServerObservation]:
    """One try of each, a few at a time."""
    slots = asyncio.Semaphore(AT_A_TIME)

    async def try_one(server: Server) -> ServerObservation | None:
        async with slots:
            return await _try(server, timeout, clock)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(try_one(it), name=f"server {it.ip}:{it.sql_port}") for it in servers]
    return [seen for task in tasks if (seen := task.result())]


async def _try(server: Server, timeout: timedelta, clock: Clock) -> ServerObservation | None:
    """None if it is our own fault that nothing can be said."""
    try:
        connection = await connect(Address(server.ip, server.sql_port), timeout.total_seconds())
    except NotConnected as error:
        if error.result is ProbeResult.INTERNAL_ERROR:
            return None
        return ServerObservation(server, clock(), is_reachable=False, detail=str(error))
    connection.close()
    return ServerObservation(server, clock(), is_reachable=True)
