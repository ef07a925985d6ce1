"""Brings OCPs and caches into the states that scenarios.py names."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from odp_exporter.cache import container

from .fleet import Endpoint, Failure, Ocp
from .odp.cache_files import CONFIG_SERVER, RSLIST, rslist_payload
from .odp.replies import RsList, RsServer
from .scenarios import CacheState, OcpState, Scenario

_FOLDERS = ("etc", ".conf")

_BREAKAGES: Mapping[OcpState, Mapping[Endpoint, Failure]] = {
    OcpState.CONFIG_FAILS: {Endpoint.VERSION: Failure.STATUS, Endpoint.CONFIG: Failure.STATUS},
    OcpState.RS_LISTS_FAIL: {Endpoint.RS_LIST: Failure.STATUS},
    OcpState.BOTH_FAIL: dict.fromkeys(Endpoint, Failure.STATUS),
    OcpState.VERSION_FAILS: {Endpoint.VERSION: Failure.STATUS},
    OcpState.VERSION_SAYS_500: {Endpoint.VERSION: Failure.CODE},
    OcpState.SILENT: dict.fromkeys(Endpoint, Failure.BLACKHOLE),
    OcpState.HTML: dict.fromkeys(Endpoint, Failure.HTML),
    OcpState.NO_CLUSTERS: {Endpoint.CONFIG: Failure.NO_CLUSTERS, Endpoint.VERSION: Failure.FLAPPING_VERSION},
}


async def spoil(ocp: Ocp, state: OcpState, clusters: Mapping[str, list[str]]) -> None:
    """Bring a healthy *ocp* that knows these *clusters* into that *state*."""
    for endpoint, failure in _BREAKAGES.get(state, {}).items():
        await ocp.break_(endpoint, failure)
    if state is OcpState.REFUSES:
        await ocp.refuse()
    if state is OcpState.DROPPED:
        await ocp.set_clusters({name: servers for name, servers in clusters.items() if name != "ob1"})


def stage(home: Path, scenario: Scenario, living: str, dead: str) -> None:
    """Leave in *home* what the cache is to hold; *living* and *dead* are servers, `ip:port`."""
    payload = rslist_payload(_lists(scenario.cache, living, dead), names_real_cluster=scenario.release >= "4.2.1")
    content = container.encode(payload)
    for folder in _FOLDERS:
        (home / folder / RSLIST).write_bytes(content)
    if damage := _DAMAGES.get(scenario.cache):
        damage(home)


def _lists(state: CacheState, living: str, dead: str) -> list[RsList]:
    one = {
        CacheState.STALE: [dead],
        CacheState.PARTLY_STALE: [dead, living],
        CacheState.IPV6: ["::1:2881"],
    }.get(state, [living])
    lists = [_list("ob1", one, is_primary=state is not CacheState.STANDBY), _list("ob2", [living])]
    match state:
        case CacheState.RSLIST_EMPTY:
            return []
        case CacheState.INCOMPLETE:
            return lists[:1]
        case CacheState.STRANGER_FIRST:
            return [_list("stranger", [living]), *lists]
        case CacheState.STRANGER_LAST:
            return [*lists, _list("stranger", [living])]
        case _:
            return lists


def _list(cluster: str, addresses: list[str], *, is_primary: bool = True) -> RsList:
    servers = tuple(RsServer(ip, int(port), "LEADER") for ip, _, port in (it.rpartition(":") for it in addresses))
    return RsList(cluster, cluster, 1, is_primary, servers)


def _remove(*names: str) -> Callable[[Path], None]:
    def damage(home: Path) -> None:
        for name in names:
            for folder in _FOLDERS:
                for path in (home / folder).glob(f"{name}*"):
                    path.unlink()

    return damage


def _corrupt(name: str) -> Callable[[Path], None]:
    def damage(home: Path) -> None:
        for folder in _FOLDERS:
            path = home / folder / name
            content = path.read_bytes()
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    return damage


def _empty_etc(home: Path) -> None:
    for name in (RSLIST, CONFIG_SERVER):
        (home / "etc" / name).unlink()


def _keep_old(home: Path) -> None:
    for name in (RSLIST, CONFIG_SERVER):
        for folder in _FOLDERS:
            path = home / folder / name
            path.rename(path.with_name(f"{name}.old"))


def _corrupt_beside_old(home: Path) -> None:
    for folder in _FOLDERS:
        path = home / folder / RSLIST
        shutil.copy(path, path.with_name(f"{RSLIST}.old"))
    _corrupt(RSLIST)(home)


_DAMAGES: Mapping[CacheState, Callable[[Path], None]] = {
    CacheState.NONE: _remove(RSLIST, CONFIG_SERVER),
    CacheState.RSLIST_MISSING: _remove(RSLIST),
    CacheState.RSLIST_CORRUPT: _corrupt(RSLIST),
    CacheState.CONFIG_MISSING: _remove(CONFIG_SERVER),
    CacheState.CONFIG_CORRUPT: _corrupt(CONFIG_SERVER),
    CacheState.ONLY_CONF: _empty_etc,
    CacheState.ONLY_OLD: _keep_old,
    CacheState.CORRUPT_BESIDE_OLD: _corrupt_beside_old,
    CacheState.PARAMETERS_LOST: _remove("proxyconfig_v1.db", "obproxy_config.bin"),
}
