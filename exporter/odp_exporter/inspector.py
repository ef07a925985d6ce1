"""The MySQL session of the ping module, by PyMySQL: log in, `ping proxy`, leave with COM_QUIT."""

from __future__ import annotations

import struct

import pymysql
from pymysql.connections import Connection

from .observations import PingResult
from .targets import Address

_RESULTS = {
    1040: PingResult.TOO_MANY_CONNECTIONS,
    1045: PingResult.DENIED,
    1203: PingResult.TOO_MANY_CONNECTIONS,
}
"""MySQL's error numbers, as ODP uses them (odp-facts 4.4, 5.1)."""


def ping_proxy(address: Address, *, user: str, password: str, seconds: float) -> tuple[PingResult, str]:
    """How it ended, and why; *seconds* are for connecting, and again for each answer."""
    try:
        _session(address, user, password, seconds)
    except pymysql.Error as error:
        return _result(error), _text(error)
    except (IndexError, ValueError, struct.error) as error:
        # What PyMySQL stumbles over when the packets are no MySQL.
        return PingResult.ERROR, f"not understood: {error!r}"
    return PingResult.OK, ""


def _session(address: Address, user: str, password: str, seconds: float) -> None:
    connection = _Inspector(
        host=address.host,
        port=address.port,
        user=user,
        password=password,
        autocommit=None,
        connect_timeout=seconds,
        read_timeout=seconds,
        write_timeout=seconds,
    )
    try:
        connection.query("ping proxy")
    finally:
        # Without COM_QUIT, ODP would log the end as a broken session (odp-facts 4.7).
        connection.close()


class _Inspector(Connection):
    """A connection that asks nothing on its own: this user may not even SET NAMES."""

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Leave it as the handshake has it."""


def _result(error: pymysql.Error) -> PingResult:
    code = error.args[0] if error.args else 0
    cause = getattr(error, "original_exception", None) or error.__context__
    match code:
        case int(number) if number in _RESULTS:
            return _RESULTS[number]
        case 2003 | 2013 if isinstance(cause, TimeoutError):
            return PingResult.TIMEOUT
        case 2013:
            return PingResult.CLOSED
        case _:
            return PingResult.ERROR


def _text(error: pymysql.Error) -> str:
    text = " ".join(str(part) for part in error.args)
    return "".join(char if char.isprintable() else "?" for char in text)[:256]
