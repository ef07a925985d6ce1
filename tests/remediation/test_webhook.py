"""The matrix of what Alertmanager, its network and its enemies may send (S1, S2, S3, S5)."""

from __future__ import annotations

import asyncio
import base64
import gzip
import socket
import sqlite3
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.remediation import webhook
from odp_exporter.remediation.journal_entries import Batch
from odp_exporter.remediation.journal_file import JournalFile

from .payloads import NOW, alert, body, delivery
from .rig import TOKEN, Odp, Rig, odps, rig

WEBHOOK = "/v1/alertmanager"


@pytest.fixture
async def running() -> AsyncIterator[dict[str, Odp]]:
    async with odps(["odp-1", "odp-2"]) as them:
        yield them


@pytest.fixture
async def remediator(tmp_path: Path, running: dict[str, Odp]) -> AsyncIterator[Rig]:
    async with rig(tmp_path, running) as made:
        yield made


def kept(directory: Path) -> list[bytes]:
    """Bodies that a next life would find."""
    with closing(sqlite3.connect(f"file:{directory / 'journal.db'}?mode=ro", uri=True)) as db:
        return [zlib.decompress(row[0]) for row in db.execute("SELECT body FROM inbox ORDER BY id")]


def waiting(directory: Path) -> list[int]:
    """Those of them that nobody has dealt with."""
    with closing(sqlite3.connect(f"file:{directory / 'journal.db'}?mode=ro", uri=True)) as db:
        return [row[0] for row in db.execute("SELECT id FROM inbox WHERE NOT is_folded")]


async def test_a_notification_is_stored_before_it_is_answered(remediator: Rig, tmp_path: Path) -> None:
    """Whoever is told 200 may forget it (S1)."""
    answer = await remediator.post(WEBHOOK, body(alert()))

    assert (200, "stored") == answer
    assert [body(alert())] == kept(tmp_path)
    assert "1" == await remediator.metric('odp_remediation_webhooks_total{result="accepted"}')


async def test_the_same_again_is_answered_and_not_stored_again(remediator: Rig, tmp_path: Path) -> None:
    """(S3): repeated by its repeat interval, and sent by the second Alertmanager."""
    await remediator.post(WEBHOOK, body(alert()))
    again = await remediator.post(WEBHOOK, body(alert()))
    other = await remediator.post(WEBHOOK, body(alert(), externalURL="http://192.0.2.21:9093"))

    assert (200, "known already") == again == other
    assert 1 == len(kept(tmp_path))
    assert "2" == await remediator.metric('odp_remediation_webhooks_total{result="duplicate"}')


async def test_an_end_before_its_beginning_is_no_news(remediator: Rig) -> None:
    """(S3): out of order, and nothing breaks."""
    first = await remediator.post(WEBHOOK, body(alert(status="resolved")))
    second = await remediator.post(WEBHOOK, body(alert()))
    third = await remediator.post(WEBHOOK, body(alert(status="resolved")))

    assert ["known already", "stored", "stored"] == [text for _, text in (first, second, third)]


async def test_a_replayed_notification_begins_nothing_new(remediator: Rig) -> None:
    """(S3, S8): the ODP serves, so even an alert that fires anew leads to a look and nothing else."""
    for _ in range(3):
        await remediator.post(WEBHOOK, body(alert()))
        await remediator.post(WEBHOOK, body(alert(status="resolved")))
    await remediator.until(lambda: not remediator.fleet.alerts)

    assert [] == remediator.host.restarts


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", "ümlaut"])
async def test_whoever_does_not_know_the_token_stays_outside(
    remediator: Rig, tmp_path: Path, token: str | None
) -> None:
    """Nothing is read, nothing is stored (S5)."""
    status, text = await remediator.post(WEBHOOK, body(alert()), token)

    assert (401, "unauthorized: the token is missing or wrong") == (status, text)
    assert [] == kept(tmp_path)
    assert "1" == await remediator.metric('odp_remediation_webhooks_total{result="unauthorized"}')


async def test_the_token_may_be_the_password_of_basic_auth(remediator: Rig) -> None:
    """Alertmanager's basic_auth, and what a browser asks for."""
    header = f"Basic {base64.b64encode(f'anybody:{TOKEN}'.encode()).decode()}"

    assert (200, "stored") == await remediator.post(WEBHOOK, body(alert()), None, Authorization=header)
    assert 401 == (await remediator.post(WEBHOOK, body(alert()), None, Authorization="Basic ???"))[0]


async def accepts(remediator: Rig, token: str) -> bool:
    return (await remediator.post(WEBHOOK, body(alert()), token))[0] == 200


async def refuses(remediator: Rig) -> bool:
    return (await remediator.post(WEBHOOK, body(alert())))[0] == 401


async def test_a_rotated_token_counts_at_once(remediator: Rig, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("another-token-of-good-length", encoding="ascii")
    await remediator.until(lambda: accepts(remediator, "another-token-of-good-length"))

    assert 401 == (await remediator.post(WEBHOOK, body(alert())))[0]


async def test_without_a_usable_token_nobody_is_let_in(remediator: Rig, tmp_path: Path) -> None:
    """An empty token file must not make the empty token the right one."""
    (tmp_path / "token").write_text("", encoding="ascii")
    await remediator.until(lambda: refuses(remediator))

    assert 401 == (await remediator.post(WEBHOOK, body(alert()), None, Authorization="Bearer "))[0]


@pytest.mark.parametrize(
    ("sent", "status", "result"),
    [
        (b"", 400, "malformed"),
        (b"{", 400, "malformed"),
        (body(alert(), version="3"), 400, "unsupported"),
        (body(alert(), receiver="people"), 400, "unsupported"),
        (body(alert(), truncatedAlerts=2), 200, "unsupported"),
        (body(), 200, "accepted"),
        (body(alert("odp-9")), 200, "accepted"),
        (body(alert(remediation="reboot")), 200, "accepted"),
    ],
)
async def test_what_is_not_for_us_leads_to_nothing(remediator: Rig, sent: bytes, status: int, result: str) -> None:
    """Default deny (S5, S6, S15)."""
    answered, _ = await remediator.post(WEBHOOK, sent)
    counted = await remediator.metric(f'odp_remediation_webhooks_total{{result="{result}"}}')

    assert (status, "1") == (answered, counted)
    assert {} == dict(remediator.fleet.alerts)


async def test_a_truncated_notification_is_kept_for_people(remediator: Rig, tmp_path: Path) -> None:
    """Its counter raises an alert (S5)."""
    _, text = await remediator.post(WEBHOOK, body(alert(), truncatedAlerts=2))

    assert "stored, not believed: 2 alerts were left out" == text
    assert 1 == len(kept(tmp_path))


async def test_a_body_beyond_the_limit_is_refused(remediator: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """(S5): said by its length before it is read."""
    monkeypatch.setattr(webhook, "MAX_BODY_BYTES", 1000)
    status, text = await remediator.post(WEBHOOK, body(alert()) + b" " * 1000)

    assert (413, "larger than the 1000 bytes that are taken (group alerts, so that fewer come at once)") == (
        status,
        text,
    )


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_a_web_page_could_send_is_refused(remediator: Rig, kind: str) -> None:
    """A browser that knows the token must not be led to use it by another site."""
    status, _ = await remediator.post(WEBHOOK, body(alert()), **{"Content-Type": kind})

    assert 400 == status
    assert 403 == (await remediator.post(WEBHOOK, body(alert()), **{"Sec-Fetch-Site": "cross-site"}))[0]


async def test_compressed_bodies_are_refused(remediator: Rig) -> None:
    """Alertmanager sends none, and a bomb is small."""
    status, _ = await remediator.post(WEBHOOK, gzip.compress(body(alert())), **{"Content-Encoding": "gzip"})

    assert 400 == status


async def raw(remediator: Rig, *parts: bytes, pause: float = 0.0) -> socket.socket:
    """A connection over which the beginning of a request went."""
    host, _, port = remediator.url.removeprefix("http://").partition(":")
    connection = socket.socket()
    connection.settimeout(0)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, (host, int(port)))
    head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
    for part in (head.encode(), *parts):
        await loop.sock_sendall(connection, part)
        await asyncio.sleep(pause)
    return connection


async def test_a_connection_that_breaks_in_the_middle_stores_nothing(remediator: Rig, tmp_path: Path) -> None:
    connection = await raw(remediator, b"Content-Length: 1000\r\n\r\n", body(alert())[:100])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    await asyncio.sleep(0.2)

    assert [] == kept(tmp_path)
    assert (200, "stored") == await remediator.post(WEBHOOK, body(alert()))


async def test_a_slow_body_is_taken_in_time_and_given_up_after(
    remediator: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(S2): nobody holds a place without end; 503, because it may come faster the next time."""
    monkeypatch.setattr(webhook, "BODY_TIME", timedelta(seconds=3))
    loop, text = asyncio.get_running_loop(), body(alert())
    slow = await raw(remediator, f"Content-Length: {len(text)}\r\n\r\n".encode(), text[:10], text[10:], pause=0.05)
    stuck = await raw(remediator, b"Content-Length: 1000\r\n\r\n", text[:10])
    with slow, stuck:
        async with asyncio.timeout(30):
            answers = [await loop.sock_recv(each, 100) for each in (slow, stuck)]

    assert [b"HTTP/1.1 200", b"HTTP/1.1 503"] == [answer[:12] for answer in answers]


async def test_while_the_journal_cannot_be_written_it_is_to_come_again(remediator: Rig, tmp_path: Path) -> None:
    """Never a 200 for what is not stored; no traceback, and a reason for people (S1)."""
    (tmp_path / "journal.db").rename(tmp_path / "moved")
    status, text = await remediator.post(WEBHOOK, body(alert()))
    (tmp_path / "moved").rename(tmp_path / "journal.db")
    again = await remediator.post(WEBHOOK, body(alert()))

    assert (503, f"{tmp_path}/journal.db: cannot be written: no such file or directory") == (
        status,
        text.partition(" (")[0],
    )
    assert (200, "stored") == again


async def test_in_standby_it_is_to_come_again(tmp_path: Path, running: dict[str, Odp]) -> None:
    """(S33): the active one stores it; and the standby acts once the other is gone."""
    first = JournalFile(tmp_path / "journal.db")
    async with rig(tmp_path, running, wait=False) as standby:
        try:
            await standby.until(lambda: "holds it" in standby.parts.journal.trouble)
            status, text = await standby.post(WEBHOOK, body(alert()))
            ready, _ = await standby.get("/-/ready", None)
            active = await standby.metric("odp_remediation_active")
        finally:
            first.close()
        await standby.until(lambda: standby.parts.engine.is_running)

        assert (503, 503, "0") == (status, ready, active)
        assert "another remediator holds it" in text
        assert (200, "stored") == await standby.post(WEBHOOK, body(alert()))
        assert "1" == await standby.metric("odp_remediation_active")


async def test_what_was_stored_and_not_dealt_with_is_dealt_with_by_the_next_life(
    tmp_path: Path, running: dict[str, Odp]
) -> None:
    """(S1, S24): killed between the fsync and the reply, or between the reply and the act."""
    journal = JournalFile(tmp_path / "journal.db")
    journal.accept(delivery(body(alert())))
    journal.close()
    async with rig(tmp_path, running) as second:
        await second.until(lambda: "odp-1" in second.fleet.alerts)

        assert (200, "known already") == await second.post(WEBHOOK, body(alert()))


async def test_a_stored_body_that_is_no_longer_understood_is_passed_over(
    tmp_path: Path, running: dict[str, Odp]
) -> None:
    """The configuration changed meanwhile: it must not keep us from starting, now or ever again."""
    journal = JournalFile(tmp_path / "journal.db")
    journal.accept(delivery(body(alert(), receiver="former")))
    journal.commit(Batch(NOW))
    journal.close()
    async with rig(tmp_path, running) as made:
        await made.until(lambda: not waiting(tmp_path))


async def test_the_watchdog_leaves_a_heartbeat(remediator: Rig) -> None:
    """Its age says whether the whole way from Prometheus works (S32)."""
    before = await remediator.metric("odp_remediation_watchdog_timestamp_seconds")
    await remediator.post(WEBHOOK, body(alert("", alertname="Watchdog", remediation="")))

    assert "" == before
    assert 1.7e9 < float(await remediator.metric("odp_remediation_watchdog_timestamp_seconds"))


async def test_ten_thousand_alerts_are_taken_and_none_is_lost(remediator: Rig, tmp_path: Path) -> None:
    """In one body, while every ODP is looked at (S2); benchmarks/webhook.py measures it."""
    sent = body(*(alert(f"odp-{number // 5000 + 1}", alertname=f"ODPHung{number}") for number in range(10_000)))
    answer = await remediator.post(WEBHOOK, sent)
    again = await remediator.post(WEBHOOK, body(alert("odp-2", alertname="ODPHung5000")))
    await remediator.until(lambda: len(remediator.fleet.alerts) == 2, seconds=40)

    assert [sent] == kept(tmp_path)
    assert ((200, "stored"), (200, "known already")) == (answer, again)
