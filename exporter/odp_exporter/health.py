"""What the observations of one ODP mean: its state, and since when it has not served.

Pure: a state is a function of what was observed. The rules, in the order in
which they are tried (odp-facts 4.5):

1. A whole greeting is *serving*, whatever else is seen.
2. No greeting from a process that was told to stop, or that hands over to its
   successor, is *draining*: it looks hung from outside and must be left alone.
3. Silence is weather once and climate twice: after two silent greetings in a
   row it is *hung*. So is an unanswered SYN while the process lives here, for
   then its accept queue is full.
4. A refused connection is *down*, or *starting* while a young process exists:
   ODP listens last of all, and a black-holed OCP delays that by 15 s.
5. What proves neither (not MySQL, an error packet, no route from here) is
   *unknown*. When unsure, say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from .observations import GreetingObservation, HostObservation, Outage, ProbeResult, Process

SILENT_PROBES = 2
"""Silent greetings in a row that make an ODP hung."""
START_GRACE = timedelta(seconds=30)
"""How long a process may take until it listens; 15.2 s were measured with OCP black-holed (odp-facts 1.2)."""

_SILENCE = frozenset({ProbeResult.GREETING_TIMEOUT, ProbeResult.CONNECT_TIMEOUT})


class State(StrEnum):
    """What an ODP is to its clients; the `state` label of odp_state."""

    SERVING = "serving"
    STARTING = "starting"
    DRAINING = "draining"
    """Told to stop, or hot-restarting: established sessions may go on, new ones wait."""
    HUNG = "hung"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict on one ODP, and what the next observation is weighed against."""

    state: State = State.UNKNOWN
    silent_probes: int = 0
    """Silent greetings in a row, up to now."""
    outage_began: datetime | None = None
    """When the first of the present run of failed greetings was seen."""


def after_greeting(
    health: Health, greeting: GreetingObservation, host: HostObservation | None
) -> tuple[Health, Outage | None]:
    """Weigh a new *greeting*; a first whole one after failed ones also ends an outage."""
    silent = health.silent_probes + 1 if greeting.result in _SILENCE else 0
    state = _judge(replace(health, silent_probes=silent), greeting, host)
    if not greeting.is_ok:
        return Health(state, silent, health.outage_began or greeting.at), None
    outage = Outage(health.outage_began, greeting.at) if health.outage_began else None
    return Health(state), outage


def after_host(health: Health, greeting: GreetingObservation | None, host: HostObservation) -> Health:
    """Weigh what the host shows now against the latest *greeting*."""
    if greeting is None:
        return health
    return replace(health, state=_judge(health, greeting, host))


def _judge(health: Health, greeting: GreetingObservation, host: HostObservation | None) -> State:
    if greeting.is_ok:
        return State.SERVING
    processes = _living(host)
    if host and processes and (host.is_told_to_stop or host.is_hot_restarting):
        return State.DRAINING
    return _judge_failure(health, greeting, processes, is_local=host is not None and host.is_local)


def _judge_failure(
    health: Health, greeting: GreetingObservation, processes: Sequence[Process], *, is_local: bool
) -> State:
    match greeting.result:
        case ProbeResult.CONNECT_TIMEOUT if not processes:
            return State.DOWN
        case ProbeResult.GREETING_TIMEOUT | ProbeResult.CONNECT_TIMEOUT:
            return State.HUNG if health.silent_probes >= SILENT_PROBES else health.state
        case ProbeResult.REFUSED:
            return State.STARTING if _is_young(processes, greeting.at) else State.DOWN
        case ProbeResult.RESET | ProbeResult.CLOSED if is_local and not processes:
            return State.DOWN
        case _:
            return State.UNKNOWN


def _living(host: HostObservation | None) -> Sequence[Process]:
    if host is None or not host.is_local:
        return ()
    return [process for process in host.processes if process.state not in {"Z", "X"}]


def _is_young(processes: Sequence[Process], now: datetime) -> bool:
    return any(now - process.started < START_GRACE for process in processes)
