"""Actuator `local`: the restart procedure on the host of this process.

What watches an ODP already is let do the start; only where nothing does is it
started by us, as it was started before (S22).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic.dataclasses import dataclass as settings_block

from odp_exporter.observations import Watchdog
from odp_exporter.settings import STRICT
from odp_exporter.targets import Target

from . import launch
from .actuator import HostView, Order, Restarted, StartFailed
from .host import HostSettings, procedure
from .procedure import SELF, Case


@settings_block(frozen=True, slots=True, config=STRICT)
class LocalSettings(HostSettings):
    """An ODP on the host of this process."""

    type: Literal["local"] = "local"


@dataclass(frozen=True, slots=True)
class Local:
    """Acts on the ODPs of this host."""

    settings: LocalSettings

    async def look(self, target: Target) -> HostView:
        """The processes of *target* now."""
        return await procedure(self.settings, _WatchdogOrSelf()).look(target)

    async def restart(self, order: Order) -> Restarted:
        """Carry out *order* on this host."""
        return await procedure(self.settings, _WatchdogOrSelf()).restart(order)

    async def check(self) -> None:
        """The state directory can be written."""
        procedure(self.settings, _WatchdogOrSelf()).state.prepare()


class _WatchdogOrSelf:
    """The watchdog where one runs, else we."""

    async def refuse(self, _case: Case, /) -> None:
        """Nothing that the look has not shown: its obstacles are ours."""

    async def start(self, case: Case, /) -> str:
        """A watchdog needs no word from us: it sees that the process is gone."""
        if watchdog := next((each for each in Watchdog if each in case.sight.view.watchdogs), None):
            return watchdog.value
        if case.sight.launch is None:
            message = f"{case.target.name}: how to start it is not known"
            raise StartFailed(message)
        await launch.start(case.sight.launch)
        return SELF
