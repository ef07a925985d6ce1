"""What a stage is called, and whether its ODP is out by our doing. Pure."""

from __future__ import annotations

from .model import Acting, Draining, Enabling, Held, Looking, Stage, Verifying, Waiting


def stage_name(stage: Stage | None) -> str:
    """The value of the `state` label; an ODP without a stage is idle."""
    return "idle" if stage is None else type(stage).__name__.lower()


def has_lease(stage: Stage | None) -> bool:
    """A drain of it is ours."""
    match stage:
        case Draining() | Acting() | Verifying() | Enabling() | Held():
            return True
        case Looking(held=held):
            return held is not None
        case _:
            return False


def told(stage: Stage | None) -> str:
    """Why it stands there, for a person; empty if its name says it all."""
    match stage:
        case Waiting(refusal=refusal):
            return f"{refusal.reason}: {refusal.detail}"
        case Held(why=why, detail=detail):
            return f"{why}: {detail}"
        case Draining(plan=plan) | Acting(plan=plan):
            return type(plan).__name__.lower()
        case _:
            return ""
