"""Actuator `obproxyd`: ends a process that does not serve, and lets obproxyd.sh start the next one.

obproxyd.sh, ODP's or obd's, sees a dead ODP within a second, and never a hung
one (odp-facts 7.9): this adds what it lacks, and starts nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic.dataclasses import dataclass as settings_block

from odp_exporter.observations import Watchdog
from odp_exporter.settings import STRICT
from odp_exporter.targets import Target

from .actuator import HostView, NotPermitted, Order, Restarted
from .host import HostSettings, procedure
from .procedure import Case

_SCRIPTS = (Watchdog.OBPROXYD, Watchdog.OBD)


@settings_block(frozen=True, slots=True, config=STRICT)
class ObproxydSettings(HostSettings):
    """An ODP on the host of this process that an obproxyd.sh watches."""

    type: Literal["obproxyd"] = "obproxyd"


@dataclass(frozen=True, slots=True)
class Obproxyd:
    """Acts on the ODPs of this host through their obproxyd.sh."""

    settings: ObproxydSettings

    async def look(self, target: Target) -> HostView:
        """The processes of *target* now."""
        return await procedure(self.settings, _Script()).look(target)

    async def restart(self, order: Order) -> Restarted:
        """End the process, and wait for the one that obproxyd.sh starts; NotPermitted where none runs."""
        return await procedure(self.settings, _Script()).restart(order)

    async def check(self) -> None:
        """The state directory can be written; whether a script runs is told per ODP."""
        procedure(self.settings, _Script()).state.prepare()


class _Script:
    """The obproxyd.sh that runs."""

    async def refuse(self, case: Case, /) -> None:
        """Without one, a process that is ended would stay dead."""
        if not case.sight.view.watchdogs & {*_SCRIPTS}:
            message = f"no obproxyd.sh watches {case.target.name} (start it, or use an actuator of type local)"
            raise NotPermitted(message)

    async def start(self, case: Case, /) -> str:
        """It needs no word from us."""
        return next((each for each in _SCRIPTS if each in case.sight.view.watchdogs), Watchdog.OBPROXYD).value
