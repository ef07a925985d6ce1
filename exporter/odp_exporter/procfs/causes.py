"""Why a life of an ODP ended, judged from what was left behind.

Pure. The order of belief: what the remediator and the kernel's boot id say,
then the exit status, then cores, the log and out-of-memory kills. Whatever
none of these tells is `unknown`; nothing is guessed.

One thing cannot be told on kernels before 6.15, which keep no exit status for
us: a SIGKILL leaves no trace in ODP's log and so counts as a crash there
(odp-facts 7.7).
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum, auto

from odp_exporter.observations import Cause

_CRASHES = frozenset(
    {
        signal.SIGSEGV,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGTRAP,
        signal.SIGSYS,
    }
)
"""Signals that a program brings upon itself."""
_SIGNAL_BITS = 0x7F
"""Of a wait status (wait(2)); os.waitstatus_to_exitcode refuses what no ended process has, and we must not."""


class LogEnding(Enum):
    """How the part of ODP's log that belongs to one life ends."""

    STOP = auto()
    """A signal asked it to end (odp-facts 7.4)."""
    HOT_RESTART = auto()
    """A child took over its sockets (odp-facts 7.6)."""
    SUICIDE = auto()
    """It killed itself at its memory limit, as releases up to 4.2.3 do (odp-facts 7.5)."""
    SILENCE = auto()
    """It just ends (odp-facts 7.7)."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one ended life."""

    is_remediated: bool = False
    """The remediator left word that it would end this life."""
    is_other_boot: bool = False
    """The host has booted since."""
    status: int | None = None
    """The wait status, where the kernel kept it."""
    log: LogEnding | None = None
    """None when the log could not be read, or not far enough."""
    is_oom_killed: bool = False
    """The kernel killed it, or one of its cgroup, for want of memory."""
    has_core: bool = False
    """A core file appeared that is not another life's."""


def classify(evidence: Evidence) -> Cause:
    """The cause that *evidence* proves best."""
    if evidence.is_remediated:
        return Cause.REMEDIATION
    if evidence.is_other_boot:
        return Cause.HOST_BOOT
    if evidence.log is LogEnding.HOT_RESTART:
        return Cause.HOT_RESTART
    # How the suicide is done no release documents; its log line comes before it.
    if evidence.log is LogEnding.SUICIDE:
        return Cause.OOM
    if evidence.status is not None:
        return _by_status(evidence, evidence.status & _SIGNAL_BITS)
    return _by_traces(evidence)


def _by_status(evidence: Evidence, number: int) -> Cause:
    """The cause of an end by signal *number*, or by an exit when that is 0."""
    if number in _CRASHES:
        return Cause.CRASH
    if number == signal.SIGKILL and evidence.is_oom_killed:
        return Cause.OOM
    # A SIGKILL that follows a SIGTERM, as docker and obproxyd.sh send it, completes a stop.
    if evidence.log is LogEnding.STOP:
        return Cause.STOP
    return Cause.SIGNAL if number else Cause.UNKNOWN


def _by_traces(evidence: Evidence) -> Cause:
    if evidence.has_core:
        return Cause.CRASH
    if evidence.log is LogEnding.STOP:
        return Cause.STOP
    if evidence.is_oom_killed:
        return Cause.OOM
    return Cause.CRASH if evidence.log is LogEnding.SILENCE else Cause.UNKNOWN
