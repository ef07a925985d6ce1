"""The real remediator as a process of its own, which may be killed and started again; spoken to as people do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from odp_exporter.simulator import tied
from odp_exporter.simulator.exporter import Metrics

from .server import HOST, READY_SECONDS, end

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of a look-alike's repairer
WEBHOOK = "/v1/alertmanager"
_OK = 200
_HISTORY = 1000
"""Records that are asked for at most."""


class RemediatorFailed(Exception):
    """It ended, never came to act, or refused an order; the message has its log or its answer."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One line of its history."""

    at: datetime
    odp: str
    action: str
    outcome: str
    reason: str
    detail: str


class Remediator:
    """An `odp-remediator run`."""

    def __init__(self, directory: Path, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return (self._directory / "remediator.log").read_text(encoding="utf-8", errors="replace")

    async def start(self) -> None:
        """Start it, and wait until it acts."""
        with (self._directory / "remediator.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-IS", tied.__file__, str(os.getpid())),
                *(sys.executable, "-m", "odp_exporter.remediator_cli", "run"),
                *("--config.file", str(self._directory / "remediator.yml")),
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the owner, which then ends this
            )
        await self._ready(self._process)

    async def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, if it runs."""
        if self._process is not None:
            await end(self._process)

    async def metrics(self) -> Metrics:
        """One scrape."""
        async with _session() as session, session.get(f"{self.url}/metrics") as reply:
            return Metrics.parsed(await reply.text())

    async def status(self) -> Mapping[str, Mapping[str, Any]]:
        """What it believes of each ODP."""
        return {each["odp"]: each for each in (await self._get("/v1/status"))["odps"]}

    async def stage(self, odp: str) -> str:
        """Where the repair of *odp* stands."""
        return str((await self.status())[odp]["stage"])

    async def history(self, odp: str = "") -> list[Recorded]:
        """What it decided and did, oldest first; of all ODPs, or of one."""
        records = (await self._get(f"/v1/history?limit={_HISTORY}&odp={odp}"))["records"]
        return [_recorded(each) for each in reversed(records)]

    async def done(self, odp: str, *actions: str) -> int:
        """How often any of *actions* was done to *odp*."""
        return sum(each.action in actions and each.outcome == "done" for each in await self.history(odp))

    async def refusals(self, odp: str) -> list[str]:
        """For what reasons something was refused, in order."""
        return [each.reason for each in await self.history(odp) if each.outcome == "refused"]

    async def pause(self, scope: str, name: str, why: str) -> None:
        """As `odp-remediator pause` does."""
        await self._order("/v1/pause", {"scope": scope, "name": name, "reason": why, "who": "operator"})

    async def resume(self, scope: str, name: str, why: str) -> None:
        """As `odp-remediator resume` does."""
        await self._order("/v1/resume", {"scope": scope, "name": name, "reason": why, "who": "operator"})

    async def _get(self, path: str) -> Any:  # noqa: ANN401 - a page, whatever it says
        async with _session() as session, session.get(self.url + path) as reply:
            if reply.status != _OK:
                raise RemediatorFailed(await reply.text())
            return await reply.json()

    async def _order(self, path: str, order: Mapping[str, str]) -> None:
        async with _session() as session, session.post(self.url + path, json=order) as reply:
            if reply.status != _OK:
                raise RemediatorFailed(await reply.text())

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while process.returncode is None:
                    if await self._is_ready():
                        return
                    await asyncio.sleep(0.02)
        message = f"never ready, exit status {process.returncode}\n{self.log}"
        raise RemediatorFailed(message)

    async def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, aiohttp.ClientError):
            async with _session() as session, session.get(f"{self.url}/-/ready") as reply:
                return reply.status == _OK
        return False


@contextlib.asynccontextmanager
async def remediator(directory: Path, port: int, config: str) -> AsyncIterator[Remediator]:
    """Run one with *config* and its token in *directory*, until the context ends."""
    (directory / "remediator.yml").write_text(config, encoding="utf-8")
    running = Remediator(directory, port)
    try:
        await running.start()
        yield running
    finally:
        await running.stop()


def _recorded(each: Mapping[str, Any]) -> Recorded:
    at = datetime.fromisoformat(each["at"])
    return Recorded(at, each["odp"], each["action"], each["outcome"], each["reason"], each["detail"])


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"})
