"""One element of a root service list, as OCP sends it (odp-facts 1.6) and as ODP writes it (2.3).

Both go through the same code of ODP, so both are judged here: what fails the
whole list is an error, what ODP skips without a word is left out. Pure.

    RootServiceError   ODP would refuse the whole list
    `-- WrongRole      a server is neither LEADER nor FOLLOWER
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from .observations import Server
from .odp_json import Json
from .settings import quoted

META_DATABASE = "MetaDataBase"
"""The pseudo cluster under which ODP keeps the servers of OCP's meta database; never a known cluster."""

MAX_NAME = 128
"""Characters in the name of a cluster; OceanBase takes no longer one."""

_NAMES = ("ObRegion", "ObCluster")
_IDS = ("ObRegionId", "ObClusterId")
_MAX_PORT = 65535


class RootServiceError(ValueError):
    """ODP would refuse the whole list; the message says why."""


class WrongRole(RootServiceError):
    """A server's role is neither LEADER nor FOLLOWER."""


@dataclass(frozen=True, slots=True)
class RootServices:
    """The servers of one cluster id."""

    name: str
    alias: str
    """`ObClusterAlias`: another name that clients may log in with; empty when there is none."""
    cluster_id: int | None
    servers: frozenset[Server]
    """May be empty, which is no error to ODP: it keeps the list that it had."""
    is_primary: bool = True


def parse(element: Json, *, bare_ipv6: bool) -> RootServices:
    """Judge one *element*; *bare_ipv6* takes IPv6 addresses without brackets, as ODP itself writes them."""
    if not isinstance(element, dict):
        raise RootServiceError("an element of the list is not an object")
    role = _text(element, ("Type",)) or "PRIMARY"
    if role.upper() not in {"PRIMARY", "STANDBY"}:
        message = f"Type is {quoted(role)}, not PRIMARY or STANDBY"
        raise RootServiceError(message)
    name = _text(element, _NAMES)
    if len(name) > MAX_NAME:
        raise RootServiceError(too_long(name))
    servers = set(_servers(element.get("RsList"), bare_ipv6=bare_ipv6))
    if "ReadonlyRsList" in element:
        servers |= set(_servers(element["ReadonlyRsList"], bare_ipv6=bare_ipv6))
    return RootServices(
        name=name,
        alias=_text(element, ("ObClusterAlias",)),
        cluster_id=_number(element, _IDS),
        servers=frozenset(servers),
        is_primary=role.upper() == "PRIMARY",
    )


def too_long(name: str) -> str:
    """What is wrong with this *name*."""
    return f"the name of a cluster has {len(name)} characters, more than {MAX_NAME}: {quoted(name)}"


def _text(element: dict[str, Json], keys: Collection[str]) -> str:
    """The last of the values that stand under *keys*, as ODP takes it; empty if there is none."""
    found = ""
    for key, value in element.items():
        if key not in keys:
            continue
        if not isinstance(value, str):
            message = f"{key} is not a string"
            raise RootServiceError(message)
        found = value
    return found


def _number(element: dict[str, Json], keys: Collection[str]) -> int | None:
    """As `_text`, for whole numbers; None if there is none."""
    found = None
    for key, value in element.items():
        if key not in keys:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            message = f"{key} is not a number"
            raise RootServiceError(message)
        found = value
    return found


def _servers(items: Json, *, bare_ipv6: bool) -> Iterator[Server]:
    if not isinstance(items, list):
        raise RootServiceError("the list of servers is absent or not an array")
    for item in items:
        if not isinstance(item, dict):
            raise RootServiceError("a server is not an object")
        address = _text(item, ("address",))
        role = _text(item, ("role",))
        port = _number(item, ("sql_port",))
        if not address:
            raise RootServiceError("a server has no address")
        ip = _ip(address, bare_ipv6=bare_ipv6)
        if ip is None:
            continue
        if role.upper() not in {"LEADER", "FOLLOWER"}:
            message = f"a server's role is {quoted(role)}, not LEADER or FOLLOWER"
            raise WrongRole(message)
        if port is not None and 0 < port <= _MAX_PORT:
            yield Server(ip, port)


def _ip(address: str, *, bare_ipv6: bool) -> str | None:
    """The IP of `ip:port` in its shortest form; None for what ODP cannot parse, host names above all."""
    host, colon, port = address.rpartition(":")
    if not colon or not re.fullmatch("[0-9]*", port):
        return None
    if host.startswith("[") and host.endswith("]"):
        return _ipv6(host[1:-1])
    if bare_ipv6 and ":" in host:
        return _ipv6(host)
    try:
        ipv4 = IPv4Address(host)
    except AddressValueError:
        return None
    return None if ipv4.is_unspecified else str(ipv4)


def _ipv6(host: str) -> str | None:
    try:
        ipv6 = IPv6Address(host)
    except AddressValueError:
        return None
    return None if ipv6.is_unspecified or ipv6.scope_id else str(ipv6)
