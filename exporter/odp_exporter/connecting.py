"""TCP connections: fallback from one address to the next, deadlines, and why it did not come to one."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from .observations import ProbeResult
from .poller import CONNECTED, READABLE, Watch, poller
from .resolving import Endpoint, endpoints
from .targets import Address

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC})
"""We are out of something; that says nothing about ODP. Of local ports: see _has_a_way."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connected socket under watch; closed when its context ends."""

    sock: socket.socket
    watch: Watch
    peer: str
    """The IP address and port that answered."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def receive(self, most: int, deadline: float) -> bytes | None:
        """What has come, at most so many bytes, empty at the end; None if nothing has by *deadline*.

        That is of the loop's clock. OSError if the connection broke off.
        """
        while await self.watch.wait(READABLE, deadline):
            try:
                return self.sock.recv(most)
            except BlockingIOError:
                self.watch.clear()
        return None

    def hand_over(self) -> socket.socket:
        """The socket, watched and closed by somebody else from now on."""
        self.watch.release()
        return self.sock

    def close(self) -> None:
        """Close the socket, and wait for nothing."""
        self.watch.end()
        self.sock.close()


class NotConnected(Exception):
    """There is no connection; the message says why."""

    def __init__(self, result: ProbeResult, detail: str, peer: str | None = None) -> None:
        super().__init__(detail)
        self.result = result
        self.peer = peer
        """The address that was tried last, if it came to that."""


async def connect(address: Address, seconds: float) -> Connection:
    """A connection to the first address of a name that answers, in the resolver's order.

    Resolving the name may take so many *seconds*, and connecting as many again.
    """
    loop = asyncio.get_running_loop()
    failed = NotConnected(ProbeResult.UNREACHABLE, f"{address.host}: no address")
    found = await _resolve(address, seconds)
    # A slow resolver is not ODP's fault: connecting gets the whole deadline.
    deadline = loop.time() + seconds
    for index, endpoint in enumerate(found):
        # One silent address must not use up the time of those after it.
        share = (deadline - loop.time()) / (len(found) - index)
        try:
            return await _connect_one(endpoint, share)
        except NotConnected as error:
            # Our own trouble is the better reason: an ODP may serve at the very address that we could not try.
            if failed.result is not ProbeResult.INTERNAL_ERROR:
                failed = error
    raise failed


async def _resolve(address: Address, seconds: float) -> Sequence[Endpoint]:
    try:
        return await endpoints(address, seconds)
    except TimeoutError as error:
        message = f"{address.host}: no answer from the resolver within {seconds:g}s"
        raise NotConnected(ProbeResult.UNREACHABLE, message) from error
    except (OSError, UnicodeError) as error:
        message = f"{address.host}: does not resolve: {reason(error)}"
        is_ours = isinstance(error, OSError) and error.errno in _OURS
        raise NotConnected(ProbeResult.INTERNAL_ERROR if is_ours else ProbeResult.UNREACHABLE, message) from error


async def _connect_one(endpoint: Endpoint, seconds: float) -> Connection:
    try:
        connection = _opened(endpoint)
    except OSError as error:
        raise _not_connected(error, endpoint) from error
    try:
        await _establish(connection, endpoint, seconds)
    except OSError as error:
        connection.close()
        raise _not_connected(error, endpoint) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _opened(endpoint: Endpoint) -> Connection:
    """A socket under watch; OSError where there is none to be had."""
    sock = socket.socket(endpoint.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        return Connection(sock, poller().watch(sock), endpoint.peer)
    except BaseException:
        sock.close()
        raise


async def _establish(connection: Connection, endpoint: Endpoint, seconds: float) -> None:
    """Connect in time; NotConnected or OSError if that fails."""
    sock = connection.sock
    number = sock.connect_ex(endpoint.where)
    if number in {0, errno.EINPROGRESS}:
        poller().look()  # this host's own loopback has answered already
        if not await connection.watch.wait(CONNECTED, asyncio.get_running_loop().time() + seconds):
            message = f"{endpoint.peer}: no connection within {seconds:.3g}s"
            raise NotConnected(ProbeResult.CONNECT_TIMEOUT, message, endpoint.peer)
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number == errno.EADDRNOTAVAIL and _has_a_way(endpoint):
        message = f"{endpoint.peer}: this host has no local port left to connect from"
        raise NotConnected(ProbeResult.INTERNAL_ERROR, message, endpoint.peer)
    if number:
        raise OSError(number, os.strerror(number))
    _refuse_oneself(sock, endpoint)


def _has_a_way(endpoint: Endpoint) -> bool:
    """There is an address of ours from which to reach *endpoint*, so that only a local port was lacking.

    The kernel has one error for either lack. Without IPv6 it is the address, and
    for good: then the endpoint is unreachable, and not by an accident of ours.
    """
    with socket.socket(endpoint.family, socket.SOCK_DGRAM) as datagram:
        # UDP sends nothing for this, and has ports of its own.
        return datagram.connect_ex(endpoint.where) != errno.EADDRNOTAVAIL


def _not_connected(error: OSError, endpoint: Endpoint) -> NotConnected:
    return NotConnected(_connect_result(error), f"{endpoint.peer}: {reason(error)}", endpoint.peer)


def _refuse_oneself(connection: socket.socket, endpoint: Endpoint) -> None:
    # A loopback port that nobody listens on, out of the ephemeral range, may
    # be given to the connecting socket itself, which then greets nobody.
    own = connection.getsockname()
    if own[1] == endpoint.where[1] and own == connection.getpeername():
        message = f"{endpoint.peer}: nobody listens, the probe was connected to itself"
        raise NotConnected(ProbeResult.REFUSED, message, endpoint.peer)


def _connect_result(error: OSError) -> ProbeResult:
    match error:
        case ConnectionRefusedError():
            return ProbeResult.REFUSED
        case ConnectionResetError() | OSError(errno=errno.ENOTCONN):
            return ProbeResult.RESET  # even before we could look at the connection
        case TimeoutError():
            return ProbeResult.CONNECT_TIMEOUT
        case OSError(errno=number) if number in _OURS:
            return ProbeResult.INTERNAL_ERROR
        case _:
            return ProbeResult.UNREACHABLE


def reason(error: Exception) -> str:
    """Why, in the system's words and on one line."""
    match error:
        case OSError(errno=int(number)) if not isinstance(error, socket.gaierror):
            text = os.strerror(number)
        case OSError(strerror=str(text)):
            pass
        case _:
            text = str(error)
    return text[:1].lower() + text[1:]
