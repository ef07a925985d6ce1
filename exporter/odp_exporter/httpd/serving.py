"""The service that gives an application out over HTTP or HTTPS.

The web configuration file is followed: when it or a file that it names
changes, new connections are made under the new one, and requests of old ones
are weighed by it. A change that cannot be used leaves everything as it was.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import structlog
from aiohttp import web

from odp_exporter.schedule import Pacer
from odp_exporter.targets import Address
from odp_exporter.yamlfiles.problems import ConfigError

from . import access
from .access import Access
from .door import Door
from .gate import Gate

log = structlog.get_logger()

BACKLOG = 128
KEEP_ALIVE_SECONDS = 120
"""Longer than people's scrape intervals, so that a scrape needs no new connection."""
_WAYS_OUT = {
    errno.EADDRINUSE: "address already in use (choose another with --web.listen-address)",
    errno.EACCES: "permission denied (ports below 1024 are the superuser's; choose another with --web.listen-address)",
    errno.EADDRNOTAVAIL: "not an address of this host (choose another with --web.listen-address)",
}


class ListenError(Exception):
    """An address cannot be listened on; the message says which and why."""


def _ignore(_: tuple[Address, ...]) -> None:
    pass


async def serve(  # noqa: PLR0913 - one call, at start; each is a different collaborator
    app: web.Application,
    addresses: Sequence[Address],
    *,
    web_config: Path | None = None,
    on_bound: Callable[[tuple[Address, ...]], None] = _ignore,
    grace: timedelta = timedelta(seconds=5),
    check_every: timedelta = timedelta(seconds=1),
) -> None:
    """Serve *app* until cancelled; requests under way then have *grace* to end.

    ConfigError or ListenError before anything is served; *on_bound* is told the
    addresses once they are, for port 0 means any.
    """
    now = await asyncio.to_thread(access.load, web_config) if web_config else Access()
    with ExitStack() as stack:
        gate = stack.enter_context(Gate(now.config))
        gate.guard(app)
        sockets = [stack.enter_context(await _listen(address)) for address in addresses]
        runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS, shutdown_timeout=grace.total_seconds()
        )
        await runner.setup()
        door = Door(runner, sockets)
        try:
            door.open(now)
            bound = tuple(Address(*each.getsockname()[:2]) for each in sockets)
            log.info("listening", addresses=[str(address) for address in bound], tls=now.tls is not None)
            on_bound(bound)
            await _follow(now, gate, door, check_every)
        finally:
            door.close()
            await runner.cleanup()


async def _follow(current: Access, gate: Gate, door: Door, check_every: timedelta) -> None:
    """Take up each change of the files behind *current*."""
    if not current.paths:
        await asyncio.Event().wait()
    path, problem = current.paths[0], ""
    pacer = Pacer("web configuration", check_every)
    await pacer.first()
    while True:
        # After a failure it is tried each time: the cause may lie in a file that *current* does not name.
        if problem or await asyncio.to_thread(access.fingerprint, current.paths) != current.fingerprint:
            match await asyncio.to_thread(_load, path):
                case Access() as fresh:
                    current, problem = fresh, ""
                    door.open(fresh)
                    gate.replace(fresh.config)
                    log.info("web configuration reloaded")
                case ConfigError(problems=problems) as error if str(error) != problem:
                    problem = str(error)
                    log.error("web configuration not reloaded, the former one stays", problems=list(map(str, problems)))
        await pacer.next(check_every)


def _load(path: Path) -> Access | ConfigError:
    try:
        return access.load(path)
    except ConfigError as error:
        return error


async def _listen(address: Address) -> socket.socket:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        message = f"{address}: does not resolve"
        raise ListenError(message) from error
    family, kind, protocol, _, where = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `[::]:9888` and `0.0.0.0:9888` may stand side by side.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        message = f"{address}: {_WAYS_OUT.get(error.errno or 0) or (error.strerror or str(error)).lower()}"
        raise ListenError(message) from error
    return listener
