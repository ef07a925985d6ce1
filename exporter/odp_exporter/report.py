"""What one greeting probe of the command line has to say to a person. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .health import Health, State, after_greeting
from .observations import GreetingObservation, Phase, ProbeResult

_MEANING = {
    ProbeResult.OK: "it greets: event loop and accept threads are alive; OCP, clusters and logins are not proven",
    ProbeResult.REFUSED: "no process listens there: dead, or still starting",
    ProbeResult.CONNECT_TIMEOUT: "nothing answered the SYN: host gone, packets dropped, or the accept queue is full",
    ProbeResult.GREETING_TIMEOUT: "the kernel accepted and ODP stayed silent: hung, stopped or draining",
    ProbeResult.RESET: "the connection was reset before the greeting was whole: it may just be stopping",
    ProbeResult.CLOSED: "the connection was closed before the greeting was whole",
    ProbeResult.MALFORMED: "what came is no MySQL greeting: is this ODP's SQL port?",
    ProbeResult.ERROR_PACKET: "it answered with an error in place of a greeting",
    ProbeResult.UNREACHABLE: "there is no way from here to there: look at the name and the network",
    ProbeResult.INTERNAL_ERROR: "the probe itself failed",
}


def verdict(probes: Sequence[GreetingObservation]) -> State:
    """The state after *probes*, seen from outside only."""
    health = Health()
    for seen in probes:
        health, _ = after_greeting(health, seen, None)
    return health.state


def lines(probes: Sequence[GreetingObservation]) -> list[str]:
    """The page that `odp-exporter probe` prints."""
    last = probes[-1]
    page = [line for number, seen in enumerate(probes, 1) for line in _probe_lines(number, seen)]
    return [*page, f"verdict: {verdict(probes)} - {_MEANING[last.result]}"]


def _probe_lines(number: int, seen: GreetingObservation) -> list[str]:
    page = [f"probe {number}: {seen.result}" + (f" - {seen.detail}" if seen.detail else "")]
    facts = {Phase.CONNECT: seen.peer, Phase.GREETING: f"server version {seen.server_version}"}
    page += [f"  {phase:<9}{seconds * 1000:9.2f} ms  {facts[phase]}" for phase, seconds in seen.durations.items()]
    return page
