"""Reads the cache files of this host's ODPs, and tries the servers that they name."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from odp_exporter import changes
from odp_exporter.probes.cache import read_cache
from odp_exporter.probes.servers import ServerSettings, chosen, due, try_servers
from odp_exporter.schedule import Job
from odp_exporter.targets import Target

from .means import Means


def cache_job(interval: timedelta, means: Means) -> Job:
    """Read the cache files of all ODPs of this host."""

    async def run() -> bool:
        await means.host_seen.wait()
        records = list(means.store.odps.values())
        for record in records:
            if record.host and record.host.is_local and record.host.home:
                await _read_cache(record.target, record.host.home, means)
        means.caches_seen.set()
        return all(record.host for record in records)

    return Job("cache", "cache", interval, run)


async def _read_cache(target: Target, home: Path, means: Means) -> None:
    changes.record(means.store, await asyncio.to_thread(read_cache, target.name, home, means.clock()))


def servers_job(settings: ServerSettings, means: Means) -> Job:
    """Try the cached servers of all ODPs of this host, each in its part of the interval."""

    async def run() -> bool:
        await means.until_caches_seen()
        store = means.store
        records = [record for record in store.odps.values() if record.host and record.host.home]
        servers = chosen((record.cache for record in records if record.cache), settings.max)
        store.keep_servers(servers)
        now_due = due(servers, store.servers, means.clock(), settings=settings, seed=means.seed)
        for seen in await try_servers(now_due, timeout=settings.timeout, clock=means.clock):
            changes.record(store, seen)
        return all(record.cache for record in records)

    return Job("servers", "servers", settings.step, run, subject=settings)
