"""The ODP fleet: whether it serves, what is repaired, and what an outage of OCP would cost."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, table

from . import links, promql, shared
from .board import OUR_ALERTS, Board, Line, Section, several
from .links import Uid, to, to_odp
from .palette import (
    NEUTRAL,
    NONE_IS_BETTER,
    NONE_IS_GOOD,
    ONE_IS_GOOD,
    SHORT_BALANCED,
    STAGES,
    STATES,
    Colour,
    Steps,
    yes_or_no,
)
from .panels import About, Query, heat, number, timeline
from .promql import POOL, RATE, in_pool, of
from .tables import Label, Value, rows

_MOST_SERVE: Steps = ((0, Colour.BAD), (0.75, Colour.WARNING), (1, Colour.GOOD))
_SEVERITY = 'severity=~"critical|warning"'
_WORST = f"the {promql.MANY} that served least"


def board() -> Board:
    """The dashboard."""
    return Board(
        Uid.FLEET,
        "ODP fleet",
        "Is the fleet serving, what is being repaired, and would we survive OCP going away?",
        (several("pool", "Pool", f"label_values({of('odp_info')}, pool)", everything=".*"),),
        (shared.firing(), shared.repairs()),
        (
            Section("Now", (Line(4, _numbers()), Line(9, (_states(),)), Line(5, (_pools(),)))),
            Section("What happened", (Line(10, (_alerts(), _restarts()), (15, 9)), Line(8, (shared.recoveries(),)))),
            Section("Probes", (Line(7, tuple(map(_latency, ("connect", "greeting")))),)),
            Section("Every ODP", (Line(11, (_every(),)),)),
        ),
    )


def _numbers() -> tuple[stat.Panel, ...]:
    return (_serving(), _not_serving(), _pools_down(), _firing(), _under_repair(), _held(), _ocp(), _lost())


def _serving() -> stat.Panel:
    state = in_pool(shared.state())
    return number(
        About(
            "Serving",
            "What share of the ODPs greets its clients, as far as the exporters know?",
            "percentunit",
            _MOST_SERVE,
            decimals=0,
            alerts=("OdpPoolDegraded",),
        ),
        f"sum({state} == bool 1) / count({state})",
    )


def _not_serving() -> stat.Panel:
    return number(
        About(
            "Failing",
            "How many ODPs do not serve, whatever the reason: down, hung, starting, draining or unknown?",
            "none",
            NONE_IS_GOOD,
            alerts=("OdpDown", "OdpHung"),
        ),
        f"sum({in_pool(shared.state())} != bool 1)",
    )


def _pools_down() -> stat.Panel:
    return number(
        About(
            "Bad pools",
            "Through how many load balancers' addresses does no greeting come? That is what applications see.",
            "none",
            NONE_IS_GOOD,
            alerts=("OdpPoolDown",),
            nothing="no pools",
        ),
        f"sum(1 - max by (pool) ({of('odp_pool_up', POOL)}))",
    )


def _firing() -> stat.Panel:
    # The Watchdog always fires: so there is a number as long as rules are evaluated, and none if they are not.
    ours = 'ALERTS{alertname=~"(Odp|Ocp).+|Watchdog", severity!="info", alertstate="firing"}'
    watchdogs = 'ALERTS{alertname="Watchdog", alertstate="firing"}'
    return number(
        About(
            "Alerts",
            "How many of our alerts want somebody to act? Without a number, no rules are evaluated.",
            "none",
            NONE_IS_GOOD,
            nothing="no rules",
        ),
        f"count({ours}) - count({watchdogs})",
    )


def _under_repair() -> stat.Panel:
    return number(
        About(
            "Repairs",
            "How many ODPs is the remediator at work on, or waiting to be?",
            "none",
            ((0, Colour.GOOD), (1, Colour.COMING)),
            links=(to(Uid.REMEDIATION, "Remediation"),),
            nothing="no remediator",
        ),
        f"sum({in_pool(shared.under_repair())})",
    )


def _held() -> stat.Panel:
    return shared.held_number(in_pool(shared.held())).data_links([to(Uid.REMEDIATION, "Remediation")])


def _ocp() -> stat.Panel:
    return number(
        About(
            "OCP",
            "Does OCP answer on every endpoint as ODP would accept it?",
            "none",
            ONE_IS_GOOD,
            words=yes_or_no("ok", "fails"),
            links=(to(Uid.OCP_CACHE, "OCP and cache"),),
            alerts=("OcpDown", "OcpHalfBroken"),
            nothing="no OCP",
        ),
        f"min(max by (ocp, endpoint) ({of('ocp_up')}))",
    )


def _lost() -> stat.Panel:
    return number(
        About(
            "Need OCP",
            "How many ODPs need OCP: would lose clusters if it went away now and they were restarted?",
            "none",
            NONE_IS_BETTER,
            links=(to(Uid.OCP_CACHE, "OCP and cache"),),
            alerts=("OdpWouldNotSurviveOcpOutage",),
            nothing="not known",
        ),
        f"sum(1 - {in_pool(shared.survives())})",
    )


def _states() -> statetimeline.Panel:
    served = promql.least("odp_state", by="odp", state="serving")
    return timeline(
        About(
            "State of each ODP",
            f"Who was not serving, when, and how: down, hung, draining? Of many ODPs, {_WORST} are here; the table "
            "below has them all. Where exporters differ, the worst is shown.",
            "none",
            NEUTRAL,
            words=STATES,
            links=(to_odp(),),
            alerts=("OdpDown", "OdpHung", "OdpUnknown"),
        ),
        Query(promql.few(shared.state(), in_pool(served, ever=True)), "{{odp}}"),
    )


def _pools() -> statetimeline.Panel:
    up = f"max by (pool) ({of('odp_pool_up', POOL)})"
    return timeline(
        About(
            "Each pool through its load balancer",
            "Did applications get through? The same greeting as for an ODP, by the load balancer's address.",
            "none",
            NEUTRAL,
            words=shared.POOLS,
            alerts=("OdpPoolDown", "OdpAvailabilityBurnFast"),
            nothing="no pools are configured",
        ),
        Query(promql.few(up, promql.least("odp_pool_up", POOL, by="pool"), by="pool"), "{{pool}}"),
    )


def _alerts() -> table.Panel:
    names = "alertname, severity, odp, pool, ocp"
    selector = f"{OUR_ALERTS}, {_SEVERITY}"
    since = f'ALERTS_FOR_STATE{{{selector}}} and ignoring (alertstate) ALERTS{{alertstate="firing"}}'
    return rows(
        About(
            "Firing alerts",
            "What are people told now? A click on the name leads to its runbook, on an ODP to that ODP.",
            "none",
            NEUTRAL,
            nothing="none fires",
        ),
        (
            Label("alertname", "Alert", links=(_runbook_of_row(),)),
            Label("severity", "Severity", 80),
            Label("odp", "ODP", 80, links=(to_odp("${__value.raw}"),)),
            Label("pool", "Pool", 65),
            Label("ocp", "OCP", 55),
        ),
        (Value("Since", f"1000 * max by ({names}) ({since})", "dateTimeFromNow", width=145),),
        sort_by="Since",
    )


def _runbook_of_row() -> builders.DashboardLink:
    return builders.DashboardLink("Runbook").url(f"{links.runbooks()}/${{__value.raw}}.md").target_blank(True)  # noqa: FBT003 - the library's signature


def _restarts() -> table.Panel:
    counted = promql.events("odp_restarts_total", by="odp, cause")
    return rows(
        About(
            "Restarts",
            "Who restarted in the time shown, how often, and why? unknown: the evidence allows no other word.",
            "none",
            NEUTRAL,
            alerts=("OdpCrashLooping", "OdpRestarted"),
            nothing="no restart in this time",
        ),
        (Label("odp", "ODP", 140, links=(to_odp("${__value.raw}"),)), Label("cause", "Cause")),
        (Value("Restarts", f"{in_pool(counted)} > 0", width=110),),
        sort_by="Restarts",
    )


def _latency(phase: str) -> heatmap.Panel:
    buckets = (
        f"sum by (le) (increase({of('odp_probe_duration_seconds_bucket', f'phase={promql.quoted(phase)}')}[{RATE}]))"
    )
    meaning = {
        "connect": "How long does the kernel take to connect? Slow here: the network, or a full accept queue.",
        "greeting": "How long does ODP take to greet? Slow here, and connecting fast: ODP itself is busy.",
    }
    return heat(
        About(
            f"Probes: {phase}",
            f"{meaning[phase]} Darker: more probes of all ODPs. What did not end is not in it.",
            "s",
            shared.TIMEOUT,
        ),
        buckets,
    )


def _every() -> table.Panel:
    info = f"max by (odp, pool, address, version) ({of('odp_info', POOL)})"
    state = f"{shared.state()} * on (odp) group_left (pool, address, version) topk by (odp) (1, {info})"
    memory = f"max by (odp) ({of('odp_process_resident_memory_bytes')} / {of('odp_memory_limit_bytes')})"
    restarts = promql.events("odp_restarts_total", promql.EXCEPT_PLANNED, by="odp")
    gone = f"max by (odp) ({promql.growth('odp_unavailable_seconds_total')})"
    return rows(
        About(
            "All ODPs",
            "How is each ODP, in one line? Worst first; filter by any column, click on a name for all about it.",
            "none",
            NEUTRAL,
        ),
        (
            Label("odp", "ODP", links=(to_odp("${__value.raw}"),)),
            Label("pool", "Pool"),
            Label("address", "Address", 135),
            Label("version", "Release"),
        ),
        (
            Value("State", state, words=STATES, steps=NEUTRAL),
            Value("LB", in_pool(shared.balanced()), words=SHORT_BALANCED, steps=NEUTRAL, width=60),
            Value("Repair", in_pool(shared.stage()), words=STAGES, steps=NEUTRAL),
            Value("Clients", in_pool(f"max by (odp) ({of('odp_client_connections')})")),
            Value("Memory", in_pool(memory), "percentunit", shared.NEAR_LIMIT, decimals=0),
            Value("Restarts", in_pool(restarts)),
            Value("Gone", in_pool(gone), "s", decimals=1),
            Value(
                "Restart", in_pool(f"min by (odp) ({of('odp_restart_safe')})"), words=shared.RESTART_SAFE, steps=NEUTRAL
            ),
            Value("No OCP", in_pool(shared.survives()), words=shared.SHORT_SURVIVES, steps=NEUTRAL, width=80),
        ),
        sort_by="State",
    )
