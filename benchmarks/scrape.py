"""What a scrape costs, by number of targets: `python -m benchmarks.scrape`.

No exporter runs: a collector over a store that is filled with observations,
as the event loop of one would render it. Processor time, so that a busy
machine does not count.
"""

from __future__ import annotations

import asyncio
import gzip
import math
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from odp_exporter.exposition.collector import Collector, Situation
from odp_exporter.exposition.web import rendered
from odp_exporter.metrics.rendering import Format, parts
from odp_exporter.observations import (
    CacheFile,
    CacheFileObservation,
    CacheObservation,
    CacheResult,
    ClusterServers,
    Endpoint,
    EndpointObservation,
    GreetingObservation,
    HostObservation,
    Identity,
    OcpObservation,
    OcpResult,
    Phase,
    ProbeResult,
    Process,
    Server,
    ServerObservation,
)
from odp_exporter.procfs import parameters
from odp_exporter.store import Store
from odp_exporter.targets import Address, Ocp, Target

from benchmarks import page

COUNTS = (1, 100, 1_000, 10_000)
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SCRAPE_INTERVAL = timedelta(seconds=15)
PROBES = 20
URL = "http://192.0.2.10:8080/services?Action=GetObProxyConfig"
SERVERS = tuple(Server(f"10.0.0.{number}", 2881) for number in (1, 2, 3))


class Fleet:
    """Targets that have been probed; if they are local, their processes and caches have been seen as well."""

    def __init__(self, targets: int, *, is_local: bool) -> None:
        self.is_local = is_local
        self.now = NOW
        self.names = [f"odp-{number:05}" for number in range(targets)]
        self.store = Store()
        self.store.keep(
            odps=[Target(name, Address(f"192.0.2.{n % 250}", 2883), pool="trade") for n, name in enumerate(self.names)],
            pools=[],
            ocps=[Ocp("ocp", URL)] if is_local else [],
        )
        for _ in range(PROBES):
            self.go_on()

    def collector(self) -> Collector:
        seconds = timedelta(seconds=1)
        situation = Situation(seconds, seconds, seconds, NOW, servers_interval=seconds)
        return Collector(self.store, situation, lambda: self.now)

    def go_on(self) -> None:
        """Time passes until the next scrape: every target is probed and looked at anew."""
        self.now += SCRAPE_INTERVAL
        for number, name in enumerate(self.names):
            self.store.record(greeting(name, number, self.now))
            if self.is_local:
                self.store.record(host(name, number, self.now))
                self.store.record(cache(name, self.now))
        if self.is_local:
            self.store.record(ocp(self.now))
            for server in SERVERS:
                self.store.record(ServerObservation(server, self.now, is_reachable=True))


def busy(number: int, now: datetime) -> int:
    """A number from 0 to 19 that is another one for each target and at each time."""
    return (number + round((now - NOW) / SCRAPE_INTERVAL) * 7) % PROBES


def greeting(name: str, number: int, now: datetime) -> GreetingObservation:
    turn = busy(number, now)
    took = {Phase.CONNECT: 0.000103 * turn, Phase.GREETING: 0.000707 * turn}
    return GreetingObservation(name, now, ProbeResult.OK, took, "", "5.6.25")


def host(name: str, number: int, now: datetime) -> HostObservation:
    turn = busy(number, now)
    process = Process(
        identity=Identity("boot", 4711, 4711, "/opt/obproxy/bin/obproxy"),
        started=NOW - timedelta(days=1),
        parent=1,
        state="S",
        arguments=("bin/obproxy",),
        home=Path("/opt/obproxy"),
        resident_bytes=157_286_400 + 4096 * turn,
        cpu_seconds=(now - NOW).total_seconds() / 10 + number / 100,
        threads=32,
        open_fds=101 + turn,
        max_fds=655_350,
    )
    return HostObservation(
        target=name,
        at=now,
        is_local=True,
        processes=(process,),
        is_listening=True,
        accept_queue=0,
        client_connections=17 + turn,
        home=Path("/opt/obproxy"),
        version="4.3.1.0",
        parameters=parameters.merged({}, {parameters.CONFIG_SERVER_URL: URL}, "etc/proxyconfig_v1.db"),
    )


def cache(name: str, now: datetime) -> CacheObservation:
    files = tuple(CacheFileObservation(file, CacheResult.OK, modified=NOW) for file in CacheFile)
    clusters = (ClusterServers("trade", 1, frozenset(SERVERS)),)
    return CacheObservation(name, now, files=files, clusters=clusters, config_clusters=("trade",))


def ocp(now: datetime) -> OcpObservation:
    replies = [
        EndpointObservation(endpoint, OcpResult.OK, 200, 0.004) for endpoint in (Endpoint.VERSION, Endpoint.CONFIG)
    ]
    replies.append(EndpointObservation(Endpoint.RS_LIST, OcpResult.OK, 200, 0.004, cluster="trade"))
    lists = (ClusterServers("trade", 1, frozenset(SERVERS)),)
    return OcpObservation("ocp", now, tuple(replies), clusters=("trade",), rs_lists=lists)


def slices(it: Collector) -> Iterator[float]:
    """Seconds of the event loop that each bit takes between which others have their turn."""
    blocks = parts(it.blocks(), Format.TEXT)
    while True:
        began = time.thread_time()
        if next(blocks, None) is None:
            return
        yield time.thread_time() - began


def scrapes(fleet: Fleet, rounds: int) -> Iterator[tuple[float, float, bytes]]:
    """Of each scrape the seconds of the event loop, the longest stretch of another like it, and the page."""
    it = fleet.collector()
    asyncio.run(rendered(it.blocks(), Format.TEXT))  # what is remembered of lines is made at a first scrape
    for _ in range(rounds):
        fleet.go_on()
        began = time.thread_time()
        made = asyncio.run(rendered(it.blocks(), Format.TEXT))
        took = time.thread_time() - began
        fleet.go_on()
        yield took, max(slices(it)), b"".join(made)


def measured(targets: int, *, is_local: bool) -> list[str]:
    rounds = max(3, min(50, 20_000 // targets))
    took, longest, pages = zip(*scrapes(Fleet(targets, is_local=is_local), rounds), strict=True)
    median, whole = statistics.median(took), pages[-1]
    GROWTH.setdefault(is_local, []).append((targets, median))
    return [
        f"{targets:,}" + (", of this host" if is_local else ""),
        f"{samples(whole):,}",
        f"{median * 1e3:.1f} ms",
        f"{statistics.median(longest) * 1e3:.1f} ms",
        f"{len(whole) / 1024:,.0f} KiB",
        f"{len(gzip.compress(whole, 6)) / 1024:,.0f} KiB",
    ]


GROWTH: dict[bool, list[tuple[int, float]]] = {}


def samples(whole: bytes) -> int:
    return sum(not line.startswith(b"#") for line in whole.splitlines())


def growth(*, is_local: bool) -> str:
    """The exponent of time over targets, between the two largest fleets."""
    (few, fast), (many, slow) = GROWTH[is_local][-2:]
    return f"targets to the power of {math.log(slow / fast) / math.log(many / few):.2f}"


def text() -> str:
    rows = [measured(targets, is_local=False) for targets in COUNTS]
    rows += [measured(targets, is_local=True) for targets in COUNTS[:-1]]
    head = ("targets", "samples", "event loop", "at a stretch", "bytes", "gzip")
    return f"""\
Processor time in which the event loop renders `/metrics`, all of it and the longest stretch between which probes have
their turn; medians. Targets elsewhere have what greetings tell, those of the exporter's own host all that there is.
Between two scrapes {SCRAPE_INTERVAL.seconds} s go by, in which every target is greeted again and takes another time.
On this host each process is looked at again as well, and has used more CPU time and other memory, files and clients;
caches, their servers and OCP are looked at again and are as they were.

{page.table(head, rows)}

It grows as {growth(is_local=False)}, for targets of this host as {growth(is_local=True)}. {page.machine()}
"""


if __name__ == "__main__":
    said = text()
    print(said)
    page.write("scrape", said)
