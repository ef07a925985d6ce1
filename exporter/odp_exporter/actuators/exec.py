"""Actuator `exec`: whatever else leads to `odp-remediator restart` on ODP's host: kubectl, a job runner, an agent.

An argument vector, never a shell, so no value can become a command (S6). The
command must print what the host command prints, for an order that was carried
out must say which process serves now.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic.dataclasses import dataclass as settings_block

from odp_exporter.observations import Identity
from odp_exporter.settings import STRICT, Duration
from odp_exporter.targets import Target

from . import remote, wire
from .actuator import HostUnreachable, HostView, Order, Restarted, Unfinished
from .host import Argv

ARGUMENTS = "{arguments}"
"""A word of its own, which becomes all arguments of the host command."""
_PLACEHOLDER = re.compile(r"\{(?:odp|host|port|pid|expect)\}")


@settings_block(frozen=True, slots=True, config=STRICT)
class ExecSettings:
    """An ODP that a command of your own reaches.

    In every word `{odp}`, `{host}`, `{port}`, `{pid}` (0 where no process may be ended) and `{expect}`
    (BOOT_ID/PID/START_TICKS, or empty) are filled in.
    """

    type: Literal["exec"]
    look: Argv
    """Prints what `odp-remediator restart --dry-run --json` prints."""
    restart: Argv
    """Carries out an order, and prints what `odp-remediator restart --json` prints."""
    timeout: Duration | None = None
    """For a whole order; by default what its steps may take together, and 15s."""


@dataclass(frozen=True, slots=True)
class Exec:
    """Acts by commands."""

    settings: ExecSettings

    async def look(self, target: Target) -> HostView:
        """The processes of *target* now, as the command sees them."""
        argv = _filled(self.settings.look, target, None, wire.look_arguments(target))
        try:
            return await remote.look(argv)
        except remote.NotAnswered as failed:
            message = f"{argv[0]}: {failed}"
            raise HostUnreachable(message) from failed

    async def restart(self, order: Order) -> Restarted:
        """Have *order* carried out."""
        argv = _filled(self.settings.restart, order.target, order.kill, wire.restart_arguments(order))
        try:
            return await remote.restart(argv, order, self.settings.timeout)
        except remote.NotAnswered as failed:
            message = f"{argv[0]}: {failed}"
            raise Unfinished(message) from failed

    async def check(self) -> None:
        """Both programs are there."""
        for argv in (self.settings.look, self.settings.restart):
            remote.require(argv[0])


def _filled(argv: Sequence[str], target: Target, kill: Identity | None, arguments: Sequence[str]) -> tuple[str, ...]:
    values = {
        "{odp}": target.name,
        "{host}": target.address.host,
        "{port}": str(target.address.port),
        "{pid}": str(kill.pid if kill else 0),
        "{expect}": wire.expectation(kill) if kill else "",
    }
    words: list[str] = []
    for word in argv:
        words += arguments if word == ARGUMENTS else [_replaced(word, values)]
    return tuple(words)


def _replaced(word: str, values: dict[str, str]) -> str:
    """In one pass: a name that holds a placeholder stays what it is."""
    return _PLACEHOLDER.sub(lambda match: values[match[0]], word)
