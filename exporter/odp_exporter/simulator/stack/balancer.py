"""A small TCP load balancer that looks like HAProxy to whoever steers it, for demos where HAProxy is not installed.

It greets its servers as checks, spreads connections over those that are up and
ready, and answers the commands of the Runtime API that a driver needs, in the
forms of HAProxy 2.6. It is no load balancer to put before a real ODP: it has
no queues, no limits and no reload.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from odp_exporter.simulator.fleet.ports import free_port

from .haproxy import BACKEND, HOST, Server

_MAINT = 0x01
_DRAIN = 0x08
_FALL = _RISE = 2
_CHECK_SECONDS = 0.3
_CHECK_TIMEOUT_SECONDS = 1.0
_PROTOCOL_BYTE = 4
"""Where a greeting says that it is of protocol version 10."""
_PROTOCOL = 10
_MAX_WEIGHT = 256
_COLUMNS = (
    *("be_id", "be_name", "srv_id", "srv_name", "srv_addr", "srv_op_state", "srv_admin_state", "srv_uweight"),
    *("srv_check_status", "srv_check_state"),
)
_RUNNING, _CHECKED, _NOT_YET, _CHECKING = 2, 15, 1, 6
"""HAProxy's numbers for what a server and its checks are at."""
_BITS = {"ready": 0, "drain": _DRAIN, "maint": _MAINT}
_NOTHING = "\n"
"""How a command is answered that was carried out."""


@dataclass(slots=True)
class _Place:
    """A server as it stands now."""

    server: Server
    weight: int
    bits: int = 0
    is_up: bool = True
    is_checked: bool = False
    streak: int = 0
    """Checks in a row that speak against `is_up`."""
    given: int = 0
    sessions: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def takes_sessions(self) -> bool:
        return self.is_up and not self.bits and self.weight > 0


class Balancer:
    """A running load balancer."""

    def __init__(self, directory: Path, servers: Iterable[Server], *, port: int | None = None) -> None:
        self.admin_socket = directory / "admin.sock"
        self.master_socket = directory / "master.sock"
        self.port = port or free_port(HOST)
        """Clients connect here."""
        self._places = {server.name: _Place(server, server.weight) for server in servers}
        self._started = int(time.time())

    async def run(self, ready: asyncio.Event) -> None:
        """Serve until cancelled."""
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._shut_all)
            await stack.enter_async_context(await asyncio.start_server(self._carry, HOST, self.port))
            for path in (self.admin_socket, self.master_socket):
                await stack.enter_async_context(await asyncio.start_unix_server(self._talk, path))
            group = await stack.enter_async_context(asyncio.TaskGroup())
            for place in self._places.values():
                group.create_task(self._check(place), name=f"check of {place.server.name}")
            ready.set()

    def answer(self, command: str) -> str:
        """What HAProxy would say to *command*; that of a master too."""
        command = command.strip().removeprefix(f"@!{os.getpid()} ")
        if (page := self._pages().get(command)) is not None:
            return page
        match command.split():
            case ["set", "server", name, what, value]:
                return self._set(self._place(name), what, value)
            case ["shutdown", "sessions", "server", name]:
                return self._shut(self._place(name))
            case ["show", "servers", "state", _]:
                return "Can't find backend.\n\n"
            case _:
                return "Unknown command\n\n"

    def _pages(self) -> Mapping[str, str]:
        pid = os.getpid()
        return {
            "show cli level": "admin\n\n",
            "show info": f"Name: Balancer\nPid: {pid}\nStart_time_sec: {self._started}\n\n",
            "show proc": f"#<PID>  <type>  <reloads>\n1  master  0\n# workers\n{pid}  worker  0\n# old workers\n\n",
            f"show servers state {BACKEND}": f"1\n# {' '.join(_COLUMNS)}\n{''.join(self._state_lines())}\n",
            f"show stat {BACKEND} 4 -1": f"# pxname,svname,scur,tracked,\n{''.join(self._stat_lines())}\n",
        }

    def _place(self, name: str) -> _Place | None:
        backend, _, server = name.partition("/")
        return self._places.get(server) if backend == BACKEND else None

    def _set(self, place: _Place | None, what: str, value: str) -> str:
        if place is None:
            return "No such server.\n\n"
        if what == "state" and value in _BITS:
            place.bits = _BITS[value]
            return _NOTHING
        if what == "weight" and value.isdecimal() and int(value) <= _MAX_WEIGHT:
            place.weight = int(value)
            return _NOTHING
        return f"'{what} {value}' is not understood.\n\n"

    def _shut(self, place: _Place | None) -> str:
        if place is None:
            return "No such server.\n\n"
        for client in place.sessions:
            client.transport.abort()
        return _NOTHING

    def _shut_all(self) -> None:
        for place in self._places.values():
            self._shut(place)

    def _state_lines(self) -> Iterator[str]:
        for number, (name, place) in enumerate(self._places.items(), 1):
            up = _RUNNING if place.is_up and not place.bits & _MAINT else 0
            status = _CHECKED if place.is_checked else _NOT_YET
            values = (1, BACKEND, number, name, HOST, up, place.bits, place.weight, status, _CHECKING)
            yield " ".join(map(str, values)) + "\n"

    def _stat_lines(self) -> Iterator[str]:
        for name, place in self._places.items():
            yield f"{BACKEND},{name},{len(place.sessions)},,\n"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):
            writer.write(self.answer((await reader.readline()).decode("utf-8", "replace")).encode())
            await writer.drain()
        writer.close()

    async def _check(self, place: _Place) -> None:
        while True:
            is_good = await _greets(place.server.port)
            place.is_checked = True
            place.streak = 0 if is_good is place.is_up else place.streak + 1
            if place.streak >= (_FALL if place.is_up else _RISE):
                place.is_up, place.streak = is_good, 0
            await asyncio.sleep(_CHECK_SECONDS)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if candidates := [place for place in self._places.values() if place.takes_sessions]:
            place = min(candidates, key=lambda place: place.given / place.weight)
            place.given += 1
            place.sessions.add(writer)
            with contextlib.suppress(OSError):
                await _joined(reader, writer, place.server.port)
            place.sessions.discard(writer)
        writer.transport.abort()


async def _joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Copy both ways until either side ends."""
    far_reader, far_writer = await asyncio.open_connection(HOST, port)
    try:
        async with asyncio.TaskGroup() as group:
            ways = [group.create_task(_copied(reader, far_writer)), group.create_task(_copied(far_reader, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
    finally:
        far_writer.transport.abort()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(64 * 1024):
            writer.write(chunk)
            await writer.drain()


async def _greets(port: int) -> bool:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        async with asyncio.timeout(_CHECK_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                return (await reader.readexactly(_PROTOCOL_BYTE + 1))[_PROTOCOL_BYTE] == _PROTOCOL
            finally:
                writer.transport.abort()
    return False


@contextlib.asynccontextmanager
async def balancer(directory: Path, servers: Iterable[Server], *, port: int | None = None) -> AsyncIterator[Balancer]:
    """Run one with its sockets in *directory*, which is there and absolute, until the context ends."""
    running = Balancer(directory, servers, port=port)
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(running.run(ready), name="balancer")
        await ready.wait()
        try:
            yield running
        finally:
            serving.cancel()
