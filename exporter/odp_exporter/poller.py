"""Waits for many sockets: one registration each for their whole life, and one look for all that are ready.

asyncio's own way registers and removes a socket for each wait, and keeps a
timer for each. A probe waits twice and lives for a millisecond, so that this
was most of what it cost. What happened is stamped with the time when it was
seen: a task that gets its turn later has lost nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import select
import socket

from .clock import stopwatch
from .per_loop import PerLoop

CONNECTED = select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP
"""The connection came about, or failed."""
READABLE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLERR | select.EPOLLHUP
"""Bytes came, or the end."""
_USED_UP = select.EPOLLIN
"""Whoever has waited for bytes reads them; a connection that is there, or has ended, stays so."""
_EVERYTHING = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET


class Watch:
    """One socket under watch; to be ended before the socket is closed."""

    __slots__ = ("_happened", "_poller", "_waiter", "_wanted", "came", "connected", "fd")

    def __init__(self, poller: Poller, fd: int) -> None:
        self.fd = fd
        self.connected = math.nan
        """When the connection was first seen to have come about or failed, on the stopwatch."""
        self.came = math.nan
        """When bytes, or the end, were last seen to have come."""
        self._poller = poller
        self._happened = 0
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self, wanted: int, deadline: float) -> bool:
        """One of the *wanted* events has come since the last wait for it; False if none has by *deadline*.

        That is of the loop's clock. Nothing is late only because the loop was.
        """
        if not self._happened & wanted:
            self._wanted, self._waiter = wanted, self._poller.waiter(deadline)
            try:
                await self._waiter
            finally:
                self._waiter = None
        came = bool(self._happened & wanted)
        self._happened &= ~(wanted & _USED_UP)
        return came

    def happen(self, events: int, seen: float) -> None:
        """Take note of *events* of the kernel."""
        self._happened |= events
        if events & CONNECTED and math.isnan(self.connected):
            self.connected = seen
        if events & READABLE:
            self.came = seen
        if events & self._wanted and self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Nothing has happened yet, whatever was said; what happens from now on is told anew."""
        self._happened = 0

    def end(self) -> None:
        """Watch it no more; it is to be closed next."""
        self._poller.forget(self)

    def release(self) -> None:
        """Watch it no more, though it stays open."""
        self._poller.release(self)


class Poller:
    """Every watched socket of one event loop."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watches: dict[int, Watch] = {}
        self._deadlines: list[tuple[float, int, asyncio.Future[None]]] = []
        """A heap; the number tells apart what is due at the same time."""
        self._number = itertools.count()
        self._alarm = math.inf
        """When the heap is looked at next."""
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self.look)

    def watch(self, connection: socket.socket) -> Watch:
        """Begin to watch a *connection* that does not block."""
        watch = Watch(self, connection.fileno())
        self._epoll.register(watch.fd, _EVERYTHING)
        self._watches[watch.fd] = watch
        return watch

    def forget(self, watch: Watch) -> None:
        """Closing the socket, which must follow, removes it from the kernel's set."""
        self._watches.pop(watch.fd, None)

    def release(self, watch: Watch) -> None:
        """Take a socket that stays open out of the kernel's set."""
        self._epoll.unregister(watch.fd)
        self.forget(watch)

    def look(self) -> None:
        """Take note of all that has happened by now."""
        events = self._epoll.poll(0, max(1, len(self._watches)))
        seen = stopwatch()
        for fd, what in events:
            if watch := self._watches.get(fd):
                watch.happen(what, seen)

    def waiter(self, deadline: float) -> asyncio.Future[None]:
        """A future that is done at *deadline* at the latest."""
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._deadlines, (deadline, next(self._number), waiter))
        if deadline < self._alarm:
            self._arm(deadline)
        return waiter

    def _arm(self, moment: float) -> None:
        self._alarm = moment
        asyncio.get_running_loop().call_at(moment, self._expire, moment)

    def _expire(self, alarm: float) -> None:
        if alarm != self._alarm:
            return  # an earlier one was set meanwhile
        now = asyncio.get_running_loop().time()
        self.look()  # after the clock: what has come by now is not late, however late we are
        self._alarm = math.inf
        while self._deadlines:
            deadline, _, waiter = self._deadlines[0]
            if not waiter.done():
                if deadline > now:
                    self._arm(deadline)
                    return
                waiter.set_result(None)
            heapq.heappop(self._deadlines)


poller = PerLoop(Poller)
"""The one of the running event loop."""
