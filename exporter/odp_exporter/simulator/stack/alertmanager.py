"""A real Alertmanager: by itself, without a cluster."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from odp_exporter.simulator.fleet.ports import free_port

from .server import HOST, Server, running

Labels = Mapping[str, str]


class Alertmanager:
    """A running Alertmanager."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return self.server.url

    async def alerts(self) -> list[Labels]:
        """The labels of every alert that it would tell somebody: neither silenced nor inhibited."""
        return await self._alerts(silenced="false", inhibited="false")

    async def everything(self) -> list[Labels]:
        """The labels of every alert that it holds, muted or not."""
        return await self._alerts()

    async def received(self) -> list[tuple[Labels, datetime]]:
        """The labels of every alert, and when it was last told of it."""
        alerts = json.loads(await self.server.get("/api/v2/alerts"))
        return [(alert["labels"], datetime.fromisoformat(alert["updatedAt"])) for alert in alerts]

    async def _alerts(self, **wanted: str) -> list[Labels]:
        return [alert["labels"] for alert in json.loads(await self.server.get("/api/v2/alerts", **wanted))]

    async def push(self, *alerts: Labels) -> None:
        """Tell it of *alerts* that fire from now on, as Prometheus would."""
        now = datetime.now(UTC).isoformat()
        await self.server.post("/api/v2/alerts", [{"labels": labels, "startsAt": now} for labels in alerts])

    async def silence(self, label: str, value: str) -> None:
        """Mute whatever has this *value* of *label*, for an hour."""
        now = datetime.now(UTC)
        matcher = {"name": label, "value": value, "isRegex": False, "isEqual": True}
        times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
        silence = {"matchers": [matcher], **times, "createdBy": "operator", "comment": "hands off"}
        await self.server.post("/api/v2/silences", silence)

    async def end_silences(self) -> None:
        """End all of them."""
        for silence in json.loads(await self.server.get("/api/v2/silences")):
            await self.server.delete(f"/api/v2/silence/{silence['id']}")


@contextlib.asynccontextmanager
async def alertmanager(
    directory: Path, config: str, *arguments: str, program: str = "prometheus-alertmanager"
) -> AsyncIterator[Alertmanager]:
    """Run an Alertmanager with *config* and its state in *directory*, until the context ends.

    Several in one directory would share their files; give each its own.
    """
    port, file = free_port(HOST), directory / "alertmanager.yml"
    file.write_text(config, encoding="utf-8")
    command: Iterable[str] = (
        shutil.which(program) or program,
        f"--config.file={file}",
        f"--storage.path={directory / 'alertmanager'}",
        f"--web.listen-address={HOST}:{port}",
        # With its cluster on, the first notification waits 10 s for peers that do not exist.
        "--cluster.listen-address=",
        "--log.level=warn",
        *arguments,
    )
    async with running(list(command), port, ready="/-/ready", log_file=directory / "alertmanager.log") as server:
        yield Alertmanager(server)
