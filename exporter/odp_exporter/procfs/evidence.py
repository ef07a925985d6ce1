"""Gathers what an ODP process leaves behind when it ends; causes.py judges it.

While the process lives, its cgroup's OOM counters are remembered, because
only their rise means anything. All else is looked at once, after the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from odp_exporter import files
from odp_exporter.observations import Identity

from . import oom, processes
from .causes import Evidence, LogEnding
from .pidfds import Pidfds

_STATUS_BYTES = 64 * 1024


class LifeWatch:
    """Watches one life of an ODP process."""

    def __init__(
        self,
        identity: Identity,
        *,
        pidfds: Pidfds,
        remediation: Path | None,
        proc: Path,
        cgroups: Path = oom.CGROUPS,
    ) -> None:
        self.identity = identity
        self._proc = proc
        self._pidfds = pidfds
        self._counters = oom.counters(identity.pid, proc=proc, cgroups=cgroups)
        self._kills: dict[Path, int] = {}
        self._word = remediation / f"{identity.pid}-{identity.start_ticks}" if remediation else None
        """The file by which the remediator says beforehand that it will end this life."""

    def notice(self) -> None:
        """The process was seen; remember the counters if it lives even now."""
        kills = oom.counts(self._counters)
        # Read before an end that was not seen yet, they are what the end is weighed against.
        if self._pidfds.is_living(self.identity):
            self._kills = kills

    def is_ending(self) -> bool:
        """It has ended, but its parent has not taken notice; its exit status is still to come."""
        is_awaited = self._pidfds.gives_status and self._pidfds.is_held(self.identity)
        return is_awaited and self._pidfds.status(self.identity) is None

    def evidence(self, log: LogEnding | None, *, has_core: bool) -> Evidence:
        """All that tells why it ended, beside its *log* and cores."""
        return Evidence(
            is_remediated=self._is_remediated(),
            is_other_boot=self._is_other_boot(),
            status=self._pidfds.status(self.identity),
            log=log,
            is_oom_killed=oom.has_risen(self._kills, oom.counts(self._counters)) or oom.is_logged(self.identity),
            has_core=has_core,
        )

    def forget_word(self) -> None:
        """The remediator's word has been heard and written down."""
        if self._word:
            with suppress(OSError):
                self._word.unlink()

    def _is_remediated(self) -> bool:
        try:
            return self._word is not None and self._word.is_file()
        except OSError:
            return False

    def _is_other_boot(self) -> bool:
        try:
            return processes.boot_id(self._proc) != self.identity.boot_id
        except files.FileError:
            return False


def logged_pid(pid: int, *, proc: Path) -> int:
    """The pid by which a process knows itself: in a container another one than the host's."""
    try:
        status = files.read(proc / str(pid) / "status", limit=_STATUS_BYTES).content
    except files.FileError:
        return pid
    return _innermost(status.splitlines()) or pid


def _innermost(lines: Sequence[bytes]) -> int | None:
    pids = next((line.split()[1:] for line in lines if line.startswith(b"NSpid:")), [])
    return int(pids[-1]) if pids and pids[-1].isdigit() else None
