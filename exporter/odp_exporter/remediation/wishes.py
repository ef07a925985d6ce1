"""What HAProxy's agent checks are told: the fleet's stages as intents, which outlast a reload (S28)."""

from __future__ import annotations

from odp_exporter.lb.agent import Intent, Wishes
from odp_exporter.lb.driver import Admin, LbUnreachable

from .engine import Engine
from .model import Enabling
from .stages import has_lease
from .world import World


def wishes(engine: Engine, world: World) -> Wishes:
    """What *engine* wants of each ODP, and what its load balancer does with it."""

    def intent(odp: str) -> Intent:
        stage = engine.fleet.stages.get(odp)
        if isinstance(stage, Enabling):
            return Intent.READY
        return Intent.DRAIN if has_lease(stage) else Intent.NEUTRAL

    async def admin(odp: str) -> Admin:
        lb = world.lb(odp)
        member = (await lb.members()).get(odp) if lb else None
        if member is None:
            message = f"{odp}: no such member"
            raise LbUnreachable(message)
        return member.admin

    return Wishes(intent, admin)
