"""What is in use now: the configuration, the inventory and the jobs that follow from them.

A reload is all or nothing: only a configuration without any mistake replaces
the old one. Loading files takes a thread, so that probing goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog

from .clock import stopwatch
from .config import Config, load
from .discovered_file import DiscoveredFile
from .exposition.collector import Collector, Situation
from .exposition.web import Site
from .inventory import Discovered, Inventory, Sighting, merged
from .jobs.cache import cache_job, servers_job
from .jobs.greeting import greeting_job, pool_job
from .jobs.host import host_job, queue_job
from .jobs.means import Means
from .jobs.ocp import ocp_job
from .jobs.ping import ping_job
from .notify.notifier import Notifier
from .ondemand import Answer, OnDemand
from .schedule import Job, Schedule
from .target_files import TargetFiles, load_target_files
from .targets import Address
from .yamlfiles.problems import ConfigError

log = structlog.get_logger()

LOGGED = 20
"""How many mistakes a log line names; a program that writes nonsense can make a hundred thousand."""
FIXED = ("web.listen_address", "web.config_file", "state_directory")
"""Settings that are looked at once, at start."""


def _setting(config: Config, name: str) -> object:
    return functools.reduce(getattr, name.split("."), config)


def load_config(file: Path | None) -> Config:
    """The configuration in *file*; without one, what this host shows is all there is."""
    return load(file) if file else Config()


def load_targets(config: Config, last: TargetFiles) -> TargetFiles:
    """What the target files of *config* say now."""
    patterns = [pattern for discovery in config.file_sd_configs for pattern in discovery.files]
    return load_target_files(patterns, last=last, pools=config.pools)


class Exporter:
    """Holds what is in use now: the configuration, the inventory and the jobs that follow from them."""

    def __init__(
        self,
        config_file: Path | None,
        config: Config,
        *,
        means: Means,
        schedule: Schedule,
        discovered_file: DiscoveredFile,
    ) -> None:
        self.config = config
        self._config_file = config_file
        self._means = means
        self._discovered_file = discovered_file
        self._discovered, self._looked = Discovered(), stopwatch()
        self._local: frozenset[Address] = frozenset()
        self._unseen: tuple[str, ...] = ()
        self._files = TargetFiles()
        self._inventory = Inventory()
        self._schedule = schedule
        self._notifier = Notifier(means.store, means.session, means.clock)
        self._reloaded_at, self._is_reload_ok = means.clock(), True
        self._collector = Collector(means.store, self._situation(), means.clock)
        self._on_demand = self._new_on_demand()
        self._loading = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._loads = 0
        self._mistakes: tuple[str, ...] = ()

    def site(self) -> Site:
        """What the web pages show and do."""
        return Site(self._collector, self, self.reload, lambda: self._schedule.is_round_done)

    @property
    def collector(self) -> Collector:
        """What is known now."""
        return self._collector

    @property
    def is_round_done(self) -> bool:
        """Every target was probed at least once."""
        return self._schedule.is_round_done

    @property
    def unseen(self) -> tuple[str, ...]:
        """What this user or this kernel does not show to the discovery."""
        return self._unseen

    @property
    def modules(self) -> Collection[str]:
        """The modules of /probe."""
        return self._on_demand.modules

    async def probe(self, target: str, module: str, *, timeout: timedelta) -> Answer:
        """Probe on demand, as the present configuration allows."""
        return await self._on_demand.probe(target, module, timeout=timeout)

    async def run(self) -> None:
        """Probe until cancelled."""
        await self._read_files()
        await self._remember()
        await self._discover()
        self._apply()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._schedule.run(), name="jobs")
            group.create_task(self._notifier.run(), name="notify")

    async def reload(self) -> tuple[str, ...]:
        """Load the configuration again; gives its mistakes, in which case all stays as it was.

        However many ask while one load is under way, one more is done for them all.
        """
        asked = self._loads
        async with self._loading:
            if self._loads == asked:
                self._loads += 1
                self._mistakes = await self._load()
            return self._mistakes

    async def _load(self) -> tuple[str, ...]:
        try:
            config = await asyncio.to_thread(load_config, self._config_file)
        except ConfigError as error:
            return self._refuse(error)
        if fixed := [name for name in FIXED if _setting(config, name) != _setting(self.config, name)]:
            log.warning("changes that need a restart", settings=fixed)
        if config.probe.max_concurrent != self.config.probe.max_concurrent:  # jobs under way keep the one they have
            self._means = replace(self._means, slots=asyncio.Semaphore(config.probe.max_concurrent))
        self.config, self._reloaded_at, self._is_reload_ok = config, self._means.clock(), True
        self._on_demand = self._new_on_demand()
        await self._read_files()
        await self._remember()
        await self._discover()
        self._apply()
        log.info("configuration reloaded", odps=len(self._inventory.odps))
        return ()

    def _refuse(self, error: ConfigError) -> tuple[str, ...]:
        problems = tuple(map(str, error.problems))
        self._is_reload_ok = False
        self._collector.situation = self._situation()
        log.error("configuration not reloaded, the former one stays", problems=problems[:LOGGED], count=len(problems))
        return problems

    async def _read_files(self) -> None:
        config, before = self.config, self._files
        files = await asyncio.to_thread(load_targets, config, before)
        if config is not self.config:
            return  # a reload came between, and has read its own
        self._files = files
        if files.problems and files.problems != before.problems:
            first = [str(problem) for problem in files.problems[:LOGGED]]
            log.warning("target files have mistakes", problems=first, count=len(files.problems))

    async def _remember(self) -> None:
        """Begin with what an earlier run has discovered."""
        if self.config.is_discovering and not self._discovered.sightings:
            self._discovered = await asyncio.to_thread(self._discovered_file.load)

    async def _discover(self) -> None:
        """Look for ODPs on this host, and for which of the named targets live here as well."""
        if self.config.is_discovering:
            async with self._looking:
                await self._look_for_odps()

    async def _look_for_odps(self) -> None:
        now, host = self._means.clock(), self._means.host
        named = [target.address for target in (*self.config.odps, *self._files.targets)]
        self._local = await self._means.on_host_thread(host.local, named, now)
        found = await self._means.on_host_thread(host.discover, now)
        if new := sorted(set(found.unseen) - set(self._unseen)):
            log.warning("not everything on this host can be seen", reasons=new)
        self._unseen = found.unseen
        seen = Discovered(tuple(Sighting(target) for target in found.targets), found.ocps)
        discovery = self.config.discovery
        elapsed = self._since_last_look(discovery.interval)
        self._discovered = self._discovered.after(seen, elapsed=elapsed, forget_after=discovery.forget_after)
        await asyncio.to_thread(self._discovered_file.save, self._discovered)

    def _since_last_look(self, interval: timedelta) -> timedelta:
        """No more than *interval*: nobody looked while this process stood still."""
        before, self._looked = self._looked, stopwatch()
        return min(timedelta(seconds=self._looked - before), interval)

    async def _read_files_and_apply(self) -> bool:
        before = self._files
        await self._read_files()
        if self._files != before:
            await self._discover()
            self._apply()
        return True

    async def _discover_and_apply(self) -> bool:
        before = (self._discovered.odps, self._discovered.ocps, self._local, self._unseen)
        await self._discover()
        if (self._discovered.odps, self._discovered.ocps, self._local, self._unseen) != before:
            self._apply()
        return True

    def _apply(self) -> None:
        config = self.config
        inventory = merged(
            configured=config.odps,
            from_files=self._files.targets,
            discovered=self._discovered if config.is_discovering else Discovered(),
            pools=config.pools.values(),
            ocps=config.ocp,
            local=self._local,
        )
        if inventory.left_out and inventory.left_out != self._inventory.left_out:
            log.warning("targets left out", targets=list(inventory.left_out))
        if inventory != self._inventory:
            log.info("targets", odps=[target.name for target in inventory.odps], ocps=[o.name for o in inventory.ocps])
        self._inventory = inventory
        self._collector.situation = self._situation()
        self._means.store.keep(odps=inventory.odps, pools=inventory.pools, ocps=inventory.ocps)
        self._schedule.apply(self._jobs())
        self._notifier.apply(config.alertmanagers, config.notify)

    def _jobs(self) -> Iterator[Job]:
        config, means = self.config, self._means
        for target in self._inventory.odps:
            yield greeting_job(target, config.probe, means)
            if config.ping:
                yield ping_job(target, config.ping, means)
        for pool in self._inventory.pools:
            if pool.vip:
                yield pool_job(pool, pool.vip, config.probe, means)
        for ocp in self._inventory.ocps:
            yield ocp_job(ocp, means)
        yield host_job(config.process.interval, means)
        yield queue_job(config.process.queue_interval, means)
        yield cache_job(config.cache.interval, means)
        if config.servers.enabled:
            yield servers_job(config.servers, means)
        if config.is_discovering:
            yield Job("discovery", "discovery", config.discovery.interval, self._discover_and_apply)
        if config.file_sd_configs:
            interval = min(it.refresh_interval for it in config.file_sd_configs)
            yield Job("target_files", "target_files", interval, self._read_files_and_apply)

    def _situation(self) -> Situation:
        config = self.config
        return Situation(
            config.probe.interval,
            config.process.interval,
            config.cache.interval,
            ping_interval=config.ping.interval if config.ping else None,
            servers_interval=config.servers.interval if config.servers.enabled else None,
            reloaded_at=self._reloaded_at,
            is_reload_ok=self._is_reload_ok,
            discovery_unseen=len(self._unseen),
            target_file_problems=len(self._files.problems),
        )

    def _new_on_demand(self) -> OnDemand:
        config = self.config
        return OnDemand(self._means, greeting=config.probe, ping=config.ping, allowed=config.web.allow_targets)
