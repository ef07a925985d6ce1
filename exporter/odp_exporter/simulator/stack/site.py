"""A whole site on loopback: ODPs and an OCP, a load balancer, an exporter, whoever tells, and a real remediator.

ODPs and OCP are the simulator's. HAProxy, Alertmanager and Prometheus are the
real programs; where one of the first two is not installed a stand-in takes
its place, and without Prometheus the exporter's own push is the only way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from typing import Self

from odp_exporter.simulator.exporter import Exporter, exporter
from odp_exporter.simulator.fleet import Fleet, Ocp, Odp
from odp_exporter.simulator.fleet.ports import free_port

from .alertmanager import Alertmanager, alertmanager
from .balancer import Balancer, balancer
from .chain import hurried, rewired
from .client import Client
from .forwarder import Forwarder, forwarder
from .haproxy import BACKEND, Haproxy, Ports, Server, haproxy, sampled
from .prometheus import Job, Prometheus, prometheus, watching
from .receiver import Receiver, receiver
from .remediator import TOKEN, WEBHOOK, Remediator, remediator
from .server import HOST

PATIENCE_SECONDS = 60.0
POOL = "trade"
OURS = frozenset({"remediator", "heartbeat"})
"""Receivers of the sample that are the remediator."""
HURRIED = (
    "{look_again: 1s, cool_down: 2s, session_wait: 500ms, verify_over: 500ms, hold: 2s, survey_grace: 1s,"
    " verify_deadline: 20s, enable_deadline: 20s, fleet_budget: 100}"
)
"""The remediator's policy where nobody wants to wait."""
_ROUTES = json.dumps(
    {
        "route": {
            "receiver": "people",
            "routes": [{"matchers": ['remediation != ""'], "receiver": "remediator", "group_by": ["alertname", "odp"]}],
        },
        "receivers": [
            {"name": name, "webhook_configs": [{"send_resolved": True}]} for name in ("remediator", "people")
        ],
    }
)
_MAINT, _DRAIN, _UP = 0x01, 0x08, 2
"""HAProxy's numbers for what a person or an agent wants of a server, and for one that is up."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the real ones are; None: a stand-in, or none."""

    haproxy: str | None = None
    alertmanager: str | None = None
    prometheus: str | None = None

    @classmethod
    def found(cls) -> Self:
        """Those that are installed; haproxy lives where an ordinary user's path does not lead."""
        path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
        names = ("haproxy", "prometheus-alertmanager", "prometheus")
        return cls(*(shutil.which(name, path=path) for name in names))


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a site is made of."""

    programs: Programs
    odps: Sequence[str] = ("odp-1", "odp-2", "odp-3")
    clusters: Sequence[str] = ("ob1",)
    rules: Sequence[Path] = ()
    """Prometheus evaluates them; without any, there is no Prometheus."""
    routes: str = _ROUTES
    """An Alertmanager configuration, whose receivers become the remediator and one for all people."""
    alertmanagers: int = 1
    pushes: bool = False
    """The exporter tells the Alertmanagers itself."""
    haproxy_sample: str | None = None
    """An HAProxy configuration to start from, instead of the simulator's own."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What every ODP is started with."""
    loses_webhooks: bool = False
    """Alertmanager's notifications of repairs go where nobody listens."""
    max_concurrent: int = 1
    policy: str = HURRIED


@dataclass(frozen=True, slots=True)
class Edge:
    """The load balancer, whichever it is."""

    it: Haproxy | Balancer
    port: int
    """Clients connect here."""

    async def reload(self) -> None:
        """A new worker, as after a changed configuration; only a real one has workers."""
        if isinstance(self.it, Haproxy):
            await self.it.reload()

    async def ask(self, command: str) -> str:
        """The answer of its Runtime API; empty while nobody listens."""
        try:
            reader, writer = await asyncio.open_unix_connection(self.it.admin_socket)
        except OSError:
            return ""
        try:
            writer.write(command.encode() + b"\n")
            writer.write_eof()
            return (await reader.read()).decode()
        except OSError:
            return ""
        finally:
            writer.transport.abort()

    async def states(self) -> dict[str, str]:
        """What it does with each server: UP, DOWN, DRAIN or MAINT, and the weight."""
        lines = (await self.ask(f"show servers state {BACKEND}")).splitlines()
        names = lines[1].removeprefix("# ").split() if lines else []
        rows = [dict(zip(names, line.split(), strict=False)) for line in lines[2:] if line]
        return {row["srv_name"]: f"{_word(row)} {row['srv_uweight']}" for row in rows}


@dataclass(frozen=True, slots=True)
class Site:
    """A running one."""

    fleet: Fleet
    ocp: Ocp
    odps: Mapping[str, Odp]
    edge: Edge
    exporter: Exporter
    alertmanagers: Sequence[Alertmanager | Forwarder]
    prometheus: Prometheus | None
    people: Receiver
    """Whoever is told besides the remediator."""
    remediator: Remediator
    client: Client

    async def is_whole(self) -> bool:
        """Every server is up and takes sessions."""
        states = await self.edge.states()
        return bool(states) and all(state == "UP 1" for state in states.values())

    async def is_calm(self) -> bool:
        """Every ODP serves and takes sessions, nothing is under way, and no alert is left."""
        odps, metrics = await self.remediator.status(), await self.exporter.metrics()
        is_idle = all(it["stage"] == "idle" and not it["alerts"] and not it["paused"] for it in odps.values())
        return is_idle and all(metrics.state(odp) == "serving" for odp in odps) and await self.is_whole()


async def until(what: Callable[[], object], *, seconds: float = PATIENCE_SECONDS, every: float = 0.05) -> None:
    """Wait until *what* is true, or gives something awaitable that is; look *every* so many seconds."""
    async with asyncio.timeout(seconds):
        while not (await found if isawaitable(found := what()) else found):  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(every)


@contextlib.asynccontextmanager
async def site(directory: Path, blueprint: Blueprint) -> AsyncIterator[Site]:
    """Run one in *directory*, which is there and absolute, until the context ends; it is calm when that begins."""
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(directory / "fleet"))
        observer = str(await fleet.start_observer())
        ocp = await fleet.start_ocp({name: [observer] for name in blueprint.clusters})
        odps = await _odps(fleet, ocp, blueprint)
        made = _Making(directory, blueprint, odps, ocp, stack)
        running = Site(fleet, ocp, odps, *await made.all(), client=Client(made.ports.sql))
        await until(running.is_calm)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        connecting = group.create_task(running.client.run(), name="client")
        try:
            yield running
        finally:
            connecting.cancel()


async def _odps(fleet: Fleet, ocp: Ocp, blueprint: Blueprint) -> Mapping[str, Odp]:
    async with asyncio.TaskGroup() as group:
        starts = {
            name: group.create_task(fleet.start_odp(name, ocp=ocp, options=blueprint.options))
            for name in blueprint.odps
        }
    return {name: start.result() for name, start in starts.items()}


class _Making:
    """Starts what stands around the ODPs, each after what it talks to."""

    def __init__(
        self, directory: Path, blueprint: Blueprint, odps: Mapping[str, Odp], ocp: Ocp, stack: AsyncExitStack
    ) -> None:
        self._directory = directory
        self._blueprint = blueprint
        self._odps = odps
        self._ocp = ocp
        self._stack = stack
        self._port, self._agent_port = free_port(HOST), free_port(HOST)
        self.ports = Ports()

    async def all(
        self,
    ) -> tuple[Edge, Exporter, Sequence[Alertmanager | Forwarder], Prometheus | None, Receiver, Remediator]:
        edge = await self._edge()
        people = await self._stack.enter_async_context(receiver(token=TOKEN))
        (self._directory / "token").write_text(TOKEN, encoding="ascii")
        told = [await self._alertmanager(number, people) for number in range(self._blueprint.alertmanagers)]
        pushed = [each.url for each in told] if self._blueprint.pushes else []
        exporting = await self._stack.enter_async_context(exporter(self._directory, self._exporter_config(pushed)))
        config = self._remediator_config(edge, exporting, told)
        repairing = await self._stack.enter_async_context(remediator(self._directory, self._port, config))
        watching_it = await self._prometheus(exporting, repairing, told)
        return edge, exporting, told, watching_it, people, repairing

    async def _edge(self) -> Edge:
        directory = self._directory / "haproxy"
        directory.mkdir()
        servers, program = self._servers(), self._blueprint.programs.haproxy
        if program is None:
            standing_in = await self._stack.enter_async_context(balancer(directory, servers, port=self.ports.sql))
            return Edge(standing_in, standing_in.port)
        sample, agent = self._blueprint.haproxy_sample, self._agent_port
        text = sampled(sample, directory, servers, self.ports, agent_port=agent) if sample else None
        it = haproxy(program, directory, servers, agent_port=agent, ports=self.ports, text=text)
        return Edge(await self._stack.enter_async_context(it), self.ports.sql)

    def _servers(self) -> list[Server]:
        return [Server(name, odp.address[1]) for name, odp in self._odps.items()]

    async def _alertmanager(self, number: int, people: Receiver) -> Alertmanager | Forwarder:
        port = free_port(HOST) if self._blueprint.loses_webhooks else self._port
        webhook = f"http://{HOST}:{port}{WEBHOOK}"
        program = self._blueprint.programs.alertmanager
        if program is None:
            return await self._stack.enter_async_context(forwarder(webhook, token=TOKEN))
        directory = self._directory / f"alertmanager-{number}"
        directory.mkdir()
        config = _routed(self._blueprint.routes, people.url, webhook, self._directory / "token")
        return await self._stack.enter_async_context(alertmanager(directory, config, program=program))

    async def _prometheus(
        self, exporting: Exporter, repairing: Remediator, told: Sequence[Alertmanager | Forwarder]
    ) -> Prometheus | None:
        program = self._blueprint.programs.prometheus
        if program is None or not self._blueprint.rules:
            return None
        jobs = [Job("odp-exporter", [exporting.url]), Job("odp-remediator", [repairing.url])]
        config = watching(*jobs, rules=self._blueprint.rules, alertmanagers=[each.url for each in told])
        return await self._stack.enter_async_context(prometheus(self._directory, config, program=program))

    def _targets(self) -> str:
        return "odps:\n" + "".join(
            f"  - {{name: {name}, address: '{odp.address[0]}:{odp.address[1]}', home: {odp.home}, pool: {POOL}}}\n"
            for name, odp in self._odps.items()
        )

    def _exporter_config(self, pushed: Sequence[str]) -> str:
        return (
            f"{self._targets()}"
            f"pools: {{{POOL}: {{vip: '{HOST}:{self.ports.sql}'}}}}\n"
            f"ocp: [{{name: ocp, url: '{self._ocp.url}', interval: 1s}}]\n"
            "probe: {interval: 1s, timeout: 500ms}\n"
            "cache: {interval: 1s}\n"
            f"state_directory: {self._directory / 'exporter'}\n"
            f"alertmanagers: {json.dumps(pushed)}\n"
            "notify: {resend_interval: 1s, end_after: 3s, expire_after: 4s}\n"
        )

    def _remediator_config(self, edge: Edge, exporting: Exporter, told: Sequence[Alertmanager | Forwarder]) -> str:
        lb = f"type: haproxy, sockets: [{edge.it.admin_socket}], master_sockets: [{edge.it.master_socket}]"
        agent = f"  agent: {{listen_address: '{HOST}:{self._agent_port}'}}\n" if isinstance(edge.it, Haproxy) else ""
        return (
            f"{self._targets()}"
            f"pools: {{{POOL}: {{lb: edge, max_concurrent: {self._blueprint.max_concurrent}}}}}\n"
            f"alertmanagers: {json.dumps([each.url for each in told])}\n"
            "remediation:\n"
            f"  listen_address: {HOST}:{self._port}\n"
            "  token_file: token\n"
            "  journal: journal.db\n"
            f"  receivers: {json.dumps(sorted(OURS))}\n"
            "  survey_interval: 500ms\n"
            "  alertmanager_interval: 2s\n"
            f"  lbs: {{edge: {{{lb}, backend: {BACKEND}}}}}\n"
            f"{agent}"
            "  actuators:\n"
            "    default:\n"
            "      type: local\n"
            f"      state_directory: {self._directory / 'actuator'}\n"
            f"      exporter_state_directory: {self._directory / 'exporter'}\n"
            f"  exporters: {{default: '{exporting.url}'}}\n"
            f"  policy: {self._blueprint.policy}\n"
        )


def _routed(routes: str, people: str, webhook: str, token_file: Path) -> str:
    """*routes* whose receivers are the remediator or one for all people, and under which nobody waits."""
    document = json.loads(hurried(rewired(routes, people, token_file)))
    for each in document["receivers"]:
        if each["name"] in OURS:
            each["webhook_configs"][0]["url"] = webhook
    return json.dumps(document)


def _word(row: Mapping[str, str]) -> str:
    admin = int(row["srv_admin_state"])
    if admin & _MAINT:
        return "MAINT"
    if admin & _DRAIN:
        return "DRAIN"
    return "UP" if int(row["srv_op_state"]) == _UP else "DOWN"
