"""A probe on demand as a person reads it: `debug=true`."""

from __future__ import annotations

from collections.abc import Iterator

from odp_exporter.observations import (
    CacheObservation,
    CacheResult,
    GreetingObservation,
    HostObservation,
    Observation,
    OcpObservation,
    OcpResult,
    Phase,
    PingObservation,
    PingResult,
)


def is_success(observation: Observation) -> bool:
    """The probe found everything well."""
    match observation:
        case GreetingObservation():
            return observation.is_ok
        case PingObservation():
            return observation.result is PingResult.OK
        case HostObservation():
            return bool(observation.processes)
        case CacheObservation():
            return all(file.result is CacheResult.OK for file in observation.files)
        case OcpObservation():
            return all(reply.result is OcpResult.OK for reply in observation.endpoints)


def describe(observation: Observation) -> Iterator[str]:
    """What was seen, line by line and in the order in which it happened."""
    match observation:
        case GreetingObservation():
            yield from _greeting(observation)
        case PingObservation():
            yield f"result: {observation.result}{_because(observation.detail)}"
        case HostObservation():
            yield f"processes: {', '.join(str(each.identity.pid) for each in observation.processes) or 'none'}"
            yield from (f"not seen: {reason}" for reason in observation.unseen)
        case CacheObservation():
            yield from (f"{file.file}: {file.result}{_because(file.detail)}" for file in observation.files)
        case OcpObservation():
            for reply in observation.endpoints:
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
