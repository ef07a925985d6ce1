"""What ODP does when it starts: where its configuration and its RS lists come from (odp-facts 2.6, 3.1). Pure.

`ignore_local_config` says who is asked first, not whether the cache counts:

1. Without a config server URL the cache is not used; rootservice_list is all there is.
2. True, its default: OCP is asked. If it gives a configuration, the cached RS
   lists are not read; if not, the cached configuration and then the cached RS
   lists are. False *and* stored parameters: the cached configuration comes
   first, OCP only if there is none, and the cached RS lists are read with either.
3. A cluster that the configuration does not list does not exist.
4. A login to a cluster takes the cached RS list if it was read, and OCP's
   otherwise, or if no cached server answers; with enable_get_rslist_remote it
   takes OCP's alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Protocol

from odp_exporter.observations import (
    CacheFile,
    CacheFileObservation,
    CacheResult,
    ClusterServers,
    Endpoint,
    EndpointObservation,
    OcpObservation,
    OcpResult,
    Server,
)

from .reasons import Finding, Findings, Reason, judged

CLOSED = frozenset({CacheResult.FORBIDDEN, CacheResult.UNREADABLE})
"""What this user cannot read, ODP may."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How an ODP is set up to start."""

    is_cache_first: bool
    """ignore_local_config=false, and there are stored parameters."""
    is_cache_off: bool
    """enable_get_rslist_remote=true."""


class Cached(Protocol):
    """What a start could read of an ODP's cache files, and what they are worth to it."""

    @property
    def files(self) -> tuple[CacheFileObservation, ...]:
        """Each file, judged."""

    @property
    def clusters(self) -> tuple[ClusterServers, ...]:
        """The RS lists, in the order of the file."""

    @property
    def config_clusters(self) -> tuple[str, ...]:
        """Those that the cached configuration lists."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What OCP gives."""

    configuration: bool | None = None
    """None where nobody knows."""
    clusters: tuple[str, ...] = ()
    servers: tuple[ClusterServers, ...] = ()
    """The root services that it gives, where it gives them."""
    rs_lists: Mapping[str, bool] = field(default_factory=dict)
    """Whether ODP would take the RS list, by cluster; those not asked for are not in it."""
    details: Mapping[str | None, str] = field(default_factory=dict)
    """What was wrong with the RS list of a cluster; under None, with the configuration."""
    is_gone: bool = False
    """OCP answers nothing at all."""


GONE = Answers(configuration=False, details={None: "gone"}, is_gone=True)
"""An OCP of which nothing is left."""

NOT_ASKED = Answers()
"""Of an OCP of which nobody knows anything."""


def answers(ocp: OcpObservation) -> Answers:
    """What a round of questions says of the next start."""
    bad = [reply for reply in ocp.endpoints if not _is_taken(reply)]
    configuring = [reply for reply in bad if reply.endpoint is not Endpoint.RS_LIST]
    lists = [reply for reply in ocp.endpoints if reply.endpoint is Endpoint.RS_LIST and reply.cluster is not None]
    return Answers(
        configuration=not configuring,
        clusters=ocp.clusters,
        servers=ocp.rs_lists,
        rs_lists={str(it.cluster): _is_taken(it) for it in lists if it.result is not OcpResult.NOT_ASKED},
        details={it.cluster: _told(it) for it in reversed((*configuring, *(it for it in lists if it in bad)))},
    )


def _is_taken(reply: EndpointObservation) -> bool:
    return reply.result is OcpResult.OK or reply.is_overlooked


def _told(reply: EndpointObservation) -> str:
    return f"{reply.endpoint}: {reply.result}" + (f", {reply.detail}" if reply.detail else "")


@dataclass(frozen=True, slots=True)
class Start:
    """What an ODP has when it has started; `usable` says what that is worth to a cluster."""

    setting: Setting
    answers: Answers
    cache: Cached | None
    reachable: Mapping[Server, bool] | None
    """What was found of cached servers; None where they are not to be probed."""
    clusters: tuple[str, ...] = ()
    """Those that its configuration lists."""
    without: Findings = ()
    """Why it has no configuration."""
    is_cache_read: bool = False
    """It has looked at the cached RS lists."""

    def usable(self, cluster: str) -> Findings:
        """What stands against logins to *cluster*; nothing if they would work."""
        if self.without:
            return self.without
        if cluster not in self.clusters:
            return (Finding(Reason.CLUSTER_NOT_CONFIGURED, cluster=cluster),)
        by_cache = self._by_cache(cluster)
        # That an OCP which is gone gives nothing is the premise, not a finding.
        return by_cache if self.answers.is_gone else _better(by_cache, self._by_ocp(cluster))

    def _by_cache(self, cluster: str) -> Findings:
        if self.setting.is_cache_off:
            return (Finding(Reason.CACHE_SWITCHED_OFF, cluster=cluster),)
        if not self.is_cache_read:
            return (Finding(Reason.OCP_HALF_BROKEN, cluster=cluster),)
        if unread := self._unread(cluster):
            return (unread,)
        servers = servers_read(self.cache, self.clusters).get(cluster)
        return self._reached(cluster, servers) if servers else (Finding(self._why_without(cluster), cluster=cluster),)

    def _unread(self, cluster: str) -> Finding | None:
        """Why the RS-list file gives nothing."""
        file = cache_file(self.cache, CacheFile.RSLIST)
        detail = file.detail or file.result if file else "not looked at"
        match file.result if file else None:
            case CacheResult.OK:
                return None
            case CacheResult.MISSING:
                return Finding(Reason.RSLIST_MISSING, cluster=cluster)
            case None | CacheResult.FORBIDDEN | CacheResult.UNREADABLE:
                return Finding(Reason.CACHE_UNKNOWN, detail, cluster)
            case _:
                return Finding(Reason.RSLIST_INVALID, detail, cluster)

    def _why_without(self, cluster: str) -> Reason:
        entries = self.cache.clusters if self.cache else ()
        if not any(entry.cluster == cluster and entry.is_primary for entry in entries):
            return Reason.CLUSTER_NOT_CACHED
        is_read = any(entry.cluster == cluster for entry in _read(self.cache, self.clusters))
        return Reason.ONLY_IPV6 if is_read else Reason.CACHE_CUT_SHORT

    def _reached(self, cluster: str, servers: frozenset[Server]) -> Findings:
        if self.reachable is None or any(self.reachable.get(server) for server in servers):
            return ()
        is_known = servers <= self.reachable.keys()
        reason = Reason.SERVERS_UNREACHABLE if is_known else Reason.SERVERS_UNKNOWN
        names = ", ".join(f"{server.ip}:{server.sql_port}" for server in sorted(servers)[:5])
        return (Finding(reason, names, cluster),)

    def _by_ocp(self, cluster: str) -> Findings:
        match self.answers.rs_lists.get(cluster):
            case True:
                return ()
            case False:
                return (Finding(Reason.RS_LIST_FAILS, self.answers.details.get(cluster, ""), cluster),)
            case None:
                return (Finding(Reason.RS_LIST_UNKNOWN, cluster=cluster),)


def start(setting: Setting, given: Answers, cache: Cached | None, reachable: Mapping[Server, bool] | None) -> Start:
    """What an ODP of this *setting* has when it has started, with these *given* answers of OCP."""
    blank = Start(setting, given, cache, reachable)
    asked = replace(blank, clusters=given.clusters, is_cache_read=setting.is_cache_first)
    cached = replace(blank, clusters=cache.config_clusters if cache else (), is_cache_read=True)
    ways = [
        (given.configuration, asked, Finding(Reason.OCP_UNKNOWN)),
        (is_configuration_cached(cache), cached, Finding(Reason.CACHE_UNKNOWN, _config_detail(cache))),
    ]
    for is_open, started, ignorance in reversed(ways) if setting.is_cache_first else ways:
        if is_open is None:
            return replace(blank, without=(ignorance,))
        if is_open:
            return started
    why = f"OCP: {given.details.get(None, '?')}; cache: {_config_detail(cache)}"
    return replace(blank, without=(Finding(Reason.NO_CONFIGURATION, why),))


def _better(one: Findings, other: Findings) -> Findings:
    """Either way is enough; what stands against both if neither is open."""
    if not one or not other:
        return ()
    unknown = tuple(it for way in (one, other) if judged(way) is None for it in way)
    return unknown or (*one, *other)


def is_configuration_cached(cache: Cached | None) -> bool | None:
    """ODP would take the cached configuration; None where it cannot be read from here."""
    file = cache_file(cache, CacheFile.CONFIG_SERVER)
    if file is None or file.result in CLOSED:
        return None
    return file.result is CacheResult.OK


def cache_file(cache: Cached | None, file: CacheFile) -> CacheFileObservation | None:
    """What was seen of one cache file."""
    return next((seen for seen in cache.files if seen.file is file), None) if cache else None


def servers_read(cache: Cached | None, configured: tuple[str, ...]) -> dict[str, frozenset[Server]]:
    """The cached servers that ODP would use, by cluster: of the primary, and no IPv6 that it may not read back."""
    servers: dict[str, frozenset[Server]] = {}
    for entry in _read(cache, configured):
        if entry.is_primary:
            trusted = frozenset(server for server in entry.servers if ":" not in server.ip)
            servers[entry.cluster] = servers.get(entry.cluster, frozenset()) | trusted
    return servers


def _read(cache: Cached | None, configured: tuple[str, ...]) -> tuple[ClusterServers, ...]:
    """The cached RS lists up to the first one of a cluster that is not *configured*: there ODP stops."""
    entries = cache.clusters if cache else ()
    return tuple(takewhile(lambda entry: entry.cluster in configured, entries))


def _config_detail(cache: Cached | None) -> str:
    file = cache_file(cache, CacheFile.CONFIG_SERVER)
    if file is None:
        return "not looked at"
    return f"{file.result}" + (f", {file.detail}" if file.detail else "")
