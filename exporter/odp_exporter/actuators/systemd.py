"""Actuator `systemd`: an ODP that is a unit of the systemd of this host.

The process is ended by pidfd, as everywhere, and only if it is the unit's main
process; then the unit is started, which does nothing where systemd has done so
already. `systemctl restart` would do both, but it ends whatever runs by then,
and waits for TimeoutStopSec where ODP hangs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass as settings_block

from odp_exporter.observations import Watchdog
from odp_exporter.settings import STRICT, Duration, quoted
from odp_exporter.targets import Target

from . import commands
from .actuator import ActuatorError, HostView, NotIdentified, NotPermitted, Order, Restarted, StartFailed
from .host import Argv, HostSettings, procedure
from .procedure import Case

_UNIT = re.compile(r"[A-Za-z0-9:_.\\@{}-]{1,240}\.service")


def parse_unit(value: object) -> str:
    """The name of a service, in which `{odp}` stands for the ODP's name."""
    if isinstance(value, str) and _UNIT.fullmatch(value) and not value.startswith("-"):
        return value
    message = f"not the name of a service: {quoted(value)} (try 'obproxy.service' or 'obproxy@{{odp}}.service')"
    raise ValueError(message)


@settings_block(frozen=True, slots=True, config=STRICT)
class SystemdSettings(HostSettings):
    """An ODP on the host of this process that is a systemd service."""

    type: Literal["systemd"] = "systemd"
    unit: Annotated[str, BeforeValidator(parse_unit)] = "obproxy.service"
    """The service; `{odp}` stands for the ODP's name."""
    systemctl: Argv = ("systemctl",)
    """How systemctl is called; as [sudo, -n, systemctl] where this user may not start units."""
    timeout: Duration = timedelta(seconds=20)
    """For one call of systemctl."""


@dataclass(frozen=True, slots=True)
class Systemd:
    """Acts on the ODPs of this host through systemd."""

    settings: SystemdSettings

    async def look(self, target: Target) -> HostView:
        """The processes of *target* now."""
        return await procedure(self.settings, _Unit(self.settings)).look(target)

    async def restart(self, order: Order) -> Restarted:
        """End the unit's main process, and start the unit."""
        return await procedure(self.settings, _Unit(self.settings)).restart(order)

    async def check(self) -> None:
        """The state directory can be written, and systemd answers."""
        procedure(self.settings, _Unit(self.settings)).state.prepare()
        await _show(self.settings, "")


class _Unit:
    """The service of an ODP."""

    def __init__(self, settings: SystemdSettings) -> None:
        self._settings = settings

    async def refuse(self, case: Case, /) -> None:
        """The unit must exist, and its main process be the one that is to be ended."""
        unit = _name(self._settings, case.target)
        shown = await _show(self._settings, unit)
        if shown.get("LoadState") != "loaded":
            message = f"{unit}: {shown.get('LoadState') or 'not known to systemd'} (see systemctl status {unit})"
            raise NotPermitted(message)
        main = shown.get("MainPID", "")
        if case.process and main != str(case.process.pid):
            message = f"{unit}: its main process is pid {main or 'unknown'}, not {case.process.pid}"
            raise NotIdentified(message)

    async def start(self, case: Case, /) -> str:
        """Start the unit; a limit on starts that others have used up is lifted."""
        unit = _name(self._settings, case.target)
        await _call(self._settings, "reset-failed", unit)
        # Not to be waited for here: whether it greets is what counts.
        done = await _call(self._settings, "start", "--no-block", unit)
        if done.status != 0:
            message = f"{unit}: {done.complaint}"
            raise StartFailed(message)
        return Watchdog.SYSTEMD.value


def _name(settings: SystemdSettings, target: Target) -> str:
    name = settings.unit.replace("{odp}", target.name)
    if "{" in name or not _UNIT.fullmatch(name):
        message = f"not the name of a service: {quoted(name)} (its ODP's name cannot stand in it)"
        raise NotPermitted(message)
    return name


async def _show(settings: SystemdSettings, unit: str) -> dict[str, str]:
    """What systemd says of *unit*, or with none of itself."""
    done = await _call(settings, "show", "--property=LoadState,MainPID,Version", *([unit] if unit else []))
    if done.status != 0:
        message = f"{settings.systemctl[0]}: {done.complaint}"
        raise NotPermitted(message)
    lines = done.output.decode(errors="replace").splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


async def _call(settings: SystemdSettings, *words: str) -> commands.Done:
    try:
        return await commands.run([*settings.systemctl, *words], within=settings.timeout)
    except commands.NotStarted as error:
        raise NotPermitted(str(error)) from error
    except commands.TookTooLong as error:
        raise ActuatorError(str(error)) from error
