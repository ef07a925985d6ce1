"""For a pool without a load balancer that could be steered: it knows the members, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic.dataclasses import dataclass

from odp_exporter.settings import STRICT, quoted
from odp_exporter.targets import Target

from .driver import Admin, Capabilities, Health, LbRefused, Member


@dataclass(frozen=True, slots=True, config=STRICT)
class NoneSettings:
    """Nothing to set."""

    type: Literal["none"] = "none"


class NoLoadBalancer:
    """Tells the configured members; what it is asked to do has no effect, as its capabilities say."""

    capabilities = Capabilities(drains=False)

    def __init__(self, _settings: NoneSettings, members: Sequence[Target]) -> None:
        self._odps = tuple(target.name for target in members)

    async def members(self) -> Mapping[str, Member]:
        """Every member: ready, for nobody can say otherwise, and of unknown health."""
        return {odp: Member(odp, Admin.READY, Health.UNKNOWN) for odp in self._odps}

    async def started(self) -> datetime | None:
        """Nothing was started."""
        return None

    async def drain(self, odp: str) -> None:
        """No effect."""
        self._known(odp)

    async def enable(self, odp: str, weight: int | None) -> None:  # noqa: ARG002 - the contract's signature
        """No effect."""
        self._known(odp)

    async def kill_sessions(self, odp: str) -> None:
        """No effect."""
        self._known(odp)

    async def check(self) -> None:
        """Nothing is missing."""

    def _known(self, odp: str) -> None:
        if odp not in self._odps:
            message = f"no member of this pool: {quoted(odp)}"
            raise LbRefused(message)
