"""The real Alertmanager in front: its webhook, its repeats, its silences."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from odp_exporter.remediation.model import Waiting
from odp_exporter.simulator.fleet.ports import free_port

from .rig import TOKEN, Life, Odp, Rig, odps, rig

LABELS = {"alertname": "ODPHung", "odp": "odp-1", "remediation": "restart"}
_CONFIG = """\
route:
  receiver: remediator
  group_by: [alertname, odp]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1s
receivers:
  - name: remediator
    webhook_configs:
      - url: {url}/v1/alertmanager
        send_resolved: true
        http_config: {{authorization: {{credentials: {token}}}}}
"""


@asynccontextmanager
async def alertmanager(program: str, directory: Path, port: int, webhook: str) -> AsyncIterator[str]:
    """One that tells *webhook*; gives its URL."""
    config = directory / "alertmanager.yml"
    config.write_text(_CONFIG.format(url=webhook, token=TOKEN), encoding="ascii")
    url = f"http://127.0.0.1:{port}"
    with (directory / "alertmanager.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(program, f"--config.file={config}", f"--storage.path={directory / 'alertmanager'}"),
            *(f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="),
            stdout=log,
            stderr=log,
        )
    try:
        yield url
    finally:
        process.kill()
        await process.wait()


async def post(made: Rig, url: str, what: object) -> int:
    try:
        async with made.session.post(url, json=what) as reply:
            return reply.status
    except aiohttp.ClientError:
        return 0


@pytest.fixture
async def running() -> AsyncIterator[dict[str, Odp]]:
    async with odps(["odp-1", "odp-2", "odp-3"]) as them:
        yield them


async def test_an_alert_comes_by_webhook_again_and_again_and_is_repaired_once(
    tmp_path: Path, debian: Callable[[str], str], running: dict[str, Odp]
) -> None:
    """Its bearer token, its payload and its repeats are as we read them (S3)."""
    port = free_port("127.0.0.1")
    async with (
        rig(tmp_path, running, alertmanagers=(f"http://127.0.0.1:{port}",)) as made,
        alertmanager(debian("prometheus-alertmanager"), tmp_path, port, made.url) as url,
    ):
        await running["odp-1"].become(Life.DEAD)
        await made.until(lambda: _accepted(made, f"{url}/api/v2/alerts", [{"labels": LABELS}]), seconds=20)
        await made.until(lambda: made.host.restarts)
        await made.until(lambda: _positive(made, 'odp_remediation_webhooks_total{result="accepted"}'), seconds=20)
        await made.until(lambda: _positive(made, 'odp_remediation_webhooks_total{result="duplicate"}'), seconds=20)
        ended = [{"labels": LABELS, "endsAt": datetime.now(UTC).isoformat()}]
        await made.until(lambda: _accepted(made, f"{url}/api/v2/alerts", ended))
        await made.until(lambda: not made.fleet.alerts, seconds=20)

        assert ["odp-1"] == made.host.restarts
        assert "0" == await made.metric('odp_remediation_webhooks_total{result="unauthorized"}')


async def test_a_silence_in_it_means_hands_off(
    tmp_path: Path, debian: Callable[[str], str], running: dict[str, Odp]
) -> None:
    """Made after the alert came in, and asked about at the look (S16)."""
    port, now = free_port("127.0.0.1"), datetime.now(UTC)
    silence = {
        "matchers": [{"name": "odp", "value": "odp-1", "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "ann",
        "comment": "maintenance",
    }
    async with (
        rig(tmp_path, running, alertmanagers=(f"http://127.0.0.1:{port}",)) as made,
        alertmanager(debian("prometheus-alertmanager"), tmp_path, port, made.url) as url,
    ):
        await made.until(lambda: _accepted(made, f"{url}/api/v2/alerts", [{"labels": LABELS}]), seconds=20)
        await made.until(lambda: made.fleet.alerts, seconds=20)
        await made.until(lambda: _accepted(made, f"{url}/api/v2/silences", silence))
        await running["odp-1"].become(Life.SILENT)
        silenced = 'odp_remediation_refusals_total{odp="odp-1",reason="silenced"}'
        await made.until(lambda: _positive(made, silenced), seconds=20)

        assert [] == made.host.restarts
        assert isinstance(made.fleet.stages["odp-1"], Waiting)


async def _accepted(made: Rig, url: str, what: object) -> bool:
    return await post(made, url, what) == 200


async def _positive(made: Rig, line: str) -> bool:
    return await made.metric(line) not in {"", "0"}
