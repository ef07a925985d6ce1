"""How OCP's clusters and the cached ones differ, and how many cached servers answer. Pure.

Compared are sets of ip:sql_port: once ODP has learnt a cluster's servers from
the cluster itself, the cache holds all of them, in an order and with roles
that mean nothing (odp-facts 2.3).
"""

from __future__ import annotations

from collections.abc import Mapping

from odp_exporter.observations import CacheFile, ClusterServers, Server

from .start import CLOSED, Answers, Cached, cache_file


def missing(given: Answers, cache: Cached) -> frozenset[str] | None:
    """Clusters that OCP lists and the cache lacks; None where one of them cannot be seen."""
    if not given.configuration or not _is_readable(cache):
        return None
    return frozenset(given.clusters) - frozenset(entry.cluster for entry in cache.clusters)


def stale(given: Answers, cache: Cached) -> frozenset[str] | None:
    """Cached clusters that lack a server which OCP lists; None where nothing can be compared."""
    if not given.configuration or not _is_readable(cache):
        return None
    listed, cached = _by_cluster(given.servers), _by_cluster(cache.clusters)
    return frozenset(name for name, servers in listed.items() if name in cached and not servers <= cached[name])


def answering(cache: Cached, reachable: Mapping[Server, bool]) -> dict[str, int]:
    """How many cached servers of each cluster answer; a cluster of which none was tried is left out."""
    servers = _by_cluster(cache.clusters)
    return {
        name: sum(reachable.get(server, False) for server in found)
        for name, found in servers.items()
        if found & reachable.keys()
    }


def _is_readable(cache: Cached) -> bool:
    file = cache_file(cache, CacheFile.RSLIST)
    return file is not None and file.result not in CLOSED


def _by_cluster(entries: tuple[ClusterServers, ...]) -> dict[str, frozenset[Server]]:
    servers: dict[str, frozenset[Server]] = {}
    for entry in entries:
        servers[entry.cluster] = servers.get(entry.cluster, frozenset()) | entry.servers
    return servers
