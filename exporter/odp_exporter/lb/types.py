"""The load balancers that a configuration can name: a literal table, and the union of their settings.

A new one is its file and a line in each. The one in memory is not among them:
a configuration steers something that exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from odp_exporter.targets import Target

from .driver import LoadBalancer
from .exec import Exec, ExecSettings
from .haproxy import Haproxy, HaproxySettings
from .none import NoLoadBalancer, NoneSettings

Settings = HaproxySettings | ExecSettings | NoneSettings
LbSettings = Annotated[Settings, Field(discriminator="type")]
"""One entry of `remediation.lbs`; its `type` says which."""

DRIVERS: Mapping[type[Settings], Callable[..., LoadBalancer]] = {
    HaproxySettings: Haproxy,
    ExecSettings: Exec,
    NoneSettings: NoLoadBalancer,
}


def driver(settings: Settings, members: Sequence[Target]) -> LoadBalancer:
    """The driver of a pool; a ValueError says why it cannot have these *members*."""
    return DRIVERS[type(settings)](settings, members)
