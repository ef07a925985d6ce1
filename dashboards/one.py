"""One ODP: what is wrong with it, from top to bottom."""

from __future__ import annotations

from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, table, timeseries

from . import promql, shared
from .board import Board, Line, Section, one
from .links import Uid, to
from .palette import BALANCED, NEUTRAL, NONE_IS_BETTER, SAFETY, SHORT_BALANCED, STAGES, STATES, Colour, Word, up_to
from .panels import PER_SECOND, About, Query, dashed, heat, lines, number, stack, timeline
from .promql import RATE, of, per_second
from .tables import Label, Value, rows

ODP = 'odp="$odp"'
_TO_REPAIRS = to(Uid.REMEDIATION, "Its repairs", odp="$odp")
_TO_CACHE = to(Uid.OCP_CACHE, "Its cache", odp="$odp")
_RESULTS = {
    "ok": Colour.GOOD,
    "refused": Colour.BAD,
    "greeting_timeout": Colour.WARNING,
    "connect_timeout": Colour.ODD,
    "internal_error": Colour.UNKNOWN,
}
_LIMITS = {"memory": Colour.WARNING, "clients": Colour.COMING, "files": Colour.ODD}


def board() -> Board:
    """The dashboard."""
    return Board(
        Uid.ONE,
        "ODP",
        "What is wrong with this one proxy: its state, its process, its restarts, its cache and its load balancer.",
        (one("odp", "ODP", f"label_values({of('odp_info')}, odp)"),),
        (shared.firing(ODP), shared.repairs(ODP)),
        (
            Section("Now", (Line(4, _numbers()), Line(6, (_story(),)))),
            Section("Probes", (Line(8, (_results(), _latency())),)),
            Section("Process", (Line(8, (_limits(), _memory(), _processor())),)),
            Section("Restarts", (Line(8, (_causes(), shared.recoveries(ODP)), (8, 16)),)),
            Section("Clients and load balancer", (Line(8, (_clients(), _sessions())),)),
            Section("Cache", (Line(7, (_files(), _clusters(), _reasons()), (10, 7, 7)),)),
            Section(
                "ODP's own figures (port 2884, where scraped)",
                (Line(8, (_own_sessions(), _own_logins(), _own_requests())),),
            ),
        ),
    )


def _numbers() -> tuple[stat.Panel, ...]:
    return (_state(), _age(), _unplanned(), _share_of_memory(), _restart_safe(), _survives(), _in_lb(), _repair())


def _state() -> stat.Panel:
    about = About(
        "State",
        "What is it doing? As the exporter says that sees it worst.",
        "none",
        NEUTRAL,
        words=STATES,
        alerts=("OdpDown", "OdpHung", "OdpUnknown"),
    )
    return number(about, shared.state(ODP))


def _age() -> stat.Panel:
    about = About(
        "Age",
        "How long ago did the process start? Orange: within the last five minutes.",
        "s",
        ((0, Colour.WARNING), (300, Colour.LEAVING)),
        decimals=0,
        nothing="no process",
    )
    return number(about, f"time() - max({of('odp_process_start_time_seconds', ODP)})")


def _unplanned() -> stat.Panel:
    about = About(
        "Restarts",
        "How often did it restart in the time shown without anybody planning it?",
        "none",
        NONE_IS_BETTER,
        decimals=0,
        alerts=("OdpCrashLooping",),
    )
    return number(about, f"round(sum({promql.growth('odp_restarts_total', ODP, promql.EXCEPT_PLANNED)}))")


def _share_of_memory() -> stat.Panel:
    about = About(
        "Memory",
        "How much of proxy_mem_limited is resident? ODP weighs its own count, which is close to it.",
        "percentunit",
        shared.NEAR_LIMIT,
        decimals=0,
        alerts=("OdpMemoryNearLimit", "OdpMemoryFrozen"),
        nothing="not seen",
    )
    return number(about, f"max({_of_limit('odp_process_resident_memory_bytes', 'odp_memory_limit_bytes')})")


def _restart_safe() -> stat.Panel:
    about = About(
        "Restart",
        "Would it come back from a restart with its clusters?",
        "none",
        NEUTRAL,
        words=shared.RESTART_SAFE,
        links=(_TO_CACHE,),
        alerts=("OdpRestartUnsafe",),
        nothing="not known",
    )
    return number(about, f"min({of('odp_restart_safe', ODP)})")


def _survives() -> stat.Panel:
    about = About(
        "No OCP",
        "Would every cluster stay usable with OCP gone, a restart of this ODP included?",
        "none",
        NEUTRAL,
        words=shared.SURVIVES,
        links=(_TO_CACHE,),
        alerts=("OdpWouldNotSurviveOcpOutage",),
        nothing="not known",
    )
    return number(about, shared.survives(ODP))


def _in_lb() -> stat.Panel:
    about = About(
        "LB",
        "Does the load balancer send it new sessions?",
        "none",
        NEUTRAL,
        words=SHORT_BALANCED,
        alerts=("OdpOrphanDrain",),
        nothing="no remediator",
    )
    return number(about, shared.balanced(ODP))


def _repair() -> stat.Panel:
    about = About(
        "Repair",
        "Is a repair at work on it, and how far has it come? held: left to people.",
        "none",
        NEUTRAL,
        words=STAGES,
        links=(_TO_REPAIRS,),
        nothing="no remediator",
    )
    return number(about, shared.stage(ODP))


def _story() -> statetimeline.Panel:
    about = About(
        "What happened to it",
        "In which order did it fail, leave the load balancer, get repaired and come back?",
        "none",
        NEUTRAL,
        words={**STATES, **BALANCED, **STAGES, **SAFETY},
        links=(_TO_REPAIRS,),
    )
    return timeline(
        about,
        Query(shared.state(ODP), "state"),
        Query(shared.balanced(ODP), "load balancer"),
        Query(shared.stage(ODP), "repair"),
        Query(shared.safety(ODP), "restart"),
    )


def _results() -> timeseries.Panel:
    about = About(
        "Greeting probes by result",
        "What do clients get: a greeting, silence, a refusal? All exporters that probe it count.",
        PER_SECOND,
        NEUTRAL,
        alerts=("OdpDown", "OdpHung"),
    )
    expr = promql.busy("odp_probes_total", ODP, by="result")
    return stack(about, Query(expr, "{{result}}"), colours=_RESULTS)


def _latency() -> heatmap.Panel:
    about = About(
        "Greetings by time",
        "How long does it take to greet? Darker: more probes. Hangs have no time and are in the panel beside.",
        "s",
        shared.TIMEOUT,
    )
    bucket = of("odp_probe_duration_seconds_bucket", ODP, phase="greeting")
    return heat(about, f"sum by (le) (increase({bucket}[{RATE}]))")


def _limits() -> timeseries.Panel:
    about = About(
        "Share of its limits",
        "Which limit will it hit first? At that of clients every login fails, though the greeting comes.",
        "percentunit",
        shared.NEAR_LIMIT,
        decimals=0,
        alerts=("OdpMemoryNearLimit", "OdpConnectionsNearLimit", "OdpFileDescriptorsNearLimit"),
    )
    return lines(
        about,
        Query(f"max({_of_limit('odp_process_resident_memory_bytes', 'odp_memory_limit_bytes')})", "memory"),
        Query(f"max({_of_limit('odp_client_connections', 'odp_client_connections_limit')})", "clients"),
        Query(f"max({_of_limit('odp_process_open_fds', 'odp_process_max_fds')})", "files"),
        colours=_LIMITS,
    )


def _of_limit(used: str, limit: str) -> str:
    return f"{of(used, ODP)} / {of(limit, ODP)}"


def _memory() -> timeseries.Panel:
    about = About(
        "Resident memory",
        "Does memory grow towards its limit? At the limit ODP 4.3 lives on half-dead; older ones kill themselves.",
        "bytes",
        NEUTRAL,
        alerts=("OdpMemoryNearLimit", "OdpOomKilled"),
    )
    panel = lines(
        about,
        Query(f"max({of('odp_process_resident_memory_bytes', ODP)})", "resident"),
        Query(f"max({of('odp_memory_limit_bytes', ODP)})", "limit"),
        colours={"resident": Colour.LEAVING},
    )
    return dashed(panel, "limit", Colour.BAD)


def _processor() -> timeseries.Panel:
    about = About(
        "Processor",
        "Does it work, or turn in circles? 100 % is one processor kept busy.",
        "percentunit",
        NEUTRAL,
        decimals=0,
    )
    expr = f"max({per_second('odp_process_cpu_seconds_total', ODP)})"
    return lines(about, Query(expr, "busy"), colours={"busy": Colour.LEAVING})


def _causes() -> table.Panel:
    about = About(
        "Restarts by cause",
        "Why did it restart? The first number is of the time shown, the second of all that was ever counted.",
        "none",
        NEUTRAL,
        alerts=("OdpCrashLooping", "OdpOomKilled", "OdpCoreDumped"),
    )
    now = promql.events("odp_restarts_total", ODP, by="cause")
    ever = f"max by (cause) (max_over_time({of('odp_restarts_total', ODP)}[{RATE}]))"
    return rows(
        about,
        (Label("cause", "Cause"),),
        (Value("Shown", now, steps=NONE_IS_BETTER, width=90), Value("Ever", ever, width=90)),
        sort_by="Shown",
    )


def _clients() -> timeseries.Panel:
    about = About(
        "Connections of clients",
        "Do clients come, and are they let in? Queued: taken by the kernel and not yet by ODP; it stays near 0.",
        "none",
        NEUTRAL,
        alerts=("OdpConnectionsNearLimit",),
    )
    return lines(
        about,
        Query(f"max({of('odp_client_connections', ODP)})", "connected"),
        Query(f"max({of('odp_accept_queue', ODP)})", "queued"),
        colours={"connected": Colour.LEAVING, "queued": Colour.WARNING},
    )


def _sessions() -> timeseries.Panel:
    about = About(
        "Sessions through the load balancer",
        "Has a drain emptied it? Sessions that stay are cut when the drain's time is over.",
        "none",
        NEUTRAL,
        nothing="no remediator counts them",
    )
    return lines(about, Query(f"max by (lb) ({of('odp_lb_backend_sessions', ODP)})", "{{lb}}"))


def _files() -> table.Panel:
    about = About(
        "Cache files",
        "What would it start from, if OCP were gone? Age alone means little: a healthy ODP may not write for months.",
        "none",
        NEUTRAL,
        alerts=("OdpCacheMissing", "OdpCacheInvalid", "OdpCacheOld"),
    )
    return rows(
        about,
        (Label("file", "File", 115),),
        (
            Value("Found", f"min by (file) ({of('odp_cache_present', ODP)})", words=shared.PRESENT, steps=NEUTRAL),
            Value("Content", f"min by (file) ({of('odp_cache_valid', ODP)})", words=shared.VALID, steps=NEUTRAL),
            Value("Written", f"max by (file) ({of('odp_cache_age_seconds', ODP)})", "s", decimals=0),
        ),
        sort_by="Found",
    )


def _clusters() -> table.Panel:
    about = About(
        "Cached clusters",
        "Which of the cached servers can be reached from here?",
        "none",
        NEUTRAL,
        alerts=("OdpCacheStale", "OdpCacheIncomplete"),
    )
    cached = f"max by (ob_cluster) ({of('odp_cache_cluster_servers', ODP)})"
    reachable = f"max by (ob_cluster) ({of('odp_cache_reachable_servers', ODP)})"
    return rows(
        about,
        (Label("ob_cluster", "Cluster"),),
        (Value("Servers", cached), Value("Reachable", reachable, steps=((0, Colour.BAD), (1, Colour.GOOD)))),
        sort_by="Servers",
    )


def _reasons() -> table.Panel:
    about = About(
        "Why a restart is unsafe",
        "What has to be put right before it may be restarted? docs/survival.md has the way out of each reason.",
        "none",
        NEUTRAL,
        alerts=("OdpRestartUnsafe",),
        nothing="no reason against a restart",
    )
    expr = f"max by (reason) ({of('odp_restart_unsafe_reason', ODP)}) == 1"
    words = {1: Word("applies", Colour.WARNING)}
    return rows(about, (Label("reason", "Reason"),), (Value("Now", expr, words=words, width=90),), sort_by="Now")


def _own_sessions() -> timeseries.Panel:
    about = About(
        "Sessions by tenant",
        "Whose sessions are these? From ODP itself, which copies its figures once a minute.",
        "none",
        NEUTRAL,
        nothing="port 2884 is not scraped, or nobody is logged in",
    )
    expr = f'topk({promql.MANY}, sum by (tenant, cluster) (odp_current_session{{{ODP}, sessionType="client"}}))'
    return lines(about, Query(expr, "{{tenant}} of {{cluster}}"))


def _own_logins() -> timeseries.Panel:
    about = About(
        "New connections by result",
        "Do logins succeed? A greeting does not tell that.",
        PER_SECOND,
        up_to(1, 10),
        nothing="port 2884 is not scraped, or nobody has logged in",
    )
    expr = f"sum by (connectionResult) (rate(odp_new_client_connections{{{ODP}}}[{RATE}]))"
    colours = {"success": Colour.GOOD, "fail": Colour.BAD}
    return lines(about, Query(expr, "{{connectionResult}}"), colours=colours)


def _own_requests() -> timeseries.Panel:
    about = About(
        "SQL requests by result",
        "How much work passes, and how much of it fails?",
        PER_SECOND,
        NEUTRAL,
        nothing="port 2884 is not scraped, or no SQL has passed",
    )
    expr = f"sum by (sqlResult) (rate(odp_sql_request_total{{{ODP}}}[{RATE}]))"
    colours = {"success": Colour.GOOD, "fail": Colour.BAD}
    return stack(about, Query(expr, "{{sqlResult}}"), colours=colours)
