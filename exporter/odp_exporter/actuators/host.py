"""The settings of every actuator that acts on its own host, and the procedure that they come to."""

from __future__ import annotations

import os
import pwd
from dataclasses import field
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from odp_exporter.settings import STRICT, AbsolutePath, Boolean, PositiveCount, quoted

from . import looking
from .actuator import NotPermitted
from .evidence import Archive
from .looking import Eye
from .procedure import Procedure, Starter
from .state import State

STATE_DIRECTORY = Path("/var/lib/odp-remediator")
KEEP = 10


def parse_word(value: object) -> str:
    """One word of an argument vector."""
    if isinstance(value, str) and value and "\0" not in value:
        return value
    message = f"not an argument: {quoted(value)}"
    raise ValueError(message)


def parse_argv(value: object) -> tuple[object, ...]:
    """A program and its arguments, each a list item of its own: no shell will split a line."""
    if isinstance(value, list | tuple):
        if value:
            return tuple(value)
        raise ValueError("an argument vector without a program")
    message = f"not an argument vector: {quoted(value)} (a list, as [systemctl, restart])"
    raise ValueError(message)


Argv = Annotated[tuple[Annotated[str, BeforeValidator(parse_word)], ...], BeforeValidator(parse_argv)]


@dataclass(frozen=True, slots=True, config=STRICT)
class Start:
    """How an ODP is started that died before anybody saw how it had been."""

    argv: Argv = field(repr=False)
    """Its command line; `{odp}`, `{port}` and `{home}` are filled in."""
    cwd: AbsolutePath
    """Its work directory."""
    user: str | None = None
    """Its user; the owner of the work directory when absent."""


@dataclass(frozen=True, slots=True, config=STRICT)
class HostSettings:
    """What the procedure on the host may be told."""

    state_directory: AbsolutePath = STATE_DIRECTORY
    """What must survive a crash in the middle of a restart."""
    exporter_state_directory: AbsolutePath | None = None
    """The exporter's, when it runs as the same user: then its restart counter says `remediation`."""
    evidence_directory: AbsolutePath | None = None
    """`evidence` in the state directory when absent."""
    evidence_keep: PositiveCount = KEEP
    """How many processes' evidence is kept, 20 MiB each at most."""
    core: Boolean = False
    """Take a core by gcore as well: as large as ODP's memory, and only as far as the evidence budget allows."""
    start: Start | None = None


def procedure(settings: HostSettings, starter: Starter) -> Procedure:
    """The procedure with these settings; *starter* starts what is dead."""
    state = State(settings.state_directory, settings.exporter_state_directory)
    archive = Archive(
        settings.evidence_directory or settings.state_directory / "evidence",
        keep=settings.evidence_keep,
        has_core=settings.core,
    )
    return Procedure(state, Eye(state, start=_start(settings.start) if settings.start else None), archive, starter)


def _start(start: Start) -> looking.Start:
    try:
        uid = start.cwd.stat().st_uid if start.user is None else pwd.getpwnam(start.user).pw_uid
        gid = pwd.getpwuid(uid).pw_gid
        groups = tuple(os.getgrouplist(pwd.getpwuid(uid).pw_name, gid))
    except (KeyError, OSError) as error:
        message = f"start: no such user or directory: {quoted(start.user or str(start.cwd))}"
        raise NotPermitted(message) from error
    return looking.Start(start.argv, start.cwd, uid, gid, groups)
