"""The ping module: log in as inspector@proxysys, `ping proxy`, leave with COM_QUIT.

More than a greeting proves: that ODP takes logins and is not draining
(odp-facts 4.6). The user inspector@proxysys may run nothing but this one
command and ODP checks it without any OBServer. Off unless the configuration
gives a password file. Blocking, so its caller gives it a thread; every wait in
it has a deadline.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic.dataclasses import dataclass

from odp_exporter.clock import Clock, stopwatch
from odp_exporter.files import FileError, read
from odp_exporter.observations import PingObservation, PingResult
from odp_exporter.settings import STRICT, Duration, Interval
from odp_exporter.targets import Target

_PASSWORD_BYTES = 4096


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
    # The driver weighs a MiB, and most exporters have no use for it.
    from odp_exporter.inspector import ping_proxy  # noqa: PLC0415

    at, began = clock(), stopwatch()
    try:
        password = _password(settings.password_file)
    except FileError as error:
        return PingObservation(target.name, at, PingResult.ERROR, 0.0, str(error))
    seconds = settings.timeout.total_seconds()
    result, detail = ping_proxy(target.address, user=settings.user, password=password, seconds=seconds)
    return PingObservation(target.name, at, result, stopwatch() - began, detail)


def _password(path: Path) -> str:
    return read(path, limit=_PASSWORD_BYTES).content.decode("utf-8", "replace").rstrip("\r\n")
