"""Probes on demand, for /probe and the command line, of allowed targets only.

A target is allowed if it is configured or discovered, by its name or address, or
if its address matches one of `web.allow_targets`: else the exporter could be
used to scan a network. The answer is an observation that the store never sees,
so that nobody can move the counters by asking.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta

from .jobs.means import Means
from .observations import GreetingObservation, OcpObservation, PingObservation
from .probes.greeting import GreetingSettings, probe
from .probes.ocp import ask
from .probes.ping import PingSettings, ping
from .settings import quoted
from .targets import Address, Target, TargetPattern, parse_address

Answer = GreetingObservation | PingObservation | OcpObservation
"""What a probe on demand gives; of a pool it carries the pool's name, unless an ODP has the same."""
AT_A_TIME = 6
"""How many probes on demand may be under way, so that they leave threads and time to those of the schedule."""

Module = Callable[[str, timedelta], Awaitable[Answer]]
"""Probes the target of this name or address within this time."""


class ProbeRefused(Exception):
    """An on-demand probe that will not be done; the message says why and what is allowed."""


class TargetNotAllowed(ProbeRefused):
    """The configuration does not allow to probe this address."""


class ModuleUnknown(ProbeRefused):
    """There is no module of this name, or it is switched off."""


class TooManyProbes(ProbeRefused):
    """As many probes on demand as may be are under way."""


class OnDemand:
    """Answers requests for one probe; made anew with each configuration."""

    def __init__(
        self,
        means: Means,
        *,
        greeting: GreetingSettings,
        ping: PingSettings | None,
        allowed: Collection[TargetPattern],
    ) -> None:
        self._means = means
        self._greeting_settings = greeting
        self._ping_settings = ping
        self._allowed = tuple(allowed)
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self._modules: Mapping[str, Module] = {"greeting": self._greeting, "ping": self._ping, "ocp": self._ocp}

    @property
    def modules(self) -> Collection[str]:
        """The modules that can be asked for."""
        return [name for name in self._modules if name != "ping" or self._ping_settings]

    async def probe(self, target: str, module: str, *, timeout: timedelta) -> Answer:
        """Probe *target* once with *module*; raises `ProbeRefused` instead of doing what is not allowed."""
        if module not in self.modules:
            message = f"unknown module: {quoted(module)} (there are: {', '.join(self.modules)})"
            if module == "ping":
                message = "module ping is switched off (set ping.password_file in the configuration)"
            raise ModuleUnknown(message)
        if self._slots.locked():
            message = f"{AT_A_TIME} probes on demand are under way (try again)"
            raise TooManyProbes(message)
        async with self._slots:
            return await self._modules[module](target, timeout)

    async def _greeting(self, name: str, timeout: timedelta) -> Answer:
        target = self._target(name)
        deadlines = self._greeting_settings.deadlines.within(timeout)
        return await probe(target.name, target.address, deadlines=deadlines, clock=self._means.clock)

    async def _ping(self, name: str, timeout: timedelta) -> Answer:
        assert self._ping_settings is not None  # noqa: S101 - or the module would not be in modules
        settings = replace(self._ping_settings, timeout=min(timeout, self._ping_settings.timeout))
        once = functools.partial(ping, self._target(name), settings=settings, clock=self._means.clock)
        return await asyncio.get_running_loop().run_in_executor(self._means.ping_threads, once)

    async def _ocp(self, name: str, timeout: timedelta) -> Answer:
        record = self._means.store.ocps.get(name)
        if record is None:
            raise _refusal(name, "an OCP", self._means.store.ocps)
        async with asyncio.timeout(timeout.total_seconds()):
            return await ask(record.ocp, session=self._means.session, clock=self._means.clock)

    def _target(self, name: str) -> Target:
        store = self._means.store
        if record := store.odps.get(name):
            return record.target
        if (pool := store.pools.get(name)) and pool.pool.vip:
            return Target(name, pool.pool.vip)
        address = _address(name)
        for record in store.odps.values():
            if record.target.address == address:
                return record.target
        if any(pattern.matches(address) for pattern in self._allowed):
            return Target(str(address), address)
        raise _refusal(name, "a target", store.odps)


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise TargetNotAllowed(str(error)) from error


def _refusal(name: str, what: str, known: Collection[str]) -> TargetNotAllowed:
    some = ", ".join(sorted(known)[:5]) or "none"
    message = f"not {what} of this exporter: {quoted(name)} (there are: {some}; web.allow_targets allows more)"
    return TargetNotAllowed(message)
