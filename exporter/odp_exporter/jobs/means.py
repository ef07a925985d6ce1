"""What every job works with."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ParamSpec, TypeVar

import aiohttp

from odp_exporter.clock import Clock
from odp_exporter.probes.host import HostProbe
from odp_exporter.sentinel import Sentinel
from odp_exporter.store import Store

CACHE_PATIENCE = timedelta(seconds=2)
"""How long OCP and the cached servers wait to be asked until the caches have been read."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Means:
    """What every job works with."""

    store: Store
    clock: Clock
    session: aiohttp.ClientSession
    host: HostProbe
    host_thread: Executor
    """One thread, for all that looks at this host."""
    ping_threads: Executor
    """For pings, so that hung ODPs use up nobody else's."""
    hurry: Callable[[str, str], None]
    """Has the job of this kind and name done now."""
    slots: asyncio.Semaphore
    """How many greeting probes may be under way at a time."""
    sentinel: Sentinel
    host_seen: asyncio.Event
    """Set once this host has been looked at: before that, nobody knows where the caches are."""
    caches_seen: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once all caches of this host have been read: they say what OCP and which servers are to be asked."""
    seed: str = ""
    """Differs from host to host, so that a fleet does not act in step."""

    async def on_host_thread(self, look: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What *look* gives, called in the one thread for this host."""
        call = functools.partial(look, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.host_thread, call)

    async def until_caches_seen(self) -> None:
        """Wait for the caches, as long as a healthy disk may take."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CACHE_PATIENCE.total_seconds()):
                await self.caches_seen.wait()
