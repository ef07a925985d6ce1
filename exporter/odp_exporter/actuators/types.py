"""The actuators that a configuration can name: a literal table, and the union of their settings.

A new one is its file and a line in each.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .actuator import Actuator
from .exec import Exec, ExecSettings
from .local import Local, LocalSettings
from .obproxyd import Obproxyd, ObproxydSettings
from .ssh import Ssh, SshSettings
from .systemd import Systemd, SystemdSettings

AnySettings = LocalSettings | ObproxydSettings | SystemdSettings | SshSettings | ExecSettings

ActuatorSettings = Annotated[AnySettings, Field(discriminator="type")]
"""One entry of `remediation.actuators`; its `type` says which."""

TYPES = {
    "local": (LocalSettings, Local),
    "obproxyd": (ObproxydSettings, Obproxyd),
    "systemd": (SystemdSettings, Systemd),
    "ssh": (SshSettings, Ssh),
    "exec": (ExecSettings, Exec),
}


def actuator(settings: AnySettings) -> Actuator:
    """What *settings* describe."""
    match settings:
        case LocalSettings():
            return Local(settings)
        case ObproxydSettings():
            return Obproxyd(settings)
        case SystemdSettings():
            return Systemd(settings)
        case SshSettings():
            return Ssh(settings)
        case ExecSettings():
            return Exec(settings)
