from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.simulator.odp import packets
from odp_exporter.simulator.odp.metrics import Metrics


def test_greetings_equal_the_captured_ones_byte_for_byte(captures: Path) -> None:
    lines = (captures / "greeting-2883.txt").read_text().splitlines()
    recorded = [bytes.fromhex(line) for line in lines if line.startswith("4a0000")]

    assert recorded == [packets.greeting(thread_id) for thread_id in (2, 3, 0x200001)]


def test_the_greeting_carries_version_and_salt() -> None:
    salt = packets.new_salt()
    greeting = packets.greeting(7, version="8.0.30", salt=salt)

    assert b"8.0.30\0" in greeting
    assert salt[:8] in greeting
    assert salt[8:] in greeting
    assert len(greeting) - 4 == int.from_bytes(greeting[:3], "little")


def test_the_idle_metrics_page_equals_the_captured_one(captures: Path) -> None:
    metrics = Metrics("4.3.1.0", "odptest")
    metrics.count_scrape(653, 126.0)

    assert (captures / "metrics-idle.txt").read_text() == metrics.page()


def test_a_session_with_a_cluster_appears_in_the_metrics_as_captured(captures: Path) -> None:
    metrics = Metrics("4.3.1.0", "odptest")
    recorded = (captures / "metrics-with-traffic.txt").read_text().replace('ip="192.0.2.2"', 'ip="127.0.0.1"')
    expected = next(line for line in recorded.splitlines() if line.startswith("odp_new_client_connections{"))
    with metrics.session("root@sys#ob1"):
        page = metrics.page()

    assert expected.replace("91.0", "1.0") in page
    assert 'sessionType="client",tenant="sys",vip=""} 1.000000' in page
    assert 'sessionType="client",tenant="sys",vip=""} 0.000000' in metrics.page()


def _token(password: str, salt: bytes) -> bytes:
    once = hashlib.sha1(password.encode()).digest()  # noqa: S324 - mysql_native_password
    mask = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()  # noqa: S324 - as above
    return bytes(left ^ right for left, right in zip(once, mask, strict=True))


@given(st.text(min_size=1), st.binary(min_size=20, max_size=20))
def test_a_password_is_proved_against_its_sha1(password: str, salt: bytes) -> None:
    stored = hashlib.sha1(password.encode()).hexdigest()  # noqa: S324 - as ODP stores it

    assert packets.proves(_token(password, salt), salt, stored)
    assert not packets.proves(_token(password + "x", salt), salt, stored)
    assert not packets.proves(b"", salt, stored)


def test_no_stored_password_takes_only_the_empty_one() -> None:
    assert packets.proves(b"", packets.CONSTANT_SALT, "")
    assert not packets.proves(_token("x", packets.CONSTANT_SALT), packets.CONSTANT_SALT, "")


@given(st.binary(max_size=300))
def test_any_first_packet_is_a_login_or_refused(payload: bytes) -> None:
    try:
        login = packets.parse_login(payload)
    except packets.NotALogin:
        return

    assert len(login.user) <= len(payload)


@pytest.mark.parametrize(("code", "state", "message"), [(1203, "42000", "Too many sessions")])
def test_an_error_packet_is_what_a_client_expects(code: int, state: str, message: str) -> None:
    expected = bytes([1 + 2 + 6 + len(message), 0, 0, 2, 0xFF]) + code.to_bytes(2, "little")

    assert expected + b"#" + state.encode() + message.encode() == packets.error(2, code, state, message)
