"""Starts everything that a night needs, each a process of its own, and ends all of it."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from odp_exporter.simulator.exporter import exporter
from odp_exporter.simulator.fleet import Fleet, Ocp, Odp
from odp_exporter.simulator.fleet.ports import free_port
from odp_exporter.simulator.stack.alertmanager import alertmanager
from odp_exporter.simulator.stack.haproxy import HOST, Haproxy, Server, haproxy
from odp_exporter.simulator.stack.prometheus import Prometheus, prometheus
from odp_exporter.simulator.stack.server import running

from rules import render

from . import configs, crowd
from .configs import POOLS

RULES = render.RULES / "fast"
_OPTIONS = {"config_server_refresh_interval": "2s", "proxy_mem_limited": "512M", "client_max_connections": "64"}
_REMEDIATOR = "from odp_exporter.remediator_cli import main; main()"
_UNCACHED = "odp-6"
"""Nobody has logged in to the second cluster through this one."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything runs."""

    odps: Mapping[str, Odp]
    ocp: Ocp
    balancers: Mapping[str, Haproxy]
    prometheus: Prometheus


@asynccontextmanager
async def stage(directory: Path) -> AsyncIterator[Stage]:
    """All of it below *directory*, which is there; scraped and ready when the context begins."""
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(directory / "fleet"))
        ocp = await _start_ocp(fleet)
        odps = {name: await _start_odp(fleet, name, ocp) for names in POOLS.values() for name in names}
        balancers = {pool: await _start_balancer(stack, directory, pool, odps) for pool in POOLS}
        watched = await _start_watchers(stack, directory, odps, ocp, balancers)
        yield Stage(odps, ocp, balancers, watched)


async def _start_ocp(fleet: Fleet) -> Ocp:
    servers = [str(await fleet.start_observer()) for _ in range(3)]
    return await fleet.start_ocp({"trade": servers, "pay": servers[:2]})


async def _start_odp(fleet: Fleet, name: str, ocp: Ocp) -> Odp:
    odp = await fleet.start_odp(name, ocp=ocp, options=_OPTIONS)
    clusters = crowd.CLUSTERS[:1] if name == _UNCACHED else crowd.CLUSTERS
    await asyncio.to_thread(crowd.log_in, odp, clusters)
    return odp


async def _start_balancer(stack: AsyncExitStack, directory: Path, pool: str, odps: Mapping[str, Odp]) -> Haproxy:
    home = (directory / f"lb-{pool}").resolve()
    home.mkdir()
    servers = [Server(name, odps[name].address[1]) for name in POOLS[pool]]
    program = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "haproxy"
    return await stack.enter_async_context(haproxy(program, home, servers))


async def _start_watchers(
    stack: AsyncExitStack, directory: Path, odps: Mapping[str, Odp], ocp: Ocp, balancers: Mapping[str, Haproxy]
) -> Prometheus:
    port = free_port(HOST)
    remediator = f"http://{HOST}:{port}"
    configs.token_file(directory).write_text(configs.TOKEN, encoding="ascii")
    configs.token_file(directory).chmod(0o600)
    routing = await stack.enter_async_context(alertmanager(directory, configs.alertmanager(directory, remediator)))
    config = configs.shared(directory, odps, ocp, balancers, routing.url)
    watching = await stack.enter_async_context(exporter(directory, json.dumps(config)))
    more = configs.remediation(directory, odps, balancers, watching.url, port)
    file = directory / "remediator.yml"
    file.write_text(json.dumps({**config, "remediation": more}), encoding="utf-8")
    command = [sys.executable, "-c", _REMEDIATOR, "run", "--config.file", str(file)]
    await stack.enter_async_context(running(command, port, ready="/-/ready", log_file=directory / "remediator.log"))
    own = {name: _own_endpoint(odp) for name, odp in odps.items()}
    rules = sorted(RULES.glob("*.yml"))
    document = configs.prometheus(watching.url, remediator, own, rules, [routing.url])
    return await stack.enter_async_context(prometheus(directory, document))


def _own_endpoint(odp: Odp) -> str:
    """Where ODP shows its own figures: the value of -l."""
    return f"{HOST}:{odp.arguments[odp.arguments.index('-l') + 1]}"
