"""Clients: they connect through the load balancers and stay a while, and some log in to a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable

import pymysql
from odp_exporter.simulator.fleet import Odp

CLUSTERS = ("trade", "pay")
_PATIENCE_SECONDS = 3.0


async def come_and_go(host: str, port: int, *, people: int, dice: random.Random) -> None:
    """So many *people* connect at that address, stay for seconds, and come again; for ever."""
    async with asyncio.TaskGroup() as group:
        for number in range(people):
            group.create_task(_one(host, port, dice), name=f"client {number} of {port}")


async def _one(host: str, port: int, dice: random.Random) -> None:
    while True:
        await asyncio.sleep(dice.uniform(0, 1))
        with contextlib.suppress(OSError):
            await _stay(host, port, dice.uniform(2, 6))


async def _stay(host: str, port: int, seconds: float) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(1024):
                pass
    finally:
        writer.transport.abort()


async def keep_logging_in(odp: Odp, *, every_seconds: float) -> None:
    """Somebody logs in through *odp* again and again; for ever."""
    while True:
        await asyncio.to_thread(log_in, odp, CLUSTERS)
        await asyncio.sleep(every_seconds)


def log_in(odp: Odp, clusters: Iterable[str]) -> None:
    """One login to each of *clusters*: only then does ODP cache them (odp-facts 2.4). It is refused; none is there."""
    host, port = odp.address
    for cluster in clusters:
        with contextlib.suppress(pymysql.Error):
            pymysql.connect(
                host=host,
                port=port,
                user=f"app@sys#{cluster}",
                connect_timeout=int(_PATIENCE_SECONDS),
                read_timeout=_PATIENCE_SECONDS,
            ).close()
