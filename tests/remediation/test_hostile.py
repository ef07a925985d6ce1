"""What a hostile or a careless hand may do to the remediator, and what it must not lead to."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from odp_exporter.remediation import journal_pruning
from odp_exporter.remediation.alertmanagers import Unanswered
from odp_exporter.remediation.exporters import Exporters, parse
from odp_exporter.remediation.journal_entries import Batch, Folded
from odp_exporter.remediation.journal_file import JournalFile
from odp_exporter.remediation.journal_opening import JournalUnusable
from odp_exporter.remediation.model import Alert, AlertFiring, Held, Outcome, Record, Tick, Waiting, Wish

from .payloads import NOW, alert, body, payload
from .rig import TOKEN, Host, Life, Odp, Rig, StartFailed, odps, rig
from .story import NOON, Story, inventory
from .test_alertmanagers import ask, fake, seen

WEBHOOK = "/v1/alertmanager"
RECORD = Record("odp-1", "e1", "drain", Outcome.BEGUN)


@pytest.fixture
async def running() -> AsyncIterator[dict[str, Odp]]:
    async with odps(["odp-1", "odp-2"]) as them:
        yield them


@pytest.fixture
async def remediator(tmp_path: Path, running: dict[str, Odp]) -> AsyncIterator[Rig]:
    async with rig(tmp_path, running) as made:
        yield made


@pytest.mark.parametrize("since", ["9999-12-31T23:59:59-01:00", "0002-01-01T00:00:00+23:00", "9999-12-31T23:59:59Z"])
async def test_a_beginning_at_the_end_of_time_is_just_an_alert(remediator: Rig, since: str) -> None:
    """Converting it may overflow (S5)."""
    assert (200, "stored") == await remediator.post(WEBHOOK, body(alert(since=since)))


async def test_an_alertmanager_that_says_so_is_no_worse() -> None:
    async with fake(seen(since="9999-12-31T23:59:59-01:00")) as one:
        assert (["odp-1"], ()) == await ask(one.url)


@pytest.mark.parametrize(
    "text",
    [
        '{"version": "4", "receiver": "\\ud800", "alerts": []}',
        '{"version": "\\ud800", "receiver": "remediator", "alerts": []}',
        '{"version": "4", "receiver": "remediator", "alerts": [{"labels": {}, "status": "\\udfff"}]}',
        '{"version": "4", "receiver": "remediator", "alerts": [], "truncatedAlerts": 1' + "0" * 5000 + "}",
        '{"version": "4", "receiver": "remediator", "alerts": [], "truncatedAlerts": NaN}',
        '{"version": 4e0, "receiver": ["remediator"], "alerts": {}}',
        "[" * 100_000,
        "\ufeff{}",
    ],
)
async def test_what_no_alertmanager_sends_is_malformed_and_nothing_breaks(remediator: Rig, text: str) -> None:
    """No traceback, and the same answer again (S5)."""
    status, _ = await remediator.post(WEBHOOK, text.encode())

    assert 400 == status


async def test_a_label_with_half_a_letter_is_stored_and_read_again(tmp_path: Path, running: dict[str, Odp]) -> None:
    """Also by the next life; names of alerts go to pages and logs."""
    async with rig(tmp_path, running) as first:
        text = json.dumps(payload(alert(alertname="\ud800<b>\nx", note="\udfff"))).encode()
        assert (200, "stored") == await first.post(WEBHOOK, text)
        await first.until(lambda: first.fleet.alerts)
    async with rig(tmp_path, running) as second:
        status, page = await second.get("/")

        assert ["?<b>?x"] == [each.name for each in second.fleet.alerts["odp-1"]]
        assert (200, False) == (status, "<b>" in page)


async def test_a_body_of_no_declared_type_is_refused(remediator: Rig) -> None:
    """A page of another site can send one with the browser's password; only JSON it cannot (S5)."""
    host, _, port = remediator.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    sent = body(alert())
    head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(sent)}\r\n\r\n"
    writer.write(head.encode() + sent)
    answer = await reader.readline()
    writer.close()

    assert b"HTTP/1.1 400 Bad Request\r\n" == answer
    assert {} == dict(remediator.fleet.alerts)


async def test_a_limit_with_thousands_of_digits_is_none(remediator: Rig) -> None:
    status, _ = await remediator.get("/v1/history?limit=" + "9" * 5000)

    assert 400 == status


async def test_an_order_that_does_not_say_how_long_it_is_may_not_be_long(remediator: Rig) -> None:
    """It is read on the event loop."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 4096
        yield b'{"scope": "fleet", "name": "", "reason": "x"}'

    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    async with remediator.session.post(f"{remediator.url}/v1/pause", data=parts(), headers=headers) as reply:
        assert 413 == reply.status


async def test_an_alertmanager_that_does_not_know_the_alert_knows_no_silence_of_it(
    tmp_path: Path, running: dict[str, Odp]
) -> None:
    """It has just started: it has its silences, and no alerts until Prometheus says them again (S16)."""
    await running["odp-1"].become(Life.SILENT)
    slow = timedelta(hours=1)
    async with fake(seen("odp-2")) as one, rig(tmp_path, running, alertmanagers=(one.url,), ask_every=slow) as made:
        made.parts.engine.put(AlertFiring(Alert("odp-1", "OdpHung", Wish.RESTART, "k", NOW)))
        refused = 'odp_remediation_refusals_total{odp="odp-1",reason="alertmanager_unknown"}'
        await made.until(lambda: made.metric(f"{refused} 1"))

        assert [] == made.host.restarts
        assert "odp-1" in made.fleet.alerts


def test_an_odp_has_no_more_alerts_than_anybody_means() -> None:
    """A label that is another one each time makes another alert each time."""
    story = Story("a", "b")
    for number in range(1000):
        story(AlertFiring(Alert("a", "OdpDown", Wish.RESTART, str(number), NOON)))

    assert 100 == len(story.fleet.alerts["a"])


async def test_ten_thousand_alerts_of_one_odp_hold_up_nothing(remediator: Rig) -> None:
    alerts = [alert(note=str(number)) for number in range(10_000)]
    await remediator.post(WEBHOOK, body(*alerts))
    await remediator.until(lambda: remediator.fleet.alerts, seconds=5)

    assert 100 == len(remediator.fleet.alerts["odp-1"])


def test_nothing_is_looked_at_that_the_inventory_has_no_more() -> None:
    """Taken out of the configuration while the remediator was away, with an alert and no stage yet (S15)."""
    story = Story("a", "b")
    story(story.alert("a"))
    story.fleet = type(story.fleet)(alerts=story.fleet.alerts)
    story.inventory = inventory("b", "c")

    assert [] == story.after(1)(Tick())
    assert ({}, {}) == (dict(story.fleet.stages), dict(story.fleet.alerts))


def test_a_drain_that_is_left_behind_by_the_configuration_is_told_as_a_failure() -> None:
    """Nobody will end it but people (S28)."""
    story = Story("a", "b").until("verifying")
    story.inventory = inventory("b", "c")
    story.after(1)(Tick())
    looked_at = Story("a", "b").until("looking")
    looked_at.inventory = inventory("b", "c")
    looked_at.after(1)(Tick())

    assert "hold failed gone" == story.told_of()[-1]
    assert "its drain is left to people" in story.records[-1].detail
    assert "look done" == looked_at.told_of()[-1]


async def test_an_exporter_whose_host_name_cannot_be_is_one_that_does_not_answer() -> None:
    """The configuration refuses it; what gets by must not end the remediator."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(Unanswered, match=r"^http://odp\.\.example:9888: "):
            await Exporters({"default": "http://odp..example:9888"}, session).report(
                inventory("odp-1").targets["odp-1"]
            )


def test_the_word_of_an_exporter_about_another_odp_is_none() -> None:
    """A proxy in between, or a default exporter that knows others."""
    report = {"name": "odp-2", "at": 1, "state": "serving", "restart_safe": True}

    with pytest.raises(Unanswered, match="no report that we understand"):
        parse(json.dumps(report).encode(), "odp-1")


@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        "[]",
        '{"name": "odp-1", "at": NaN, "state": "serving", "restart_safe": true}',
        '{"name": "odp-1", "at": 1e400, "state": "serving", "restart_safe": true}',
        '{"name": "odp-1", "at": -1e18, "state": "serving", "restart_safe": true}',
        '{"name": "odp-1", "at": 1, "state": "fine", "restart_safe": true}',
        '{"name": "odp-1", "at": 1, "state": "serving", "restart_safe": 1}',
        "[" * 100_000,
    ],
)
def test_an_exporter_that_talks_nonsense_has_said_nothing(text: str) -> None:
    with pytest.raises(Unanswered):
        parse(text.encode(), "odp-1")


def test_a_process_that_is_half_told_is_none() -> None:
    one = {"boot_id": "b", "pid": 1, "start_ticks": 2, "executable": "x"}
    report = {"name": "odp-1", "at": 1, "state": "serving", "restart_safe": True, "processes": [one, {"pid": 2}]}

    assert () == parse(json.dumps(report).encode(), "odp-1").processes


def test_what_is_no_news_takes_no_room(tmp_path: Path) -> None:
    """The same refusal each ten seconds, with what was seen of a thousand ODPs, would fill the disk."""
    with closing(JournalFile(tmp_path / "journal.db")) as journal:
        for _ in range(100):
            journal.commit(Batch(NOW, (Folded("Looked", "odp-1", "x" * 100_000),)))

    assert (tmp_path / "journal.db").stat().st_size < 500_000


def test_what_is_kept_of_events_has_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not only a number: evidence of a large pool is 100 KB."""
    monkeypatch.setattr(journal_pruning, "KEPT_EVENTS_BYTES", 1_000_000)
    with closing(JournalFile(tmp_path / "journal.db")) as journal:
        for _ in range(10):
            for _ in range(10):
                journal.commit(Batch(NOW, (Folded("Looked", "odp-1", "x" * 100_000, (RECORD,)),)))
            journal.prune(NOW)

        assert 100 == len(journal.history(None, 1000))
    assert (tmp_path / "journal.db").stat().st_size < 4_000_000


def test_a_journal_whose_log_was_taken_away_is_not_written_into_the_void(tmp_path: Path) -> None:
    """Somebody tidies up: what SQLite writes then is gone at the next crash; what it has it saves at its end (S1)."""
    with closing(JournalFile(tmp_path / "journal.db")) as journal:
        journal.commit(Batch(NOW, (), "one"))
        (tmp_path / "journal.db-wal").unlink()

        with pytest.raises(JournalUnusable, match="was replaced"):
            journal.commit(Batch(NOW, (), "two"))
    with closing(JournalFile(tmp_path / "journal.db")) as journal:
        assert "one" == journal.fleet()


async def test_that_it_cannot_be_written_is_not_forgotten_by_reading(
    tmp_path: Path, running: dict[str, Odp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at the page is told (S32)."""

    def full(*_: object) -> int:
        raise JournalUnusable("disk full")

    async with rig(tmp_path, running) as made:
        monkeypatch.setattr(JournalFile, "accept", full)
        refused = await made.post(WEBHOOK, body(alert()))
        _, page = await made.get("/")

        assert (503, "disk full") == refused
        assert '<p class="alarm">disk full</p>' in page
        assert 503 == (await made.get("/-/ready"))[0]


async def test_who_knocks_again_and_again_fills_no_log(remediator: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is counted; a line for each would be a way to fill a disk without a token."""
    for _ in range(50):
        await remediator.get("/v1/status", None)
    said = capsys.readouterr().out.count("request without the token refused")

    assert 1 <= said <= 5


async def test_a_token_that_everybody_can_read_is_told(
    tmp_path: Path, running: dict[str, Odp], capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig(tmp_path, running) as made:
        (tmp_path / "token").chmod(0o644)
        await made.until(lambda: "token can be read by everybody" in capsys.readouterr().out)

        assert 200 == (await made.get("/v1/status"))[0]


async def test_half_letters_from_an_exporter_or_a_host_end_nobody(tmp_path: Path, running: dict[str, Odp]) -> None:
    """The journal takes whole ones only, and the next life would hear the same again (S24)."""
    host = Host(running)
    host.failure = StartFailed("no \udcff luck")
    async with rig(tmp_path, running, host=host, safe={"odp-1": False}, reason="\ud800\x1b[31m\n") as made:
        await running["odp-1"].become(Life.SILENT)
        await made.post(WEBHOOK, body(alert()))
        await made.until(lambda: isinstance(made.fleet.stages.get("odp-1"), Waiting))
        await running["odp-1"].become(Life.DEAD)
        await made.until(lambda: isinstance(made.fleet.stages.get("odp-1"), Held))
        _, history = await made.get("/v1/history")

        assert "??[31m?" in history
        assert "no ? luck" in history


def test_only_so_many_reasons_of_an_exporter_are_read() -> None:
    reasons = [{"reason": f"{number:04}" + "x" * 1000, "detail": "y" * 1000} for number in range(1000)]
    report = {"name": "odp-1", "at": 1, "state": "serving", "restart_safe": False, "reasons": reasons}

    assert 20 * 403 == len("".join(parse(json.dumps(report).encode(), "odp-1").reasons))


def test_a_reason_that_applies_to_many_clusters_is_said_once() -> None:
    reasons = [{"reason": "rs_list_fails", "detail": "HTTP status 500", "cluster": name} for name in ("trade", "pay")]
    report = {"name": "odp-1", "at": 1, "state": "serving", "restart_safe": False, "reasons": reasons}

    assert ("rs_list_fails (HTTP status 500)",) == parse(json.dumps(report).encode(), "odp-1").reasons


async def test_a_small_body_that_is_large_in_memory_is_not_read(remediator: Rig, tmp_path: Path) -> None:
    """Were it stored, each next life would read it again, and end by its unit's limit of memory."""
    junk = "[]," * 2_000_000
    text = json.dumps({**payload(alert()), "junk": []}).replace("[]}", f"[{junk}1]}}")
    status, said = await remediator.post(WEBHOOK, text.encode())

    assert (413, "more than 2000000 commas, where 50000 alerts have fewer") == (status, said)
    assert [] == waiting(tmp_path)


def waiting(directory: Path) -> list[tuple[int]]:
    """Deliveries that a next life would find."""
    with closing(sqlite3.connect(f"file:{directory / 'journal.db'}?mode=ro", uri=True)) as db:
        return db.execute("SELECT id FROM inbox").fetchall()


async def test_who_stands_by_takes_no_end_either(tmp_path: Path, running: dict[str, Odp]) -> None:
    """It knows of no alert, which does not make the end of one known (S1)."""
    with closing(JournalFile(tmp_path / "journal.db")):
        async with rig(tmp_path, running, wait=False) as made:
            status, _ = await made.post(WEBHOOK, body(alert(status="resolved")))

    assert 503 == status
