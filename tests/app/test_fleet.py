"""Some hundred ODPs from one exporter: each in its turn, none in a burst, and what is missed is told."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from odp_exporter.simulator.exporter import Exporter, exporter
from odp_exporter.simulator.odp.packets import greeting

ODPS = 300
MUTE = "127.1.0.1"
INTERVAL = 1.0
WATCHED_SECONDS = 8.0
UNCOUNTED = 3.0
"""Turns of one ODP that may be under way at either end."""
CONFIG = (
    "probe: {interval: 1s, timeout: 1s}\nprocess: {interval: 1h, queue_interval: 1h}\ncache: {interval: 1h}\n"
    "discovery: {enabled: false}\n"
)


class Odps:
    """Whoever connects to any address of loopback is greeted, and noted; the first address is mute."""

    def __init__(self) -> None:
        self.port = 0
        self.came: defaultdict[str, list[float]] = defaultdict(list)
        self.mute: list[asyncio.StreamWriter] = []

    @property
    def config(self) -> str:
        names = (f"127.1.{number // 200}.{number % 200 + 1}" for number in range(ODPS))
        return "odps:\n" + "".join(f"  - address: {name}:{self.port}\n" for name in names) + CONFIG

    async def serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        self.came[host].append(time.monotonic())
        if host == MUTE:
            self.mute.append(writer)
        else:
            writer.write(greeting(1))
            writer.close()


@pytest.fixture
async def odps() -> AsyncIterator[Odps]:
    it = Odps()
    server = await asyncio.start_server(it.serve, "0.0.0.0", 0, backlog=1000)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        for writer in it.mute:
            writer.transport.abort()


async def tally(it: Exporter) -> tuple[float, float]:
    """Probes, and turns that were missed."""
    # Not parsed as a whole: that takes seconds, in which the targets would not answer.
    _, page = await it.request("/metrics")
    probes = re.findall(r"^odp_probes_total\{.*\} (\S+)", page, re.MULTILINE)
    missed = re.findall(r'^odp_exporter_probe_overruns_total\{probe="greeting"\} (\S+)', page, re.MULTILINE)
    return sum(map(float, probes)), sum(map(float, missed))


@dataclass(frozen=True, slots=True)
class Watched:
    """What was done in a while, whose length is known as well as a busy machine allows."""

    at_least: float
    at_most: float
    probes: float
    missed: float

    @property
    def turns(self) -> float:
        return self.probes + self.missed


async def watched(it: Exporter) -> Watched:
    before = time.monotonic()
    probes, missed = await tally(it)
    began = time.monotonic()
    await asyncio.sleep(WATCHED_SECONDS)
    ended = time.monotonic()
    more_probes, more_missed = await tally(it)
    return Watched(ended - began, time.monotonic() - before, more_probes - probes, more_missed - missed)


def tenth_of(times: list[float]) -> int:
    """The tenth of a second in which one has its turns: most of them, as some come late."""
    return Counter(int(moment * 10) % 10 for moment in times).most_common(1)[0][0]


async def test_every_turn_of_a_fleet_is_taken_or_counted_as_missed(odps: Odps, tmp_path: Path) -> None:
    """Nothing drifts: as many turns as there were intervals, whatever else the machine has to do."""
    async with exporter(tmp_path, odps.config + f"state_directory: {tmp_path / 'state'}\n") as it:
        await asyncio.sleep(2 * INTERVAL)
        odps.came.clear()
        seen = await watched(it)
        tenths = Counter(map(tenth_of, odps.came.values()))

    # The mute one is waited for to the end of its interval, and misses turns. At both ends one may be under way,
    # and where the machine is busy several be missed that are not counted yet.
    assert ODPS * (seen.at_least - UNCOUNTED) <= seen.turns <= ODPS * (seen.at_most + UNCOUNTED)
    assert seen.missed >= 1
    # Spread by a hash: no tenth of a second has a third of them.
    assert max(tenths.values()) < ODPS / 3
    assert 10 == len(tenths)
