"""OCP and cache: what OCP answers, and what would be left of us without it."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries

from . import promql, shared
from .board import Board, Line, Section, several
from .links import Uid, to_odp
from .palette import NEUTRAL, NONE_IS_BETTER, NONE_IS_GOOD, ONE_IS_GOOD, Colour, Steps, Word, up_to, yes_or_no
from .panels import PER_SECOND, About, Query, dashed, lines, logarithmic, number, stack, timeline
from .promql import of
from .tables import Label, Value, rows

OCP = 'ocp=~"$ocp"'
ODP = 'odp=~"$odp"'
_ALL_DO: Steps = ((0, Colour.WARNING), (1, Colour.GOOD))
_PATIENCE_SECONDS = 5
"""ODP gives up on OCP after this time (odp-facts 1.2)."""
_NO_REPLY = {0: Word("none", Colour.BAD)}
_LOSES = {0: Word("survives", Colour.GOOD), 1: Word("loses clusters", Colour.WARNING)}
"""The other way round than SURVIVES, so that the worst come first."""
_RESULTS = {
    "ok": Colour.GOOD,
    "unreachable": Colour.BAD,
    "refused": Colour.BAD,
    "timeout": Colour.WARNING,
    "http_status": Colour.ODD,
    "not_asked": Colour.UNKNOWN,
}
_TO_ODP = to_odp("${__value.raw}")


def board() -> Board:
    """The dashboard."""
    return Board(
        Uid.OCP_CACHE,
        "OCP and cache",
        "What does OCP answer, endpoint by endpoint, and what would be left of us without it?",
        (
            several("ocp", "OCP", f"label_values({of('ocp_up')}, ocp)"),
            several("odp", "ODP", f"label_values({of('odp_info')}, odp)"),
        ),
        (shared.firing(), shared.repairs(ODP)),
        (
            Section("Now", (Line(4, _numbers()),)),
            Section("OCP", (Line(7, (_endpoints(), _reasons()), (16, 8)), Line(8, (_requests(), _durations())))),
            Section("Without OCP", (Line(8, (_survivors(), _unsafe()), (14, 10)), Line(10, (_caches(),)))),
            Section("Clusters", (Line(8, (_clusters(), _incomplete())),)),
        ),
    )


def _numbers() -> tuple[stat.Panel, ...]:
    return (
        _endpoint("version", "May fail alone: ODP then asks for the configuration each time."),
        _endpoint("config", "Names the clusters and where their RS lists are."),
        _endpoint("rs_list", "Names the servers of each cluster; ok only if those of all clusters are."),
        _listed(),
        _surviving(),
        _restartable(),
        _refused(),
        _missing(),
    )


def _endpoint(endpoint: str, meaning: str) -> stat.Panel:
    about = About(
        endpoint,
        f"Is the reply one that ODP would accept, the whole envelope weighed? {meaning}",
        "none",
        ONE_IS_GOOD,
        words=shared.ENDPOINTS,
        alerts=("OcpDown", "OcpHalfBroken", "OcpBadReply"),
        nothing="not known",
    )
    return number(about, f"min(max by (ocp) ({of('ocp_up', OCP, endpoint=endpoint)}))")


def _listed() -> stat.Panel:
    about = About(
        "Clusters",
        "How many clusters does OCP list? Nothing while it gives no list.",
        "none",
        NEUTRAL,
        nothing="no list",
    )
    return number(about, f"sum(max by (ocp) (last_over_time({of('ocp_clusters', OCP)}[{promql.RANGE}])))")


def _surviving() -> stat.Panel:
    about = About(
        "Survive",
        "What share of the ODPs would keep every cluster with OCP gone, a restart included?",
        "percentunit",
        _ALL_DO,
        decimals=0,
        alerts=("OdpWouldNotSurviveOcpOutage",),
        nothing="not known",
    )
    return number(about, f"avg({shared.survives(ODP)})")


def _restartable() -> stat.Panel:
    about = About(
        "Restart",
        "What share of the ODPs may be restarted now and would come back with their clusters?",
        "percentunit",
        _ALL_DO,
        decimals=0,
        alerts=("OdpRestartUnsafe",),
        nothing="not known",
    )
    return number(about, f"avg(min by (odp) ({of('odp_restart_safe', ODP)}))")


def _refused() -> stat.Panel:
    about = About(
        "Invalid",
        "How many ODPs would refuse a cache file of theirs at the next start?",
        "none",
        NONE_IS_GOOD,
        alerts=("OdpCacheInvalid",),
        nothing="not known",
    )
    valid = f"min by (odp) ({of('odp_cache_valid', ODP)} or 1 - {of('odp_cache_present', ODP)})"
    return number(about, f"sum(1 - {valid})")


def _missing() -> stat.Panel:
    about = About(
        "Gaps",
        "How many ODPs lack a cluster, or servers of one, that OCP lists? A cluster is cached after its first login.",
        "none",
        NONE_IS_BETTER,
        alerts=("OdpCacheIncomplete", "OdpCacheStale"),
        nothing="OCP gives no list",
    )
    gaps = (
        f"max by (odp) ({of('odp_cache_missing_clusters', ODP)}) + max by (odp) ({of('odp_cache_stale_clusters', ODP)})"
    )
    return number(about, f"sum({gaps} > bool 0)")


def _endpoints() -> statetimeline.Panel:
    about = About(
        "OCP's endpoints",
        "Which endpoint failed, and when? config ok with rs_list failing is the worst: a restart then loses clusters.",
        "none",
        NEUTRAL,
        words=shared.ENDPOINTS,
        alerts=("OcpDown", "OcpHalfBroken"),
        nothing="no OCP is configured",
    )
    return timeline(about, Query(f"max by (ocp, endpoint) ({of('ocp_up', OCP)})", "{{ocp}} {{endpoint}}"))


def _reasons() -> table.Panel:
    about = About(
        "OCP's last reply",
        "Why is a reply not accepted? The words are those of the exporter's log; ok where nothing is wrong.",
        "none",
        NEUTRAL,
        alerts=("OcpBadReply",),
        nothing="not known",
    )
    same = "on (job, instance, ocp, endpoint) group_right ()"
    status = f"{of('ocp_http_status_code', OCP)} * {same} {of('ocp_result', OCP)}"
    return rows(
        about,
        (Label("endpoint", "Endpoint", 80), Label("result", "Result"), Label("ocp", "OCP", 60)),
        (Value("Status", f"max by (ocp, endpoint, result) ({status})", words=_NO_REPLY, width=80),),
        sort_by="Status",
    )


def _requests() -> timeseries.Panel:
    about = About(
        "Requests by result",
        "What do ODPs get when they ask OCP?",
        PER_SECOND,
        NEUTRAL,
        alerts=("OcpBadReply",),
    )
    expr = promql.busy("ocp_requests_total", OCP, by="result")
    return stack(about, Query(expr, "{{result}}"), colours=_RESULTS)


def _durations() -> timeseries.Panel:
    about = About(
        "Time of a request",
        "Does OCP answer before ODP gives up? Means, by endpoint.",
        "s",
        up_to(1, _PATIENCE_SECONDS),
        alerts=("OcpSlow",),
    )
    panel = lines(
        about,
        Query(promql.mean("ocp_request_duration_seconds", OCP, by="endpoint", over=promql.RATE), "{{endpoint}}"),
        Query(f"vector({_PATIENCE_SECONDS})", "ODP gives up"),
        colours={"version": Colour.COMING, "config": Colour.LEAVING, "rs_list": Colour.ODD},
        from_zero=False,
    )
    return dashed(logarithmic(panel), "ODP gives up", Colour.BAD)


def _survivors() -> timeseries.Panel:
    about = About(
        "ODPs that would come through",
        "Since when would how many be lost? Below the dashed line, some would be.",
        "none",
        NEUTRAL,
        decimals=0,
        alerts=("OdpWouldNotSurviveOcpOutage", "OdpRestartUnsafe"),
    )
    panel = lines(
        about,
        Query(f"sum({shared.survives(ODP)})", "survive an outage of OCP"),
        Query(f"sum(min by (odp) ({of('odp_restart_safe', ODP)}))", "safe to restart now"),
        Query(f"count(count by (odp) ({of('odp_info', ODP)}))", "all"),
        colours={"survive an outage of OCP": Colour.GOOD, "safe to restart now": Colour.COMING},
    )
    return dashed(panel, "all", Colour.UNKNOWN)


def _unsafe() -> table.Panel:
    about = About(
        "Why a restart is unsafe",
        "What has to be put right before ODPs may be restarted, and for how many? docs/survival.md has the ways out.",
        "none",
        NEUTRAL,
        alerts=("OdpRestartUnsafe",),
        nothing="no reason against a restart",
    )
    expr = f"sum by (reason) (max by (odp, reason) ({of('odp_restart_unsafe_reason', ODP)})) > 0"
    return rows(about, (Label("reason", "Reason"),), (Value("ODPs", expr, width=90),), sort_by="ODPs")


def _caches() -> table.Panel:
    about = About(
        "Cache of each ODP",
        "Whose cache lacks what OCP lists, or would be refused? Worst first.",
        "none",
        NEUTRAL,
        alerts=("OdpCacheMissing", "OdpCacheInvalid", "OdpCacheStale", "OdpCacheIncomplete", "OdpCacheUnused"),
    )
    remote = of("odp_parameter", ODP, name="enable_get_rslist_remote")
    return rows(
        about,
        (Label("odp", "ODP", links=(_TO_ODP,)),),
        (
            Value("No OCP", f"1 - {shared.survives(ODP)}", words=_LOSES, steps=NEUTRAL),
            Value("Restart", f"min by (odp) ({of('odp_restart_safe', ODP)})", words=shared.RESTART_SAFE, steps=NEUTRAL),
            Value(
                "RS lists",
                f"min by (odp) ({of('odp_cache_valid', ODP, file='rslist')})",
                words=shared.VALID,
                steps=NEUTRAL,
            ),
            Value("Written", f"max by (odp) ({of('odp_cache_age_seconds', ODP, file='rslist')})", "s", decimals=0),
            Value("Clusters", f"max by (odp) ({of('odp_cache_clusters', ODP)})"),
            Value("Missing", f"max by (odp) ({of('odp_cache_missing_clusters', ODP)})", steps=NONE_IS_BETTER),
            Value("Stale", f"max by (odp) ({of('odp_cache_stale_clusters', ODP)})", steps=NONE_IS_BETTER),
            Value(
                "Used",
                f"1 - max by (odp) ({remote})",
                words=yes_or_no("yes", "no", otherwise=Colour.WARNING),
                steps=NEUTRAL,
            ),
        ),
        sort_by="No OCP",
    )


def _clusters() -> table.Panel:
    about = About(
        "Servers of each cluster",
        "Of the ODP that holds or reaches fewest: how many servers of the cluster, and how many of them answer?",
        "none",
        NEUTRAL,
        alerts=("OdpCacheStale",),
        nothing="no cluster is cached",
    )
    cached = f"min by (ob_cluster) ({of('odp_cache_cluster_servers', ODP)})"
    reachable = f"min by (ob_cluster) ({of('odp_cache_reachable_servers', ODP)})"
    holders = f"count by (ob_cluster) (max by (ob_cluster, odp) ({of('odp_cache_cluster_servers', ODP)}))"
    return rows(
        about,
        (Label("ob_cluster", "Cluster"),),
        (
            Value("ODPs", holders),
            Value("Servers", cached),
            Value("Reachable", reachable, steps=ONE_IS_GOOD),
        ),
        sort_by="ODPs",
    )


def _incomplete() -> timeseries.Panel:
    about = About(
        "Gaps of the caches",
        "Since when do caches lack clusters or servers that OCP lists? Sums over ODPs; nothing while OCP lists none.",
        "none",
        NONE_IS_BETTER,
        decimals=0,
        alerts=("OdpCacheIncomplete", "OdpCacheStale"),
    )
    return lines(
        about,
        Query(f"sum(max by (odp) ({of('odp_cache_missing_clusters', ODP)}))", "missing clusters"),
        Query(f"sum(max by (odp) ({of('odp_cache_stale_clusters', ODP)}))", "stale clusters"),
        colours={"missing clusters": Colour.WARNING, "stale clusters": Colour.ODD},
    )
