"""TCP connections: names, fallback from one address to the next, deadlines, and why it did not come to one."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from .observations import ProbeResult
from .targets import Address

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""We are out of something; that says nothing about ODP."""


_RESOLVERS = ThreadPoolExecutor(8, thread_name_prefix="resolver")
"""Threads for names only: a resolver that stays mute holds nobody else's."""

_Endpoint = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]


class NotConnected(Exception):
    """There is no connection; the message says why."""

    def __init__(self, result: ProbeResult, detail: str, peer: str | None = None) -> None:
        super().__init__(detail)
        self.result = result
        self.peer = peer
        """The address that was tried last, if it came to that."""


async def connect(address: Address, seconds: float) -> tuple[socket.socket, str]:
    """A connection to the first address of a name that answers, in the resolver's order; and that address.

    Resolving the name may take so many *seconds*, and connecting as many again.
    """
    loop = asyncio.get_running_loop()
    failed = NotConnected(ProbeResult.UNREACHABLE, f"{address.host}: no address")
    endpoints = await _resolve(address, seconds)
    # A slow resolver is not ODP's fault: connecting gets the whole deadline.
    deadline = loop.time() + seconds
    for index, endpoint in enumerate(endpoints):
        peer = str(Address(*endpoint[1][:2]))
        # One silent address must not use up the time of those after it.
        share = (deadline - loop.time()) / (len(endpoints) - index)
        try:
            return await _connect_one(endpoint, share, peer), peer
        except NotConnected as error:
            failed = error
    raise failed


async def _resolve(address: Address, seconds: float) -> Sequence[_Endpoint]:
    literal = _literal(address)
    if literal:
        return [literal]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            found = await loop.run_in_executor(_RESOLVERS, _looked_up, address)
    except TimeoutError as error:
        message = f"{address.host}: no answer from the resolver within {seconds:g}s"
        raise NotConnected(ProbeResult.UNREACHABLE, message) from error
    except (OSError, UnicodeError) as error:
        message = f"{address.host}: does not resolve: {reason(error)}"
        raise NotConnected(ProbeResult.UNREACHABLE, message) from error
    return found


def _looked_up(address: Address) -> Sequence[_Endpoint]:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return [(socket.AddressFamily(family), where) for family, _, _, _, where in found if isinstance(where[0], str)]


def _literal(address: Address) -> _Endpoint | None:
    try:
        ip = ipaddress.ip_address(address.host)
    except ValueError:
        return None
    return (socket.AF_INET6 if ip.version == 6 else socket.AF_INET), (address.host, address.port)  # noqa: PLR2004 - IPv6


async def _connect_one(endpoint: _Endpoint, seconds: float, peer: str) -> socket.socket:
    family, where = endpoint
    try:
        connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise NotConnected(_connect_result(error), f"{peer}: {reason(error)}", peer) from error
    try:
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(connection, where)
        _refuse_oneself(connection, peer)
    except TimeoutError as error:
        if _is_connected(connection):
            return connection
        connection.close()
        raise NotConnected(ProbeResult.CONNECT_TIMEOUT, f"{peer}: no connection within {seconds:.3g}s", peer) from error
    except OSError as error:
        connection.close()
        raise NotConnected(_connect_result(error), f"{peer}: {reason(error)}", peer) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _is_connected(connection: socket.socket) -> bool:
    """It came to pass after all: we were late, not the other side."""
    try:
        connection.getpeername()
    except OSError:
        return False
    return True


def _refuse_oneself(connection: socket.socket, peer: str) -> None:
    # A loopback port that nobody listens on, out of the ephemeral range, may
    # be given to the connecting socket itself, which then greets nobody.
    if connection.getsockname() == connection.getpeername():
        raise NotConnected(ProbeResult.REFUSED, f"{peer}: nobody listens, the probe was connected to itself", peer)


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
            text = os.strerror(number)  # asyncio replaces the system's words by "Connect call failed"
        case OSError(strerror=str(text)):
            pass
        case _:
            text = str(error)
    return text[:1].lower() + text[1:]
