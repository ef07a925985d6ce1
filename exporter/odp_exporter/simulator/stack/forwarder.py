"""Stands in for Alertmanager where none is installed: what is pushed to it, it hands on as a webhook of version 4.

It takes alerts as Alertmanager's API does, tells the webhook at once, and
answers who asks what fires. It has no routes, no groups and no silences.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from .server import HOST

SWEEP_SECONDS = 0.5
"""How often alerts are looked through for those that have ended."""
_TIMEOUT = aiohttp.ClientTimeout(total=5)
RECEIVER = "remediator"


@dataclass(slots=True)
class Forwarder:
    """A running one."""

    webhook: str
    token: str
    url: str = ""
    """`http://host:port`."""
    _alerts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """What fires, by the fingerprint of its labels."""

    async def take(self, request: web.Request) -> web.Response:
        """`POST /api/v2/alerts`: what is new is told at once."""
        news = []
        for pushed in await request.json():
            alert = _alert(pushed)
            if alert["fingerprint"] not in self._alerts:
                news.append(alert)
            self._alerts[alert["fingerprint"]] = {**alert, **_began(self._alerts.get(alert["fingerprint"]))}
        await self._tell(news, "firing")
        return web.Response()

    async def show(self, _: web.Request) -> web.Response:
        """`GET /api/v2/alerts`: what fires, none of it silenced."""
        status = {"state": "active", "silencedBy": [], "inhibitedBy": []}
        shown = [{**alert, "status": status, "receivers": [{"name": RECEIVER}]} for alert in self._alerts.values()]
        return web.json_response(shown)

    async def received(self) -> list[tuple[Mapping[str, str], datetime]]:
        """The labels of every alert, and when it was last told of it."""
        return [(alert["labels"], datetime.fromisoformat(alert["updatedAt"])) for alert in self._alerts.values()]

    async def sweep(self) -> None:
        """Tell of what has ended, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = datetime.now(UTC)
            ended = {key: it for key, it in self._alerts.items() if datetime.fromisoformat(it["endsAt"]) <= now}
            for key in ended:
                del self._alerts[key]
            await self._tell(ended.values(), "resolved")

    async def _tell(self, alerts: Iterable[Mapping[str, Any]], status: str) -> None:
        """One message for each alert; one that is lost is found by whoever asks."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT) as session:
            for alert in alerts:
                body = {"version": "4", "receiver": RECEIVER, "status": status, "alerts": [{**alert, "status": status}]}
                with contextlib.suppress(OSError, aiohttp.ClientError, TimeoutError):
                    async with session.post(self.webhook, json=body):
                        pass


@contextlib.asynccontextmanager
async def forwarder(webhook: str, *, token: str) -> AsyncIterator[Forwarder]:
    """Take alerts on a free port of loopback and tell *webhook*, until the context ends."""
    it = Forwarder(webhook, token)
    app = web.Application()
    app.router.add_post("/api/v2/alerts", it.take)
    app.router.add_get("/api/v2/alerts", it.show)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        host, port = runner.addresses[0][:2]
        it.url = f"http://{host}:{port}"
        async with asyncio.TaskGroup() as group:
            sweeping = group.create_task(it.sweep(), name="sweep")
            try:
                yield it
            finally:
                sweeping.cancel()
    finally:
        await runner.cleanup()


def _alert(pushed: Mapping[str, Any]) -> dict[str, Any]:
    labels = pushed["labels"]
    key = hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]
    now = datetime.now(UTC).isoformat()
    return {
        "fingerprint": key,
        "labels": labels,
        "annotations": pushed.get("annotations", {}),
        "startsAt": pushed.get("startsAt", now),
        "updatedAt": now,
        "endsAt": pushed["endsAt"],
    }


def _began(known: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {"startsAt": known["startsAt"]} if known else {}
