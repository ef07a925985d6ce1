"""What passes between an actuator here and `odp-remediator restart --json` on ODP's host.

Orders go as arguments, which people can read in a log and give by hand; answers
come back as one JSON object. Whoever answers is another version of this program
at times: an answer that is not understood leaves the outcome open, and the
order can be given again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from odp_exporter.observations import Identity
from odp_exporter.settings import format_duration, quoted
from odp_exporter.targets import Target

from .actuator import (
    ActuatorError,
    HostUnreachable,
    HostView,
    NotIdentified,
    NotPermitted,
    Order,
    Restarted,
    StartFailed,
    StopFailed,
    Unfinished,
)
from .procedure import limit

ON_THE_WAY = timedelta(seconds=15)
"""For connecting, logging in and starting the command, beside what the order takes on its host."""
_ERRORS: dict[str, type[ActuatorError]] = {
    kind.__name__: kind
    for kind in (HostUnreachable, NotIdentified, NotPermitted, StopFailed, StartFailed, Unfinished, ActuatorError)
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An ActuatorError by its name."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Exactly one of the three is there."""

    version: Literal[1] = 1
    look: HostView | None = None
    restarted: Restarted | None = None
    error: Failure | None = None


_ADAPTER = TypeAdapter(Answer)


def dump(answer: HostView | Restarted | ActuatorError) -> str:
    """One line of JSON."""
    match answer:
        case HostView():
            said = Answer(look=answer)
        case Restarted():
            said = Answer(restarted=answer)
        case _:
            said = Answer(error=Failure(type(answer).__name__, str(answer)))
    return _ADAPTER.dump_json(said, exclude_none=True).decode()


def look_of(output: bytes) -> HostView:
    """The look that *output* tells of; raises the error that it tells of instead."""
    answer = _answer(output)
    if answer.look is None:
        raise _not_understood(output)
    return answer.look


def restart_of(output: bytes) -> Restarted:
    """The restart that *output* tells of; raises the error that it tells of instead."""
    answer = _answer(output)
    if answer.restarted is None:
        raise _not_understood(output)
    return answer.restarted


def is_answer(output: bytes) -> bool:
    """It is an answer of the host command, good or bad."""
    return _parsed(output) is not None


def look_arguments(target: Target) -> tuple[str, ...]:
    """The host command's arguments for a look."""
    return ("--json", "--dry-run", *_of_target(target), str(target.address))


def restart_arguments(order: Order) -> tuple[str, ...]:
    """The host command's arguments for *order*."""
    no_evidence = order.evidence_budget <= timedelta()
    return (
        "--json",
        *_of_target(order.target),
        f"--expect={expectation(order.kill)}" if order.kill else "--dead-only",
        "--no-evidence" if no_evidence else f"--evidence-budget={format_duration(order.evidence_budget)}",
        f"--stop-grace={format_duration(order.stop_grace)}",
        f"--start-timeout={format_duration(order.start_timeout)}",
        str(order.target.address),
    )


def deadline(order: Order) -> timedelta:
    """When an order given over a wire is no longer waited for."""
    return limit(order) + ON_THE_WAY


def expectation(identity: Identity) -> str:
    """A process's life as one argument."""
    return f"{identity.boot_id}/{identity.pid}/{identity.start_ticks}"


def parse_expectation(value: object) -> Identity:
    """What expectation() gave; whoever sees the process knows its executable."""
    match value.split("/") if isinstance(value, str) else ():
        case [boot_id, pid, ticks] if boot_id and _is_number(pid) and _is_number(ticks):
            return Identity(boot_id, int(pid), int(ticks), "")
        case _:
            message = f"not a process's life: {quoted(value)} (BOOT_ID/PID/START_TICKS, as --dry-run --json shows)"
            raise ValueError(message)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < len(text) < 19  # noqa: PLR2004 - a signed 64-bit number


def _of_target(target: Target) -> tuple[str, ...]:
    home = (f"--home={target.home}",) if target.home else ()
    return (f"--name={target.name}", *home)


def _answer(output: bytes) -> Answer:
    answer = _parsed(output)
    if answer is None:
        raise _not_understood(output)
    if answer.error:
        raise _ERRORS.get(answer.error.kind, ActuatorError)(answer.error.message)
    return answer


def _parsed(output: bytes) -> Answer | None:
    """The last line that is an answer: a login's greeting may stand before it."""
    for line in reversed(output.splitlines()):
        if line.startswith(b"{"):
            try:
                return _ADAPTER.validate_python(json.loads(line), strict=False)
            except (ValueError, ValidationError, RecursionError):
                return None
    return None


def _not_understood(output: bytes) -> Unfinished:
    said = output.decode(errors="replace").strip().splitlines()
    return Unfinished(f"no answer of odp-remediator restart --json: {quoted(said[-1] if said else '')}")
