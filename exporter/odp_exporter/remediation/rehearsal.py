"""A dry run: every decision is made, and what would change the world is taken out of it and told (S31). Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from .model import Command, Decision, Fleet, Look, Outcome, Reason, Record, Refusal, Verify, Waiting


def rehearsed(before: Fleet, decision: Decision, now: datetime, again: timedelta) -> Decision:
    """*decision* without its effects; what it would have acted on is looked at again after *again*."""
    effects = [command for command in decision.commands if not isinstance(command, Look | Verify)]
    if not effects:
        return decision
    acted_on = {command.odp for command in effects}
    stages = dict(decision.fleet.stages)
    for command in effects:
        if stage := stages.pop(command.odp, None):
            refusal = Refusal(Reason.DRY_RUN, f"would {_word(command)}")
            stages[command.odp] = Waiting(stage.episode, now, refusal, now + again)
    fleet = replace(decision.fleet, stages=stages, actions=before.actions, brake=before.brake, released=before.released)
    records = [record for record in decision.records if record.odp not in acted_on]
    told = [_told(command, decision) for command in effects]
    refusals = (*decision.refusals, *((command.odp, Reason.DRY_RUN) for command in effects))
    return Decision(
        fleet, tuple(each for each in decision.commands if each not in effects), (*records, *told), refusals
    )


def _told(command: Command, decision: Decision) -> Record:
    details = [f"would {_word(command)}", *(each.detail for each in decision.records if each.odp == command.odp)]
    detail = "; ".join(filter(None, details))
    return Record(command.odp, command.episode, _word(command), Outcome.REFUSED, Reason.DRY_RUN, detail)


def _word(command: Command) -> str:
    return type(command).__name__.lower()
