"""Remediation: what is repaired, what is refused and why, and whether alerts become actions at all."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, table, timeseries

from . import promql, shared
from .board import Board, Line, Section, several
from .links import Uid, to_odp
from .palette import NEUTRAL, NONE_IS_BETTER, NONE_IS_GOOD, SHORT_BALANCED, STAGES, Colour, Word, up_to, yes_or_no
from .panels import PER_SECOND, About, Query, bars, beside, by_last_digit, dashed, dots, lines, number, stack, timeline
from .promql import of
from .tables import Label, Value, rows

ODP = 'odp=~"$odp"'
_PAUSED = {0: Word("no", Colour.GOOD), 1: Word("paused", Colour.WARNING)}
_BRAKE = {0: Word("off", Colour.GOOD), 1: Word("on", Colour.BAD)}
_DEAF_SECONDS = 300
"""Alertmanager repeats the Watchdog every minute; this is when an alert begins to wait."""
_PHASES = {
    "detect": Colour.UNKNOWN,
    "decide": Colour.ODD,
    "drain": Colour.LEAVING,
    "stop": Colour.BAD,
    "start": Colour.WARNING,
    "verify": Colour.COMING,
    "enable": Colour.GOOD,
}
_TO_ODP = to_odp("${__value.raw}")


def board() -> Board:
    """The dashboard."""
    return Board(
        Uid.REMEDIATION,
        "Remediation",
        "What is being repaired, what is refused and why, and does the chain from alert to action work?",
        (several("odp", "ODP", f"label_values({of('odp_remediation_state')}, odp)"),),
        (shared.firing(ODP), shared.repairs(ODP)),
        (
            Section("Now", (Line(4, _numbers()), Line(7, (_stages(),)))),
            Section("Done and refused", (Line(9, (_actions(), _refusals(), _refused()), (9, 7, 8)),)),
            Section("How fast", (Line(10, (_phases(), _slowest()), (10, 14)),)),
            Section("Load balancer", (Line(7, (_members(),)), Line(8, (_sessions(), _pools())))),
            Section("The chain", (Line(8, (_webhooks(), _heartbeat())),)),
        ),
    )


def _numbers() -> tuple[stat.Panel, ...]:
    return (
        _active(),
        _paused(),
        _brake(),
        _watchdog(),
        _busy(),
        _waiting(),
        shared.held_number(shared.held(ODP)),
        _turned_down(),
    )


def _active() -> stat.Panel:
    about = About(
        "Acts",
        "Is there a remediator that acts? Those that stand by or run dry do not.",
        "none",
        NEUTRAL,
        words=yes_or_no("yes", "no", otherwise=Colour.WARNING),
        alerts=("OdpRemediatorDown",),
        nothing="no remediator",
    )
    return number(about, f"max({of('odp_remediation_active')})")


def _paused() -> stat.Panel:
    about = About(
        "Paused",
        "Has a person paused the fleet, or has the brake?",
        "none",
        NEUTRAL,
        words=_PAUSED,
        alerts=("OdpRemediationPaused",),
        nothing="no remediator",
    )
    return number(about, f"max({of('odp_remediation_paused')})")


def _brake() -> stat.Panel:
    about = About(
        "Brake",
        "Did too many actions stop all repairs? Only a person releases it.",
        "none",
        NEUTRAL,
        words=_BRAKE,
        alerts=("OdpRemediationPaused",),
        nothing="no remediator",
    )
    return number(about, f"max({of('odp_remediation_brake')})")


def _watchdog() -> stat.Panel:
    about = About(
        "Heartbeat",
        "How long ago did the Watchdog come through Prometheus and Alertmanager? Past five minutes nothing else would.",
        "s",
        up_to(_DEAF_SECONDS / 2, _DEAF_SECONDS),
        decimals=0,
        alerts=("OdpRemediatorDeaf",),
        nothing="never came",
    )
    return number(about, f"time() - max({of('odp_remediation_watchdog_timestamp_seconds')})")


def _busy() -> stat.Panel:
    about = About(
        "At work",
        "How many ODPs is it at work on now?",
        "none",
        ((0, Colour.GOOD), (1, Colour.COMING)),
        nothing="no remediator",
    )
    stages = 'state=~"looking|draining|acting|verifying|enabling"'
    return number(about, f"sum(max by (odp, state) ({of('odp_remediation_state', stages, ODP)}))")


def _waiting() -> stat.Panel:
    about = About(
        "Refused",
        "How many ODPs need a repair that is refused for now?",
        "none",
        NONE_IS_BETTER,
        alerts=("OdpRemediationRefused",),
        nothing="no remediator",
    )
    return number(about, f"sum(max by (odp) ({of('odp_remediation_state', ODP, state='waiting')}))")


def _turned_down() -> stat.Panel:
    about = About(
        "Failed",
        "How many steps of repairs failed in the time shown?",
        "none",
        NONE_IS_GOOD,
        decimals=0,
        alerts=("OdpRemediationFailed",),
        nothing="no remediator",
    )
    failed = promql.growth("odp_remediation_actions_total", 'outcome="failed"', ODP)
    return number(about, f"round(sum({failed}))")


def _stages() -> statetimeline.Panel:
    about = About(
        "Stage of each repair",
        f"Which ODP was repaired, and how far did each repair come? Of many, the {promql.MANY} longest under repair.",
        "none",
        NEUTRAL,
        words=STAGES,
        links=(to_odp(),),
        alerts=("OdpRemediationFailed",),
        nothing="no remediator",
    )
    idle = promql.least("odp_remediation_state", ODP, by="odp", state="idle")
    return timeline(about, Query(promql.few(shared.stage(ODP), idle), "{{odp}}"))


def _actions() -> table.Panel:
    about = About(
        "Steps of repairs",
        "What was done to whom in the time shown, and how did it end? Budgets count the replacements begun.",
        "none",
        NEUTRAL,
        alerts=("OdpRemediationFailed",),
        nothing="nothing was done",
    )
    return rows(
        about,
        (Label("odp", "ODP", 75, links=(_TO_ODP,)), Label("action", "Step"), Label("outcome", "Outcome")),
        (
            Value(
                "Times",
                f"{promql.events('odp_remediation_actions_total', ODP, by='odp, action, outcome')} > 0",
                width=70,
            ),
        ),
        sort_by="Times",
    )


def _refusals() -> bargauge.Panel:
    about = About(
        "Refusals by reason",
        "What keeps repairs from being made? Each refused look counts, so a long wait counts often.",
        "none",
        ((0, Colour.WARNING),),
        alerts=("OdpRemediationRefused",),
        nothing="nothing was refused",
    )
    expr = f"sort_desc({promql.events('odp_remediation_refusals_total', ODP, by='reason')} > 0)"
    return bars(about, Query(expr, "{{reason}}"))


def _refused() -> table.Panel:
    about = About(
        "Refusals by ODP",
        "Whose repair was refused, and why?",
        "none",
        NEUTRAL,
        alerts=("OdpRemediationRefused",),
        nothing="nothing was refused",
    )
    return rows(
        about,
        (Label("odp", "ODP", 75, links=(_TO_ODP,)), Label("reason", "Reason")),
        (Value("Looks", f"{promql.events('odp_remediation_refusals_total', ODP, by='odp, reason')} > 0", width=70),),
        sort_by="Looks",
    )


def _phases() -> bargauge.Panel:
    about = About(
        "Mean time of each phase",
        "Where does the time of a repair go, from the start of the alert to clients coming back?",
        "s",
        up_to(1, 10),
        nothing="no repair in this time",
    )
    expr = promql.mean("odp_remediation_phase_duration_seconds", by="phase", over=promql.RANGE)
    return bars(about, Query(f"sort_desc({expr})", "{{phase}}"))


def _slowest() -> timeseries.Panel:
    about = About(
        "Phases over time",
        "Does a phase get slower? Means of the repairs around each instant; no line, no repair.",
        "s",
        up_to(1, 10),
        nothing="no repair in this time",
    )
    expr = promql.mean("odp_remediation_phase_duration_seconds", by="phase")
    return beside(dots(about, Query(expr, "{{phase}}"), colours=_PHASES))


def _members() -> statetimeline.Panel:
    about = About(
        "ODPs in the load balancer",
        f"Who gets new sessions, who is drained, and since when? Of many, the {promql.MANY} longest out of it.",
        "none",
        NEUTRAL,
        words=SHORT_BALANCED,
        links=(to_odp(),),
        alerts=("OdpOrphanDrain",),
        nothing="no remediator",
    )
    up = promql.least("odp_lb_backend_state", ODP, by="odp", state="up")
    return timeline(about, Query(promql.few(shared.balanced(ODP), up), "{{odp}}"))


def _sessions() -> timeseries.Panel:
    about = About(
        "Sessions by ODP",
        f"Do drains empty an ODP, and where do its clients go? The {promql.MANY} that had most at a time.",
        "none",
        NEUTRAL,
        links=(to_odp(),),
        nothing="no load balancer counts them",
    )
    sessions = f"sum by (odp) (max by (odp, lb) ({of('odp_lb_backend_sessions', ODP)}))"
    most = f"max by (odp) (max_over_time({of('odp_lb_backend_sessions', ODP)}[{promql.RANGE}]{promql.AT_END}))"
    query = Query(promql.few(sessions, most, function="topk"), "{{odp}}")
    return beside(by_last_digit(lines(about, query)))


def _pools() -> timeseries.Panel:
    about = About(
        "Members that serve, by pool",
        "Do repairs leave enough members in each pool? What min_serving in the configuration says is kept.",
        "none",
        NEUTRAL,
        decimals=0,
        alerts=("OdpPoolDegraded",),
        nothing="no load balancer is read",
    )
    return lines(about, Query(f"min by (pool) ({of('odp_lb_pool_serving')})", "{{pool}}"))


def _webhooks() -> timeseries.Panel:
    about = About(
        "Notifications by result",
        "Does Alertmanager reach the remediator, and are its notifications taken?",
        PER_SECOND,
        NEUTRAL,
        alerts=("OdpRemediatorDeaf",),
        nothing="no remediator",
    )
    colours = {
        "accepted": Colour.GOOD,
        "duplicate": Colour.COMING,
        "unauthorized": Colour.BAD,
        "malformed": Colour.WARNING,
        "unavailable": Colour.ODD,
    }
    expr = promql.busy("odp_remediation_webhooks_total", by="result")
    return stack(about, Query(expr, "{{result}}"), colours=colours)


def _heartbeat() -> timeseries.Panel:
    about = About(
        "Age of the heartbeat",
        "Was the remediator deaf at any time? The line falls with each Watchdog; above the dashes it is deaf.",
        "s",
        up_to(_DEAF_SECONDS / 2, _DEAF_SECONDS),
        alerts=("OdpRemediatorDeaf",),
        nothing="no Watchdog ever came",
    )
    panel = lines(
        about,
        Query(f"time() - max({of('odp_remediation_watchdog_timestamp_seconds')})", "age"),
        Query(f"vector({_DEAF_SECONDS})", "deaf"),
        colours={"age": Colour.LEAVING},
    )
    return dashed(panel, "deaf", Colour.BAD)
