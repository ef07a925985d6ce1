"""A load balancer in memory: for tests, drills and dry runs, and therefore not to be had by configuration.

It keeps the drivers' contract and passes their suite; a test moves its members
by `put`, and lets it fail by `failure`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from odp_exporter.settings import quoted

from .driver import Admin, Capabilities, Health, LbError, LbRefused, Member


class Memory:
    """Members as they would be, if there were a load balancer."""

    capabilities = Capabilities(counts_sessions=True, kills_sessions=True)

    def __init__(self, members: Iterable[Member], *, started: datetime | None = None) -> None:
        self._members = {member.odp: member for member in members}
        self._started = started
        self.failure: LbError | None = None
        """Raised by every verb while it is set."""

    @classmethod
    def of(cls, *odps: str) -> Memory:
        """A pool of healthy members."""
        return cls(Member(odp, Admin.READY, Health.UP, weight=1, sessions=0) for odp in odps)

    def put(self, member: Member) -> None:
        """What the load balancer says of it from now on."""
        self._members[member.odp] = member

    def restart(self, at: datetime) -> None:
        """A fresh one, which has forgotten every drain."""
        self._started = at
        for member in self._members.values():
            if member.admin is Admin.DRAIN:
                self.put(replace(member, admin=Admin.READY))

    async def members(self) -> Mapping[str, Member]:
        """As they are now."""
        self._may_fail()
        return dict(self._members)

    async def started(self) -> datetime | None:
        """When it was made, or last restarted."""
        self._may_fail()
        return self._started

    async def drain(self, odp: str) -> None:
        """Drained, unless in maintenance."""
        member = self._member(odp)
        if member.admin is Admin.READY:
            self.put(replace(member, admin=Admin.DRAIN))

    async def enable(self, odp: str, weight: int | None) -> None:
        """Ready; LbRefused in maintenance."""
        member = self._member(odp)
        if member.admin is Admin.MAINT:
            message = f"{quoted(odp)} is in maintenance (whoever put it there takes it out)"
            raise LbRefused(message)
        self.put(replace(member, admin=Admin.READY, weight=member.weight if weight is None else weight))

    async def kill_sessions(self, odp: str) -> None:
        """None are left."""
        self.put(replace(self._member(odp), sessions=0))

    async def check(self) -> None:
        """Nothing is missing, unless it fails."""
        self._may_fail()

    def _member(self, odp: str) -> Member:
        self._may_fail()
        if odp in self._members:
            return self._members[odp]
        message = f"no member of this pool: {quoted(odp)}"
        raise LbRefused(message)

    def _may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure
