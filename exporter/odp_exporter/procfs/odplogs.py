"""What ODP's own logs say of its lives: lines of obproxy.log and obproxy_diagnosis.log (odp-facts 7.1).

Pure: bytes in, events out. Any bytes are taken: half lines, NULs, other
encodings, lines of megabytes. A text counts only where ODP itself puts it,
behind the header of a line, because the SQL of clients is logged too. Times
are kept as written, for they are local to a time zone that nobody tells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from .causes import LogEnding
from .restarts import Start

ENOUGH_BYTES = 64 * 1024
"""So much log without a word about an end proves that there was none: a signal is logged 30 s before, or less."""
_MAX_HEADER_BYTES = 512

_HEADER = re.compile(
    rb"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+)\] +"
    rb"(?:[A-Z]+ +\[[^\]\n]*\] +[^()\n]*\([^()\n]*\) +)?"
    rb"(?:\[[^\]\n]*\] *)*"
)
"""Time, then level, module and place, which the diagnosis log leaves out, then thread, trace and the like."""
_REBOOT = re.compile(
    rb'\[REBOOT\]\(info="obproxy version: ([^"\n]*?), revision: [^"\n]*?, '
    rb'pid: (\d{1,10}), ppid: (\d{1,10}), result: reboot success"'
)
_RELEASE = re.compile(rb"\d+(?:\.\d+)+")


class Kind(Enum):
    """An event of which ODP writes a line."""

    START = auto()
    """A start begins, with sockets of its own; it may yet fail."""
    HOT_START = auto()
    """A start begins, with the sockets of the parent."""
    STARTED = auto()
    """The start succeeded."""
    STOP = auto()
    """SIGTERM or SIGINT came."""
    DRAIN = auto()
    """SIGUSR1 came: from an operator, or from the child of a hot restart."""
    EXIT = auto()
    """An orderly exit is under way."""
    SUICIDE = auto()
    """It will kill itself at its memory limit."""
    FREEZE = auto()
    """It takes no more memory from the OS."""
    NEARLY_FULL = auto()
    """90 % of the memory limit; where 4.2.3 freezes."""


_MEMORY = (b"obproxy's memory is out of limit", b"obproxy's memroy is out of limit")
_TEXTS: tuple[tuple[bytes, Kind], ...] = (
    (b"has no inherited sockets, start new obproxy", Kind.START),
    (b"obproxy will start by hot upgrade", Kind.HOT_START),
    (b"obproxy start up successful", Kind.STARTED),
    (b"receive signal(sig=15", Kind.STOP),
    (b"receive signal(sig=2", Kind.STOP),
    (b"receive signal(sig=10", Kind.DRAIN),
    (b"recv SIGUSR1 signal, will graceful exit", Kind.DRAIN),
    (b"graceful exit, it will cancel", Kind.EXIT),
    (b"obproxy will kill itself in seconds", Kind.SUICIDE),
    *((memory + b", will be going to commit suicide", Kind.SUICIDE) for memory in _MEMORY),
    *((memory + b", will disable alloc memory", Kind.FREEZE) for memory in _MEMORY),
    *((memory + b"'s 90%", Kind.NEARLY_FULL) for memory in _MEMORY),
)
_STOPS = frozenset({Kind.STOP, Kind.DRAIN, Kind.EXIT})
_STARTS = frozenset({Kind.START, Kind.HOT_START})


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One telling line of obproxy.log."""

    offset: int
    """Where its text stands in what was read."""
    kind: Kind


@dataclass(frozen=True, slots=True)
class Present:
    """What the log says of the life that writes it."""

    is_told_to_stop: bool = False
    is_suicidal: bool = False
    is_frozen: bool = False
    is_nearly_full: bool = False
    is_hot: bool = False
    """It began as the child of a hot restart."""


@dataclass(frozen=True, slots=True)
class Endings:
    """How lives ended, as one stretch of log shows it."""

    first: LogEnding | None
    """Of the life with which the stretch begins."""
    between: tuple[LogEnding, ...]
    """Of lives that began and ended within it, oldest first."""


def events(text: bytes) -> tuple[Event, ...]:
    """The telling lines of *text*, a stretch of obproxy.log, in their order."""
    found = [
        Event(offset, kind)
        for needle, kind in _TEXTS
        for offset in _occurrences(text, needle)
        if not text[offset + len(needle) : offset + len(needle) + 1].isdigit()
    ]
    return tuple(sorted(found, key=lambda event: event.offset))


def starts(text: bytes) -> tuple[Start, ...]:
    """Successful starts in *text*, a stretch of obproxy_diagnosis.log; failed attempts are none (odp-facts 9)."""
    found = []
    for offset in _occurrences(text, b"[REBOOT](info="):
        line, header = _REBOOT.match(text, offset), _header(text, offset)
        if line and header:
            found.append(Start(header[1].decode(), int(line[2]), int(line[3])))
    return tuple(found)


def version(text: bytes) -> str | None:
    """The release that the last start line of either log names, as '4.3.1.0'."""
    named = [text[offset : offset + 64].partition(b",")[0] for offset in _occurrences(text, b"ObProxy-OceanBase ")]
    named += [line[1] for offset in _occurrences(text, b"[REBOOT](info=") if (line := _REBOOT.match(text, offset))]
    release = _RELEASE.search(named[-1]) if named else None
    return release[0].decode() if release else None


def present(happened: Sequence[Event]) -> Present:
    """What *happened* means for the life that runs now: the last one that came up, or else the first."""
    told = suicidal = frozen = nearly_full = hot = False
    parents: set[Kind] = set()
    for event in happened:
        match event.kind:
            case Kind.HOT_START:
                # The first word of an exit after it is its parent's, which the child sends away.
                hot, parents = True, {Kind.DRAIN, Kind.EXIT}
            case Kind.START:
                hot, parents = False, set()
            case Kind.STARTED:
                told = suicidal = frozen = nearly_full = False
            case kind if kind in parents:
                parents.remove(kind)
            case Kind.STOP | Kind.DRAIN | Kind.EXIT:
                told = True
            case Kind.SUICIDE:
                suicidal = True
            case Kind.FREEZE:
                frozen = True
            case _:
                nearly_full = True
    return Present(told, suicidal, frozen, nearly_full, hot)


def since_last_start(happened: Sequence[Event]) -> tuple[Event, ...]:
    """The events of the youngest life, whether or not it came up; all of them if none began here."""
    begins = [index for index, event in enumerate(happened) if event.kind in _STARTS]
    return tuple(happened[begins[-1] :]) if begins else tuple(happened)


def endings(happened: Sequence[Event], *, length: int, is_whole: bool) -> Endings:
    """How the lives in a stretch of *length* bytes ended; if it is not *whole*, its beginning is missing.

    The stretch begins within a life that is known to have ended by now, and a
    further life begins with each start that succeeded. The last of those runs.
    """
    begins = [index for index, event in enumerate(happened) if _is_begin(happened, index)]
    cuts = [0, *begins]
    lives = [happened[start:end] for start, end in zip(cuts, begins or [len(happened)], strict=False)]
    hot = [happened[index].kind is Kind.HOT_START for index in begins] or [False]
    ended = [_ending(life, is_hot=is_hot) for life, is_hot in zip(lives, hot, strict=True)]
    first: LogEnding | None = ended[0]
    written = happened[begins[0]].offset if begins else length
    is_much = written >= ENOUGH_BYTES or (is_whole and length > 0)
    if (first is LogEnding.SILENCE and not is_much) or (not is_whole and len(begins) > 1):
        first = None
    return Endings(first, tuple(ended[1:]))


def _is_begin(happened: Sequence[Event], index: int) -> bool:
    if happened[index].kind not in _STARTS:
        return False
    following = (event.kind for event in happened[index + 1 :])
    return next((kind for kind in following if kind in _STARTS or kind is Kind.STARTED), None) is Kind.STARTED


def _ending(life: Sequence[Event], *, is_hot: bool) -> LogEnding:
    if is_hot:
        return LogEnding.HOT_RESTART
    state = present(life)
    if state.is_suicidal:
        return LogEnding.SUICIDE
    return LogEnding.STOP if state.is_told_to_stop else LogEnding.SILENCE


def _occurrences(text: bytes, needle: bytes) -> list[int]:
    """Where *needle* stands directly behind the header of a line."""
    found = []
    offset = text.find(needle)
    while offset >= 0:
        if _header(text, offset):
            found.append(offset)
        offset = text.find(needle, offset + len(needle))
    return found


def _header(text: bytes, offset: int) -> re.Match[bytes] | None:
    earliest = max(0, offset - _MAX_HEADER_BYTES)
    line_start = text.rfind(b"\n", earliest, offset) + 1 or earliest
    return _HEADER.fullmatch(text, line_start, offset)
