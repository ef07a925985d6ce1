"""OCP's answers as they ought to be (odp-facts 1.5, 1.6), in the order of keys of the captured ones. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Document = dict[str, Any]
"""A JSON object in the making; what failures do to it has no type."""

META_CLUSTER = "metadb"
"""Name of the cluster that MetaDataBase stands for."""


class Shape(StrEnum):
    """The forms that OCPs give the same facts."""

    LIST = "list"
    """One URL per cluster, one object per RS list: as captured."""
    ARRAY = "array"
    """RS lists come as arrays, as for a primary with standbys."""
    TEMPLATE = "template"
    """One URL template for all clusters."""


@dataclass(frozen=True, slots=True)
class World:
    """What OCP knows."""

    clusters: Mapping[str, Sequence[str]]
    """SQL addresses, `ip:port`, of the servers of each cluster; the first one leads."""
    meta: Sequence[str] = ()
    """The same for OCP's own database; without any its RS list is a 404, as with ob-configserver."""
    version: str | None = None
    """The configuration's version; a hash of the clusters' names when absent."""
    password: str = "x"  # noqa: S105 - what the captured OCP had
    """The meta database password that the configuration gives away."""
    shape: Shape = Shape.LIST


def enveloped(data: object) -> Document:
    """An answer that ODP takes."""
    return {"Message": "successful", "Success": True, "Code": 200, "Data": data, "Trace": "t", "Cost": 1}


def failed(code: int, message: str) -> Document:
    """The answer to a question that OCP has no answer to."""
    return {"Message": message, "Success": False, "Code": code, "Data": None, "Trace": "t", "Cost": 1}


def version(world: World) -> str:
    """The version of the configuration."""
    text = json.dumps([*world.clusters, world.shape])
    return world.version or hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - as ob-configserver does


def config(world: World, base: str) -> Document:
    """The GetObProxyConfig answer of an OCP at *base*, `http://host:port`."""
    rs_url = f"{base}/services?Action=ObRootServiceInfo&ObRegion="
    data: Document = {
        "Version": version(world),
        "ObProxyBinUrl": f"{base}/services?Action=GetObProxy",
        "ObProxyDatabaseInfo": {
            "DataBase": "obproxy",
            "User": "root@sys",
            "Password": world.password,
            "MetaDataBase": rs_url + META_CLUSTER,
        },
    }
    if world.shape is Shape.TEMPLATE:
        data |= {"ObRootServiceInfoUrlTemplate": rs_url + "${ObRegion}", "ObClusterList": [*world.clusters]}
    else:
        data["ObRootServiceInfoUrlList"] = [
            {"ObRegion": name, "ObRootServiceInfoUrl": rs_url + name} for name in world.clusters
        ]
    return enveloped(data)


def rs_list(world: World, cluster: str) -> Document | None:
    """The ObRootServiceInfo answer for *cluster*, None for an unknown one."""
    servers = world.meta if cluster == META_CLUSTER else world.clusters.get(cluster)
    if servers is None or (cluster == META_CLUSTER and not servers):
        return None
    item: Document = {
        "ObRegion": cluster,
        "ObCluster": cluster,
        "ObRegionId": 1,
        "ObClusterId": 1,
        "Type": "PRIMARY",
        "timestamp": 1652419587417171,
        "RsList": [_server(address, leads=number == 0) for number, address in enumerate(servers)],
        "ReadonlyRsList": [],
    }
    return enveloped([item] if world.shape is Shape.ARRAY else item)


def _server(address: str, *, leads: bool) -> Document:
    host, _, port = address.rpartition(":")
    # OCP gives the RPC port in `address`; by custom it follows the SQL port.
    role = "LEADER" if leads else "FOLLOWER"
    return {"address": f"{host}:{int(port) + 1}", "role": role, "sql_port": int(port)}


def idc_list(cluster: str) -> Document:
    """The ObIDCRegionInfo answer for *cluster*."""
    idcs = [{"idc": "z1", "region": "R1"}]
    return enveloped({"ObRegion": cluster, "ObRegionId": 1, "IDCList": idcs, "ReadonlyRsList": ""})
