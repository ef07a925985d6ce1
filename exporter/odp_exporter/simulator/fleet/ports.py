"""Free ports on loopback that stay free while their process restarts."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_LOWEST = 10_000
_TRIES = 200


def free_port(host: str) -> int:
    """A port on which nobody listens now.

    From below the ephemeral range, so that no outgoing connection takes it
    while its process is down.
    """
    highest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(_TRIES):
        port = random.randrange(_LOWEST, max(highest, _LOWEST + 1000))  # noqa: S311 - no secret
        if _can_bind(host, port):
            return port
    message = f"no free port on {host}"
    raise OSError(message)


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
