"""What the observations of one ODP mean: its state, and since when it has not served.

Pure: a state is a function of what was observed. The rules, in the order in
which they are tried (odp-facts 4.5):

1. A whole greeting is *serving*, whatever else is seen; a probe that failed by
   our own fault says nothing.
2. No greeting from a process that was told to stop, or that hands over to its
   successor, is *draining*: it looks hung from outside and must be left alone
   for as long as ODP's own drain timeout allows.
3. A greeting that an earlier process failed to give says nothing of its
   successor, which is *starting*.
4. Silence is weather once and climate twice: after two silent probes of the
   same process it is *hung*. If not even the connection is answered, and no
   process is seen here that could, it is *down*.
5. A refused connection is *down*, or *starting* while a young process exists
   and the outage is young too: ODP listens last of all, and a black-holed OCP
   delays that by 15 s, but in a crash loop there is always a young process.
6. What proves neither (not MySQL, an error packet, no route from here) is
   *unknown*. When unsure, say so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from .observations import GreetingObservation, HostObservation, Identity, Outage, ProbeResult, validity

SILENT_PROBES = 2
"""Silent probes in a row that make an ODP hung."""
START_GRACE = timedelta(seconds=30)
"""How long a process may take until it listens; 15.2 s were measured with OCP black-holed (odp-facts 1.2)."""
DRAIN_MARGIN = timedelta(seconds=10)
"""How much longer than its drain timeout a process may take to end: its cop looks once a second (odp-facts 7.4)."""
CLOCK_SET = timedelta(seconds=1)
"""A wall clock that has gone on so much too far or too little was set."""

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
    """Silent probes in a row of the same process, up to now."""
    silent_process: Identity | None = None
    """That process, where it can be seen."""
    told_to_stop: timedelta | None = None
    """Since when a process that was told to stop, or hands over, has been seen, by a clock that nobody sets."""
    outage_began: datetime | None = None
    """When the first of the present run of failed greetings was seen, as the wall clock now has it."""
    outage_first: timedelta | None = None
    """The same by a clock that nobody sets."""
    outage_lasted: timedelta = timedelta()
    """From there to the latest of them."""


def after_greeting(
    health: Health, greeting: GreetingObservation, host: HostObservation | None
) -> tuple[Health, Outage | None]:
    """Weigh a new *greeting*; a first whole one after failed ones also ends an outage."""
    if greeting.result is ProbeResult.INTERNAL_ERROR:
        return replace(health, state=State.UNKNOWN, silent_probes=0, silent_process=None), None
    host = _usable(host, greeting.moment)
    health = _heard(_told(health, host, greeting.moment), greeting, host)
    if greeting.is_ok and health.state is State.SERVING and health.outage_began is None:
        return health, None
    if not greeting.is_ok:
        return replace(health, state=_judge(health, greeting, host, greeting.moment)), None
    outage = Outage(greeting.at - _lasted(health, greeting), greeting.ended) if health.outage_began else None
    return replace(health, state=State.SERVING, outage_began=None, outage_first=None, outage_lasted=timedelta()), outage


def after_host(health: Health, greeting: GreetingObservation | None, host: HostObservation) -> Health:
    """Weigh what the host shows now against the latest *greeting*."""
    if greeting is None or greeting.result is ProbeResult.INTERNAL_ERROR:
        return health
    health = _told(health, host, host.moment)
    return replace(health, state=_judge(health, greeting, _usable(host, host.moment), host.moment))


def _usable(host: HostObservation | None, now: timedelta) -> HostObservation | None:
    return host if host and host.is_local and now - host.moment <= validity(host.interval) else None


def _told(health: Health, host: HostObservation | None, now: timedelta) -> Health:
    is_told = bool(host and host.processes and (host.is_told_to_stop or host.is_hot_restarting))
    if not is_told and health.told_to_stop is None:
        return health
    since = now if health.told_to_stop is None else health.told_to_stop
    return replace(health, told_to_stop=since if is_told else None)


def _heard(health: Health, greeting: GreetingObservation, host: HostObservation | None) -> Health:
    """Count silence, and begin an outage."""
    if greeting.is_ok:
        return replace(health, silent_probes=0, silent_process=None) if health.silent_probes else health
    # The oldest: beside one that hangs a watchdog may start others without end, in vain (odp-facts 7.9).
    process = host.processes[0].identity if host and host.processes else None
    is_silent = greeting.result in _SILENCE
    before = health.silent_probes if process == health.silent_process else 0
    lasted = _lasted(health, greeting)
    return replace(
        health,
        silent_probes=before + 1 if is_silent else 0,
        silent_process=process if is_silent else None,
        outage_began=_began(health, greeting.at - lasted),
        outage_first=greeting.moment - lasted,
        outage_lasted=lasted,
    )


def _lasted(health: Health, greeting: GreetingObservation) -> timedelta:
    """How long the outage had lasted when *greeting* was made, whatever was done to the wall clock meanwhile."""
    return timedelta() if health.outage_first is None else max(timedelta(), greeting.moment - health.outage_first)


def _began(health: Health, began: datetime) -> datetime:
    """When the outage *began* in the present time; the same moment as before unless the wall clock was set."""
    known = health.outage_began
    return known if known and abs(began - known) < CLOCK_SET else began


def _judge(health: Health, greeting: GreetingObservation, host: HostObservation | None, now: timedelta) -> State:
    if greeting.is_ok:
        return State.SERVING
    if host and health.told_to_stop is not None and now - health.told_to_stop < host.drain_timeout + DRAIN_MARGIN:
        return State.DRAINING
    if greeting.result in _SILENCE:
        return _judge_silence(health, greeting, host)
    match greeting.result:
        case ProbeResult.REFUSED:
            return State.STARTING if _is_starting(health, host, now) else State.DOWN
        case ProbeResult.RESET | ProbeResult.CLOSED if _is_gone(host):
            return State.DOWN
        case _:
            return State.UNKNOWN


def _judge_silence(health: Health, greeting: GreetingObservation, host: HostObservation | None) -> State:
    processes = host.processes if host else ()
    if host and processes and all(host.began(process) > greeting.moment for process in processes):
        return State.STARTING
    is_answered = greeting.result is ProbeResult.GREETING_TIMEOUT
    # Somebody has accepted, without a process of this host: behind a translated address lives one that cannot be seen.
    is_elsewhere = is_answered and health.silent_process is None
    if _is_gone(host) and not is_elsewhere:
        return State.DOWN
    if health.silent_probes < SILENT_PROBES:
        return health.state
    return State.HUNG if is_answered or processes or (host and host.is_listening) else State.DOWN


def _is_gone(host: HostObservation | None) -> bool:
    """Nobody is there, as far as the host itself can tell."""
    return host is not None and not host.processes and host.is_listening is False


def _is_starting(health: Health, host: HostObservation | None, now: timedelta) -> bool:
    is_young = host is not None and any(now - host.began(process) < START_GRACE for process in host.processes)
    return is_young and (health.outage_first is None or now - health.outage_first < START_GRACE)
