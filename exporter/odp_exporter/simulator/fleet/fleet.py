"""The fleet itself: starts ODPs, OCPs, watchdogs and OBServers, and ends them all."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Self

from odp_exporter.simulator.ocp.documents import Shape, World
from odp_exporter.simulator.odp import faults
from odp_exporter.simulator.odp.faults import Fault
from odp_exporter.simulator.odp.main import install

from .observer import Observer
from .ocp import Ocp
from .odp import Odp, StartFailed
from .ports import free_port
from .processes import end_all_below
from .watchdog import Watchdog

LOOPBACK = "127.0.0.1"

_START_TRIES = 3
_QUIET = {"enable_metadb_used": "false", "enable_strict_kernel_release": "false"}
"""What a fleet's ODP is told besides: as in ODP's docker image, no meta database is asked for."""
_CHILD_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)


class Fleet:
    """Simulated processes below *directory*; leave its context and they are gone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        self._odps: list[Odp] = []
        self._exits = contextlib.AsyncExitStack()
        self._environment = {**os.environ, "OBPROXY_SIM_OWNER": str(os.getpid())}

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._exits.enter_context(_outliving_children())
        self._exits.push_async_callback(self._end_odps)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    async def _end_odps(self) -> None:
        await end_all_below(self._directory)
        for odp in self._odps:
            await odp.wait_gone()

    async def start_observer(self, host: str = LOOPBACK, port: int = 0) -> Observer:
        """A TCP listener that stands for an OBServer: it accepts, and no more."""
        return await self._exits.enter_async_context(Observer(host, port or free_port(host)))

    async def start_ocp(  # noqa: PLR0913 - each by name, each with a default
        self,
        clusters: Mapping[str, Sequence[str]] | None = None,
        *,
        host: str = LOOPBACK,
        meta: Sequence[str] = (),
        shape: Shape = Shape.LIST,
        version: str | None = None,
        password: str = "x",  # noqa: S107 - what the captured OCP had
    ) -> Ocp:
        """An OCP that knows *clusters*: SQL addresses, `ip:port`, by name; and the *meta* database's."""
        known = {name: list(addresses) for name, addresses in (clusters or {}).items()}
        world = World(known, list(meta), version, password, shape)
        ocp = await Ocp.start(host, free_port(host), world, self._environment)
        self._exits.push_async_callback(ocp.stop)
        return ocp

    async def start_odp(  # noqa: PLR0913 - each by name, nearly each with a default
        self,
        name: str,
        *,
        ocp: Ocp | str | None = None,
        options: Mapping[str, str] | None = None,
        release: str = "4.3.1",
        host: str = LOOPBACK,
        foreground: bool = False,
        waiting_faults: Mapping[Fault, float] | None = None,
        waits: bool = True,
        shows_metrics_anywhere: bool = False,
    ) -> Odp:
        """An ODP in a home of its own, with *options* as its `-o`, and listening if it *waits*.

        *waiting_faults* are in its fault file before its first start.
        """
        home = self._directory / name
        install(home)
        faults.write(home, waiting_faults or {})
        environment = self._environment | _conduct(release, shows_metrics_anywhere=shows_metrics_anywhere)
        url = ocp.url if isinstance(ocp, Ocp) else ocp or ""
        given = {"obproxy_config_server_url": url, "local_bound_ip": host, **_QUIET, **(options or {})}
        for remaining in reversed(range(_START_TRIES)):
            port = free_port(host)
            odp = Odp(name, home, _arguments(host, port, given, foreground=foreground), (host, port), environment)
            self._odps.append(odp)
            try:
                await odp.start(waits=waits)
                break
            except StartFailed as failure:
                if not remaining or "Address already in use" not in str(failure):
                    raise
        return odp

    async def watchdog(self, odp: Odp) -> Watchdog:
        """An obproxyd.sh that watches *odp*."""
        watchdog = await Watchdog.start(odp, odp.environment)
        self._exits.push_async_callback(watchdog.stop)
        return watchdog


def _conduct(release: str, *, shows_metrics_anywhere: bool) -> dict[str, str]:
    """The environment that tells a simulated ODP which one to be."""
    anywhere = {"OBPROXY_SIM_METRICS_ANYWHERE": "1"} if shows_metrics_anywhere else {}
    return {"OBPROXY_SIM_RELEASE": release, **anywhere}


def _arguments(host: str, port: int, options: Mapping[str, str], *, foreground: bool) -> Sequence[str]:
    optstr = ",".join(f"{name}={value}" for name, value in options.items())
    ports = ("-p", str(port), "-l", str(free_port(host)), "-s", str(free_port(host)))
    return (*(("-N",) if foreground else ()), *ports, "-n", "odptest", "-o", optstr)


@contextlib.contextmanager
def _outliving_children() -> Iterator[None]:
    """Survive the signals that ODP sends to its parent when it ends; by default they kill (odp-facts 7.4)."""
    unhandled = [number for number in _CHILD_SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in unhandled:
        signal.signal(number, _ignore)
    try:
        yield
    finally:
        for number in unhandled:
            signal.signal(number, signal.SIG_DFL)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Lets a signal pass; unlike SIG_IGN, no child inherits it."""
