"""A probe on demand as a person reads it: `debug=true`."""

from __future__ import annotations

from collections.abc import Iterator

from odp_exporter.observations import (
    GreetingObservation,
    OcpObservation,
    OcpResult,
    Phase,
    PingObservation,
    PingResult,
)
from odp_exporter.ondemand import Answer


def is_success(answer: Answer) -> bool:
    """The probe found everything well."""
    match answer:
        case GreetingObservation():
            return answer.is_ok
        case PingObservation():
            return answer.result is PingResult.OK
        case OcpObservation():
            return all(reply.result is OcpResult.OK for reply in answer.endpoints)


def describe(answer: Answer) -> Iterator[str]:
    """What was seen, line by line and in the order in which it happened."""
    match answer:
        case GreetingObservation():
            yield from _greeting(answer)
        case PingObservation():
            yield f"result: {answer.result}{_because(answer.detail)}"
        case OcpObservation():
            for reply in answer.endpoints:
                subject = f"{reply.endpoint} of {reply.cluster}" if reply.cluster else reply.endpoint
                status = f", HTTP status {reply.status}" if reply.status else ""
                yield f"{subject}: {reply.result}{status}, {_milliseconds(reply.seconds)}{_because(reply.detail)}"


def _greeting(greeting: GreetingObservation) -> Iterator[str]:
    if greeting.peer:
        yield f"peer: {greeting.peer}"
    for phase in Phase:
        seconds = greeting.durations.get(phase)
        yield f"phase {phase}: {'not completed' if seconds is None else _milliseconds(seconds)}"
    if greeting.server_version is not None:
        yield f"server version: {greeting.server_version!r}"
    yield f"result: {greeting.result}{_because(greeting.detail)}"


def _because(detail: str) -> str:
    return f" ({detail})" if detail else ""


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
