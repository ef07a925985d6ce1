"""What the remediator can reach: the ODPs of the inventory, their load balancers and actuators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from odp_exporter.actuators.actuator import Actuator
from odp_exporter.lb.driver import LoadBalancer
from odp_exporter.targets import Pool, Target


@dataclass(frozen=True, slots=True)
class World:
    """The inventory, and the way to each thing in it."""

    targets: Mapping[str, Target]
    """By name; what is not in here is not touched (S15)."""
    pools: Mapping[str, Pool]
    lbs: Mapping[str, LoadBalancer]
    """By pool; a pool without one is in front of nobody that we could steer."""
    actuators: Mapping[str, Actuator]
    """By ODP."""

    def lb(self, odp: str) -> LoadBalancer | None:
        """The load balancer that sends sessions to *odp*."""
        target = self.targets.get(odp)
        return self.lbs.get(target.pool) if target and target.pool else None

    def peers(self, odp: str) -> Iterable[Target]:
        """The other members of its pool."""
        pool = self.targets[odp].pool
        return [target for target in self.targets.values() if pool and target.pool == pool and target.name != odp]
