"""The greeting probe: TCP connect, the whole MySQL greeting, a clean close.

One connection per probe, closed as soon as the greeting is whole: ODP logs
about 5 KB for each and cuts off who idles longer than 10 s (odp-facts 4.4,
4.7). It sends nothing and logs in nowhere; what a greeting does not prove is
in odp-facts 4.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic.dataclasses import dataclass as settings_block

from odp_exporter.clock import Clock, stopwatch
from odp_exporter.connecting import Connection, NotConnected, connect, reason
from odp_exporter.mysql.greeting import HEADER_BYTES, MAX_PAYLOAD_BYTES, ErrorPacket, Greeting, GreetingError, parse
from odp_exporter.observations import GreetingObservation, Phase, ProbeResult
from odp_exporter.settings import STRICT, Duration, Interval, PositiveCount
from odp_exporter.targets import Address

_RECEIVE_BYTES = HEADER_BYTES + MAX_PAYLOAD_BYTES


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each phase of a probe may take."""

    connect: timedelta
    """For resolving the name, and again for connecting, over all its addresses."""
    greeting: timedelta
    """From the connection to the last byte of the greeting."""

    def within(self, limit: timedelta) -> Deadlines:
        """The same, or if they exceed *limit* together, each in proportion."""
        share = min(1.0, limit / (self.connect + self.greeting))
        return Deadlines(self.connect * share, self.greeting * share)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason to lose patience with a greeting that is awaited already."""

    is_raised: Callable[[], bool]
    greeting: timedelta
    """How long it may take from when on it is; asked at each multiple of this, so that a healthy ODP costs nothing."""


@settings_block(frozen=True, slots=True, config=STRICT)
class GreetingSettings:
    """How often ODPs and pools are greeted, and how patiently."""

    interval: Interval = timedelta(seconds=5)
    """Each probe makes ODP log about 5 KB (odp-facts 4.7): 86 MB a day at 5s, 430 MB at 1s."""
    timeout: Duration = timedelta(seconds=1)
    """For each phase that has none of its own; a healthy greeting takes 0.2 to 2 ms (odp-facts 4.5)."""
    connect_timeout: Duration | None = None
    """For the name, and again for the TCP connection; a lost SYN is sent again after 1 s."""
    greeting_timeout: Duration | None = None
    """From the connection to the whole greeting."""
    hasty_timeout: Duration = timedelta(milliseconds=250)
    """For each phase while this host shows that clients wait to be accepted; never longer than the usual one."""
    max_concurrent: PositiveCount = 500
    """How many greetings may be awaited at a time, over all targets."""

    @property
    def deadlines(self) -> Deadlines:
        """What the two timeouts come to."""
        return Deadlines(self.connect_timeout or self.timeout, self.greeting_timeout or self.timeout)

    @property
    def hasty_deadlines(self) -> Deadlines:
        """While there is a reason to doubt that it answers."""
        usual = self.deadlines
        return Deadlines(min(usual.connect, self.hasty_timeout), min(usual.greeting, self.hasty_timeout))


class _Failed(Exception):
    def __init__(self, result: ProbeResult, detail: str) -> None:
        super().__init__(detail)
        self.result = result


@dataclass(slots=True)
class _Attempt:
    """What one probe has found out so far."""

    durations: dict[Phase, float] = field(default_factory=dict)
    peer: str | None = None
    received: bytes = b""

    def so_far(self) -> str:
        return f", {len(self.received)} bytes came"


@dataclass(slots=True)
class _Patience:
    """How long a greeting is awaited, in seconds of the loop's clock."""

    began: float
    deadline: float
    asked: float
    """When it is asked next whether to go on."""
    doubt: Doubt | None

    @classmethod
    def of(cls, limit: timedelta, doubt: Doubt | None) -> _Patience:
        now = asyncio.get_running_loop().time()
        seconds = limit.total_seconds()
        return cls(now, now + seconds, now + min(seconds, doubt.greeting.total_seconds() if doubt else seconds), doubt)

    def goes_on(self) -> bool:
        if self.doubt is None or self.asked >= self.deadline or self.doubt.is_raised():
            return False
        self.asked = min(self.deadline, self.asked + self.doubt.greeting.total_seconds())
        return True


async def probe(
    name: str, address: Address, *, deadlines: Deadlines, clock: Clock, doubt: Doubt | None = None
) -> GreetingObservation:
    """Probe *address* once; every way in which that can end is a result."""
    at, tick, attempt = clock(), timedelta(seconds=stopwatch()), _Attempt()
    try:
        greeting = await _greeting(address, deadlines, doubt, attempt)
    except NotConnected as failed:
        return GreetingObservation(name, at, failed.result, {}, str(failed), peer=failed.peer, tick=tick)
    except (_Failed, GreetingError, OSError) as error:
        result, detail = _told(error, attempt)
        return GreetingObservation(name, at, result, attempt.durations, detail, peer=attempt.peer, tick=tick)
    version = greeting.server_version
    return GreetingObservation(name, at, ProbeResult.OK, attempt.durations, "", version, attempt.peer, tick)


def _told(error: _Failed | GreetingError | OSError, attempt: _Attempt) -> tuple[ProbeResult, str]:
    match error:
        case _Failed():
            return error.result, str(error)
        case ErrorPacket():
            return ProbeResult.ERROR_PACKET, str(error)
        case GreetingError():
            return ProbeResult.MALFORMED, str(error)
        case OSError():
            return ProbeResult.RESET, reason(error) + attempt.so_far()


async def _greeting(address: Address, deadlines: Deadlines, doubt: Doubt | None, attempt: _Attempt) -> Greeting:
    began = stopwatch()
    with await connect(address, deadlines.connect.total_seconds()) as connection:
        attempt.peer = connection.peer
        attempt.durations[Phase.CONNECT] = connection.watch.connected - began
        greeting = await _read_in_time(connection, _Patience.of(deadlines.greeting, doubt), attempt)
        attempt.durations[Phase.GREETING] = connection.watch.came - connection.watch.connected
        return greeting


async def _read_in_time(connection: Connection, patience: _Patience, attempt: _Attempt) -> Greeting:
    """Read until parse() is content; it refuses what is too long, so this ends."""
    while True:
        part = await connection.receive(_RECEIVE_BYTES, patience.asked)
        if part is None:
            if patience.goes_on():
                continue
            message = f"connected, but no whole greeting within {patience.asked - patience.began:.3g}s"
            raise _Failed(ProbeResult.GREETING_TIMEOUT, message + attempt.so_far())
        attempt.received += part
        answer = parse(attempt.received)
        if isinstance(answer, Greeting):
            return answer
        if not part:
            raise _Failed(ProbeResult.CLOSED, "closed before the greeting was whole" + attempt.so_far())
