"""Hands observations to the store, and logs what they change.

A steady world is silent: an ODP that stays hung, a cache that stays broken or
a directory that stays closed to this user is logged once, when it begins.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from .health import State
from .observations import (
    CacheFile,
    CacheObservation,
    CacheResult,
    Endpoint,
    GreetingObservation,
    HostObservation,
    Observation,
    OcpObservation,
    OcpResult,
    PingObservation,
    ServerObservation,
)
from .store import Store

log = structlog.get_logger()

_QUIET = frozenset({CacheResult.OK, CacheResult.MISSING})
"""A missing cache file is normal before the first login (odp-facts 2.3)."""


def record(store: Store, seen: Observation) -> None:
    """Take in one observation, and say what is new about it."""
    match seen:
        case GreetingObservation() | HostObservation():
            _record_odp(store, seen)
        case PingObservation():
            _record_ping(store, seen)
        case CacheObservation():
            _record_cache(store, seen)
        case OcpObservation():
            _record_ocp(store, seen)
        case ServerObservation():
            _record_server(store, seen)


def record_pool(store: Store, seen: GreetingObservation) -> None:
    """Take in one probe of a pool's address, and say whether it came or went."""
    before = store.pools[seen.target].probes.latest if seen.target in store.pools else None
    store.record_pool(seen)
    if (before.result if before else None) != seen.result:
        log.info("pool probed", pool=seen.target, result=seen.result, detail=seen.detail)


def _record_odp(store: Store, seen: GreetingObservation | HostObservation) -> None:
    odp = store.odps.get(seen.target)
    before, host = (odp.health.state, odp.host) if odp else (State.UNKNOWN, None)
    store.record(seen)
    if odp and odp.health.state is not before and odp.probes.latest:
        latest = odp.probes.latest
        log.info(
            "state changed",
            odp=seen.target,
            before=before,
            state=odp.health.state,
            result=latest.result,
            detail=latest.detail,
        )
    if isinstance(seen, HostObservation):
        _tell_host(host, seen)


def _tell_host(before: HostObservation | None, seen: HostObservation) -> None:
    if new := [reason for reason in seen.unseen if before is None or reason not in before.unseen]:
        log.warning("not everything can be seen", odp=seen.target, reasons=new)
    if before is None:
        return
    for cause, count in seen.restarts.items():
        if count > before.restarts.get(cause, 0):
            log.info("restarted", odp=seen.target, cause=cause, pids=[it.identity.pid for it in seen.processes])


def _record_ping(store: Store, seen: PingObservation) -> None:
    odp = store.odps.get(seen.target)
    before = odp.ping.result if odp and odp.ping else None
    store.record(seen)
    if before != seen.result:
        log.info("pinged", odp=seen.target, result=seen.result, detail=seen.detail)


def _record_cache(store: Store, seen: CacheObservation) -> None:
    odp = store.odps.get(seen.target)
    before: Mapping[CacheFile, CacheResult] = (
        {it.file: it.result for it in odp.cache.files} if odp and odp.cache else {}
    )
    store.record(seen)
    for it in seen.files:
        known = before.get(it.file, CacheResult.OK)
        if it.result != known and not {it.result, known} <= _QUIET:
            log.warning("cache file judged", odp=seen.target, file=it.file, result=it.result, detail=it.detail)


def _record_ocp(store: Store, seen: OcpObservation) -> None:
    ocp = store.ocps.get(seen.ocp)
    before = _worst(ocp.latest) if ocp and ocp.latest else {}
    store.record(seen)
    for endpoint, (result, detail) in _worst(seen).items():
        if before.get(endpoint, (OcpResult.OK, ""))[0] != result:
            log.warning("OCP answered otherwise", ocp=seen.ocp, endpoint=endpoint, result=result, detail=detail)


def _record_server(store: Store, seen: ServerObservation) -> None:
    before = store.servers.get(seen.server)
    store.record(seen)
    if seen.is_reachable != (before is None or before.is_reachable):
        server = f"{seen.server.ip}:{seen.server.sql_port}"
        log.info("cached server tried", server=server, is_reachable=seen.is_reachable, detail=seen.detail)


def _worst(seen: OcpObservation) -> dict[Endpoint, tuple[OcpResult, str]]:
    """The first bad answer of each endpoint, or its good one."""
    answers: dict[Endpoint, tuple[OcpResult, str]] = {}
    for reply in seen.endpoints:
        if answers.get(reply.endpoint, (OcpResult.OK, ""))[0] is OcpResult.OK:
            answers[reply.endpoint] = (reply.result, reply.detail)
    return answers
