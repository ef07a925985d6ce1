"""Lost webhooks and silences: what Alertmanager's own API says (S7, S16)."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from odp_exporter.clock import wall_clock
from odp_exporter.remediation import alertmanagers
from odp_exporter.remediation.alertmanagers import Alertmanagers
from odp_exporter.remediation.model import Waiting
from odp_exporter.remediation.payload import Scope

from .payloads import alert, body
from .rig import Life, Odp, odps, rig

SCOPE = Scope(frozenset({"odp-1", "odp-2"}), frozenset({"remediator"}))


@dataclass
class Fake:
    """An Alertmanager's API, with the alerts that a test puts there."""

    alerts: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    text: str | None = None
    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.Response:
        """Give the alerts."""
        self.asked.append(request.query_string)
        if self.text is not None:
            return web.Response(text=self.text, content_type="application/json")
        return web.json_response(self.alerts, status=self.status)


@asynccontextmanager
async def fake(*alerts: dict[str, Any]) -> AsyncIterator[Fake]:
    made, app = Fake(list(alerts)), web.Application()
    app.router.add_get("/am/api/v2/alerts", made.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/am"
        yield made
    finally:
        await runner.cleanup()


def seen(odp: str = "odp-1", *, state: str = "active", **labels: str) -> dict[str, Any]:
    """An alert as GET /api/v2/alerts gives it."""
    return alert(odp, **labels) | {"status": {"state": state, "silencedBy": [], "inhibitedBy": []}}


@pytest.fixture
async def running() -> AsyncIterator[dict[str, Odp]]:
    async with odps(["odp-1", "odp-2", "odp-3"]) as them:
        yield them


async def test_a_lost_webhook_is_made_up_for(tmp_path: Path, running: dict[str, Odp]) -> None:
    """Nothing was ever posted; and once it has ended everywhere, it ends here."""
    await running["odp-1"].become(Life.DEAD)
    async with fake(seen()) as one, fake() as two, rig(tmp_path, running, alertmanagers=(one.url, two.url)) as made:
        await made.until(lambda: made.host.restarts)
        one.alerts.clear()
        await made.until(lambda: not made.fleet.alerts)

        assert ["odp-1"] == made.host.restarts
        assert "filter=remediation" in one.asked[0]


async def test_what_only_one_of_them_still_has_goes_on(tmp_path: Path, running: dict[str, Odp]) -> None:
    """And so does what one of them does not answer for (S7)."""
    async with fake(seen()) as one, fake() as two, rig(tmp_path, running, alertmanagers=(one.url, two.url)) as made:
        await made.until(lambda: made.fleet.alerts)
        one.status = 500
        count = len(one.asked)
        await made.until(lambda: len(one.asked) > count + 3)

        assert ["odp-1"] == list(made.fleet.alerts)


async def test_a_silence_means_hands_off(tmp_path: Path, running: dict[str, Odp]) -> None:
    """Asked when it matters, for the webhook may be older than the silence (S16)."""
    await running["odp-1"].become(Life.SILENT)
    async with fake(seen(state="suppressed")) as one, rig(tmp_path, running, alertmanagers=(one.url,)) as made:
        await made.post("/v1/alertmanager", body(alert()))
        await made.until(lambda: isinstance(made.fleet.stages.get("odp-1"), Waiting))
        refused = await made.metric('odp_remediation_refusals_total{odp="odp-1",reason="silenced"}')

        assert refused not in {"", "0"}
        assert [] == made.host.restarts


async def test_what_was_silenced_from_its_beginning_begins_nothing(tmp_path: Path, running: dict[str, Odp]) -> None:
    async with fake(seen(state="suppressed")) as one, rig(tmp_path, running, alertmanagers=(one.url,)) as made:
        await made.until(lambda: len(one.asked) > 2)

        assert {} == dict(made.fleet.alerts)


async def test_if_nobody_can_be_asked_about_silences_nothing_is_done(tmp_path: Path, running: dict[str, Odp]) -> None:
    """It may be silenced for all that we know (S16)."""
    await running["odp-1"].become(Life.SILENT)
    async with fake() as one, rig(tmp_path, running, alertmanagers=(one.url,)) as made:
        one.status = 503
        await made.post("/v1/alertmanager", body(alert()))
        await made.until(lambda: isinstance(made.fleet.stages.get("odp-1"), Waiting))
        refused = await made.metric('odp_remediation_refusals_total{odp="odp-1",reason="alertmanager_unknown"}')

        assert refused not in {"", "0"}
        assert [] == made.host.restarts


async def ask(*urls: str) -> tuple[list[str], tuple[str, ...]]:
    """ODPs of the alerts that fire, and what was not answered."""
    async with aiohttp.ClientSession() as session:
        view = await Alertmanagers(urls, session, SCOPE, wall_clock).view()
    return [each.alert.odp for each in view.seen.values()], view.gaps


async def test_replicas_are_one_alert_and_strangers_none() -> None:
    """Default deny holds on this way too (S15)."""
    async with fake(seen(replica="a"), seen(replica="b"), seen("odp-9"), seen(remediation="reboot")) as one:
        assert (["odp-1"], ()) == await ask(one.url)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<html>", "not JSON"),
        ("{}", "not a list of alerts"),
        ('[{"labels": {}}]', "an alert without labels, state or beginning"),
        (
            '[{"labels": {}, "status": {"state": "active"}, "startsAt": "soon"}]',
            "startsAt: not a time: 'soon'",
        ),
    ],
)
async def test_an_answer_that_is_none_is_a_gap(text: str, reason: str) -> None:
    """Half an answer would end alerts that go on."""
    async with fake() as one:
        one.text = text

        assert ([], (f"alertmanager {one.url}: {reason}",)) == await ask(one.url)


async def test_a_password_in_the_address_is_not_shown() -> None:
    _, (gap,) = await ask("http://ann:secret@127.0.0.1:9")

    assert "secret" not in gap
    assert gap.startswith("alertmanager http://***@127.0.0.1:9: ")


async def test_a_host_name_that_cannot_be_is_a_gap_like_others() -> None:
    """The configuration refuses it; what gets by must not end the remediator."""
    seen, (gap,) = await ask("http://alertmanager..example:9093")

    assert ([], True) == (seen, gap.startswith("alertmanager http://alertmanager..example:9093: "))


async def test_one_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hangs holds up nobody (S18)."""
    monkeypatch.setattr(alertmanagers, "TIMEOUT", timedelta(seconds=0.2))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        _, gaps = await ask(url)

    assert (f"alertmanager {url}: no answer within 0.2s",) == gaps
