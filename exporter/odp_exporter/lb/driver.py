"""What every load balancer driver can do, and what it says of a pool's members.

A driver is bound to one pool. All verbs are idempotent, and return only when
every instance of the load balancer (each socket, each process) shows what was
asked for when it is read back; otherwise they raise an LbError. Who calls sets
the deadline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class LbError(Exception):
    """The load balancer could not be asked or steered."""


class LbUnreachable(LbError):
    """No answer, or none in time."""


class LbRefused(LbError):
    """It said no, and will again."""


class LbUnconfirmed(LbError):
    """Reading back does not show what was asked for on every instance."""


class Admin(StrEnum):
    """What people or programs have asked of a member."""

    READY = "ready"
    DRAIN = "drain"
    """No new sessions; those that exist go on."""
    MAINT = "maint"
    """Out of use; a person's word, which we never take back."""


class Health(StrEnum):
    """What the load balancer's own checks say of a member."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    """Not checked, or not told."""


@dataclass(frozen=True, slots=True)
class Member:
    """One ODP as a load balancer sees it; of several instances the worst word counts."""

    odp: str
    admin: Admin
    health: Health
    weight: int | None = None
    """None: the load balancer has no weights."""
    sessions: int | None = None
    """Established sessions in all processes of the load balancer, old ones included; None: it cannot count them."""

    @property
    def takes_sessions(self) -> bool:
        """New sessions may go to it."""
        return self.admin is Admin.READY and self.health is Health.UP and self.weight != 0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver can do; policy depends on it."""

    drains: bool = True
    """False: it can neither drain nor enable, only tell."""
    counts_sessions: bool = False
    kills_sessions: bool = False


class LoadBalancer(Protocol):
    """Steers the members of one pool."""

    @property
    def capabilities(self) -> Capabilities:
        """What this driver can do."""
        ...

    async def members(self) -> Mapping[str, Member]:
        """Every configured member of the pool by the ODP's name, as of now; LbError rather than a part of them."""
        ...

    async def started(self) -> datetime | None:
        """When the youngest instance began; None: it does not tell. A fresh one may bring old drains back to life."""
        ...

    async def drain(self, odp: str) -> None:
        """No new sessions go to *odp*, confirmed by reading back."""
        ...

    async def enable(self, odp: str, weight: int | None) -> None:
        """*odp* takes sessions again at *weight* (None: as it is), confirmed by reading back; health may come later."""
        ...

    async def kill_sessions(self, odp: str) -> None:
        """Ends the established sessions to *odp*, those in old processes of the load balancer included."""
        ...

    async def check(self) -> None:
        """May all of the above be done? An LbError says what is missing; changes nothing."""
        ...
