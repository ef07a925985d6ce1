"""OCP's replies, judged as ODP judges them (odp-facts 1.3 to 1.6) and turned into values.

Pure. What ODP would refuse is an OcpError; what it skips in silence is left
out. Passwords are checked for being there and never kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from odp_exporter.observations import ClusterServers, OcpResult
from odp_exporter.odp_json import Json, NotJson
from odp_exporter.odp_json import parse as parse_json
from odp_exporter.root_services import (
    MAX_NAME,
    META_DATABASE,
    RootServiceError,
    RootServices,
    WrongRole,
    parse,
    too_long,
)
from odp_exporter.settings import quoted

from .envelope import OcpError, Overlooked, unwrapped
from .urls import from_template

MAX_VERSION_BYTES = 32
_OVERLOOKED = frozenset({OcpResult.MESSAGE, OcpResult.SUCCESS, OcpResult.CODE})
_TEMPLATE = "ObRootServiceInfoUrlTemplate"


@dataclass(frozen=True, slots=True)
class ClusterUrl:
    """A cluster and where its root services are asked for."""

    name: str
    url: str = field(repr=False)
    """May be empty, which ODP accepts; hidden because it may carry credentials."""


@dataclass(frozen=True, slots=True)
class ConfigReply:
    """What of the configuration matters here."""

    version: str
    clusters: tuple[ClusterUrl, ...]
    """At least one; the first is ODP's default."""


def parse_version(body: bytes) -> str:
    """`Version` of a `VersionOnly=true` reply.

    ODP looks at nothing but `Version` here, not even at `Code` (odp-facts 1.3).
    This asks for the whole envelope: an OCP that says it failed has failed,
    which is Overlooked where ODP would take the reply.
    """
    try:
        return _version(_object(unwrapped(body)))
    except OcpError as error:
        if error.result in _OVERLOOKED and _holds_version(body):
            raise Overlooked(error.result, error.detail) from error
        raise


def _holds_version(body: bytes) -> bool:
    try:
        reply = parse_json(body)
        return isinstance(reply, dict) and bool(_version(_object(reply.get("Data"))))
    except (NotJson, OcpError):
        return False


def parse_config(body: bytes) -> ConfigReply:
    """The reply to GetObProxyConfig, or the same kept in obproxy_config_server_info.json."""
    data = _object(unwrapped(body))
    version = _version(data)
    _text(data, "ObProxyBinUrl")
    _check_database(data.get("ObProxyDatabaseInfo"))
    clusters = (*_listed_clusters(data), *_templated_clusters(data))
    if not clusters:
        raise OcpError(OcpResult.NO_CLUSTERS, "the configuration lists no cluster")
    seen = set()
    for cluster in clusters:
        if len(cluster.name) > MAX_NAME:
            raise OcpError(OcpResult.DATA, too_long(cluster.name))
        if cluster.name in seen:
            raise OcpError(OcpResult.DUPLICATE_CLUSTER, f"cluster {quoted(cluster.name)} is listed twice")
        seen.add(cluster.name)
    return ConfigReply(version, clusters)


def parse_rs_list(body: bytes, cluster: str) -> tuple[ClusterServers, ...]:
    """The root services of *cluster*, one value per cluster id that has any."""
    data = unwrapped(body)
    if not isinstance(data, dict | list):
        raise OcpError(OcpResult.DATA, "Data is neither an object nor an array")
    found = [_root_services(element, cluster) for element in (data if isinstance(data, list) else [data])]
    servers = tuple(
        ClusterServers(cluster, one.cluster_id, one.servers, one.is_primary) for one in found if one.servers
    )
    if not servers:
        raise OcpError(OcpResult.NO_SERVERS, "no server that ODP could use (it takes no host names)")
    return servers


def _root_services(element: Json, cluster: str) -> RootServices:
    try:
        found = parse(element, bare_ipv6=False)
    except WrongRole as error:
        raise OcpError(OcpResult.ROLE, str(error)) from error
    except RootServiceError as error:
        raise OcpError(OcpResult.DATA, str(error)) from error
    if cluster not in {found.name, found.alias, META_DATABASE}:
        message = f"asked for cluster {quoted(cluster)}, got {quoted(found.name)}"
        raise OcpError(OcpResult.CLUSTER_MISMATCH, message)
    return found


def _version(data: dict[str, Json]) -> str:
    version = data.get("Version")
    if not isinstance(version, str) or not 1 <= len(version.encode()) <= MAX_VERSION_BYTES:
        raise OcpError(OcpResult.VERSION, f"Version is not a string of 1 to {MAX_VERSION_BYTES} bytes")
    return version


def _check_database(info: Json) -> None:
    database = _object(info, "ObProxyDatabaseInfo")
    for key in ("DataBase", "User", "Password", META_DATABASE):
        _text(database, key)
    _, _, cluster = _text(database, "User").partition("#")
    if cluster not in {"", META_DATABASE}:
        raise OcpError(OcpResult.DATA, f"the cluster of the meta database's user is not {META_DATABASE}")


def _listed_clusters(data: dict[str, Json]) -> list[ClusterUrl]:
    return [_listed_cluster(_object(item, "a cluster")) for item in _array(data, "ObRootServiceInfoUrlList")]


def _listed_cluster(item: dict[str, Json]) -> ClusterUrl:
    url = item.get("ObRootServiceInfoUrl", "")
    if not isinstance(url, str):
        raise OcpError(OcpResult.DATA, "ObRootServiceInfoUrl is not a string")
    return ClusterUrl(_text(item, "ObRegion"), url)


def _templated_clusters(data: dict[str, Json]) -> list[ClusterUrl]:
    for key in (_TEMPLATE, f"{_TEMPLATE}V2"):
        if key in data:
            _text(data, key)
    names = [*_array(data, "ObClusterList"), *_array(data, "ObRegion")]
    return [_templated_cluster(_text(data, _TEMPLATE), name) for name in names]


def _templated_cluster(template: str, name: Json) -> ClusterUrl:
    if not isinstance(name, str) or not name:
        raise OcpError(OcpResult.DATA, "the name of a cluster is not a string or empty")
    url = from_template(template, name)
    if url is None:
        raise OcpError(OcpResult.DATA, f"{_TEMPLATE} has no placeholder for the cluster")
    return ClusterUrl(name, url)


def _object(value: Json, name: str = "Data") -> dict[str, Json]:
    if not isinstance(value, dict):
        raise OcpError(OcpResult.DATA, f"{name} is absent or not an object")
    return value


def _array(parent: dict[str, Json], key: str) -> list[Json]:
    value = parent.get(key, [])
    if not isinstance(value, list):
        raise OcpError(OcpResult.DATA, f"{key} is not an array")
    return value


def _text(parent: dict[str, Json], key: str) -> str:
    value = parent.get(key)
    if not isinstance(value, str) or not value:
        raise OcpError(OcpResult.DATA, f"{key} is absent, empty or not a string")
    return value
