"""The greeting probe: TCP connect, the whole MySQL greeting, a clean close.

One connection per probe, closed as soon as the greeting is whole: ODP logs
about 5 KB for each and cuts off who idles longer than 10 s (odp-facts 4.4,
4.7). It sends nothing and logs in nowhere; what a greeting does not prove is
in odp-facts 4.3.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic.dataclasses import dataclass as settings_block

from odp_exporter.clock import Clock, stopwatch
from odp_exporter.connecting import NotConnected, connect, reason
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
    max_concurrent: PositiveCount = 500
    """How many greetings may be awaited at a time, over all targets."""

    @property
    def deadlines(self) -> Deadlines:
        """What the two timeouts come to."""
        return Deadlines(self.connect_timeout or self.timeout, self.greeting_timeout or self.timeout)


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


async def probe(name: str, address: Address, *, deadlines: Deadlines, clock: Clock) -> GreetingObservation:
    """Probe *address* once; every way in which that can end is a result."""
    at, attempt = clock(), _Attempt()
    try:
        greeting = await _greeting(address, deadlines, attempt)
    except NotConnected as failed:
        return GreetingObservation(name, at, failed.result, {}, str(failed), peer=failed.peer)
    except _Failed as failed:
        return GreetingObservation(name, at, failed.result, attempt.durations, str(failed), peer=attempt.peer)
    version = greeting.server_version
    return GreetingObservation(name, at, ProbeResult.OK, attempt.durations, "", version, attempt.peer)


async def _greeting(address: Address, deadlines: Deadlines, attempt: _Attempt) -> Greeting:
    began = stopwatch()
    connection, attempt.peer = await connect(address, deadlines.connect.total_seconds())
    with connection:
        attempt.durations[Phase.CONNECT] = (connected := stopwatch()) - began
        greeting = await _receive(connection, deadlines.greeting.total_seconds(), attempt)
        attempt.durations[Phase.GREETING] = stopwatch() - connected
        return greeting


async def _receive(connection: socket.socket, seconds: float, attempt: _Attempt) -> Greeting:
    try:
        return await _read_in_time(connection, seconds, attempt)
    except ErrorPacket as error:
        raise _Failed(ProbeResult.ERROR_PACKET, str(error)) from error
    except GreetingError as error:
        raise _Failed(ProbeResult.MALFORMED, str(error)) from error
    except OSError as error:
        raise _Failed(ProbeResult.RESET, reason(error) + attempt.so_far()) from error


async def _read_in_time(connection: socket.socket, seconds: float, attempt: _Attempt) -> Greeting:
    try:
        async with asyncio.timeout(seconds):
            return await _read_greeting(connection, attempt)
    except TimeoutError as error:
        # It may have been our event loop that stood still, not ODP.
        if greeting := _waiting_greeting(connection, attempt):
            return greeting
        message = f"connected, but no whole greeting within {seconds:.3g}s"
        raise _Failed(ProbeResult.GREETING_TIMEOUT, message + attempt.so_far()) from error


def _waiting_greeting(connection: socket.socket, attempt: _Attempt) -> Greeting | None:
    """What already lies in the socket's buffer, if that makes it whole."""
    try:
        attempt.received += connection.recv(_RECEIVE_BYTES)
    except BlockingIOError:
        return None
    answer = parse(attempt.received)
    return answer if isinstance(answer, Greeting) else None


async def _read_greeting(connection: socket.socket, attempt: _Attempt) -> Greeting:
    """Read until parse() is content; it refuses what is too long, so this ends."""
    loop = asyncio.get_running_loop()
    while True:
        part = await loop.sock_recv(connection, _RECEIVE_BYTES)
        attempt.received += part
        answer = parse(attempt.received)
        if isinstance(answer, Greeting):
            return answer
        if not part:
            raise _Failed(ProbeResult.CLOSED, "closed before the greeting was whole" + attempt.so_far())
