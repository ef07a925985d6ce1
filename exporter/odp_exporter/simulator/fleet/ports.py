"""Free ports on loopback that stay free while their process restarts."""

from __future__ import annotations

import functools
import itertools
import random
import socket
from collections.abc import Iterator
from pathlib import Path

_LOWEST = 10_000
_BLOCK = 1000
"""How many ports each process that starts others has for itself."""


def free_port(host: str) -> int:
    """A port on which nobody listens now, and that no other process gives away.

    From below the ephemeral range, so that no outgoing connection takes it
    while its process is down. It comes again when all others have been given.
    """
    for port in itertools.islice(_own_ports(), _BLOCK):
        if _can_bind(host, port):
            return port
    message = f"no free port on {host}"
    raise OSError(message)


@functools.cache
def _own_ports() -> Iterator[int]:
    """The ports that are this process's as long as it lives, again and again."""
    highest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    blocks = range(_LOWEST, max(highest, _LOWEST + _BLOCK) - _BLOCK + 1, _BLOCK)
    drawn = random.SystemRandom().sample(blocks, len(blocks))
    # Where every block is somebody's, two share one, and a port may be taken between look and use.
    first = next(filter(_reserve, drawn), drawn[0])
    return itertools.cycle(range(first, first + _BLOCK))


def _reserve(first: int) -> bool:
    """Hold a name that only one process can have, in the namespace that the ports are in."""
    with socket.socket(socket.AF_UNIX) as holder:
        try:
            holder.bind(f"\0odp-simulator-ports-{first}")
        except OSError:
            return False
        holder.detach()
    return True


def _can_bind(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
            candidate.listen(1)
        except OSError:
            return False
    return True
