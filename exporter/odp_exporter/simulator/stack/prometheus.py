"""A real Prometheus: what it is told to scrape and to evaluate, and what it then knows."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from odp_exporter.simulator.fleet.ports import free_port

from .server import HOST, Server, running

RESEND_DELAY = "5s"
"""An Alertmanager that was away is told again so soon; Prometheus' own default is a minute."""
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """A scrape job."""

    name: str
    targets: Sequence[str]
    """URLs `http://host:port`, or `host:port`."""
    interval: str = "1s"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that Prometheus holds."""

    labels: Labels
    state: str
    """pending or firing."""

    @property
    def name(self) -> str:
        """Its `alertname`."""
        return self.labels["alertname"]


class Prometheus:
    """A running Prometheus."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return self.server.url

    async def query(self, expression: str) -> list[tuple[Labels, float]]:
        """The instant vector of *expression*; a scalar has no labels."""
        answer = json.loads(await self.server.get("/api/v1/query", query=expression))["data"]
        if answer["resultType"] == "scalar":
            return [({}, float(answer["result"][1]))]
        return [(series["metric"], float(series["value"][1])) for series in answer["result"]]

    async def alerts(self) -> list[Alert]:
        """Every pending and every firing alert."""
        answer = json.loads(await self.server.get("/api/v1/alerts"))
        return [Alert(alert["labels"], alert["state"]) for alert in answer["data"]["alerts"]]


def watching(
    *jobs: Job, rules: Iterable[Path] = (), alertmanagers: Iterable[str] = (), evaluation_interval: str = "1s"
) -> str:
    """A configuration: scrape *jobs*, evaluate *rules* files, tell the *alertmanagers* at these URLs."""
    document = {
        "global": {"evaluation_interval": evaluation_interval},
        "rule_files": [str(file.resolve()) for file in rules],
        "scrape_configs": [_scraping(job) for job in jobs],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [_host_of(url) for url in alertmanagers]}]}]},
    }
    return json.dumps(document, indent=1)  # JSON is YAML


@contextlib.asynccontextmanager
async def prometheus(
    directory: Path, config: str, *, program: str = "prometheus", resend_delay: str = RESEND_DELAY
) -> AsyncIterator[Prometheus]:
    """Run a Prometheus with *config*, its storage in *directory*, until the context ends."""
    port, file = free_port(HOST), directory / "prometheus.yml"
    file.write_text(config, encoding="utf-8")
    command = [
        shutil.which(program) or program,
        f"--config.file={file}",
        f"--storage.tsdb.path={directory / 'prometheus'}",
        f"--web.listen-address={HOST}:{port}",
        f"--rules.alert.resend-delay={resend_delay}",
        "--log.level=warn",
    ]
    async with running(command, port, ready="/-/ready", log_file=directory / "prometheus.log") as server:
        yield Prometheus(server)


def _scraping(job: Job) -> Mapping[str, object]:
    return {
        "job_name": job.name,
        "scrape_interval": job.interval,
        "scrape_timeout": job.interval,
        "static_configs": [{"targets": [_host_of(target) for target in job.targets]}],
    }


def _host_of(url: str) -> str:
    return urlsplit(url).netloc or url
