"""Where to connect to: the endpoints of an IP address or a host name.

A name is looked up whenever it is asked for, once at a time however many ask.
While its name server is silent or fails, the last answer holds, however old;
one that says that there is no such name is believed. So a name server costs a
target nothing but the first answer, and a probe the wait for it, once for each
look-up.

A silent name server holds a thread for each of its names, for about 20 s with
glibc's defaults. As long as fewer names than RESOLVERS are in such trouble, all
others get fresh answers at once. A hundred of them make the others wait in
turn, for a minute or so, and be probed where they were last; only one that has
never been resolved is unreachable meanwhile. More threads would only move that
limit.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from .lookups import Lookup, Lookups
from .targets import Address

RESOLVERS = 32
"""Names that are looked up at a time. A thread that waits for a name server costs next to nothing."""
REMEMBERED = 16_384
"""Names and addresses, more than one exporter probes."""
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY})

Where = tuple[str, int] | tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address that a socket can connect to."""

    family: socket.AddressFamily
    where: Where
    peer: str
    """For a person."""


@dataclass(frozen=True, slots=True)
class _Found:
    family: socket.AddressFamily
    ip: str
    rest: tuple[()] | tuple[int, int]
    """Flow and zone of an IPv6 address."""

    def at(self, port: int) -> Endpoint:
        return Endpoint(self.family, (self.ip, port, *self.rest), str(Address(self.ip, port)))


class Names:
    """The names that were looked up, and the last answer for each of so many."""

    def __init__(self, *, at_a_time: int = RESOLVERS, remembered: int = REMEMBERED) -> None:
        self._lookups = Lookups(self._look_up, at_a_time=at_a_time)
        self._remembered = remembered
        self._lock = threading.Lock()
        self._last: dict[str, Sequence[_Found]] = {}

    async def endpoints(self, address: Address, seconds: float) -> Sequence[Endpoint]:
        """Those of a name, in the resolver's order.

        TimeoutError if there never was an answer and none comes within so many
        *seconds*; another OSError, or a UnicodeError, if the name does not resolve.
        """
        lookup = self._lookups.of(address.host)
        # Once is enough to wait for a name server that is silent, else every probe would come late.
        patience = 0 if lookup.is_slow and address.host in self._last else seconds
        try:
            found = await _answer(lookup, patience)
        except OSError:
            last = self._last.get(address.host)
            if last is None:
                raise
            found = last
        return [each.at(address.port) for each in found]

    def _look_up(self, host: str) -> Sequence[_Found]:
        """In a thread, so that an answer counts for the next time even if nobody waits for it any more."""
        try:
            found = _resolved(host)
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_NAME:
                self._remember(host, None)
            raise
        self._remember(host, found)
        return found

    def _remember(self, host: str, found: Sequence[_Found] | None) -> None:
        with self._lock:
            self._last.pop(host, None)
            if found is not None:
                self._last[host] = found
            if len(self._last) > self._remembered:
                del self._last[next(iter(self._last))]


async def _answer(lookup: Lookup[Sequence[_Found]], seconds: float) -> Sequence[_Found]:
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(lookup)
    except TimeoutError:
        lookup.is_slow = True
        raise


def _resolved(host: str) -> Sequence[_Found]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [
        _Found(socket.AddressFamily(family), where[0], where[2:])
        for family, _, _, _, where in found
        if isinstance(where[0], str)
    ]


_NAMES = Names()


async def endpoints(address: Address, seconds: float) -> Sequence[Endpoint]:
    """Where to connect to, in the resolver's order; the errors are those of Names.endpoints."""
    if "%" in address.host:
        return [_in_zone(address)]
    return _literal(address) or await _NAMES.endpoints(address, seconds)


@functools.lru_cache(REMEMBERED)
def _literal(address: Address) -> Sequence[Endpoint]:
    """The one endpoint of an address that needs no resolver."""
    try:
        ip = ipaddress.ip_address(address.host)
    except ValueError:
        return ()
    family = socket.AF_INET6 if ip.version == 6 else socket.AF_INET  # noqa: PLR2004 - IPv6
    return (Endpoint(family, (address.host, address.port), str(address)),)


def _in_zone(address: Address) -> Endpoint:
    """That of an IPv6 address in a zone, as link-local ones are; an OSError if there is no such zone."""
    ip, _, zone = address.host.partition("%")
    # Asked anew each time: an interface that comes back has another number.
    number = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    return Endpoint(socket.AF_INET6, (ip, address.port, 0, number), str(address))
