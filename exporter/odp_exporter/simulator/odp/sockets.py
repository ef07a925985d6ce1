"""The ports of an ODP: which there are, who serves them, and how a hot restart hands them down (odp-facts 4.1, 7.6)."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Iterator, Mapping

from .listener import Listener, Serve, listen
from .options import Simulation
from .parameters import Parameters
from .session import Office, Session

_SECOND_ACCEPT_THREAD = 0x200000
_METRICS_BACKLOG = 4096
_METRICS = "metrics"


class Sockets:
    """Everything that listens, and the sessions that came in."""

    def __init__(self, office: Office, simulation: Simulation, tasks: asyncio.TaskGroup) -> None:
        self._office = office
        self._simulation = simulation
        self._tasks = tasks
        self._listeners: dict[str, Listener] = {}
        self._thread_ids = _thread_ids()
        self.sessions: set[Session] = set()
        """Open client connections, logged in or not."""
        self.idle = asyncio.Event()
        """Set while there is no client connection."""
        self.idle.set()

    def open(self) -> None:
        """Open the ports; the SQL port last, since an open one means ready."""
        parameters = self._office.parameters
        hosts = _hosts(parameters)
        if parameters.flag("enable_prometheus"):
            self._open_metrics(parameters.number("prometheus_listen_port"), hosts[0])
        if self._simulation.release.has_rpc_port and parameters.flag("enable_obproxy_rpc_service"):
            self._open("rpc", hosts, parameters.number("rpc_listen_port"), _hold)
        self._open("sql", hosts, parameters.number("listen_port"), self._serve)

    def stop_accepting(self) -> None:
        """Leave new clients to the kernel; the ports stay open."""
        for role, listener in self._listeners.items():
            if role != _METRICS:
                listener.stop_accepting()

    def hand_down(self) -> Mapping[str, int]:
        """File descriptors for a child that takes over; the metrics port is given back for it."""
        if metrics := self._listeners.pop(_METRICS, None):
            metrics.close()
        return {role: listener.hand_down() for role, listener in self._listeners.items()}

    def _open_metrics(self, port: int, host: str) -> None:
        host = "0.0.0.0" if self._simulation.shows_metrics_anywhere else host
        try:
            listening = listen(host, port, backlog=_METRICS_BACKLOG)
        except OSError as error:
            # ODP goes on without its metrics (odp-facts 6).
            text = f"fail to init prometheus(error={error.strerror})"
            self._office.logs.failure("PROXY", "start (ob_proxy.cpp:437)", text)
        else:
            self._listeners[_METRICS] = Listener(listening, self._office.metrics.serve, self._tasks)

    def _open(self, kind: str, hosts: tuple[str, ...], port: int, serve: Serve) -> None:
        for number, host in enumerate(hosts):
            role = f"{kind}{number}"
            inherited = self._simulation.inherited.get(role)
            listening = listen(host, port) if inherited is None else socket.socket(fileno=inherited)
            self._listeners[role] = Listener(listening, serve, self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(self._office, reader, writer, next(self._thread_ids))
        self.sessions.add(session)
        self.idle.clear()
        try:
            await session.run(len(self.sessions))
        finally:
            self.sessions.discard(session)
            if not self.sessions:
                self.idle.set()


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The RPC port takes connections; what is said there stays unanswered."""
    while await reader.read(65536):
        pass
    writer.close()


def _hosts(parameters: Parameters) -> tuple[str, ...]:
    v4, v6 = parameters.text("local_bound_ip"), parameters.text("local_bound_ipv6_ip")
    return {"1": (v4,), "2": (v6,), "3": (v4, v6)}[parameters.text("ip_listen_mode")]


def _thread_ids() -> Iterator[int]:
    """2, 0x200001, 3, 0x200002, ...: two accept threads that take turns, as captured."""
    for count in itertools.count(1):
        yield count + 1
        yield _SECOND_ACCEPT_THREAD + count
