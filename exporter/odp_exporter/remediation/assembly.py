"""From the configuration to what can be reached: the inventory, a driver for each pool, an actuator for each ODP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from odp_exporter.actuators.types import actuator
from odp_exporter.lb.driver import LoadBalancer
from odp_exporter.lb.types import driver
from odp_exporter.targets import Pool, Target

from .policy import Inventory
from .settings import Remediation
from .world import World


class Unsuitable(Exception):
    """A load balancer cannot be steered as it is configured; each line of the message is one reason."""


def world_of(settings: Remediation, targets: Iterable[Target], pools: Mapping[str, Pool]) -> World:
    """All of *targets* that stand in a pool whose load balancer we steer, and the way to them (S15)."""
    steered = {name: pool for name, pool in pools.items() if pool.lb in settings.lbs}
    ours = {target.name: target for target in targets if target.pool in steered and settings.actuator_of(target)}
    made = {name: actuator(each) for name, each in settings.actuators.items()}
    return World(
        ours,
        steered,
        _drivers(settings, ours, steered),
        {name: made[key] for name, target in ours.items() if (key := settings.actuator_of(target))},
    )


def inventory_of(settings: Remediation, world: World) -> Inventory:
    """The same as the decisions need it."""
    actuators = {name: settings.actuator_of(target) or "" for name, target in world.targets.items()}
    undrainable = frozenset(pool for pool, lb in world.lbs.items() if not lb.capabilities.drains)
    return Inventory(world.targets, world.pools, actuators, undrainable)


def _drivers(
    settings: Remediation, targets: Mapping[str, Target], pools: Mapping[str, Pool]
) -> dict[str, LoadBalancer]:
    drivers, problems = dict[str, LoadBalancer](), list[str]()
    for name, pool in pools.items():
        members = [target for target in targets.values() if target.pool == name]
        try:
            drivers[name] = driver(settings.lbs[pool.lb or ""], members)
        except ValueError as error:
            problems.append(f"remediation.lbs.{pool.lb}: pool {name}: {error}")
    if problems:
        raise Unsuitable("\n".join(problems))
    return drivers
