"""Every metric of the exporter, declared once, as data.

Names stay: people's rules and dashboards rest on them. None is among those of
ODP's own endpoint on port 2884, whose names begin with `odp_` as well
(odp-facts 6). What each one is filled from stands in tables/.
"""

from __future__ import annotations

from odp_exporter.health import State
from odp_exporter.metrics.family import Closed, Family, Kind
from odp_exporter.observations import CacheFile, Cause, Endpoint, OcpResult, Phase, PingResult, ProbeResult, Watchdog
from odp_exporter.store import OCP_BOUNDS, PROBE_BOUNDS, RECOVERY_BOUNDS
from odp_exporter.survival.reasons import Reason

_PHASE = Closed("phase", tuple(Phase))
_RESULT = Closed("result", tuple(ProbeResult))
_ENDPOINT = Closed("endpoint", tuple(Endpoint))
_FILE = Closed("file", tuple(CacheFile))

ODP_UP = Family(
    "odp_up",
    Kind.GAUGE,
    "1 if the last greeting probe got a whole MySQL greeting, else 0; absent while no recent probe is known, and after "
    "an internal_error of the exporter, which says nothing of the ODP. A greeting proves neither free login slots nor "
    "clusters behind it.",
    "odp",
)
ODP_STATE = Family(
    "odp_state",
    Kind.STATE_SET,
    "1 for the state the ODP is in, 0 for the others. draining: told to stop or hot-restarting, looks hung from "
    "outside, leave it alone. unknown: no recent probe, or one that proves nothing.",
    "odp",
    (Closed("state", tuple(State)),),
)
ODP_INFO = Family(
    "odp_info",
    Kind.INFO,
    "Always 1: address, pool and release of the ODP (version is empty where it cannot be seen), and the labels that "
    "the configuration gives it.",
    "odp",
    open=("address", "pool", "version"),
)
ODP_PROBES = Family(
    "odp_probes_total",
    Kind.COUNTER,
    "Greeting probes since the exporter started, by how they ended.",
    "odp",
    (_RESULT,),
)
ODP_PROBE_RESULT = Family(
    "odp_probe_result",
    Kind.GAUGE,
    "Always 1: the label says how the last greeting probe ended.",
    "odp",
    open=("result",),
)
ODP_PROBE_DURATION = Family(
    "odp_probe_duration_seconds",
    Kind.HISTOGRAM,
    "Seconds of each phase of a greeting probe. Phases that were not completed are not in it: a hang shows in "
    "odp_probes_total.",
    "odp",
    (_PHASE,),
    bounds=PROBE_BOUNDS,
)
ODP_PROBE_LAST_TIMESTAMP = Family(
    "odp_probe_last_timestamp_seconds",
    Kind.GAUGE,
    "Unix time of the last greeting probe, whatever it gave.",
    "odp",
)
ODP_PROCESSES = Family(
    "odp_processes",
    Kind.GAUGE,
    "Living processes that own or claim the SQL port: 0 when there is none, 1 also when the port is listened on by a "
    "process that cannot be seen. More than 1 is a hot restart (odp_hot_restarting) or a second ODP started on top of "
    "the first. Absent for an ODP on another host, and where neither processes nor sockets can be seen.",
    "odp",
)
ODP_HOT_RESTARTING = Family(
    "odp_hot_restarting",
    Kind.GAUGE,
    "1 while a child that took over the sockets runs beside its parent, else 0: so two processes of a hot restart are "
    "told from a duplicate.",
    "odp",
)
ODP_UNSEEN = Family(
    "odp_unseen",
    Kind.GAUGE,
    "Things about the ODP that this user or this kernel does not show to the exporter; its log names them. Metrics "
    "that rest on them are absent.",
    "odp",
)
ODP_PROCESS_START_TIME = Family(
    "odp_process_start_time_seconds",
    Kind.GAUGE,
    "Unix time at which the ODP process started; the oldest living one where there are several.",
    "odp",
)
ODP_PROCESS_RESIDENT_MEMORY = Family(
    "odp_process_resident_memory_bytes",
    Kind.GAUGE,
    "Resident memory of the ODP process, in bytes. ODP weighs its own count, not this one, against "
    "odp_memory_limit_bytes.",
    "odp",
)
ODP_PROCESS_CPU = Family(
    "odp_process_cpu_seconds_total",
    Kind.COUNTER,
    "User and system CPU seconds of the ODP process; begins anew with the process.",
    "odp",
)
ODP_PROCESS_OPEN_FDS = Family(
    "odp_process_open_fds",
    Kind.GAUGE,
    "Open file descriptors of the ODP process; absent where the exporter's user may not look.",
    "odp",
)
ODP_PROCESS_MAX_FDS = Family(
    "odp_process_max_fds",
    Kind.GAUGE,
    "Limit of open file descriptors of the ODP process; absent where the exporter's user may not look.",
    "odp",
)
ODP_PROCESS_THREADS = Family(
    "odp_process_threads",
    Kind.GAUGE,
    "Threads of the ODP process.",
    "odp",
)
ODP_MEMORY_LIMIT = Family(
    "odp_memory_limit_bytes",
    Kind.GAUGE,
    "proxy_mem_limited, in bytes. At the limit ODP 4.3 stops allocating and lives on half-dead; up to 4.2.3 it kills "
    "itself.",
    "odp",
)
ODP_MEMORY_FROZEN = Family(
    "odp_memory_frozen",
    Kind.GAUGE,
    "1 if ODP's log says that it reached its memory limit and takes no more memory from the system, else 0.",
    "odp",
)
ODP_CLIENT_CONNECTIONS = Family(
    "odp_client_connections",
    Kind.GAUGE,
    "Established connections on the SQL port, counted from the socket tables, the exporter's own probes included.",
    "odp",
)
ODP_CLIENT_CONNECTIONS_LIMIT = Family(
    "odp_client_connections_limit",
    Kind.GAUGE,
    "client_max_connections: at the limit the greeting still comes and every login fails with error 1203. Absent when "
    "there is no limit (0), or none is known.",
    "odp",
)
ODP_ACCEPT_QUEUE = Family(
    "odp_accept_queue",
    Kind.GAUGE,
    "Connections that the kernel holds and ODP has not accepted. Stays near 0 while ODP is well.",
    "odp",
)
ODP_RESTARTS = Family(
    "odp_restarts_total",
    Kind.COUNTER,
    "Restarts of ODP by cause; the count outlives the exporter. unknown: the evidence allows no other word.",
    "odp",
    (Closed("cause", tuple(Cause)),),
)
ODP_RECOVERY_DURATION = Family(
    "odp_recovery_duration_seconds",
    Kind.HISTOGRAM,
    "Seconds from the first failed greeting to the next whole one, one value per ended outage.",
    "odp",
    bounds=RECOVERY_BOUNDS,
)
ODP_UNAVAILABLE = Family(
    "odp_unavailable_seconds_total",
    Kind.COUNTER,
    "Seconds without a greeting since the exporter started, the running outage included.",
    "odp",
)
ODP_WATCHDOG_RUNNING = Family(
    "odp_watchdog_running",
    Kind.GAUGE,
    "1 if this watchdog runs on the host and would start a dead ODP, else 0.",
    "odp",
    (Closed("kind", tuple(Watchdog)),),
)
ODP_CORE_DUMPS = Family(
    "odp_core_dumps_total",
    Kind.COUNTER,
    "Core files of ODP that have appeared; the count outlives the exporter.",
    "odp",
)
ODP_CORE_DUMP_LAST_TIMESTAMP = Family(
    "odp_core_dump_last_timestamp_seconds",
    Kind.GAUGE,
    "Unix time of the newest core file of ODP; absent when there is none.",
    "odp",
)
ODP_PARAMETER = Family(
    "odp_parameter",
    Kind.GAUGE,
    "A boolean parameter of ODP: 1 true, 0 false. enable_get_rslist_remote=1 switches the cached RS lists off; "
    "ignore_local_config=1 only means that OCP is asked first.",
    "odp",
    (Closed("name", ("ignore_local_config", "enable_get_rslist_remote")),),
)
ODP_PING_UP = Family(
    "odp_ping_up",
    Kind.GAUGE,
    "1 if the last login as inspector@proxysys and its ping proxy succeeded, else 0; absent while no recent ping is "
    "known.",
    "odp",
)
ODP_PINGS = Family(
    "odp_pings_total",
    Kind.COUNTER,
    "Logins with ping proxy since the exporter started, by how they ended.",
    "odp",
    (Closed("result", tuple(PingResult)),),
)
ODP_CACHE_PRESENT = Family(
    "odp_cache_present",
    Kind.GAUGE,
    "1 if ODP has this cache file or a copy it would fall back to, else 0; absent where the exporter's user may not "
    "look.",
    "odp",
    (_FILE,),
)
ODP_CACHE_VALID = Family(
    "odp_cache_valid",
    Kind.GAUGE,
    "1 if ODP would accept the cache file at its next start, else 0: odp_cache_result says why. Absent where the "
    "exporter's user may not read it (forbidden): then nothing is known of it.",
    "odp",
    (_FILE,),
)
ODP_CACHE_RESULT = Family(
    "odp_cache_result",
    Kind.GAUGE,
    "Always 1: the label says what is wrong with the cache file, or ok.",
    "odp",
    open=("file", "result"),
)
ODP_CACHE_LAST_WRITE = Family(
    "odp_cache_last_write_timestamp_seconds",
    Kind.GAUGE,
    "Unix time of the last write of the cache file (mtime): neither the last check nor the last success. A healthy ODP "
    "may leave it untouched for months, and OCP may be down though it is fresh.",
    "odp",
    (_FILE,),
)
ODP_CACHE_AGE = Family(
    "odp_cache_age_seconds",
    Kind.GAUGE,
    "Seconds since the last write of the cache file, with the traps of odp_cache_last_write_timestamp_seconds.",
    "odp",
    (_FILE,),
)
ODP_CACHE_CLUSTERS = Family(
    "odp_cache_clusters",
    Kind.GAUGE,
    "Clusters in the cached RS lists, the meta database excluded; absent where the exporter's user may not read them.",
    "odp",
)
ODP_CACHE_CLUSTER_SERVERS = Family(
    "odp_cache_cluster_servers",
    Kind.GAUGE,
    "Servers that the cached RS list of the cluster holds.",
    "odp",
    open=("ob_cluster",),
)
ODP_CACHE_MISSING_CLUSTERS = Family(
    "odp_cache_missing_clusters",
    Kind.GAUGE,
    "Clusters that OCP lists and the cached RS lists lack: an outage of OCP would make new logins to them impossible. "
    "Normal until somebody logs in to the cluster. Absent while OCP gives no configuration, and where the exporter's "
    "user may not read the cache.",
    "odp",
)
ODP_CACHE_STALE_CLUSTERS = Family(
    "odp_cache_stale_clusters",
    Kind.GAUGE,
    "Cached clusters that lack a server of OCP's RS list, compared as sets of ip:sql_port. Servers that only the cache "
    "knows are normal. Absent as odp_cache_missing_clusters is.",
    "odp",
)
ODP_CACHE_REACHABLE_SERVERS = Family(
    "odp_cache_reachable_servers",
    Kind.GAUGE,
    "Cached servers of the cluster that accept a TCP connection on their SQL port, out of odp_cache_cluster_servers. "
    "Absent while none of them was tried.",
    "odp",
    open=("ob_cluster",),
)
ODP_RESTART_SAFE = Family(
    "odp_restart_safe",
    Kind.GAUGE,
    "1 if a restart now would come back with its clusters, 0 if it would lose one; odp_restart_unsafe_reason says why. "
    "Absent where it cannot be known, which is no reason to dare it.",
    "odp",
)
ODP_RESTART_UNSAFE_REASON = Family(
    "odp_restart_unsafe_reason",
    Kind.STATE_SET,
    "1 for each reason why odp_restart_safe is 0 or absent, 0 for the others; "
    "docs/survival.md has the way out of each.",
    "odp",
    (Closed("reason", tuple(Reason)),),
)
ODP_SURVIVES_OCP_OUTAGE = Family(
    "odp_survives_ocp_outage",
    Kind.GAUGE,
    "1 if every cluster that OCP knows would stay usable with OCP gone, a restart of the ODP included, else 0. Absent "
    "where it cannot be known.",
    "odp",
)
ODP_POOL_UP = Family(
    "odp_pool_up",
    Kind.GAUGE,
    "1 if the last greeting probe through the load balancer's address got a whole MySQL greeting, else 0; absent while "
    "no recent probe is known, and after an internal_error of the exporter.",
    "pool",
)
ODP_POOL_PROBES = Family(
    "odp_pool_probes_total",
    Kind.COUNTER,
    "Greeting probes through the load balancer's address since the exporter started, by how they ended.",
    "pool",
    (_RESULT,),
)
ODP_POOL_PROBE_DURATION = Family(
    "odp_pool_probe_duration_seconds",
    Kind.HISTOGRAM,
    "Seconds of each completed phase of a greeting probe through the load balancer's address.",
    "pool",
    (_PHASE,),
    bounds=PROBE_BOUNDS,
)
OCP_UP = Family(
    "ocp_up",
    Kind.GAUGE,
    "1 if OCP's last reply is one that ODP would accept, the whole envelope weighed, else 0. rs_list is 1 only if the "
    "RS lists of all clusters are, and 0 also if no URL to ask for one is known. While all is well and the version "
    "stays the same, config and each RS list are asked for once in five rounds only. Absent while no recent round is "
    "known.",
    "ocp",
    (_ENDPOINT,),
)
OCP_HTTP_STATUS_CODE = Family(
    "ocp_http_status_code",
    Kind.GAUGE,
    "HTTP status of OCP's last reply, the first bad one where there were several; 0 when there was no HTTP reply.",
    "ocp",
    (_ENDPOINT,),
)
OCP_RESULT = Family(
    "ocp_result",
    Kind.GAUGE,
    "Always 1: the label says why OCP's last reply is not one that ODP would accept, or ok.",
    "ocp",
    open=("endpoint", "result"),
)
OCP_REQUESTS = Family(
    "ocp_requests_total",
    Kind.COUNTER,
    "Requests to OCP since the exporter started, by what ODP would have made of the reply.",
    "ocp",
    (_ENDPOINT, Closed("result", tuple(OcpResult))),
)
OCP_REQUEST_DURATION = Family(
    "ocp_request_duration_seconds",
    Kind.HISTOGRAM,
    "Seconds of a request to OCP, redirects included. ODP gives up after 5.",
    "ocp",
    (_ENDPOINT,),
    bounds=OCP_BOUNDS,
)
OCP_CLUSTERS = Family(
    "ocp_clusters",
    Kind.GAUGE,
    "Clusters that OCP's configuration lists, the meta database excluded; absent while it gives none that ODP would "
    "accept.",
    "ocp",
)
EXPORTER_TARGETS = Family(
    "odp_exporter_targets",
    Kind.GAUGE,
    "What the exporter probes, by kind.",
    closed=(Closed("kind", ("odp", "pool", "ocp")),),
)
EXPORTER_DISCOVERY_UNSEEN = Family(
    "odp_exporter_discovery_unseen",
    Kind.GAUGE,
    "Things that this user or this kernel does not show to the discovery, so that ODPs of this host may be missing; "
    "the exporter's log names them.",
)
EXPORTER_TARGET_FILE_PROBLEMS = Family(
    "odp_exporter_target_file_problems",
    Kind.GAUGE,
    "Mistakes in the target files; the exporter's log names them.",
)
EXPORTER_PROBE_OVERRUNS = Family(
    "odp_exporter_probe_overruns_total",
    Kind.COUNTER,
    "Rounds of probes that took longer than their interval, so that the next one was late.",
    open=("probe",),
)
EXPORTER_NOTIFICATIONS_SENT = Family(
    "odp_exporter_notifications_sent_total",
    Kind.COUNTER,
    "Alerts pushed to an Alertmanager that took them; each push of each alert counts.",
    open=("alertmanager",),
)
EXPORTER_NOTIFICATIONS_ERRORS = Family(
    "odp_exporter_notifications_errors_total",
    Kind.COUNTER,
    "Alerts pushed to an Alertmanager that did not take them, or did not answer in time. Prometheus tells it all the "
    "same, some seconds later.",
    open=("alertmanager",),
)
EXPORTER_CONFIG_RELOAD_SUCCESSFUL = Family(
    "odp_exporter_config_last_reload_successful",
    Kind.GAUGE,
    "1 if the last attempt to load the configuration succeeded; 0: the one before it is still in use.",
)
EXPORTER_CONFIG_RELOAD_TIMESTAMP = Family(
    "odp_exporter_config_last_reload_success_timestamp_seconds",
    Kind.GAUGE,
    "Unix time at which the configuration in use was loaded.",
)
EXPORTER_BUILD_INFO = Family(
    "odp_exporter_build_info",
    Kind.INFO,
    "Always 1: release of the exporter, and of the Python that runs it.",
    open=("version", "python_version"),
)
PROBE_SUCCESS = Family(
    "probe_success",
    Kind.GAUGE,
    "1 if the probe succeeded, else 0.",
)
PROBE_DURATION = Family(
    "probe_duration_seconds",
    Kind.GAUGE,
    "Seconds that the probe took.",
)
PROBE_TIMEOUT = Family(
    "probe_timeout_seconds",
    Kind.GAUGE,
    "Seconds that the probe was given.",
)
PROBE_PHASE_DURATION = Family(
    "probe_phase_duration_seconds",
    Kind.GAUGE,
    "Seconds of each phase of the probe that was completed.",
    open=("phase",),
)
