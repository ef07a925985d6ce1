"""File descriptors of processes: whether one still lives, and with what status it ended.

Works for processes of other users and takes no privilege. What an old kernel
lacks degrades: before Linux 5.3 there are no pidfds and /proc must do, before
6.15 no exit status remains once the parent has asked for it. Nothing here
signals a process.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
from collections.abc import Collection
from pathlib import Path

from odp_exporter import files
from odp_exporter.observations import Identity

from . import processes

_INFO = struct.Struct("<QQ11Ii")
"""struct pidfd_info of Linux 6.13: mask, cgroup, eleven ids, and the wait status."""
_GET_INFO = (3 << 30) | (_INFO.size << 16) | (0xFF << 8) | 11
_EXIT = 1 << 3
"""PIDFD_INFO_EXIT of Linux 6.15."""
_STAT_BYTES = 64 * 1024
_STATE, _THREADS, _EXIT_CODE = 0, 17, 49
"""Fields 3 and 52 of /proc/PID/stat, behind the name (proc(5))."""


class Pidfds:
    """One pidfd for each process that is watched."""

    def __init__(self, proc: Path) -> None:
        self._proc = proc
        self._fds: dict[Identity, int] = {}
        # Process ids of another mount of /proc may be of another pid namespace.
        self._is_usable = proc == processes.PROC and hasattr(os, "pidfd_open")
        self.gives_status = self._is_usable and _gives_information()
        """This kernel keeps exit statuses for us; only 6.13 and 6.14 promise it and break the promise."""

    def hold(self, identity: Identity) -> None:
        """Watch the process, if it is still the one that *identity* names."""
        if not self._is_usable or identity in self._fds:
            return
        try:
            fd = os.pidfd_open(identity.pid)
        except OSError:
            return
        # Looked at after opening: only now can the pid no longer change hands.
        if self._is_listed(identity):
            self._fds[identity] = fd
        else:
            os.close(fd)

    def is_living(self, identity: Identity) -> bool:
        """The very process still runs, if only by a last thread; a zombie does not."""
        fd = self._fds.get(identity)
        if fd is None:
            return self._is_listed(identity)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return not poll.poll(0)

    def is_held(self, identity: Identity) -> bool:
        """Its exit status may still come, when its parent has taken notice of its death."""
        return identity in self._fds

    def status(self, identity: Identity) -> int | None:
        """Its wait status, or None while it lives or where the kernel does not tell."""
        fd = self._fds.get(identity)
        information = None if fd is None else _information(fd)
        if information and information[0] & _EXIT:
            return information[-1]
        return self._status_of_zombie(identity)

    def release(self, kept: Collection[Identity]) -> None:
        """Watch no processes but those *kept*."""
        for identity in self._fds.keys() - set(kept):
            os.close(self._fds.pop(identity))

    def _is_listed(self, identity: Identity) -> bool:
        fields = self._fields(identity)
        return bool(fields) and not (fields[_STATE] in {b"Z", b"X"} and int(fields[_THREADS]) <= 1)

    def _status_of_zombie(self, identity: Identity) -> int | None:
        """What the kernel keeps until its parent asks; told to its own user and to root, to others 0."""
        fields = self._fields(identity)
        is_zombie = len(fields) > _EXIT_CODE and fields[_STATE] == b"Z"
        return int(fields[_EXIT_CODE]) or None if is_zombie else None

    def _fields(self, identity: Identity) -> list[bytes]:
        """What /proc/PID/stat says behind the name; nothing unless it is that very process."""
        try:
            content = files.read(self._proc / str(identity.pid) / "stat", limit=_STAT_BYTES).content
            is_it = processes.parse_stat(content).start_ticks == identity.start_ticks
            return content.rpartition(b")")[2].split() if is_it and self._is_this_boots(identity) else []
        except (files.FileError, ValueError):
            return []

    def _is_this_boots(self, identity: Identity) -> bool:
        return processes.boot_id(self._proc) == identity.boot_id


def _gives_information() -> bool:
    try:
        fd = os.pidfd_open(os.getpid())
    except OSError:
        return False
    try:
        return _information(fd) is not None
    finally:
        os.close(fd)


def _information(fd: int) -> tuple[int, ...] | None:
    request = bytearray(_INFO.size)
    struct.pack_into("<Q", request, 0, _EXIT)
    try:
        fcntl.ioctl(fd, _GET_INFO, request)
    except OSError:
        return None
    return _INFO.unpack(request)
