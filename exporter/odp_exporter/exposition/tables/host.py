"""What the host of an ODP shows of it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from odp_exporter.exposition import families
from odp_exporter.metrics.rendering import Values
from odp_exporter.observations import Cause, HostObservation, Process, Watchdog
from odp_exporter.procfs import parameters

from .row import Moment, Row, Table

_COUNT = re.compile(r"[0-9]{1,15}")
_FLAGS = families.ODP_PARAMETER.closed[0].values
# Tuples, because going through an enum costs more than the rest of a row.
_CAUSES = tuple(Cause)
_WATCHDOGS = tuple(Watchdog)
_NO_RESTARTS = (0,) * len(_CAUSES)
_NO_WATCHDOGS = (0,) * len(_WATCHDOGS)


def _processes(host: HostObservation, _: Moment) -> Values:
    if host.processes:
        return len(host.processes)
    return None if host.is_listening is None else int(host.is_listening)


def _of_process(take: Callable[[Process], float | None]) -> Callable[[HostObservation, Moment], Values]:
    # The oldest one: of a hot restart it is the one that still serves, and one
    # started in vain on a taken port comes and goes.
    return lambda host, _: take(host.processes[0]) if host.processes else None


def _parameter(host: HostObservation, name: str) -> str | None:
    return host.parameters.values.get(name) if host.parameters else None


def _connections_limit(host: HostObservation, _: Moment) -> Values:
    return _limit(_parameter(host, "client_max_connections") or "")


@functools.lru_cache(64)
def _limit(value: str) -> int | None:
    # 0 means no limit, and a division by it would be an alert.
    return int(value) or None if _COUNT.fullmatch(value) else None


def _booleans(host: HostObservation, _: Moment) -> Values:
    if host.parameters is None:
        return None
    values = [host.parameters.flag(name) for name in _FLAGS]
    return tuple([None if value is None else int(value) for value in values])


def _restarts(host: HostObservation, _: Moment) -> Values:
    return tuple([host.restarts.get(cause, 0) for cause in _CAUSES]) if host.restarts else _NO_RESTARTS


def _watchdogs(host: HostObservation, _: Moment) -> Values:
    return tuple([int(kind in host.watchdogs) for kind in _WATCHDOGS]) if host.watchdogs else _NO_WATCHDOGS


def _last_core(host: HostObservation, _: Moment) -> Values:
    return host.cores.latest.timestamp() if host.cores and host.cores.latest else None


TABLE: Table[HostObservation] = (
    Row(families.ODP_PROCESSES, _processes),
    Row(families.ODP_HOT_RESTARTING, lambda host, _: int(host.is_hot_restarting)),
    Row(families.ODP_UNSEEN, lambda host, _: len(host.unseen)),
    Row(families.ODP_PROCESS_START_TIME, _of_process(lambda process: process.started.timestamp())),
    Row(families.ODP_PROCESS_RESIDENT_MEMORY, _of_process(lambda process: process.resident_bytes)),
    Row(families.ODP_PROCESS_CPU, _of_process(lambda process: process.cpu_seconds)),
    Row(families.ODP_PROCESS_OPEN_FDS, _of_process(lambda process: process.open_fds)),
    Row(families.ODP_PROCESS_MAX_FDS, _of_process(lambda process: process.max_fds)),
    Row(families.ODP_PROCESS_THREADS, _of_process(lambda process: process.threads)),
    Row(families.ODP_MEMORY_LIMIT, lambda host, _: parameters.size(_parameter(host, "proxy_mem_limited"))),
    Row(families.ODP_MEMORY_FROZEN, lambda host, _: int(host.is_memory_frozen)),
    Row(families.ODP_CLIENT_CONNECTIONS, lambda host, _: host.client_connections),
    Row(families.ODP_CLIENT_CONNECTIONS_LIMIT, _connections_limit),
    Row(families.ODP_ACCEPT_QUEUE, lambda host, _: host.accept_queue),
    Row(families.ODP_RESTARTS, _restarts),
    Row(families.ODP_WATCHDOG_RUNNING, _watchdogs),
    Row(families.ODP_CORE_DUMPS, lambda host, _: host.cores.total if host.cores else None),
    Row(families.ODP_CORE_DUMP_LAST_TIMESTAMP, _last_core),
    Row(families.ODP_PARAMETER, _booleans),
)
"""What the host of an ODP shows; only for an ODP of this host."""
