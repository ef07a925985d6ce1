"""Which addresses belong to this host.

Asked of the kernel's routing table, without a packet. Not by bind(): hosts
with keepalived often allow binding addresses that are not theirs
(ip_nonlocal_bind). Names are resolved in threads of their own, and nobody
waits for them here: until a name server has answered, the last answer holds.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

KEEP = timedelta(minutes=1)
"""How long an answer holds; a virtual address may move."""
RESOLVERS = 4
"""Names that are resolved at a time; a name server that is silent keeps each of them for half a minute."""


class Locality:
    """Remembers the answers, and looks for new ones once a minute."""

    def __init__(self) -> None:
        self._asked: dict[str, datetime] = {}
        self._answers = _Answers()

    def addresses(self, host: str, now: datetime) -> frozenset[str]:
        """Those IP addresses of *host* that belong to this host; none when it is another one, or not resolved yet."""
        asked = self._asked.get(host)
        if asked is None or not timedelta() <= now - asked < KEEP:
            self._asked[host] = now
            self._answers.renew(host)
        return self._answers.of(host)

    def settle(self, hosts: Iterable[str], now: datetime, *, within: timedelta) -> None:
        """Wait until each of *hosts* has been resolved once, or has failed to be, but no longer than *within*."""
        every = frozenset(hosts)
        for host in every:
            self.addresses(host, now)
        self._answers.wait_for(every, within)

    def keep(self, hosts: Collection[str]) -> None:
        """Let go of all hosts but these."""
        self._asked = {host: asked for host, asked in self._asked.items() if host in hosts}
        self._answers.keep(hosts)


class _Answers:
    """Filled by a few threads that come and go with the names to resolve; each name stands in the queue but once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._found: dict[str, frozenset[str]] = {}
        self._waiting: list[str] = []
        self._under_way: set[str] = set()

    def of(self, host: str) -> frozenset[str]:
        """The last answer; none before the first one."""
        return self._found.get(host, frozenset())

    def renew(self, host: str) -> None:
        """See to it that *host* gets a new answer: an IP address at once."""
        with self._changed:
            if _is_ip(host):
                self._found[host] = _ours(host, self.of(host))
            elif host not in self._under_way and host not in self._waiting:
                self._waiting.append(host)
                self._start_thread()

    def wait_for(self, hosts: frozenset[str], within: timedelta) -> None:
        """Wait until each of *hosts* has had an answer."""
        with self._changed:
            self._changed.wait_for(lambda: hosts <= self._found.keys(), within.total_seconds())

    def keep(self, hosts: Collection[str]) -> None:
        """Let go of all hosts but these."""
        with self._changed:
            self._found = {host: found for host, found in self._found.items() if host in hosts}
            self._waiting = [host for host in self._waiting if host in hosts]

    def _start_thread(self) -> None:
        if len(self._under_way) < RESOLVERS:
            self._under_way.add(host := self._waiting.pop(0))
            # A daemon: no name server shall keep the exporter from ending.
            threading.Thread(target=self._work, args=(host,), name="resolver", daemon=True).start()

    def _work(self, host: str) -> None:
        answer = _ours(host, self.of(host))
        with self._changed:
            self._found[host] = answer
            self._under_way.remove(host)
            if self._waiting:
                self._start_thread()
            self._changed.notify_all()


def resolve(host: str) -> frozenset[str]:
    """The IP addresses of *host*; an OSError when it has none."""
    if _is_ip(host):
        return frozenset((str(ipaddress.ip_address(host)),))
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return frozenset(str(ipaddress.ip_address(str(address[0]).partition("%")[0])) for *_, address in found)


def is_ours(ip: str) -> bool:
    """The kernel would speak to *ip* from *ip* itself."""
    address = ipaddress.ip_address(ip)
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET  # noqa: PLR2004 - the IP version
    with socket.socket(family, socket.SOCK_DGRAM) as datagram:
        try:
            datagram.connect((ip, 9))  # UDP: this chooses a source address and sends nothing
        except OSError:
            return False
        return ipaddress.ip_address(datagram.getsockname()[0]) == address


def _ours(host: str, last: frozenset[str]) -> frozenset[str]:
    try:
        return frozenset(ip for ip in resolve(host) if is_ours(ip))
    except (OSError, ValueError):
        # A resolver that fails for a while is no reason to forget where we are.
        return last


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
