"""The ping module: log in as inspector@proxysys, `ping proxy`, leave with COM_QUIT.

More than a greeting proves: that ODP takes logins and is not draining
(odp-facts 4.6). The user inspector@proxysys may run nothing but this one
command and ODP checks it without any OBServer. Off unless the configuration
gives a password file. Blocking, so its caller gives it a thread; every wait in
it has a deadline.
"""

from __future__ import annotations

import struct
from datetime import timedelta
from pathlib import Path

import pymysql
from pydantic.dataclasses import dataclass
from pymysql.connections import Connection

from odp_exporter.clock import Clock, stopwatch
from odp_exporter.files import FileError, read
from odp_exporter.observations import PingObservation, PingResult
from odp_exporter.settings import STRICT, Duration, Interval
from odp_exporter.targets import Target

_PASSWORD_BYTES = 4096
_RESULTS = {
    1040: PingResult.TOO_MANY_CONNECTIONS,
    1045: PingResult.DENIED,
    1203: PingResult.TOO_MANY_CONNECTIONS,
}
"""MySQL's error numbers, as ODP uses them (odp-facts 4.4, 5.1)."""


@dataclass(frozen=True, slots=True, config=STRICT)
class PingSettings:
    """Who logs in, and how often."""

    password_file: Path
    """A file with the plain password and nothing else; read anew for each ping."""
    user: str = "inspector@proxysys"
    """The account that ODP has for health checks; another one would reach a cluster (odp-facts 5.1)."""
    interval: Interval = timedelta(seconds=30)
    timeout: Duration = timedelta(seconds=2)
    """For connecting, and again for each answer."""


def ping(target: Target, *, settings: PingSettings, clock: Clock) -> PingObservation:
    """Do it once; every way in which that can end is a result."""
    at, began = clock(), stopwatch()
    try:
        _ping(target, settings)
    except FileError as error:
        return PingObservation(target.name, at, PingResult.ERROR, 0.0, str(error))
    except pymysql.Error as error:
        return PingObservation(target.name, at, _result(error), stopwatch() - began, _text(error))
    except (IndexError, ValueError, struct.error) as error:
        # What PyMySQL stumbles over when the packets are no MySQL.
        return PingObservation(target.name, at, PingResult.ERROR, stopwatch() - began, f"not understood: {error!r}")
    return PingObservation(target.name, at, PingResult.OK, stopwatch() - began)


def _ping(target: Target, settings: PingSettings) -> None:
    seconds = settings.timeout.total_seconds()
    connection = _Inspector(
        host=target.address.host,
        port=target.address.port,
        user=settings.user,
        password=_password(settings.password_file),
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


def _password(path: Path) -> str:
    return read(path, limit=_PASSWORD_BYTES).content.decode("utf-8", "replace").rstrip("\r\n")


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
