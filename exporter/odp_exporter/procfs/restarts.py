"""The account of one ODP's lives: how often it restarted, and why the earlier life ended each time.

Pure, and told by values what a look showed. The rules:

1. The first life that is seen counts nothing; whatever follows a known life counts once.
2. A life follows when the known one has ended, or when it is the known one's
   child and took over its sockets (hot restart, odp-facts 7.6). A second process
   beside a living one is a duplicate or a failed start, and counts nothing.
3. Lives that came and went between two looks are counted by the start lines of
   ODP's diagnosis log (odp-facts 7.1). A line belongs to the life whose pid it
   names; lines before that one belong to lives that nobody saw. Where a
   line cannot be attributed it waits: too late is better than twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from odp_exporter.observations import Cause, Identity

MAX_WAITING = 256
"""Start lines that may wait for their life; a crash loop of one a second fills it in four minutes unseen."""
_INIT = 1


@dataclass(frozen=True, slots=True)
class Start:
    """One line of the diagnosis log: an ODP came up and serves (odp-facts 7.1)."""

    at: str
    """The time as the log writes it, to tell lines apart: of an unknown time zone."""
    pid: int
    """As ODP sees itself, which in a container is not what the host sees."""
    parent: int


@dataclass(frozen=True, slots=True)
class Life:
    """One life of an ODP process, as /proc shows it."""

    identity: Identity
    parent: int
    logged_pid: int
    """The pid by which its own log names it."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of one ODP's lives up to now."""

    counts: Mapping[Cause, int] = field(default_factory=dict)
    life: Life | None = None
    """The latest life, whether or not it has ended."""
    ended: Cause | None = None
    """Why that life ended, once it has; counted when another one follows."""
    is_logged: bool = False
    """Its own start line has been met."""
    unlogged: int = 0
    """Earlier lives whose start lines have not been met; one of the waiting lines may be theirs."""
    waiting: tuple[Start, ...] = ()
    """Start lines that are nobody's yet, oldest first."""
    newest: Start | None = None
    """The last start line met, so that none is met twice."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the host showed."""

    living: tuple[Life, ...] = ()
    """Oldest first, without those too young to be more than an attempt."""
    starts: tuple[Start, ...] = ()
    """Start lines read since the last look, oldest first; some may have been met before."""
    ended: Cause | None = None
    """Why the known life ended, if it has."""
    between: tuple[Cause, ...] = ()
    """Why lives ended that nobody saw, as far as known; newest last."""
    unseen: int = 0
    """Lives that nobody saw, where there is no diagnosis log to tell."""


def account(known: Account, look: Look) -> Account:
    """Fold one *look* into what is *known*; the same look twice changes nothing."""
    known = _attributed(_met(known, look.starts), look.living)
    if known.life is None:
        return _first_seen(known, look.living)
    known = replace(known, ended=_end(known, look))
    for _ in look.living:
        successor = _successor(known, look.living)
        if successor is None:
            break
        known = _succeeded(known, successor, look)
        look = Look(look.living)
    return _rolled_back(known, look.living)


def is_same(one: Identity, other: Identity) -> bool:
    """Both name one life; its executable may be known by its path or only by its name."""
    return (one.boot_id, one.pid, one.start_ticks) == (other.boot_id, other.pid, other.start_ticks) and (
        _name(one) == _name(other)
    )


def _name(identity: Identity) -> str:
    return identity.executable.rpartition("/")[2]


def is_living(life: Life, living: Sequence[Life]) -> bool:
    """*life* is among the *living*."""
    return any(is_same(life.identity, other.identity) for other in living)


def _end(known: Account, look: Look) -> Cause | None:
    if known.life is None or is_living(known.life, look.living):
        return None
    # What was found out first is nearest to the fact, unless it was nothing.
    return look.ended or known.ended if known.ended in {None, Cause.UNKNOWN} else known.ended


def _met(known: Account, starts: Sequence[Start]) -> Account:
    fresh = tuple(starts)
    if known.newest in fresh:
        fresh = fresh[len(fresh) - fresh[::-1].index(known.newest) :]
    if not fresh:
        return known
    return replace(known, waiting=(*known.waiting, *fresh)[-MAX_WAITING:], newest=fresh[-1])


def _attributed(known: Account, living: Sequence[Life]) -> Account:
    """Find the start line of the present life if it came after the life was first seen."""
    if known.life is None or known.is_logged:
        return known
    pids = [start.pid for start in known.waiting]
    if known.life.logged_pid not in pids:
        return known
    lines, waiting = _claimed(known, known.life, pids.index(known.life.logged_pid), living)
    unseen = max(0, len(lines) - 1 - known.unlogged)
    counts = _added(known.counts, [Cause.UNKNOWN] * unseen)
    return replace(known, counts=counts, is_logged=True, unlogged=0, waiting=waiting)


def _claimed(known: Account, of: Life, own: int, living: Sequence[Life]) -> tuple[tuple[Start, ...], tuple[Start, ...]]:
    """The waiting lines of lives up to *of*, whose own it is that stands at *own*; and those that wait on."""
    # What lives beside it will be counted when it follows.
    others = {other.logged_pid for other in living if not is_same(other.identity, of.identity)}
    before, after = known.waiting[:own], known.waiting[own + 1 :]
    lines = (*(start for start in before if start.pid not in others), known.waiting[own])
    return lines, (*(start for start in before if start.pid in others), *after)


def _first_seen(known: Account, living: Sequence[Life]) -> Account:
    if not living:
        return known
    present = living[0]
    for other in living:
        if other.parent == present.identity.pid:
            present = other
    is_logged = any(start.pid == present.logged_pid for start in known.waiting)
    return replace(known, life=present, is_logged=is_logged, waiting=())


def _successor(known: Account, living: Sequence[Life]) -> Life | None:
    if known.life is None:
        return None
    present = known.life
    younger = [other for other in living if _is_younger(other.identity, present.identity)]
    if is_living(present, living):
        younger = [other for other in younger if other.parent == present.identity.pid]
    return younger[0] if younger else None


def _is_younger(one: Identity, other: Identity) -> bool:
    if is_same(one, other):
        return False
    return one.boot_id != other.boot_id or one.start_ticks >= other.start_ticks


def _succeeded(known: Account, successor: Life, look: Look) -> Account:
    own = max((index for index, start in enumerate(known.waiting) if start.pid == successor.logged_pid), default=None)
    lines, waiting = ((), known.waiting) if own is None else _claimed(known, successor, own, look.living)
    unlogged = known.unlogged + (not known.is_logged)
    unseen = max(0, len(lines) - 1 - unlogged) if lines else look.unseen
    lines = lines[len(lines) - 1 - unseen :] if lines else ()
    causes = [_first_cause(known, successor, look, lines), *_later_causes(lines, look.between, unseen)]
    return Account(
        counts=_added(known.counts, causes),
        life=successor,
        is_logged=bool(lines),
        unlogged=0 if lines else unlogged,
        waiting=waiting,
        newest=known.newest,
    )


def _first_cause(known: Account, successor: Life, look: Look, lines: Sequence[Start]) -> Cause:
    """Why the known life ended; *lines* are those of the lives since, the *successor*'s last."""
    present = known.life
    if present is None or is_living(present, look.living):
        return Cause.HOT_RESTART
    # Of an earlier boot a parent's pid says nothing.
    is_same_boot = present.identity.boot_id == successor.identity.boot_id
    if lines and is_same_boot and _is_child(lines[0], present.logged_pid) and known.ended is not Cause.REMEDIATION:
        return Cause.HOT_RESTART
    return known.ended or Cause.UNKNOWN


def _later_causes(lines: Sequence[Start], between: Sequence[Cause], unseen: int) -> list[Cause]:
    """Why *unseen* lives ended; what is known of *between* is aligned at the newest, which the log shows best."""
    causes = ([Cause.UNKNOWN] * unseen + list(between))[len(between) :]
    for index, (earlier, later) in enumerate(pairwise(lines)):
        if _is_child(later, earlier.pid):
            causes[index] = Cause.HOT_RESTART
    return causes


def _is_child(start: Start, pid: int) -> bool:
    return start.parent == pid != _INIT


def _rolled_back(known: Account, living: Sequence[Life]) -> Account:
    """A hot restart's child has gone and its parent lives on: nobody restarted."""
    if known.life is None or not living or is_living(known.life, living):
        return known
    return replace(known, life=living[-1], is_logged=True, ended=None)


def _added(counts: Mapping[Cause, int], causes: Sequence[Cause]) -> dict[Cause, int]:
    return dict(Counter(counts) + Counter(causes))
