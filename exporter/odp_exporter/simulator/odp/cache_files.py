"""The cache files in etc/ and .conf/: what stands in them, how they are written and read (odp-facts 2.2 to 2.6)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from odp_exporter.cache import container

from .logs import Logs
from .replies import META_DATABASE, IdcList, Json, Rejected, RsList, RsServer

CONFIG_SERVER = "obproxy_config_server_info.json"
RSLIST = "obproxy_rslist_info.json"
IDC_LIST = "obproxy_idc_list_info.json"

_DIRECTORIES = ("etc", ".conf")


class CacheFiles:
    """The files of the ODP in *home*."""

    def __init__(self, home: Path, logs: Logs) -> None:
        self._home = home
        self._logs = logs

    def write(self, name: str, payload: bytes) -> None:
        """Replace the file *name* in both directories, keeping the previous one as `.old`."""
        content = container.encode(payload, compressed=name == CONFIG_SERVER)
        for directory in _DIRECTORIES:
            path = self._home / directory / name
            self._replace(path, content)
            text = f'write file successfully!(path="{path}", old_path="{path}.old", len={len(content)}, ret=0)'
            self._logs.info("PROXY", "write_to_file (ob_proxy_config_utils.cpp:644)", text)

    def _replace(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_bytes(content)
        try:
            path.rename(path.with_name(path.name + ".old"))
        except FileNotFoundError:
            text = f'last file do not exist, ignore(errno=2, errmsg="No such file or directory", origial name="{path}")'
            self._logs.info("PROXY", "write_and_backup_file (ob_proxy_config_utils.cpp:684)", text)
        temporary.rename(path)

    def read(self, name: str) -> bytes | None:
        """The payload of the first copy that can be read; a damaged one is ignored, not replaced by another."""
        for path in self._copies(name):
            try:
                content = path.read_bytes()
            except OSError:
                continue
            text = f'succ to read file(dir="{path.parent}", file_name="./{path.name}", len={len(content)})'
            self._logs.info("PROXY", "read (ob_proxy_config_utils.cpp:732)", text)
            return self._payload(name, content)
        where = "load_config_from_local (ob_config_server_processor.cpp:1314)"
        self._logs.info("PROXY", where, f"fail to get {name} size, maybe file does not exist(ret=-4009)")
        return None

    def _copies(self, name: str) -> Iterable[Path]:
        yield from (self._home / directory / name for directory in _DIRECTORIES)
        yield from (self._home / directory / f"{name}.old" for directory in _DIRECTORIES)

    def _payload(self, name: str, content: bytes) -> bytes | None:
        try:
            return container.decode(content, compressed=name == CONFIG_SERVER)
        except container.ContainerError:
            where = "load_rslist_info_from_local (ob_config_server_processor.cpp:1467)"
            self._logs.failure("PROXY", where, f"fail to check file header(file={name}, ret=-4103)")
            return None


def rslist_payload(lists: Iterable[RsList], *, names_real_cluster: bool) -> bytes:
    """What the RS-list file holds: one element per cluster id, the meta database first, a lone `[` for none."""
    ordered = sorted(lists, key=lambda each: each.cluster != META_DATABASE)
    return _array(_rslist_element(each, names_real_cluster=names_real_cluster) for each in ordered)


def _rslist_element(rs_list: RsList, *, names_real_cluster: bool) -> Json:
    element: Json = {"ObRegion": rs_list.cluster}
    if rs_list.cluster == META_DATABASE:
        element["ObRealMetaRegion"] = rs_list.real_name
    element |= {"ObRegionId": rs_list.cluster_id, "Type": "PRIMARY" if rs_list.is_primary else "STANDBY"}
    if names_real_cluster:
        element["ObRealClusterName"] = rs_list.real_name
    element["RsList"] = [
        # IPv6 without brackets, and the SQL port where OCP gives the RPC port.
        {"address": f"{server.ip}:{server.sql_port}", "role": server.role, "sql_port": server.sql_port}
        for server in rs_list.servers
    ]
    return element


def idc_payload(lists: Iterable[IdcList]) -> bytes:
    """What the IDC-list file holds."""
    return _array(
        {
            "ObRegion": each.cluster,
            "ObRegionId": each.cluster_id,
            "IDCList": [{"idc": idc, "region": region} for idc, region in each.idcs],
        }
        for each in lists
    )


def _array(elements: Iterable[Json]) -> bytes:
    texts = [json.dumps(element, separators=(",", ":"), ensure_ascii=False) for element in elements]
    # ODP turns the last comma into the closing bracket; without an element there is none to turn.
    return ("[" + ",".join(texts) + "]" if texts else "[").encode()


def parse_rslist(payload: bytes) -> tuple[RsList, ...]:
    """The RS lists of a cache file that this look-alike or a real ODP wrote."""
    try:
        return tuple(_rs_list(element) for element in json.loads(payload))
    except (ValueError, TypeError, KeyError) as error:
        raise Rejected("fail to parse local rslist(ret=-5006)") from error


def _rs_list(element: dict[str, object]) -> RsList:
    cluster = str(element["ObRegion"])
    real_name = str(element.get("ObRealMetaRegion") or element.get("ObRealClusterName") or cluster)
    items = element["RsList"]
    servers = [_server(item) for item in items if not _is_bare_ipv6(item)] if isinstance(items, list) else []
    return RsList(cluster, real_name, int(str(element["ObRegionId"])), element["Type"] == "PRIMARY", tuple(servers))


def _server(item: dict[str, object]) -> RsServer:
    return RsServer(str(item["address"]).rpartition(":")[0], int(str(item["sql_port"])), str(item["role"]))


def _is_bare_ipv6(item: dict[str, object]) -> bool:
    """As ODP writes it, and seems not to read it back (odp-facts 2.3)."""
    return str(item["address"]).count(":") > 1 and "[" not in str(item["address"])
