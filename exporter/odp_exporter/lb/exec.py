"""Any other load balancer, by programs of the operator's: argument vectors, never a shell.

`members` prints JSON; `drain`, `enable` and `kill_sessions` do, and are
believed only when `members` shows it afterwards:

    {"members": [{"name": "odp-1", "admin": "ready", "health": "up", "weight": 10, "sessions": 3}, ...],
     "started": "2026-11-22T12:00:00Z"}

`admin` is ready, drain or maint, `health` up, down or unknown; `weight` and
`sessions` are left out by what has none or cannot count, `started` by what
does not know. Other keys and other members are passed over. What an exit
status means is in exec_program.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, NonNegativeInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from odp_exporter.settings import STRICT, Duration, quoted
from odp_exporter.targets import Target

from .driver import Admin, Capabilities, Health, LbRefused, LbUnconfirmed, LbUnreachable, Member
from .exec_program import run

_PLACEHOLDER = re.compile(r"\{(?:odp|weight)\}")


def parse_command(value: object) -> object:
    """A list that begins with the absolute path of a program."""
    if isinstance(value, list | tuple) and value and isinstance(value[0], str) and not value[0].startswith("/"):
        message = f"not the absolute path of a program: {quoted(value[0])} (try '/usr/local/bin/lb')"
        raise ValueError(message)
    if value in ([], ()):
        message = "an empty command (the program, then its arguments)"
        raise ValueError(message)
    return value


Command = Annotated[tuple[str, ...], BeforeValidator(parse_command)]


@dataclass(frozen=True, slots=True, config=STRICT)
class ExecSettings:
    """The programs; `{odp}` in their arguments becomes the ODP's name, `{weight}` the weight, or nothing."""

    members: Command
    """Prints the members as JSON."""
    drain: Command
    enable: Command
    type: Literal["exec"] = "exec"
    kill_sessions: Command | None = None
    """None: sessions cannot be killed."""
    counts_sessions: bool = False
    """`members` tells the sessions in all processes of the load balancer."""
    timeout: Duration = timedelta(seconds=10)
    """For each run of a program."""


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    admin: Admin
    health: Health
    weight: NonNegativeInt | None = None
    sessions: NonNegativeInt | None = None


@dataclass(frozen=True, slots=True)
class _Reply:
    members: tuple[_Entry, ...]
    started: AwareDatetime | None = None


_REPLY = TypeAdapter(_Reply)


class Exec:
    """A load balancer behind programs."""

    def __init__(self, settings: ExecSettings, members: Sequence[Target]) -> None:
        self._settings = settings
        self._odps = tuple(target.name for target in members)
        self.capabilities = Capabilities(
            counts_sessions=settings.counts_sessions, kills_sessions=settings.kill_sessions is not None
        )

    async def members(self) -> Mapping[str, Member]:
        """Every member, as the program says."""
        told = {entry.name: entry for entry in (await self._reply()).members}
        if missing := [odp for odp in self._odps if odp not in told]:
            message = f"{self._settings.members[0]}: tells nothing of {quoted(missing[0])}"
            raise LbRefused(message)
        return {odp: self._member(told[odp]) for odp in self._odps}

    async def started(self) -> datetime | None:
        """As the program says, if it does."""
        return (await self._reply()).started

    async def drain(self, odp: str) -> None:
        """By the program, if it is ready."""
        if (await self._seen(odp)).admin is Admin.READY:
            await self._run(self._settings.drain, odp)
            if (await self._seen(odp)).admin is Admin.READY:
                message = f"{self._settings.drain[0]}: {quoted(odp)} is still ready"
                raise LbUnconfirmed(message)

    async def enable(self, odp: str, weight: int | None) -> None:
        """By the program, if it is drained or has another weight."""
        seen = await self._seen(odp)
        if seen.admin is Admin.MAINT:
            message = f"{quoted(odp)} is in maintenance (whoever put it there takes it out)"
            raise LbRefused(message)
        wanted = seen.weight if weight is None else weight
        if (seen.admin, seen.weight) == (Admin.READY, wanted):
            return
        await self._run(self._settings.enable, odp, wanted)
        seen = await self._seen(odp)
        if (seen.admin, seen.weight) != (Admin.READY, wanted):
            message = f"{self._settings.enable[0]}: {quoted(odp)} is in {seen.admin} with weight {seen.weight}"
            raise LbUnconfirmed(message)

    async def kill_sessions(self, odp: str) -> None:
        """By the program, if there is one."""
        await self._seen(odp)
        if self._settings.kill_sessions is None:
            message = "sessions cannot be killed (give 'kill_sessions')"
            raise LbRefused(message)
        await self._run(self._settings.kill_sessions, odp)
        if (left := (await self._seen(odp)).sessions) and self._settings.counts_sessions:
            message = f"{self._settings.kill_sessions[0]}: {left} sessions to {quoted(odp)} are left"
            raise LbUnconfirmed(message)

    async def check(self) -> None:
        """The members can be told, and the other programs be run by this user."""
        await self.members()
        for command in (self._settings.drain, self._settings.enable, self._settings.kill_sessions):
            if command is not None and not os.access(command[0], os.X_OK):
                message = f"{command[0]}: not a program that this user may run"
                raise LbRefused(message)

    async def _seen(self, odp: str) -> Member:
        if odp not in self._odps:
            message = f"no member of this pool: {quoted(odp)}"
            raise LbRefused(message)
        return (await self.members())[odp]

    def _member(self, entry: _Entry) -> Member:
        sessions = entry.sessions if self._settings.counts_sessions else None
        return Member(entry.name, entry.admin, entry.health, entry.weight, sessions)

    async def _reply(self) -> _Reply:
        output = await self._run(self._settings.members)
        try:
            return _REPLY.validate_json(output)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            message = f"{self._settings.members[0]}: not the JSON that is asked for: {where}: {first['msg'].lower()}"
            raise LbUnreachable(message) from error

    async def _run(self, command: Sequence[str], odp: str = "", weight: int | None = None) -> bytes:
        values = {"{odp}": odp, "{weight}": "" if weight is None else str(weight)}
        return await run([_filled(argument, values) for argument in command], self._settings.timeout)


def _filled(argument: str, values: Mapping[str, str]) -> str:
    # In one pass: a name that contains the other placeholder stays as it is.
    return _PLACEHOLDER.sub(lambda found: values[found[0]], argument)
