"""What a restart needs to know after a crash of its own, in a small directory on ODP's host.

    launch/NAME.json       how the ODP was last started (launch.py)
    ending/PID-START       written before we end a process: the second run knows that it was us who told it to stop
    lock/NAME              held while a restart of that ODP is at work, by whomever

Where the exporter's state directory is given, the word that we end a process is
left there too, so that odp_restarts_total names the right cause. Files are 0600
and directories 0700: a launch holds ODP's environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from odp_exporter import files
from odp_exporter.observations import Identity

from . import launch as launches
from .actuator import NotPermitted
from .launch import Launch
from .waiting import until

_MAX_LAUNCH_BYTES = 4 * 1024 * 1024
_KEPT_ENDINGS = 100
_MAX_NAME = 150


@dataclass(frozen=True, slots=True)
class State:
    """The state directory."""

    directory: Path
    exporter: Path | None = None
    """The exporter's own state directory, which reads our word."""

    def prepare(self) -> None:
        """Make it, for us alone; NotPermitted where that cannot be."""
        try:
            for path in (self.directory, *(self.directory / name for name in ("launch", "ending", "lock"))):
                private_directory(path)
                if not os.access(path, os.W_OK | os.X_OK):
                    raise _unusable(path, "not writable")
        except OSError as error:
            raise _unusable(self.directory, (error.strerror or str(error)).lower()) from error

    def launch(self, odp: str) -> Launch | None:
        """How *odp* was last started, if that was ever seen."""
        try:
            return launches.from_json(files.read(self._launch(odp), limit=_MAX_LAUNCH_BYTES).content)
        except files.FileError:
            return None

    def keep_launch(self, odp: str, launch: Launch) -> None:
        """Write down how *odp* was started, if that is news; a FileError where it cannot be written."""
        content = launches.to_json(launch)
        with suppress(files.FileError):
            if files.read(self._launch(odp), limit=_MAX_LAUNCH_BYTES).content == content:
                return
        files.replace(self._launch(odp), content)

    def announce(self, identity: Identity) -> None:
        """Say beforehand that we end this process; a FileError where our own word cannot be written."""
        self._forget_old()
        files.replace(self._ending(identity), b"")
        if self.exporter:
            # For a counter's label only: never a reason to leave an ODP hung.
            with suppress(files.FileError):
                files.replace(self.exporter / "remediation" / _life(identity), b"")

    def is_announced(self, identity: Identity) -> bool:
        """It was us who told this process to stop."""
        return self._ending(identity).exists()

    @asynccontextmanager
    async def alone(self, odp: str, *, within: timedelta) -> AsyncIterator[None]:
        """Keep every other restart of *odp* on this host waiting; NotPermitted if one takes longer than *within*."""
        fd = self._opened(self.directory / "lock" / _file_name(odp))
        try:
            if not await until(lambda: _is_locked(fd), within=within):
                message = f"another restart of {odp} is at work on this host"
                raise NotPermitted(message)
            yield
        finally:
            os.close(fd)

    def _opened(self, lock: Path) -> int:
        try:
            return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(lock, (error.strerror or str(error)).lower()) from error

    def _launch(self, odp: str) -> Path:
        return self.directory / "launch" / f"{_file_name(odp)}.json"

    def _ending(self, identity: Identity) -> Path:
        return self.directory / "ending" / f"{_life(identity)}-{identity.boot_id}"

    def _forget_old(self) -> None:
        with suppress(OSError):
            words = sorted((self.directory / "ending").iterdir(), key=lambda path: path.stat().st_mtime)
            for word in words[:-_KEPT_ENDINGS]:
                word.unlink()


def private_directory(path: Path) -> None:
    """Make *path*, for this user alone; it may be there already."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _life(identity: Identity) -> str:
    return f"{identity.pid}-{identity.start_ticks}"


def _file_name(odp: str) -> str:
    """A name may hold a slash, be two dots, or grow beyond what a file's name may have."""
    name = quote(odp, safe="").replace(".", "%2E")
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}-{hashlib.sha256(odp.encode()).hexdigest()}"


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unusable(path: Path, why: str) -> NotPermitted:
    return NotPermitted(f"state directory: {path}: {why} (give one that ODP's user can write)")
