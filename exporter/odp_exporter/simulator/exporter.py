"""The real exporter as a process of its own, and its pages as Prometheus would read them.

For the demo, for drills and for tests; it talks to the exporter only as
others do, by its command line, its signals and HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from prometheus_client.parser import text_string_to_metric_families

from . import tied
from .fleet import Odp
from .fleet.ports import free_port

PATIENCE_SECONDS = 25.0
"""How long to wait for what must come; far more than it takes."""
_HOST = "127.0.0.1"

Key = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Metrics:
    """One scrape."""

    page: str
    samples: Mapping[Key, float]

    @classmethod
    def parsed(cls, page: str) -> Self:
        """What *page* says, in the classic text format."""
        every = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
        return cls(page, {(sample.name, frozenset(sample.labels.items())): sample.value for sample in every})

    def value(self, metric: str, **labels: str) -> float | None:
        """The sample with just these labels; None when there is none."""
        return self.samples.get((metric, frozenset(labels.items())))

    def by(self, label: str, metric: str, **labels: str) -> dict[str, float]:
        """The samples that have these labels, by the value of one more *label*."""
        wanted = frozenset(labels.items())
        matching = (
            (dict(has), value) for (name, has), value in self.samples.items() if name == metric and wanted <= has
        )
        return {has[label]: value for has, value in matching}

    def chosen(self, label: str, metric: str, **labels: str) -> str | None:
        """The value of *label* in a state set whose sample is 1."""
        return next((choice for choice, value in self.by(label, metric, **labels).items() if value == 1), None)

    def state(self, odp: str) -> str | None:
        """The state of an ODP."""
        return self.chosen("state", "odp_state", odp=odp)


class ExporterFailed(Exception):
    """The exporter ended, or never came to say what it should; the message has its log."""


class Exporter:
    """A running `odp-exporter run`."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return f"http://{_HOST}:{self.port}"

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def request(self, path: str, *, method: str = "GET", **headers: str) -> tuple[int, str]:
        """Status and body of a page."""
        return await asyncio.to_thread(_requested, Request(self.url + path, method=method, headers=headers))  # noqa: S310 - http, by url()

    async def metrics(self) -> Metrics:
        """One scrape."""
        return Metrics.parsed((await self.request("/metrics"))[1])

    async def until(self, holds: Callable[[Metrics], bool]) -> Metrics:
        """Scrape until it *holds*; ExporterFailed if that never comes."""
        metrics = await self.metrics()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not holds(metrics):
                    await asyncio.sleep(0.05)
                    metrics = await self.metrics()
        if not holds(metrics):
            message = f"waited in vain\n{metrics.page}\n{self.log}"
            raise ExporterFailed(message)
        return metrics

    async def until_state(self, odp: str, state: str) -> Metrics:
        """Scrape until *odp* is in *state*."""
        return await self.until(lambda metrics: metrics.state(odp) == state)

    async def stop(self, *, within_seconds: float = PATIENCE_SECONDS) -> int:
        """SIGTERM; gives the exit status. One that does not heed it is killed, and that is ExporterFailed."""
        if self.process.returncode is None:
            self.process.terminate()
        try:
            async with asyncio.timeout(within_seconds):
                return await self.process.wait()
        except TimeoutError as error:
            self.process.kill()
            await self.process.wait()
            message = f"had to be killed\n{self.log}"
            raise ExporterFailed(message) from error


@contextlib.asynccontextmanager
async def exporter(directory: Path, config: str | None = None, *arguments: str) -> AsyncIterator[Exporter]:
    """Run an exporter with a configuration, or with none, until the context ends; ready when it begins."""
    port, log, file = free_port(_HOST), directory / "exporter.log", directory / "odp.yml"
    if config is not None:
        file.write_text(config, encoding="utf-8")
        arguments = ("--config.file", str(file), *arguments)
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-IS", tied.__file__, str(os.getpid()), sys.executable, "-m", "odp_exporter", "run"),
            *("--web.listen-address", f"{_HOST}:{port}", *arguments),
            stderr=stderr,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends this
        )
    running = Exporter(process, port, log)
    try:
        await _ready(running)
        yield running
    finally:
        await running.stop()


def naming(*odps: Odp, more: str = "") -> str:
    """A configuration that names *odps*, and says *more*."""
    targets = "".join(f"  - {{name: {odp.name}, address: '{odp.address[0]}:{odp.address[1]}'}}\n" for odp in odps)
    return f"odps:\n{targets}{more}"


async def _ready(running: Exporter) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while running.process.returncode is None:
            with contextlib.suppress(URLError):
                status, _ = await running.request("/-/ready")
                if status == 200:  # noqa: PLR2004 - OK
                    return
            await asyncio.sleep(0.02)
    message = f"the exporter ended\n{running.log}"
    raise ExporterFailed(message)


def _requested(request: Request) -> tuple[int, str]:
    try:
        with urlopen(request, timeout=PATIENCE_SECONDS) as reply:  # noqa: S310 - as above
            return reply.status, reply.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()
