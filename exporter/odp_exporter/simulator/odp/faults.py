"""What can be made to go wrong with an ODP, and the file from which a new process learns it.

`run/faults.json` in its home maps names of faults to seconds. It is read at
every start, whoever starts the process, so a fault in it outlives restarts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

FILE = Path("run/faults.json")
"""Relative to the home of the ODP."""


class Fault(StrEnum):
    """Something that goes wrong; the seconds that come with it mean what is said here."""

    REFUSE_START = "refuse_start"
    """Initialisation fails: `reboot failed`, exit status 0."""
    SLOW_START = "slow_start"
    """Listens the seconds later."""

    HANG = "hang"
    """After the seconds the event loop stops; the kernel still accepts, signals that ODP handles are lost."""
    FREEZE = "freeze"
    """After the seconds the memory limit is reached (odp-facts 7.5): mute from 4.3 on, dead before."""
    CRASH = "crash"
    """After the seconds dies by SIGSEGV without a trace."""
    CORE = "core"
    """After the seconds dies by SIGABRT and leaves `core.PID` in its home."""
    OOM = "oom"
    """After the seconds dies by SIGKILL, as the kernel's OOM killer does it."""
    DRAIN = "drain"
    """After the seconds receives SIGUSR1."""
    HOT_RESTART = "hot_restart"
    """After the seconds starts its successor, which inherits the sockets (odp-facts 7.6)."""

    ERROR_PACKET = "error_packet"
    """Sends an ERR packet in place of the greeting, now and from then on; as do all below."""
    CLOSE = "close"
    """Closes each connection at once."""
    RESET = "reset"
    """Resets each connection at once."""
    SHORT = "short"
    """Closes in the middle of the greeting."""
    GARBAGE = "garbage"
    """Sends what is no packet."""
    HTTP = "http"
    """Speaks HTTP, as another server on the port would."""
    TRICKLE = "trickle"
    """Needs the seconds to send the greeting, byte by byte."""


AT_START = frozenset({Fault.REFUSE_START, Fault.SLOW_START})
"""Faults that only the next start can show."""
OF_GREETING = frozenset(
    {
        Fault.ERROR_PACKET,
        Fault.CLOSE,
        Fault.RESET,
        Fault.SHORT,
        Fault.GARBAGE,
        Fault.HTTP,
        Fault.TRICKLE,
    }
)
"""Faults that change what a client gets first; one at a time."""


def read(home: Path) -> dict[Fault, float]:
    """The faults that await the next start of the ODP in *home*."""
    try:
        stored = json.loads((home / FILE).read_text())
    except FileNotFoundError:
        return {}
    return {Fault(name): float(seconds) for name, seconds in stored.items()}


def write(home: Path, faults: Mapping[Fault, float]) -> None:
    """Replace the faults that await the next start of the ODP in *home*."""
    path = home / FILE
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(faults))
    temporary.replace(path)
