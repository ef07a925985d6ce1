"""What ODP accepts of OCP's replies (odp-facts 1.4 to 1.6), judged apart from the exporter. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar

META_DATABASE = "MetaDataBase"
"""The pseudo cluster that stands for OCP's own database."""

_MAX_VERSION = 32
_PLACEHOLDER = re.compile(r"\$\{Ob(?:Region|Cluster)\}.*", re.DOTALL)

Json = dict[str, object]
_T = TypeVar("_T")


class Rejected(Exception):
    """ODP throws the reply away; the message is what it logs."""


@dataclass(frozen=True, slots=True)
class Config:
    """A GetObProxyConfig reply that ODP takes."""

    version: str
    urls: dict[str, str]
    """RS list URL by cluster; the first one is the default cluster."""
    meta_url: str
    raw: bytes
    """The reply as received, which is what the cache keeps."""


@dataclass(frozen=True, slots=True)
class RsServer:
    """One entry of an RsList, with the SQL port."""

    ip: str
    sql_port: int
    role: str


@dataclass(frozen=True, slots=True)
class RsList:
    """The root services of one cluster id."""

    cluster: str
    """The name that logins use, or META_DATABASE."""
    real_name: str
    cluster_id: int
    is_primary: bool
    servers: tuple[RsServer, ...]


@dataclass(frozen=True, slots=True)
class IdcList:
    """The IDCs of one cluster id: pairs of idc and region."""

    cluster: str
    cluster_id: int
    idcs: tuple[tuple[str, str], ...]


def parse_version(body: bytes) -> str:
    """The `Version` of a VersionOnly reply, the one reply whose envelope is not looked at (odp-facts 1.3)."""
    return str(_member(_member(_object(body), "Data", dict), "Version", str))


def parse_config(body: bytes) -> Config:
    """A whole configuration."""
    data = _enveloped(body)
    if not isinstance(data, dict):
        raise Rejected("invalid json value(json_value=Data, ret=-4147)")
    version = _text(data, "Version")
    _text(data, "ObProxyBinUrl")
    database = _member(data, "ObProxyDatabaseInfo", dict)
    for name in ("DataBase", "Password"):
        _text(database, name)
    _, mark, cluster = _text(database, "User").partition("#")
    if mark and cluster != META_DATABASE:
        raise Rejected("invalid meta table user(ret=-4147)")
    urls = _urls(data)
    if len(version) > _MAX_VERSION or not urls:
        raise Rejected("invalid config(ret=-4147)")
    return Config(version, urls, _text(database, "MetaDataBase"), body)


def parse_rs_lists(body: bytes, cluster: str) -> tuple[RsList, ...]:
    """The RS lists of *cluster*, one per cluster id."""
    data = _enveloped(body)
    return tuple(_rs_list(item, cluster) for item in (data if isinstance(data, list) else [data]))


def parse_idc_list(body: bytes, cluster: str) -> IdcList:
    """The IDC list of *cluster*."""
    data = _enveloped(body)
    item = data[0] if isinstance(data, list) and data else data
    if not isinstance(item, dict):
        raise Rejected("invalid json value(json_value=Data, ret=-4147)")
    entries = [entry for entry in _member(item, "IDCList", list) if isinstance(entry, dict)]
    idcs = tuple((str(entry.get("idc", "")).lower(), str(entry.get("region", ""))) for entry in entries)
    return IdcList(cluster, _integer(item.get("ObRegionId", 0)), idcs)


def _object(body: bytes) -> Json:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise Rejected("fail to convert config string to json format(ret=-5006)") from error
    if not isinstance(document, dict):
        raise Rejected("invalid json value(ret=-4147)")
    return document


def _enveloped(body: bytes) -> object:
    document = _object(body)
    message, success, code = (document.get(key) for key in ("Message", "Success", "Code"))
    is_number = isinstance(code, int | float) and not isinstance(code, bool)
    if message != "successful" or success is not True or not is_number or _integer(code) // 100 != 2:  # noqa: PLR2004 - 2xx
        found = f"http_message={message}, http_status={success}, http_code={code}"
        text = f"invalid json config http header({found}, ret=-4147)"
        raise Rejected(text)
    if "Data" not in document:
        raise Rejected("fail to check Data info type(ret=-4147)")
    return document["Data"]


def _member(document: Json, key: str, kind: type[_T]) -> _T:
    value = document.get(key)
    if not isinstance(value, kind):
        message = f"invalid json value(key={key}, ret=-4147)"
        raise Rejected(message)
    return value


def _text(document: Json, key: str) -> str:
    if text := _member(document, key, str):
        return text
    message = f"invalid json value(key={key}, ret=-4147)"
    raise Rejected(message)


def _integer(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _urls(data: Json) -> dict[str, str]:
    if "ObRootServiceInfoUrlList" in data:
        items = _member(data, "ObRootServiceInfoUrlList", list)
        pairs = [(_name(item), _text(item, "ObRootServiceInfoUrl")) for item in items if isinstance(item, dict)]
    else:
        template = _text(data, "ObRootServiceInfoUrlTemplate")
        names = data.get("ObClusterList", data.get("ObRegion"))
        prefix = _PLACEHOLDER.sub("", template)
        pairs = [(str(name), prefix + str(name)) for name in names] if isinstance(names, list) else []
    urls = dict(pairs)
    if len(urls) != len(pairs):
        raise Rejected("cluster is repeated(ret=-4147)")
    return urls


def _name(item: Json) -> str:
    return str(item.get("ObRegion") or item.get("ObCluster") or "")


def _rs_list(item: object, cluster: str) -> RsList:
    if not isinstance(item, dict):
        raise Rejected("invalid json value(json_value=Data, ret=-4147)")
    names = {str(item.get(key)) for key in ("ObRegion", "ObCluster", "ObClusterAlias") if key in item}
    if cluster not in names and cluster != META_DATABASE:
        message = f"cluster name mismatch(cluster_name={cluster}, ret=-10008)"
        raise Rejected(message)
    kind = str(item.get("Type", "PRIMARY")).upper()
    if kind not in {"PRIMARY", "STANDBY"}:
        raise Rejected("invalid cluster role(ret=-4147)")
    servers = tuple(_servers(_member(item, "RsList", list)))
    number = _integer(item.get("ObRegionId", item.get("ObClusterId", 0)))
    return RsList(cluster, _name(item), number, kind == "PRIMARY", servers)


def _servers(items: Iterable[object]) -> Iterable[RsServer]:
    for item in items:
        if not isinstance(item, dict):
            raise Rejected("invalid json value(json_value=RsList, ret=-4147)")
        role = str(item.get("role", "")).upper()
        if role not in {"LEADER", "FOLLOWER"}:
            raise Rejected("invalid role(ret=-4147)")
        host = str(item.get("address", "")).rpartition(":")[0].strip("[]")
        port = item.get("sql_port")
        # Host names are not supported; such an item is skipped, not an error.
        if _is_ip(host) and isinstance(port, int):
            yield RsServer(host, port, role)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
