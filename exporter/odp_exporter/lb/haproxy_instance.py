"""One HAProxy: reading the servers of a backend, and moving one of them.

With the socket of its master process it also sees the old workers, in which
the sessions from before a reload go on, and which the ordinary socket hides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from . import haproxy_pages as pages
from .driver import Admin, LbError, LbRefused, LbUnconfirmed, LbUnreachable
from .haproxy_cli import Endpoint, ask, order, refusal
from .haproxy_pages import Server

T = TypeVar("T")

_KILL_LOOKS = 20
_KILL_PAUSE = timedelta(milliseconds=25)
"""HAProxy ends sessions in the turns that follow the order: 0.5 s of such looks are plenty."""
_GONE = "Can't find the target PID"
_SERVERS_ONLY = 4


@dataclass(frozen=True, slots=True)
class Instance:
    """A HAProxy that has the backend."""

    socket: Endpoint
    master: Endpoint | None
    backend: str
    timeout: timedelta
    """For each command."""

    @property
    def _seconds(self) -> float:
        return self.timeout.total_seconds()

    async def servers(self) -> Mapping[str, Server]:
        """All servers of the backend; sessions are those of all its processes, or not counted without a master."""
        found = await self._servers()
        if self.master is None:
            return {name: replace(server, sessions=None) for name, server in found.items()}
        counts = [await self._sessions(pid) for pid in await self._old_workers()]
        return {
            name: replace(server, sessions=(server.sessions or 0) + sum(count.get(name, 0) for count in counts))
            for name, server in found.items()
        }

    async def server(self, name: str) -> Server:
        """One server, with the sessions of the present worker only."""
        return self.one(name, await self._servers())

    def one(self, name: str, servers: Mapping[str, Server]) -> Server:
        """The server of that *name*; LbRefused if the backend has none."""
        if name in servers:
            return servers[name]
        message = f"{self.socket}: backend '{self.backend}' has no server '{name}' (see 'servers' in the settings)"
        raise LbRefused(message)

    async def drain(self, name: str) -> None:
        """No new sessions go to a server, as reading back shows; in maintenance none do, and it stays in that."""
        if (await self.server(name)).admin is Admin.READY:
            await self._order(f"set server {self.backend}/{name} state drain")
            if (await self.server(name)).admin is Admin.READY:
                message = f"{self.socket}: server '{name}' took the order to drain, and is ready"
                raise LbUnconfirmed(message)

    async def enable(self, name: str, weight: int | None) -> None:
        """A server is ready at *weight*, as reading back shows; LbRefused while it is in maintenance."""
        now = await self.server(name)
        if now.admin is Admin.MAINT:
            message = f"{self.socket}: server '{name}' is in maintenance (whoever put it there takes it out)"
            raise LbRefused(message)
        weight = now.weight if weight is None else weight
        await self._weigh(name, now, weight)
        if now.admin is Admin.DRAIN:
            await self._order(f"set server {self.backend}/{name} state ready")
        now = await self.server(name)
        if (now.admin, now.weight) != (Admin.READY, weight):
            message = f"{self.socket}: server '{name}' is in {now.admin} with weight {now.weight}, not {weight}"
            raise LbUnconfirmed(message)

    async def put_back(self, name: str, was: Server) -> None:
        """Undo what was begun with a server; a maintenance is nothing that we begin or end."""
        if was.admin is Admin.READY:
            await self.enable(name, was.weight)
        if was.admin is Admin.DRAIN:
            await self.drain(name)
            await self._weigh(name, await self.server(name), was.weight)

    async def _weigh(self, name: str, now: Server, weight: int) -> None:
        if now.weight != weight:
            await self._order(f"set server {self.backend}/{name} weight {weight}")

    async def kill_sessions(self, name: str) -> None:
        """End the sessions to a server in every process, and see that they ended."""
        self.one(name, await self._servers())
        await self._order(f"shutdown sessions server {self.backend}/{name}")
        for _ in range(_KILL_LOOKS):
            for pid in await self._old_workers():
                await self._kill_in_old_worker(pid, name)
            left = self.one(name, await self.servers()).sessions
            if not left:
                return
            await asyncio.sleep(_KILL_PAUSE.total_seconds())
        message = f"{self.socket}: {left} sessions to server '{name}' are left (is it drained?)"
        raise LbUnconfirmed(message)

    async def started(self) -> datetime | None:
        """When its present worker began."""
        seconds = (await self._info()).get("Start_time_sec")
        return None if seconds is None else self._read(lambda: datetime.fromtimestamp(int(seconds), UTC), "show info")

    async def check(self) -> None:
        """It may be steered; LbRefused if a socket's level forbids it."""
        await self._expect_admin(self.socket, "show cli level")
        if self.master is not None:
            pid = (await self._info()).get("Pid", "")
            await self._expect_admin(self.master, f"@!{pid} show cli level")

    async def _expect_admin(self, endpoint: Endpoint, command: str) -> None:
        level = (await ask(endpoint, command, seconds=self._seconds)).strip()
        if level not in {"admin", "operator", "user"}:
            raise refusal(endpoint, command, level)
        if level != "admin":
            message = f"{endpoint}: its level is '{level}' (it needs 'level admin')"
            raise LbRefused(message)

    async def _servers(self) -> Mapping[str, Server]:
        state = await self._page(f"show servers state {self.backend}", "1\n")
        stat = await self._page(f"show stat {self.backend} {_SERVERS_ONLY} -1", "# ")
        return self._read(lambda: pages.servers(state, stat, self.backend), "show servers state")

    async def _info(self) -> Mapping[str, str]:
        return pages.info(await self._page("show info", "Name: "))

    async def _old_workers(self) -> tuple[int, ...]:
        """Every worker of the master but the one that answers the ordinary socket."""
        if self.master is None:
            return ()
        proc = await ask(self.master, "show proc", seconds=self._seconds)
        present = (await self._info()).get("Pid", "")
        every = self._read(lambda: pages.workers(proc), "show proc")
        if present not in map(str, every):
            message = f"{self.master}: knows no worker {present}, which answers at {self.socket} (another HAProxy's?)"
            raise LbUnreachable(message)
        return tuple(pid for pid in every if str(pid) != present)

    async def _sessions(self, pid: int) -> Mapping[str, int]:
        stat = await self._ask_old_worker(pid, f"show stat {self.backend} {_SERVERS_ONLY} -1")
        if stat is None or stat.startswith("No such proxy"):
            return {}
        return self._read(lambda: pages.sessions(stat, self.backend), "show stat")

    async def _kill_in_old_worker(self, pid: int, name: str) -> None:
        # There `shutdown sessions server` says "Proxy is disabled.", and does nothing.
        for pointer in pages.pointers(await self._ask_old_worker(pid, "show sess") or "", self.backend, name):
            answer = await self._ask_old_worker(pid, command := f"shutdown session {pointer}")
            if answer is not None and answer.strip() and not answer.startswith("No such session"):
                raise refusal(self._master(), command, answer)

    async def _ask_old_worker(self, pid: int, command: str) -> str | None:
        """The answer of one old worker, or None when it has ended."""
        answer = await ask(self._master(), f"@!{pid} {command}", seconds=self._seconds)
        return None if answer.startswith(_GONE) else answer

    def _master(self) -> Endpoint:
        if self.master is None:
            message = f"{self.socket}: no master socket"
            raise LbError(message)
        return self.master

    async def _page(self, command: str, beginning: str) -> str:
        answer = await ask(self.socket, command, seconds=self._seconds)
        if answer.startswith(beginning):
            return answer
        raise refusal(self.socket, command, answer)

    async def _order(self, command: str) -> None:
        await order(self.socket, command, seconds=self._seconds)

    def _read(self, read: Callable[[], T], command: str) -> T:
        try:
            return read()
        except (ValueError, KeyError, OverflowError, OSError) as error:
            message = f"{self.socket}: its answer to '{command}' is none that HAProxy gives: {error}"
            raise LbUnreachable(message) from error


def instances(
    sockets: tuple[Endpoint, ...], masters: tuple[Endpoint, ...], backend: str, timeout: timedelta
) -> Iterator[Instance]:
    """One for each socket, with its master if any are given."""
    for index, socket in enumerate(sockets):
        yield Instance(socket, masters[index] if masters else None, backend, timeout)
