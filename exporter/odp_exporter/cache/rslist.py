"""The payload of obproxy_rslist_info.json: the servers by which ODP survives OCP's absence (odp-facts 2.3).

Pure. It says what the file lists, never whether ODP will use it: that hangs on
`enable_get_rslist_remote` and on OCP (odp-facts 3.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from odp_exporter.observations import CacheResult, ClusterServers, Server
from odp_exporter.root_services import META_DATABASE, RootServiceError, parse

from .content import ContentError, elements


def decode(payload: bytes) -> tuple[ClusterServers, ...]:
    """Every cluster id with at least one server, the meta database excluded."""
    try:
        parsed = [parse(element, bare_ipv6=True) for element in elements(payload)]
    except RootServiceError as error:
        raise ContentError(CacheResult.CONTENT, str(error)) from error
    if not all(cluster.name for cluster in parsed):
        raise ContentError(CacheResult.CONTENT, "a cluster has no name")
    return tuple(
        ClusterServers(cluster.name, cluster.cluster_id, cluster.servers, cluster.is_primary)
        for cluster in parsed
        if cluster.servers and cluster.name != META_DATABASE
    )


@dataclass(frozen=True, slots=True)
class CachedCluster:
    """One cluster id as ODP writes it, order of servers included."""

    region: str
    region_id: int
    servers: tuple[Server, ...]
    """The first one is written as the leader."""
    is_primary: bool = True
    real_name: str | None = None
    """`ObRealClusterName`; None leaves it out, as releases up to 4.1 do."""
    real_meta_region: str | None = None
    """`ObRealMetaRegion`, of the meta database only."""


def dump(clusters: Iterable[CachedCluster]) -> bytes:
    """The payload that ODP writes, byte for byte: one line, no blanks, nothing escaped."""
    text = ",".join(map(_dump_cluster, clusters))
    return f"[{text}]".encode() if text else b"["


def _dump_cluster(cluster: CachedCluster) -> str:
    kind = "PRIMARY" if cluster.is_primary else "STANDBY"
    optional = {"ObRealClusterName": cluster.real_name, "ObRealMetaRegion": cluster.real_meta_region}
    return (
        f'{{"ObRegion":"{cluster.region}","ObRegionId":{cluster.region_id},"Type":"{kind}",'
        + "".join(f'"{key}":"{value}",' for key, value in optional.items() if value is not None)
        + f'"RsList":[{",".join(_dump_server(*numbered) for numbered in enumerate(cluster.servers))}]}}'
    )


def _dump_server(index: int, server: Server) -> str:
    role = "FOLLOWER" if index else "LEADER"
    return f'{{"address":"{server.ip}:{server.sql_port}","role":"{role}","sql_port":{server.sql_port}}}'
