"""Which addresses belong to this host.

Asked of the kernel's routing table, without a packet. Not by bind(): hosts
with keepalived often allow binding addresses that are not theirs
(ip_nonlocal_bind). Names are resolved in threads of their own, and nobody
waits for them here: until a name server has answered, the last answer holds.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Iterable
from concurrent.futures import Future, wait
from datetime import datetime, timedelta

from odp_exporter.lookups import Lookups

KEEP = timedelta(minutes=1)
"""How long an answer holds; a virtual address may move."""
RESOLVERS = 4
"""Names that are resolved at a time; a name server that is silent keeps each of them for half a minute."""
_ANY_PORT = 9


class Locality:
    """Remembers the answers, and looks for new ones once a minute."""

    def __init__(self) -> None:
        self._asked: dict[str, datetime] = {}
        self._found: dict[str, frozenset[str]] = {}
        self._lookups = Lookups(self._look_up, at_a_time=RESOLVERS)
        self._under_way: dict[str, Future[None]] = {}
        """The latest look-up of each name."""

    def addresses(self, host: str, now: datetime) -> frozenset[str]:
        """Those IP addresses of *host* that belong to this host; none when it is another one, or not resolved yet."""
        asked = self._asked.get(host)
        if asked is None or not timedelta() <= now - asked < KEEP:
            self._asked[host] = now
            self._renew(host)
        return self._found.get(host, frozenset())

    def settle(self, hosts: Iterable[str], now: datetime, *, within: timedelta) -> None:
        """Wait until each of *hosts* has been resolved once, or has failed to be, but no longer than *within*."""
        unknown = frozenset(hosts) - self._found.keys()
        for host in unknown:
            self.addresses(host, now)
        names = unknown & self._under_way.keys()
        wait([self._under_way[name] for name in names], within.total_seconds())

    def keep(self, hosts: Collection[str]) -> None:
        """Let go of all hosts but these."""
        self._asked = {host: asked for host, asked in self._asked.items() if host in hosts}
        self._under_way = {host: lookup for host, lookup in self._under_way.items() if host in hosts}
        self._lookups.keep(hosts)
        for host in [host for host in list(self._found) if host not in hosts]:
            self._found.pop(host, None)

    def _renew(self, host: str) -> None:
        """See to it that *host* gets a new answer: an IP address at once."""
        if _is_ip(host):
            self._look_up(host)
        else:
            self._under_way[host] = self._lookups.of(host)

    def _look_up(self, host: str) -> None:
        try:
            self._found[host] = here(host)
        except (OSError, ValueError):
            # A resolver that fails for a while is no reason to forget where we are.
            self._found.setdefault(host, frozenset())


def here(host: str) -> frozenset[str]:
    """Those IP addresses of *host* that belong to this host, without a zone; an OSError when it has none at all."""
    found = socket.getaddrinfo(host, _ANY_PORT, type=socket.SOCK_DGRAM)
    return frozenset(str(_ip(where)) for family, _, _, _, where in found if _is_ours(family, where))


def _is_ours(family: int, where: tuple[object, ...]) -> bool:
    """The kernel would speak to this address, in its zone if it has one, from this address itself."""
    address = _ip(where)
    if address.is_loopback or address.is_unspecified:
        return True
    with socket.socket(family, socket.SOCK_DGRAM) as datagram:
        try:
            datagram.connect(where)  # UDP: this chooses a source address and sends nothing
        except OSError:
            return False
        return _ip(datagram.getsockname()) == address


def _ip(where: tuple[object, ...]) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(str(where[0]).partition("%")[0])


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
