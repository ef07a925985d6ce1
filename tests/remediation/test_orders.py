"""The API and the page, as people and their scripts use them, and as others would abuse them."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from odp_exporter.remediation import web
from odp_exporter.remediation.journal import Journal
from odp_exporter.remediation.journal_entries import Batch
from odp_exporter.remediation.journal_file import JournalFile
from odp_exporter.remediation.journal_opening import JournalError, JournalUnwritable
from odp_exporter.remediation.model import Brake, Decision, Event, Fleet, Scope

from .payloads import NOW, alert, body
from .rig import TOKEN, Life, Odp, Rig, odps, rig


@pytest.fixture
async def running() -> AsyncIterator[dict[str, Odp]]:
    async with odps(["odp-1", "odp-2", "odp-3"]) as them:
        yield them


@pytest.fixture
async def remediator(tmp_path: Path, running: dict[str, Odp]) -> AsyncIterator[Rig]:
    async with rig(tmp_path, running) as made:
        yield made


async def order(made: Rig, word: str, **order: Any) -> tuple[int, str]:
    return await made.post(f"/v1/{word}", json.dumps(order).encode())


async def submit(made: Rig, word: str, **fields: str) -> aiohttp.ClientResponse:
    auth = {"Authorization": f"Bearer {TOKEN}"}
    return await made.session.post(f"{made.url}/page/{word}", data=fields, headers=auth, allow_redirects=False)


def secret_of(page: str) -> str:
    (secret,) = re.findall(r'name="secret" value="([^"]+)"', page)
    return str(secret)


@pytest.mark.parametrize(
    "name", [{"scope": "fleet"}, {"scope": "pool", "name": "trade"}, {"scope": "target", "name": "odp-1"}]
)
async def test_a_pause_stops_repairs_until_it_is_taken_back(remediator: Rig, name: dict[str, str]) -> None:
    """Nothing is begun while it lasts (S16)."""
    paused = await order(remediator, "pause", **name, reason="maintenance", who="ann")
    await remediator.odps["odp-1"].become(Life.DEAD)
    await remediator.post("/v1/alertmanager", body(alert()))
    await remediator.until(lambda: "odp-1" in remediator.fleet.alerts)
    gauge = await remediator.metric('odp_remediation_target_paused{odp="odp-1"}')
    restarted_before = list(remediator.host.restarts)
    resumed = await order(remediator, "resume", **name, reason="done", who="ann")
    await remediator.until(lambda: remediator.host.restarts)

    assert ((200, '{"written": true}'), (200, '{"written": true}')) == (paused, resumed)
    assert ("1", []) == (gauge, restarted_before)
    assert ["odp-1"] == remediator.host.restarts


async def test_a_pause_survives_a_restart_of_the_remediator(tmp_path: Path, running: dict[str, Odp]) -> None:
    """It is in the journal before it is answered (S13, S16)."""
    async with rig(tmp_path, running) as first:
        await order(first, "pause", scope="fleet", reason="maintenance", who="ann")
    async with rig(tmp_path, running) as second:
        (pause,) = second.fleet.pauses

        assert (Scope.FLEET, "", "ann (127.0.0.1)", "maintenance") == (pause.scope, pause.name, pause.who, pause.why)
        assert "1" == await second.metric("odp_remediation_paused")


async def test_who_paused_what_and_why_is_in_the_history(remediator: Rig) -> None:
    """Newest first (S30)."""
    await order(remediator, "pause", scope="pool", name="trade", reason="maintenance", who="ann", **{"for": "1h"})
    _, text = await remediator.get("/v1/history?limit=1")
    (record,) = json.loads(text)["records"]

    assert "pause" == record["action"]
    assert re.search(r"trade.*ann \(127\.0\.0\.1\).*maintenance", record["detail"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scope": "fleet"}, "reason: missing (whoever finds this at night wants to know why)"),
        ({"scope": "fleet", "reason": "  "}, "reason: missing (whoever finds this at night wants to know why)"),
        ({"scope": "all", "reason": "x"}, "scope: none of target, pool, fleet: 'all'"),
        ({"scope": "target", "reason": "x"}, "name: no target of the inventory: ''"),
        ({"scope": "target", "name": "odp-9", "reason": "x"}, "name: no target of the inventory: 'odp-9'"),
        ({"scope": "pool", "name": "*", "reason": "x"}, "name: no pool of the inventory: '*'"),
        ({"scope": "fleet", "name": "odp-1", "reason": "x"}, "name: no fleet of the inventory: 'odp-1'"),
        (
            {"scope": "fleet", "reason": "x", "for": "5 parsecs"},
            "for: not a duration: '5 parsecs' (try '500ms', '5s', '1m')",
        ),
    ],
)
async def test_an_order_that_is_not_clear_is_refused(remediator: Rig, given: dict[str, str], message: str) -> None:
    """An empty name never means all of them (S15)."""
    assert (400, message) == await order(remediator, "pause", **given)
    assert () == remediator.fleet.pauses


@pytest.mark.parametrize("sent", [b"", b"[]", b"{", b"[" * 4000, b'"fleet"'])
async def test_an_order_that_is_no_order_is_refused(remediator: Rig, sent: bytes) -> None:
    assert 400 == (await remediator.post("/v1/pause", sent))[0]
    assert 413 == (await remediator.post("/v1/pause", b" " * 5000))[0]


async def test_what_a_foreign_page_makes_a_browser_send_is_refused(remediator: Rig) -> None:
    """The browser adds the password by itself, and not the secret of the form."""
    fleet = json.dumps({"scope": "fleet", "reason": "x"}).encode()
    plain = await remediator.post("/v1/pause", fleet, **{"Content-Type": "text/plain"})
    foreign = await remediator.post("/v1/pause", fleet, **{"Sec-Fetch-Site": "cross-site"})
    forged = await submit(remediator, "pause", reason="x", secret="guessed")
    missing = await submit(remediator, "pause", reason="x")

    assert [400, 403, 403, 403] == [plain[0], foreign[0], forged.status, missing.status]
    assert () == remediator.fleet.pauses


async def test_the_button_on_the_page_pauses_and_then_resumes(remediator: Rig) -> None:
    _, page = await remediator.get("/")
    paused = await submit(remediator, "pause", reason="night", secret=secret_of(page))
    pauses = remediator.fleet.pauses
    _, then = await remediator.get("/")
    resumed = await submit(remediator, "resume", reason="day", secret=secret_of(then))

    assert (303, "../") == (paused.status, paused.headers["Location"]) == (resumed.status, resumed.headers["Location"])
    assert ["night"] == [pause.why for pause in pauses]
    assert "Resume the whole fleet" in then
    assert () == remediator.fleet.pauses


async def test_the_page_shows_the_fleet_and_escapes_what_comes_from_outside(remediator: Rig) -> None:
    await remediator.odps["odp-1"].become(Life.SILENT)
    await remediator.post("/v1/alertmanager", body(alert(alertname="<script>alert(1)</script>")))
    await remediator.until(lambda: "odp-1" in remediator.fleet.alerts)
    status, page = await remediator.get("/")

    assert 200 == status
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<td>odp-2</td><td>trade</td><td>idle</td>" in page


@pytest.mark.parametrize("path", ["/", "/v1/status", "/v1/history", "/v1/plan?odp=odp-1", "/no/such/page"])
async def test_nothing_is_shown_to_whoever_does_not_know_the_token(remediator: Rig, path: str) -> None:
    assert 401 == (await remediator.get(path, None))[0]


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/-/ready"])
async def test_what_monitoring_needs_is_open(remediator: Rig, path: str) -> None:
    """Its failure must be seen from outside (S32)."""
    assert 200 == (await remediator.get(path, None))[0]


async def test_an_unknown_page_names_those_that_there_are(remediator: Rig) -> None:
    status, text = await remediator.get("/v1/statsu")

    assert 404 == status
    assert "no such page: '/v1/statsu' (there are: /, /metrics" in text


async def test_status_tells_the_brake(remediator: Rig) -> None:
    remediator.parts.engine.fleet = replace(remediator.fleet, brake=Brake(NOW, "10 actions in an hour"))
    _, text = await remediator.get("/v1/status")

    assert {"since": NOW.isoformat(), "why": "10 actions in an hour"} == json.loads(text)["brake"]
    assert "1" == await remediator.metric("odp_remediation_brake")


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "all", "1e3"])
async def test_a_limit_that_is_none_is_refused(remediator: Rig, limit: str) -> None:
    assert 400 == (await remediator.get(f"/v1/history?limit={limit}"))[0]


async def hurried(made: Rig, monkeypatch: pytest.MonkeyPatch, word: str) -> tuple[int, str]:
    """What is answered to an order that has little time."""
    with monkeypatch.context() as patched:
        patched.setattr(web, "WRITE_TIME", timedelta(seconds=0.5))
        return await order(made, word, scope="fleet", reason="x")


async def scopes(made: Rig) -> set[Scope]:
    """What is paused once whatever was ordered before has been dealt with, a later pause of a pool among it."""
    assert (200, '{"written": true}') == await order(made, "pause", scope="pool", name="trade", reason="later")
    return {pause.scope for pause in made.fleet.pauses}


async def test_an_order_that_cannot_be_written_is_not_obeyed(
    remediator: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is told that it is paused must be able to rely on it, and who is told that it is not as well."""
    monkeypatch.setattr(web, "WRITE_TIME", timedelta(seconds=3))
    (tmp_path / "journal.db").rename(tmp_path / "moved")
    status, text = await order(remediator, "pause", scope="fleet", reason="x")
    (tmp_path / "moved").rename(tmp_path / "journal.db")

    assert 503 == status
    assert "cannot be written" in text
    assert {Scope.POOL} == await scopes(remediator)


async def test_an_order_that_was_refused_in_standby_is_not_obeyed_at_the_take_over(
    tmp_path: Path, running: dict[str, Odp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come hours later, and undo what somebody else has ordered since (S33)."""
    async with rig(tmp_path, running) as active:
        await order(active, "pause", scope="fleet", reason="network works", who="bob")
    first = JournalFile(tmp_path / "journal.db")
    async with rig(tmp_path, running, wait=False) as standby:
        try:
            await standby.until(lambda: "holds it" in standby.parts.journal.trouble)
            status, text = await hurried(standby, monkeypatch, "resume")
        finally:
            first.close()
        await standby.until(lambda: standby.parts.engine.is_running)

        assert 503 == status
        assert "another remediator holds it" in text
        assert {Scope.FLEET, Scope.POOL} == await scopes(standby)


async def test_an_order_whose_time_is_over_while_it_is_decided_is_not_obeyed(
    remediator: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, gate = remediator.parts.engine, threading.Event()
    core = engine.core

    def slow(fleet: Fleet, event: Event, now: datetime) -> Decision:
        gate.wait(30)
        return core.step(fleet, event, now)

    engine.core = replace(core, step=slow)
    status, text = await hurried(remediator, monkeypatch, "pause")
    gate.set()

    assert 503 == status
    assert "not written within 0.5s, and will not be" in text
    assert {Scope.POOL} == await scopes(remediator)


class Slow(Journal):
    """Writes once `gate` is open, unless there is a `failure`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: JournalError | None = None

    async def commit(self, batch: Batch) -> None:
        """Write, or fail."""
        await self.gate.wait()
        failure, self.failure = self.failure, None
        if failure:
            raise failure
        await super().commit(batch)


@pytest.mark.parametrize(
    ("failure", "paused"), [(None, {Scope.FLEET, Scope.POOL}), (JournalUnwritable("disk full"), {Scope.POOL})]
)
async def test_whether_an_order_that_is_being_written_will_be_obeyed_is_not_said(
    tmp_path: Path,
    running: dict[str, Odp],
    monkeypatch: pytest.MonkeyPatch,
    failure: JournalError | None,
    paused: set[Scope],
) -> None:
    """Nobody knows: a disk that hangs may take it yet. One that has failed to is not asked again."""
    journal = Slow(tmp_path / "journal.db")
    async with rig(tmp_path, running, journal_at=lambda _: journal) as made:
        journal.gate.clear()
        status, text = await hurried(made, monkeypatch, "pause")
        journal.failure = failure
        journal.gate.set()

        assert (504, "still being written after 0.5s (the status will tell)") == (status, text)
        assert paused == await scopes(made)
