import contextlib
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from odp_exporter.observations import PingObservation, PingResult
from odp_exporter.probes.ping import PingSettings, ping
from odp_exporter.targets import Address, Target

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PASSWORD = "inspector-secret"
GREETING = bytes.fromhex(
    "4a0000000a352e362e32350002000000616161616161616100dff72e00009f0015"
    "00000000000000000000626262626262626262626262006d7973716c5f6e61746976655f70617373776f726400"
)
OK = b"\x07\0\0\2\0\0\0\2\0\0\0"
PONG = b"\x07\0\0\1\0\0\0\2\0\0\0"

Talk = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(talk: Talk) -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            connection.settimeout(10)
            with connection:
                talk(connection)

        thread = Thread(target=serve)
        thread.start()
        yield Address(*listener.getsockname())
        thread.join()


def pinged(address: Address, directory: Path, timeout: timedelta = timedelta(seconds=20)) -> PingObservation:
    (directory / "password").write_text(PASSWORD + "\n")
    settings = PingSettings(password_file=directory / "password", timeout=timeout)
    return ping(Target("odp-1", address), settings=settings, clock=lambda: NOON)


def heard(connection: socket.socket) -> bytes:
    return connection.recv(4096)


def test_logs_in_pings_and_leaves_with_com_quit(tmp_path: Path) -> None:
    said = []

    def talk(connection: socket.socket) -> None:
        for reply in (GREETING, OK, PONG):
            connection.sendall(reply)
            said.append(heard(connection))

    with serving(talk) as address:
        seen = pinged(address, tmp_path)

    assert (PingResult.OK, "") == (seen.result, seen.detail)
    assert b"inspector@proxysys\0" in said[0]
    assert [b"\x0b\0\0\0\x03ping proxy", b"\x01\0\0\0\x01"] == said[1:]


def test_a_session_that_is_closed_instead_of_answered_is_draining(tmp_path: Path) -> None:
    """ODP closes a ping while it drains (odp-facts 4.6)."""

    def talk(connection: socket.socket) -> None:
        for reply in (GREETING, OK):
            connection.sendall(reply)
            heard(connection)

    with serving(talk) as address:
        assert PingResult.CLOSED is pinged(address, tmp_path).result


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (1045, PingResult.DENIED),
        (1203, PingResult.TOO_MANY_CONNECTIONS),
        (1040, PingResult.TOO_MANY_CONNECTIONS),
        (1235, PingResult.ERROR),
    ],
)
def test_what_odp_says_no_with_is_told_apart(code: int, result: PingResult, tmp_path: Path) -> None:
    text = b"\xff" + code.to_bytes(2, "little") + b"#42000why"

    def talk(connection: socket.socket) -> None:
        connection.sendall(GREETING)
        heard(connection)
        connection.sendall(len(text).to_bytes(3, "little") + b"\x02" + text)

    with serving(talk) as address:
        seen = pinged(address, tmp_path)

    assert (result, f"{code} why") == (seen.result, seen.detail)


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\1\0\0\0\x0a", b"\3\0\0\0\xff\1\0", b"\0" * 50]
)
def test_what_is_no_mysql_is_an_error(reply: bytes, tmp_path: Path) -> None:
    with serving(lambda connection: connection.sendall(reply)) as address:
        seen = pinged(address, tmp_path)

    assert seen.result in {PingResult.ERROR, PingResult.CLOSED}
    assert PASSWORD not in seen.detail


def test_silence_is_a_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        seen = pinged(Address(*listener.getsockname()), tmp_path, timedelta(milliseconds=300))

    assert PingResult.TIMEOUT is seen.result


def test_a_password_file_that_is_gone_is_an_error_that_names_it(tmp_path: Path) -> None:
    settings = PingSettings(password_file=tmp_path / "gone")
    seen = ping(Target("odp-1", Address("127.0.0.1", 1)), settings=settings, clock=lambda: NOON)

    assert (PingResult.ERROR, f"{tmp_path}/gone: no such file or directory") == (seen.result, seen.detail)
