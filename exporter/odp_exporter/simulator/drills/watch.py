"""What can go wrong with a pool of ODPs and with the exporter that watches it, by name, and what people must hear."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from odp_exporter.simulator.exporter import Exporter, exporter
from odp_exporter.simulator.fleet import Fleet, Odp

_MEMBERS = 2
_HOST = "127.0.0.1"
_KNOWN = {"rootservice_list": "127.0.0.1:2881", "rootservice_cluster_name": "ob1"}


@dataclass(frozen=True, slots=True)
class Watched:
    """A pool, its address, and an exporter of its own."""

    pool: str
    odps: Sequence[Odp]
    vip: asyncio.Server
    """Where applications connect."""
    exporter: Exporter
    file: Path
    """Its configuration."""

    @property
    def names(self) -> frozenset[str]:
        """The values of labels that say that an alert is about it."""
        return frozenset({self.pool, self.exporter.url.removeprefix("http://"), *(odp.name for odp in self.odps)})

    @property
    def configuration(self) -> str:
        """As it stands in the file."""
        return self.file.read_text(encoding="utf-8")

    def reload(self, configuration: str) -> None:
        """Have the exporter take another *configuration*."""
        self.file.write_text(configuration, encoding="utf-8")
        self.exporter.process.send_signal(signal.SIGHUP)


Strike = Callable[[Watched], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Drill:
    """A fault, and what must come of it."""

    says: str
    """What befalls the pool or its exporter, for people."""
    strike: Strike
    expected: frozenset[str]


@contextlib.asynccontextmanager
async def watched(fleet: Fleet, directory: Path, pool: str, more: str = "") -> AsyncIterator[Watched]:
    """A *pool* that serves under an exporter whose configuration says *more*, in a new *directory*."""
    await asyncio.to_thread(directory.mkdir)
    odps = [await fleet.start_odp(f"{pool}-{number}", options=_KNOWN) for number in range(1, _MEMBERS + 1)]
    async with (
        await _forwarding(odps[0].address) as vip,
        exporter(directory, f"{_configuration(pool, odps, vip)}state_directory: {directory / 'state'}\n{more}") as it,
    ):
        await it.until(lambda metrics: metrics.value("odp_pool_up", pool=pool) == 1)
        await it.until(lambda metrics: all(metrics.state(odp.name) == "serving" for odp in odps))
        yield Watched(pool, odps, vip, it, directory / "odp.yml")


def _configuration(pool: str, odps: Sequence[Odp], vip: asyncio.Server) -> str:
    members = "".join(_naming(pool, odp) for odp in odps)
    return f"odps:\n{members}pools: {{{pool}: {{vip: '{_HOST}:{vip.sockets[0].getsockname()[1]}'}}}}\n"


def _naming(pool: str, odp: Odp) -> str:
    return f"  - {{name: {odp.name}, address: '{_HOST}:{odp.address[1]}', pool: {pool}}}\n"


async def _forwarding(to: tuple[str, int]) -> asyncio.Server:
    """The simplest of all load balancers: everybody gets the one member, one greeting, and a good-bye."""

    async def forward(_: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        reader, writer = await asyncio.open_connection(*to)
        client.write(await reader.read(1000))
        await client.drain()
        writer.close()
        client.close()

    return await asyncio.start_server(forward, _HOST, 0)


async def _lose_member(watched: Watched) -> None:
    watched.odps[-1].kill()


async def _lose_address(watched: Watched) -> None:
    watched.vip.close()


async def _misconfigure(watched: Watched) -> None:
    watched.reload("odps: nobody")


async def _forget_member(watched: Watched) -> None:
    watched.reload(watched.configuration.replace(_naming(watched.pool, watched.odps[-1]), ""))


async def _lose_exporter(watched: Watched) -> None:
    watched.exporter.process.kill()


OF_POOL: Mapping[str, Drill] = {
    "member-lost": Drill("one of two members is killed", _lose_member, frozenset({"OdpDown", "OdpPoolDegraded"})),
    "address-lost": Drill(
        "its address refuses connections", _lose_address, frozenset({"OdpPoolDown", "OdpAvailabilityBurnFast"})
    ),
    "member-forgotten": Drill(
        "one of two members is configured no more", _forget_member, frozenset({"OdpVanished", "OdpPoolDegraded"})
    ),
}
OF_EXPORTER: Mapping[str, Drill] = {
    "misconfigured": Drill("a mistake in its configuration", _misconfigure, frozenset({"OdpExporterReloadFailed"})),
    "exporter-lost": Drill("killed", _lose_exporter, frozenset({"OdpExporterDown"})),
}
DRILLS: Mapping[str, Drill] = {**OF_POOL, **OF_EXPORTER}
"""By the name of the pool."""
