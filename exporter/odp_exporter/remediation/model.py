"""What there is in remediation: alerts, evidence, plans, the stages of a repair, events and commands.

Values only. A stage carries what is true in it and nothing else, and says by
itself which command is outstanding: so after a crash the journal's stages tell
what to ask the world again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from odp_exporter.actuators.actuator import HostView, Restarted
from odp_exporter.health import State
from odp_exporter.lb.driver import Member
from odp_exporter.observations import Identity, ProbeResult

from .tagged import Tagged


class Wish(StrEnum):
    """The `remediation` label of an alert: what it would have done, if what is then seen agrees."""

    RESTART = "restart"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class Alert:
    """One firing alert that asks for a repair of an ODP of the inventory."""

    odp: str
    name: str
    wish: Wish
    key: str
    """SHA-256 of its stable labels: the same for every recurrence and from every Alertmanager (S4)."""
    since: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """What the exporter beside the ODP says of it (GET /api/v1/odps/NAME)."""

    at: datetime
    state: State
    restart_safe: bool | None
    """None: it cannot know."""
    reasons: tuple[str, ...] = ()
    """Why a restart is not safe, or cannot be known to be."""
    is_memory_frozen: bool = False
    processes: tuple[Identity, ...] = ()
    """Those that it means by that, oldest first."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was looked at, just now, before deciding about one ODP. None: it could not be had."""

    at: datetime
    """When looking began; what is older counts for nothing (S8)."""
    greetings: tuple[ProbeResult, ...]
    """Fresh greetings of the ODP from the remediator's own vantage, one after the other."""
    peers: Mapping[str, ProbeResult]
    """One fresh greeting of every other member of its pool."""
    members: Mapping[str, Member] | None
    """The pool as its load balancer sees it."""
    host: HostView | None
    """The ODP's processes, through its actuator."""
    report: Report | None
    is_silenced: bool | None
    """A silence or an inhibition of Alertmanager covers the alert."""
    gaps: tuple[str, ...] = ()
    """What could not be had, each with its reason, for a person."""


class Reason(StrEnum):
    """Why nothing is done now; the `reason` label of odp_remediation_refusals_total."""

    SERVES = "serves"
    """It greets: the alert is stale."""
    PAUSED = "paused"
    SILENCED = "silenced"
    BRAKE = "brake"
    """Too many actions in the fleet; only a person releases it."""
    COOLING_DOWN = "cooling_down"
    BUDGET = "budget"
    """Too many actions on this ODP."""
    POOL_BUSY = "pool_busy"
    """max_concurrent members of the pool are under repair."""
    MIN_SERVING = "min_serving"
    """Fewer than min_serving members would be left."""
    FLEET_FAILING = "fleet_failing"
    """So many fail at once that a shared cause is likelier."""
    RESTART_UNSAFE = "restart_unsafe"
    """It would not come back with its clusters: OCP down or half-broken, cache of no use."""
    RESTART_UNKNOWN = "restart_unknown"
    """Nobody can say whether it would come back."""
    LB_UNKNOWN = "lb_unknown"
    HELD_BY_PERSON = "held_by_person"
    """Drained or in maintenance in the load balancer, and not by us."""
    DRAINING = "draining"
    """Told to stop, or hot-restarting: it ends by itself."""
    STARTING = "starting"
    DUPLICATE = "duplicate"
    """Several processes claim the port."""
    UNIDENTIFIED = "unidentified"
    """Which process to act on cannot be seen."""
    UNCLEAR = "unclear"
    """Alive, and not proven to be hung: other vantages or other results disagree."""
    HOST_UNREACHABLE = "host_unreachable"
    OBSTACLE = "obstacle"
    """A start would fail: binary missing, disk full."""
    ALERTMANAGER_UNKNOWN = "alertmanager_unknown"
    """Whether a silence covers it cannot be asked."""
    DRY_RUN = "dry_run"
    """It would have been done, if this were no dry run."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing is done, and why."""

    reason: Reason
    detail: str
    """With the values that decided, for a person."""


@dataclass(frozen=True, slots=True)
class Start:
    """The process is dead: it serves nobody, starting it can only help."""


@dataclass(frozen=True, slots=True)
class Replace:
    """The process lives without serving: end exactly this one and start another."""

    process: Identity
    is_frozen: bool = False
    """At its memory limit: that it greets proves nothing (odp-facts 7.5)."""
    is_stopped: bool = False
    """It stands still: none of its sessions can go on, so that nobody waits for them."""


@dataclass(frozen=True, slots=True)
class TakeOut:
    """Out of the load balancer, no restart: a matter for people."""

    why: Hold


Plan = Annotated[Start | Replace | TakeOut, Tagged()]


class Hold(StrEnum):
    """Why an ODP is kept out of its load balancer and left to people."""

    PAUSED = "paused"
    """A person paused it, or the brake was pulled, between the drain and the restart."""
    CRASH_LOOP = "crash_loop"
    HOST_GONE = "host_gone"
    DRAIN_FAILED = "drain_failed"
    NOT_DONE = "not_done"
    """Nothing was done to the process: its host could not be reached, or said no, or it had just greeted again."""
    STOP_FAILED = "stop_failed"
    START_FAILED = "start_failed"
    VERIFY_FAILED = "verify_failed"
    ENABLE_FAILED = "enable_failed"
    NO_CLUSTERS = "no_clusters"
    """It greets, and was started when OCP and its cache could not give it its clusters."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One repair of one ODP, from the first alert to its end."""

    id: str
    odp: str
    alert: str
    """Name of the alert that began it."""
    began: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """A drain that is ours, and what to restore (S26, S28)."""

    weight: int | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Looking:
    """Evidence is being gathered. Outstanding: Look."""

    episode: Episode
    since: datetime
    refused: Reason | None = None
    """What the look before this one ended in; the same again is no news."""
    held: Held | None = None
    """It is held, and is held on unless this look finds what to do."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Refused for now; looked at again at *until* if the alert still fires. Outstanding: nothing."""

    episode: Episode
    since: datetime
    refusal: Refusal
    until: datetime


@dataclass(frozen=True, slots=True)
class Draining:
    """Being taken out of the load balancer. Outstanding: Drain."""

    episode: Episode
    since: datetime
    plan: Plan
    lease: Lease


@dataclass(frozen=True, slots=True)
class Acting:
    """Out of the load balancer and being started or replaced. Outstanding: Restart."""

    episode: Episode
    since: datetime
    plan: Annotated[Start | Replace, Tagged()]
    lease: Lease


@dataclass(frozen=True, slots=True)
class Verifying:
    """Does it serve? Outstanding: Verify."""

    episode: Episode
    since: datetime
    lease: Lease
    after: datetime | None = None
    """When the process began that has to serve; no greeting from before counts (S25)."""
    held: Hold | None = None
    """It was held for this reason before, and is held again if it does not serve."""


@dataclass(frozen=True, slots=True)
class Enabling:
    """Being put back. Outstanding: Enable."""

    episode: Episode
    since: datetime
    lease: Lease


@dataclass(frozen=True, slots=True)
class Held:
    """Out of the load balancer, left to people; looked at again at *until*. Outstanding: nothing."""

    episode: Episode
    since: datetime
    lease: Lease
    why: Hold
    detail: str
    until: datetime
    is_undrained: bool = False
    """The load balancer did not confirm that it is out."""


Stage = Annotated[Looking | Waiting | Draining | Acting | Verifying | Enabling | Held, Tagged()]
"""Where the repair of one ODP stands; an ODP without a stage is idle."""


class Scope(StrEnum):
    """What a pause covers."""

    TARGET = "target"
    POOL = "pool"
    FLEET = "fleet"


@dataclass(frozen=True, slots=True)
class Pause:
    """A person's word: nothing new is begun."""

    scope: Scope
    name: str
    """Of the ODP or pool; empty for the fleet."""
    who: str
    why: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """Something that was begun; success does not erase it, time does (S14)."""

    odp: str
    at: datetime
    plan: str


@dataclass(frozen=True, slots=True)
class Brake:
    """Nothing new is begun in the whole fleet until a person says so (S13)."""

    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """All that the remediator believes; every part of it is in the journal first."""

    stages: Mapping[str, Stage] = field(default_factory=dict)
    """By ODP; idle ones are not in it."""
    alerts: Mapping[str, tuple[Alert, ...]] = field(default_factory=dict)
    """Those that fire now, by ODP."""
    actions: tuple[Action, ...] = ()
    """The recent ones, oldest first."""
    pauses: tuple[Pause, ...] = ()
    brake: Brake | None = None
    released: Mapping[str, datetime] = field(default_factory=dict)
    """When we last put an ODP back; a drain that a fresh load balancer begins with after that is an orphan of ours."""
    ready: Mapping[str, datetime] = field(default_factory=dict)
    """When a fresh load balancer first showed one of these without a drain: drains from then on are a person's."""
    answered: Mapping[str, datetime] = field(default_factory=dict)
    """Keys of alerts that want a drain for what is past, and that a person has answered by resuming the ODP; and when
    those alerts began. They go on firing for a while, and are not listened to until they fire anew."""
    episodes: int = 0
    """How many were begun; with it an episode's id is its own, whatever the clock does (S4)."""


# Events: what happened.


@dataclass(frozen=True, slots=True)
class AlertFiring:
    """An alert fires; however often that is said, and by whomever (S3)."""

    alert: Alert


@dataclass(frozen=True, slots=True)
class AlertResolved:
    """It is over, says Alertmanager: that ends waiting, and proves nothing of the ODP's health (S7)."""

    odp: str
    key: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A command that failed."""

    kind: str
    """Name of the error's class."""
    detail: str


MEMORY_FROZEN = "OdpMemoryFrozen"
"""The alert of a process that lives on half-dead, and may greet all the same."""
NO_CLUSTERS = "NoClusters"
"""Kind of the failure of one that greets, through which logins fail."""
SERVES_AGAIN = "ServesAgain"
"""Kind of the failure of a Restart that ended nothing: the process greeted just before its end (S8)."""
NOTHING_DONE = frozenset({"HostUnreachable", "NotIdentified", "NotPermitted"})
"""Kinds of failures of a Restart that touched nothing: the actuators' errors that say so."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Completes Look."""

    odp: str
    episode: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Drained:
    """Completes Drain."""

    odp: str
    episode: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class RestartEnded:
    """Completes Restart."""

    odp: str
    episode: str
    result: Annotated[Restarted | Failure, Tagged()]


@dataclass(frozen=True, slots=True)
class Verified:
    """Completes Verify."""

    odp: str
    episode: str
    failure: Failure | None = None
    report: Report | None = None
    """What its exporter says of it now that it greets; None: not heard, or too long ago."""
    others: tuple[str, ...] = ()
    """Members of its pool that greet just now, and to which the load balancer sends sessions."""


@dataclass(frozen=True, slots=True)
class Enabled:
    """Completes Enable: confirmed by the load balancer's own check, or not."""

    odp: str
    episode: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The reconciler has read a pool from its load balancer."""

    pool: str
    members: Mapping[str, Member]
    lb_started: datetime | None


@dataclass(frozen=True, slots=True)
class Paused:
    """A person paused something."""

    pause: Pause


@dataclass(frozen=True, slots=True)
class Resumed:
    """A person took a pause back; for the fleet this also releases the brake, for an ODP what it is held for."""

    scope: Scope
    name: str
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """The remediator has started anew with the journal's fleet: what was outstanding is ordered again (S24)."""


Event = Annotated[
    AlertFiring
    | AlertResolved
    | Looked
    | Drained
    | RestartEnded
    | Verified
    | Enabled
    | Surveyed
    | Paused
    | Resumed
    | Tick
    | Recovered,
    Tagged(),
]


# Commands: what is to be done; all of them may be done twice.


@dataclass(frozen=True, slots=True)
class Look:
    """Gather evidence."""

    odp: str
    episode: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Take it out of the load balancer, confirmed; then wait this long for its sessions to end."""

    odp: str
    episode: str
    wait: timedelta


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it; *kill* names the one process that may be ended for that."""

    odp: str
    episode: str
    kill: Identity | None
    is_frozen: bool = False
    """It is ended although it may greet."""
    is_stopped: bool = False
    """It stood still when it was looked at."""


@dataclass(frozen=True, slots=True)
class Verify:
    """K whole greetings in a row over T seconds, none older than *since*."""

    odp: str
    episode: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Enable:
    """Put it back at *weight*, and see the load balancer's own check agree."""

    odp: str
    episode: str
    weight: int | None


Command = Annotated[Look | Drain | Restart | Verify | Enable, Tagged()]


class Outcome(StrEnum):
    """How a step of a repair ended; the `outcome` label of odp_remediation_actions_total."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


class ActionName(StrEnum):
    """What is done to an ODP; the `action` label of odp_remediation_actions_total."""

    DRAIN = "drain"
    START = "start"
    REPLACE = "replace"
    VERIFY = "verify"
    ENABLE = "enable"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the audit: a decision or an outcome with its inputs (S30)."""

    odp: str
    episode: str
    action: str
    """An ActionName, or `look`, `pause`, `resume`, `brake`, `orphan`, `redrain`."""
    outcome: Outcome
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an event leads to."""

    fleet: Fleet
    commands: tuple[Command, ...] = ()
    records: tuple[Record, ...] = ()
    refusals: tuple[tuple[str, Reason], ...] = ()
    """ODP and reason of each look that ended in a refusal; one is recorded only if its reason is news."""
