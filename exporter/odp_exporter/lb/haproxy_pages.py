"""What HAProxy's pages say of the servers of a backend: `show servers state`, `show stat`, `show proc`, `show sess`.

Texts in, values out; columns are found by their names, as each release adds
some. A text that is no such page is a ValueError.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from .driver import Admin, Health

_MAINT = 0x01 | 0x02 | 0x20 | 0x40
"""Forced, inherited, by DNS; 0x04 only remembers that the file said `disabled`."""
_DRAIN = 0x08 | 0x10
"""Forced (by a person, by us or by an agent: one bit for all), inherited."""
_RUNNING = frozenset({1, 2})
"""Operational states in which it takes sessions: starting slowly, running."""
_CHECK_ENABLED = 0x04
_NO_CHECK_YET = frozenset({0, 1})
_PID = re.compile(r"^([1-9][0-9]{0,9})\s+worker\s", re.MULTILINE)
_SESSION = re.compile(r"^(0x[0-9a-f]{1,16}): (?:\S+ )*?be=(\S+) srv=(\S+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """One server of a backend in one HAProxy."""

    admin: Admin
    health: Health
    weight: int
    sessions: int | None = None
    """None: not counted."""


def servers(state: str, stat: str, backend: str) -> Mapping[str, Server]:
    """The servers of *backend* by name, with the sessions of the process that was asked."""
    counted = sessions(stat, backend)
    tracking = {row["svname"] for row in _stat_rows(stat, backend) if row["tracked"]}
    found: dict[str, Server] = {}
    for row in _state_rows(state):
        name = row["srv_name"]
        server = _server(row, is_tracking=name in tracking)
        found[name] = replace(server, sessions=counted[name])
    return found


def sessions(stat: str, backend: str) -> Mapping[str, int]:
    """Established sessions of each server of *backend* in one process."""
    return {row["svname"]: int(row["scur"]) for row in _stat_rows(stat, backend)}


def workers(proc: str) -> tuple[int, ...]:
    """The worker processes that a master knows, those included that only finish their sessions."""
    if not proc.startswith("#<PID>"):
        message = "no list of processes"
        raise ValueError(message)
    return tuple(map(int, _PID.findall(proc)))


def pointers(sess: str, backend: str, server: str) -> Iterator[str]:
    """Names of the sessions to *server* in one process."""
    return (pointer for pointer, *where in _SESSION.findall(sess) if where == [backend, server])


def info(text: str) -> Mapping[str, str]:
    """`show info` as a mapping."""
    return {name: value for name, colon, value in (line.partition(": ") for line in text.splitlines()) if colon}


def _server(row: Mapping[str, str], *, is_tracking: bool) -> Server:
    bits, check, status = (int(row[f"srv_{name}"]) for name in ("admin_state", "check_state", "check_status"))
    is_checked = is_tracking or (bool(check & _CHECK_ENABLED) and status not in _NO_CHECK_YET)
    admin = Admin.MAINT if bits & _MAINT else Admin.DRAIN if bits & _DRAIN else Admin.READY
    if admin is Admin.MAINT:
        health = Health.UNKNOWN  # in maintenance nobody checks
    elif int(row["srv_op_state"]) not in _RUNNING:
        health = Health.DOWN
    else:
        health = Health.UP if is_checked else Health.UNKNOWN
    return Server(admin, health, int(row["srv_uweight"]))


def _state_rows(state: str) -> Iterator[Mapping[str, str]]:
    version, _, table = state.partition("\n")
    header, *lines = table.splitlines() or [""]
    if version != "1" or not header.startswith("# be_id ") or not state.endswith("\n\n"):
        message = "no table of server states"
        raise ValueError(message)
    names = header.removeprefix("# ").split()
    for line in filter(None, lines):
        yield dict(zip(names, line.split(" "), strict=True))


def _stat_rows(stat: str, backend: str) -> Iterator[Mapping[str, str]]:
    if not stat.startswith("# pxname,svname,") or not stat.endswith("\n\n"):
        message = "no table of statistics"
        raise ValueError(message)
    try:
        rows = list(csv.DictReader(stat.removeprefix("# ").splitlines(), restval=""))
    except csv.Error as error:
        raise ValueError(str(error)) from error
    return (row for row in rows if row["pxname"] == backend)
