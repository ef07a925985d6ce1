"""Every metric of the remediator, declared once, as data."""

from __future__ import annotations

from odp_exporter.metrics.family import Closed, Family, Kind

from .model import ActionName, Outcome, Reason

STAGES = ("idle", "looking", "waiting", "draining", "acting", "verifying", "enabling", "held")
"""The stages of model.py by name; an ODP without one is idle."""
PHASES = ("detect", "decide", "drain", "stop", "start", "verify", "enable")
PHASE_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
WEBHOOK_RESULTS = ("accepted", "duplicate", "unauthorized", "too_large", "malformed", "unsupported", "unavailable")
LB_STATES = ("up", "down", "drain", "maint", "unknown")

REMEDIATION_ACTIONS = Family(
    "odp_remediation_actions_total",
    Kind.COUNTER,
    "Steps of repairs by how they ended; the count outlives the remediator.",
    "odp",
    (
        Closed("action", tuple(ActionName)),
        Closed("outcome", tuple(outcome for outcome in Outcome if outcome is not Outcome.REFUSED)),
    ),
)
REMEDIATION_REFUSALS = Family(
    "odp_remediation_refusals_total",
    Kind.COUNTER,
    "Looks that ended in a refusal, by reason; one that is refused for long is looked at, and counts, again and again.",
    "odp",
    (Closed("reason", tuple(Reason)),),
)
REMEDIATION_STATE = Family(
    "odp_remediation_state",
    Kind.STATE_SET,
    "1 for the stage of the ODP's repair, 0 for the others. waiting: refused for now. held: out of the load balancer "
    "and left to people.",
    "odp",
    (Closed("state", STAGES),),
)
REMEDIATION_PHASE_DURATION = Family(
    "odp_remediation_phase_duration_seconds",
    Kind.HISTOGRAM,
    "Seconds of each phase of a repair. detect: from the start of the alert to its arrival here.",
    closed=(Closed("phase", PHASES),),
    bounds=PHASE_BOUNDS,
)
REMEDIATION_PAUSED = Family(
    "odp_remediation_paused",
    Kind.GAUGE,
    "1 while a person has paused the whole fleet, or the brake is on, else 0.",
)
REMEDIATION_TARGET_PAUSED = Family(
    "odp_remediation_target_paused",
    Kind.GAUGE,
    "1 while a person has paused this ODP, its pool or the fleet, else 0.",
    "odp",
)
REMEDIATION_BRAKE = Family(
    "odp_remediation_brake",
    Kind.GAUGE,
    "1 once too many actions have stopped all repairs, until a person resumes them.",
)
REMEDIATION_ACTIVE = Family(
    "odp_remediation_active",
    Kind.GAUGE,
    "1 if this remediator acts; 0: it stands by for another one, or runs dry.",
)
REMEDIATION_WEBHOOKS = Family(
    "odp_remediation_webhooks_total",
    Kind.COUNTER,
    "Notifications of Alertmanager since the remediator started, by what became of them.",
    closed=(Closed("result", WEBHOOK_RESULTS),),
)
REMEDIATION_WATCHDOG_TIMESTAMP = Family(
    "odp_remediation_watchdog_timestamp_seconds",
    Kind.GAUGE,
    "Unix time at which the Watchdog alert last came in: the whole way from Prometheus works. Absent until it did.",
)
LB_BACKEND_STATE = Family(
    "odp_lb_backend_state",
    Kind.STATE_SET,
    "1 for what the load balancer does with the ODP, 0 for the others; unknown while it cannot be read.",
    "odp",
    (Closed("state", LB_STATES),),
    open=("lb",),
)
LB_BACKEND_SESSIONS = Family(
    "odp_lb_backend_sessions",
    Kind.GAUGE,
    "Established sessions to the ODP in all processes of the load balancer; absent where it cannot count them.",
    "odp",
    open=("lb",),
)
LB_ORPHAN_DRAIN = Family(
    "odp_lb_orphan_drain",
    Kind.GAUGE,
    "1 while the load balancer drains the ODP although neither a repair nor a pause explains it, else 0.",
    "odp",
    open=("lb",),
)
LB_POOL_SERVING = Family(
    "odp_lb_pool_serving",
    Kind.GAUGE,
    "Members of the pool to which the load balancer sends new sessions; absent while it cannot be read.",
    "pool",
)
REMEDIATOR_BUILD_INFO = Family(
    "odp_remediator_build_info",
    Kind.INFO,
    "Always 1: release of the remediator, and of the Python that runs it.",
    open=("version", "python_version"),
)
