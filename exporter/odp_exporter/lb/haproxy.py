"""The HAProxy driver: drains and enables by the Runtime API, over the sockets of all instances.

HAProxy forgets a drain when it is reloaded, so agent.py says it again from
there; here each verb is confirmed by reading back. It does not take part in
health checks: an enabled server that they call down stays down.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, model_validator
from pydantic.dataclasses import dataclass

from odp_exporter.settings import STRICT, Duration, quoted
from odp_exporter.targets import Name, Target

from .driver import Admin, Capabilities, Health, LbError, LbRefused, LbUnconfirmed, Member
from .haproxy_cli import EndpointField
from .haproxy_instance import Instance, instances
from .haproxy_pages import Server

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_ADMINS = (Admin.READY, Admin.DRAIN, Admin.MAINT)
_HEALTHS = (Health.UP, Health.UNKNOWN, Health.DOWN)
"""From the best word to the worst."""


def parse_haproxy_name(value: object) -> str:
    """What HAProxy takes for the name of a backend or a server."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    message = f"not a name of HAProxy's: {quoted(value)} (letters, digits and _ . : - only)"
    raise ValueError(message)


def parse_some(value: object) -> object:
    """A list that is not empty; its entries are checked after that."""
    if isinstance(value, list | tuple) and not value:
        message = "an empty list (name at least one)"
        raise ValueError(message)
    return value


HaproxyName = Annotated[str, BeforeValidator(parse_haproxy_name)]


@dataclass(frozen=True, slots=True, config=STRICT)
class HaproxySettings:
    """Which HAProxy is steered, and what the ODPs are called there."""

    sockets: Annotated[tuple[EndpointField, ...], BeforeValidator(parse_some)]
    """One for each instance, of `level admin`: a path, or an address."""
    backend: HaproxyName
    type: Literal["haproxy"] = "haproxy"
    master_sockets: tuple[EndpointField, ...] = ()
    """Those of the master processes, in the order of `sockets`; without them no session is counted or killed."""
    servers: Mapping[Name, HaproxyName] = field(default_factory=dict)
    """Names of the ODPs in HAProxy, where they are not the ODPs' own."""
    timeout: Duration = timedelta(seconds=2)
    """For each command; HAProxy answers in less than a millisecond."""

    @model_validator(mode="after")
    def _one_of_each(self) -> HaproxySettings:
        if any(len(set(given)) < len(given) for given in (self.sockets, self.master_sockets)):
            message = "a socket given twice (one for each instance)"
            raise ValueError(message)
        if self.master_sockets and len(self.master_sockets) != len(self.sockets):
            message = f"{len(self.sockets)} sockets and {len(self.master_sockets)} master_sockets (one each, or none)"
            raise ValueError(message)
        return self


class Haproxy:
    """The servers of one backend in all instances of HAProxy."""

    def __init__(self, settings: HaproxySettings, members: Sequence[Target]) -> None:
        """ValueError when the *members* cannot be told apart in HAProxy."""
        self._servers = _names(settings.servers, (target.name for target in members))
        found = instances(settings.sockets, settings.master_sockets, settings.backend, settings.timeout)
        self._instances = tuple(found)
        counts = bool(settings.master_sockets)
        self.capabilities = Capabilities(counts_sessions=counts, kills_sessions=counts)

    async def members(self) -> Mapping[str, Member]:
        """Every member, the worst word of all instances."""
        found = [(instance, await instance.servers()) for instance in self._instances]
        return {
            odp: _worst(odp, [instance.one(server, servers) for instance, servers in found])
            for odp, server in self._servers.items()
        }

    async def started(self) -> datetime | None:
        """When the youngest worker of all instances began; a reload makes a new one."""
        starts = [await instance.started() for instance in self._instances]
        return max((start for start in starts if start is not None), default=None)

    async def drain(self, odp: str) -> None:
        """Drain it everywhere; in maintenance it is out of use already, and stays in that."""
        name = self._server(odp)
        await self._everywhere(name, await self._seen(name), lambda instance: instance.drain(name))

    async def enable(self, odp: str, weight: int | None) -> None:
        """Take the drain back everywhere; LbRefused where a person has put it into maintenance."""
        name = self._server(odp)
        seen = await self._seen(name)
        if any(was.admin is Admin.MAINT for was in seen):
            message = f"{quoted(odp)} is in maintenance (whoever put it there takes it out)"
            raise LbRefused(message)
        if weight == min(was.weight for was in seen):
            weight = None  # instances may differ, and nothing has changed
        await self._everywhere(name, seen, lambda instance: instance.enable(name, weight))

    async def kill_sessions(self, odp: str) -> None:
        """End its sessions in all workers of all instances; others take their place unless it is drained."""
        name = self._server(odp)
        if not self.capabilities.kills_sessions:
            message = "sessions cannot be killed in old workers (give 'master_sockets')"
            raise LbRefused(message)
        for instance in self._instances:
            await instance.kill_sessions(name)

    async def check(self) -> None:
        """Every socket has the level it needs, and every backend all servers."""
        for instance in self._instances:
            await instance.check()
        await self.members()

    def _server(self, odp: str) -> str:
        if odp in self._servers:
            return self._servers[odp]
        message = f"no member of this pool: {quoted(odp)}"
        raise LbRefused(message)

    async def _seen(self, name: str) -> Sequence[Server]:
        # All of them before anything is done: what is not there cannot be half done.
        return [await instance.server(name) for instance in self._instances]

    async def _everywhere(self, name: str, seen: Sequence[Server], act: Callable[[Instance], Awaitable[None]]) -> None:
        """Do it on all instances, or on none; LbUnconfirmed if it is done on a part of several."""
        touched: list[tuple[Instance, Server]] = []
        try:
            for instance, was in zip(self._instances, seen, strict=True):
                touched.append((instance, was))
                await act(instance)
        except LbError as error:
            left = [str(instance.socket) for instance, was in touched if not await _is_put_back(instance, name, was)]
            if len(self._instances) == 1:
                raise
            message = f"{error}; {_outcome(left)}"
            raise LbUnconfirmed(message) from error


async def _is_put_back(instance: Instance, name: str, was: Server) -> bool:
    try:
        await instance.put_back(name, was)
    except LbError:
        return False
    return True


def _outcome(left: Iterable[str]) -> str:
    names = ", ".join(left)
    return f"not put back: {names}" if names else "the others were put back"


def _worst(odp: str, seen: Sequence[Server]) -> Member:
    counts = [server.sessions for server in seen if server.sessions is not None]
    return Member(
        odp,
        admin=max((server.admin for server in seen), key=_ADMINS.index),
        health=max((server.health for server in seen), key=_HEALTHS.index),
        weight=min(server.weight for server in seen),
        sessions=sum(counts) if len(counts) == len(seen) else None,
    )


def _names(given: Mapping[str, str], odps: Iterable[str]) -> Mapping[str, str]:
    """The server of each ODP; no two have the same."""
    owners: dict[str, str] = {}
    for odp in odps:
        try:
            server = parse_haproxy_name(given.get(odp, odp))
        except ValueError as error:
            message = f"{error}; name the server of ODP {quoted(odp)} in 'servers'"
            raise ValueError(message) from error
        if server in owners:
            message = f"ODPs {quoted(owners[server])} and {quoted(odp)} are the same server: {quoted(server)}"
            raise ValueError(message)
        owners[server] = odp
    return {odp: server for server, odp in owners.items()}
