"""What is in use now: the configuration, the inventory and the jobs that follow from them.

A reload is all or nothing: only a configuration without any mistake replaces
the old one. Loading files takes a thread, so that probing goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog

from .config import Config, load
from .discovered_file import DiscoveredFile
from .exposition.collector import Collector, Situation
from .exposition.web import Site
from .inventory import Discovered, Inventory, Sighting, merged
from .observations import Observation
from .ondemand import OnDemand
from .probing import Means, cache_job, greeting_job, host_job, ocp_job, ping_job, pool_job
from .schedule import Job, Schedule
from .target_files import TargetFiles, load_target_files
from .yamlfiles.problems import ConfigError

log = structlog.get_logger()


def load_config(file: Path | None) -> Config:
    """The configuration in *file*; without one, what this host shows is all there is."""
    return load(file) if file else Config()


def load_targets(config: Config, last: TargetFiles) -> TargetFiles:
    """What the target files of *config* say now."""
    patterns = [pattern for discovery in config.file_sd_configs for pattern in discovery.files]
    return load_target_files(patterns, last=last, pools=config.pools)


class Exporter:
    """Holds what is in use now: the configuration, the inventory and the jobs that follow from them."""

    def __init__(self, config_file: Path | None, config: Config, means: Means, discovered_file: DiscoveredFile) -> None:
        self.config = config
        self._config_file = config_file
        self._means = means
        self._discovered_file = discovered_file
        self._discovered = Discovered()
        self._files = TargetFiles()
        self._inventory = Inventory()
        self._schedule = Schedule(means.store.overruns)
        self._collector = Collector(means.store, self._situation(), means.clock)
        self._on_demand = self._new_on_demand()
        self._reloading = asyncio.Lock()

    def site(self) -> Site:
        """What the web pages show and do."""
        return Site(self._collector, self, self.reload, lambda: self._schedule.is_round_done)

    @property
    def modules(self) -> Collection[str]:
        """The modules of /probe."""
        return self._on_demand.modules

    async def probe(self, target: str, module: str, *, timeout: timedelta) -> Observation:
        """Probe on demand, as the present configuration allows."""
        return await self._on_demand.probe(target, module, timeout=timeout)

    async def run(self) -> None:
        """Probe until cancelled."""
        if self.config.is_discovering:
            self._discovered = await asyncio.to_thread(self._discovered_file.load, self._means.clock())
        await self._look_around()
        await self._schedule.run()

    async def reload(self) -> tuple[str, ...]:
        """Load the configuration again; gives its mistakes, in which case all stays as it was."""
        async with self._reloading:
            try:
                config = await asyncio.to_thread(load_config, self._config_file)
            except ConfigError as error:
                return self._refuse(error)
            self.config = config
            self._means = replace(self._means, slots=asyncio.Semaphore(config.probe.max_concurrent))
            self._collector.situation, self._on_demand = self._situation(), self._new_on_demand()
            # Whoever reloads wants what is gone to be gone.
            self._discovered = Discovered()
            await self._look_around()
            log.info("configuration reloaded", odps=len(self._inventory.odps))
            return ()

    def _refuse(self, error: ConfigError) -> tuple[str, ...]:
        problems = tuple(map(str, error.problems))
        self._collector.situation = replace(self._collector.situation, is_reload_ok=False)
        log.error("configuration not reloaded, the former one stays", problems=problems)
        return problems

    async def _look_around(self) -> None:
        """Read the target files and discover, then probe what that comes to."""
        await self._read_files()
        if self.config.is_discovering:
            await self._discover()
        self._apply()

    async def _read_files(self) -> bool:
        before = self._files
        self._files = await asyncio.to_thread(load_targets, self.config, before)
        if self._files.problems and self._files.problems != before.problems:
            log.warning("target files have mistakes", problems=list(map(str, self._files.problems)))
        return True

    async def _discover(self) -> bool:
        now = self._means.clock()
        found = await self._means.on_host_thread(self._means.host.discover, now)
        seen = Discovered(tuple(Sighting(target, now) for target in found.targets), found.ocps)
        self._discovered = self._discovered.after(seen, now=now, forget_after=self.config.discovery.forget_after)
        await asyncio.to_thread(self._discovered_file.save, self._discovered)
        return True

    async def _read_files_and_apply(self) -> bool:
        await self._read_files()
        self._apply()
        return True

    async def _discover_and_apply(self) -> bool:
        await self._discover()
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
        )
        if inventory.left_out and inventory.left_out != self._inventory.left_out:
            log.warning("targets left out", targets=list(inventory.left_out))
        if inventory != self._inventory:
            log.info("targets", odps=[target.name for target in inventory.odps], ocps=[o.name for o in inventory.ocps])
        self._inventory = inventory
        self._means.store.keep(odps=inventory.odps, pools=inventory.pools, ocps=inventory.ocps)
        self._schedule.apply(self._jobs())

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
        yield cache_job(config.cache.interval, means)
        if config.is_discovering:
            yield Job("discovery", "discovery", config.discovery.interval, self._discover_and_apply)
        for discovery in config.file_sd_configs:
            name = " ".join(discovery.files)
            yield Job("target_files", name, discovery.refresh_interval, self._read_files_and_apply)

    def _situation(self) -> Situation:
        config = self.config
        return Situation(
            config.probe.interval,
            config.process.interval,
            config.cache.interval,
            reloaded_at=self._means.clock(),
            is_ping_on=config.ping is not None,
        )

    def _new_on_demand(self) -> OnDemand:
        config = self.config
        return OnDemand(self._means, greeting=config.probe, ping=config.ping, allowed=config.web.allow_targets)
