"""Which addresses belong to this host.

Asked of the kernel's routing table, without a packet. Not by bind(): hosts
with keepalived often allow binding addresses that are not theirs
(ip_nonlocal_bind).
"""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from datetime import datetime, timedelta

KEEP = timedelta(minutes=1)
"""How long an answer holds; a virtual address may move, and resolving a name may block."""


class Locality:
    """Remembers the answers for a minute."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[datetime, frozenset[str]]] = {}

    def addresses(self, host: str, now: datetime) -> frozenset[str]:
        """Those IP addresses of *host* that belong to this host; none when it is another one."""
        asked, answer = self._answers.get(host, (None, frozenset[str]()))
        if asked is not None and timedelta() <= now - asked < KEEP:
            return answer
        # A resolver that fails for a while is no reason to forget where we are.
        with suppress(OSError, UnicodeError):
            answer = frozenset(ip for ip in resolve(host) if is_ours(ip))
        self._answers[host] = (now, answer)
        return answer


def resolve(host: str) -> frozenset[str]:
    """The IP addresses of *host*; an OSError when it has none."""
    try:
        return frozenset((str(ipaddress.ip_address(host)),))
    except ValueError:
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
