"""Ends exactly one process: by a descriptor that no other process can slip under (S20).

Before Linux 5.3 there is no such descriptor; then the identity is looked at
immediately before each signal, which leaves some microseconds to a pid that
changes hands.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from odp_exporter import files
from odp_exporter.observations import Identity
from odp_exporter.procfs import processes

from .actuator import NotIdentified, NotPermitted, StopFailed
from .waiting import until

STOPPED = "T"
"""What /proc/PID/stat calls a process that SIGSTOP has met."""
_NO_PIDFDS = frozenset({errno.ENOSYS, errno.EPERM})
"""What an old kernel says, or a sandbox that does not know the call."""
KILL_TAKES = timedelta(seconds=10)
"""From SIGKILL to the end; longer is a process that the kernel itself holds (state D)."""


def is_same(one: Identity, other: Identity) -> bool:
    """Both name the same life; who may not see the executable calls it by another name."""
    return (one.boot_id, one.pid, one.start_ticks) == (other.boot_id, other.pid, other.start_ticks)


def lives(identity: Identity, *, proc: Path) -> bool:
    """That very process is there, and not over: until its last thread has ended it holds its port."""
    # Only `stat`: a command line cannot be read while the kernel works on the process's memory.
    try:
        stat = processes.parse_stat(files.read(proc / str(identity.pid) / "stat").content)
        is_it = stat.start_ticks == identity.start_ticks and processes.boot_id(proc) == identity.boot_id
    except (files.FileError, ValueError):
        return False
    return is_it and not stat.is_over


class Victim:
    """One process, held from when it was identified to its end."""

    def __init__(self, identity: Identity, *, proc: Path) -> None:
        self._identity = identity
        self._proc = proc
        self._fd = -1

    def __enter__(self) -> Self:
        if hasattr(os, "pidfd_open"):
            try:
                self._fd = os.pidfd_open(self._identity.pid)
            except ProcessLookupError:
                pass  # gone: is_gone() says so
            except OSError as error:
                self._without_pidfd(error)
        # Only now can the pid no longer change hands.
        if self._fd >= 0 and not self._is_zombie() and not lives(self._identity, proc=self._proc):
            self.__exit__(None, None, None)
            message = f"pid {self._identity.pid} is another process by now"
            raise NotIdentified(message)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    async def end(self, grace: timedelta) -> None:
        """SIGTERM, and SIGKILL after *grace*; StopFailed if it outlives that, NotPermitted if it is not ours."""
        self._signal(signal.SIGTERM)
        # A stopped process takes SIGTERM only once it goes on, and nobody lets it; SIGKILL needs no consent.
        if await self._ends(timedelta() if self._is_stopped() else grace):
            return
        self._signal(signal.SIGKILL)
        if not await self._ends(KILL_TAKES):
            message = f"pid {self._identity.pid} outlives SIGKILL (the kernel holds it: disk or NFS trouble?)"
            raise StopFailed(message)

    def _without_pidfd(self, error: OSError) -> None:
        """An old kernel has none; what else may keep one from us is out of descriptors or memory."""
        if error.errno not in _NO_PIDFDS:
            message = f"pid {self._identity.pid} cannot be held: {(error.strerror or str(error)).lower()}"
            raise NotIdentified(message) from error

    def _signal(self, number: signal.Signals) -> None:
        try:
            if self._fd >= 0:
                signal.pidfd_send_signal(self._fd, number)
            elif not self._is_gone():
                os.kill(self._identity.pid, number)
        except ProcessLookupError:
            return
        except PermissionError as error:
            message = f"pid {self._identity.pid} belongs to another user (run this as ODP's user)"
            raise NotPermitted(message) from error

    async def _ends(self, within: timedelta) -> bool:
        if self._fd < 0:
            return await until(self._is_gone, within=within)
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._fd, ended.set)
        try:
            async with asyncio.timeout(within.total_seconds()):
                await ended.wait()
        except TimeoutError:
            return self._is_zombie()
        finally:
            loop.remove_reader(self._fd)
        return True

    def _is_zombie(self) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(0))

    def _is_stopped(self) -> bool:
        """SIGSTOP has met it."""
        try:
            content = files.read(self._proc / str(self._identity.pid) / "stat").content
            return processes.parse_stat(content).state == STOPPED
        except (files.FileError, ValueError):
            return False

    def _is_gone(self) -> bool:
        return not lives(self._identity, proc=self._proc)
