"""Which ODPs this host runs: from processes and listening sockets to targets.

Pure: nothing is probed to find out what it is. An ODP listens on up to three
ports; which one speaks SQL is told by its command line and stored parameters,
or else by what the others are. A process that holds the listening socket owns
the port. One that only says so in its parameters claims it: a duplicate that
could not bind, a start in progress, or a process whose descriptors are closed
to this user.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from odp_exporter.observations import Process
from odp_exporter.settings import parse_http_url
from odp_exporter.targets import Address, Ocp

from . import parameters
from .processes import Environment
from .sockets import Listener
from .survey import Candidate

SQL_BACKLOG = 1024
"""What ODP itself asks of listen(); its Prometheus library asks for 4096 (odp-facts 4.1)."""

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to reach what is bound to every address."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_IPV6_ONLY = "2"
"""ip_listen_mode (odp-facts 3.2)."""


@dataclass(frozen=True, slots=True)
class Known:
    """A candidate, its stored parameters, and the listening sockets that it holds."""

    candidate: Candidate
    stored: Mapping[str, str] | None = field(default=None, repr=False)
    """None where they could not be read."""
    held: tuple[Listener, ...] = ()

    @property
    def process(self) -> Process:
        """The process itself."""
        return self.candidate.process

    @property
    def claimed_port(self) -> int | None:
        """The SQL port that its parameters name; a default is no claim."""
        return self.port("listen_port")

    @property
    def bound_host(self) -> str:
        """The address that it binds, or will (odp-facts 3.2)."""
        if self.said("ip_listen_mode") == _IPV6_ONLY:
            return self.said("local_bound_ipv6_ip") or "::"
        return self.said("local_bound_ip") or "0.0.0.0"

    def said(self, name: str) -> str | None:
        """The value on the command line, or else the stored one; never a default."""
        return self.candidate.options.get(name) or (self.stored or {}).get(name)

    def port(self, name: str) -> int | None:
        """A port that was said."""
        return parameters.port(self.said(name))

    def owns(self, through: Collection[Listener]) -> bool:
        """It holds one of these sockets; their queues may have changed since."""
        inodes = {listener.inode for listener in through}
        return any(listener.inode in inodes for listener in self.held)

    def claims(self, port: int, ips: Collection[str]) -> bool:
        """It says that it listens on *port* of one of *ips*, and holds no socket of that port elsewhere."""
        return self.claimed_port == port and not self.holds(port) and self.bound_host in {*ips, *_LOOPBACK}

    def holds(self, port: int) -> bool:
        """It holds a listening socket of this port."""
        return any(listener.address.port == port for listener in self.held)


@dataclass(frozen=True, slots=True)
class FoundOdp:
    """One ODP: every process that owns or claims one SQL port."""

    address: Address
    """Where to probe it: the address it is bound to, or loopback if it is bound to all."""
    processes: tuple[Process, ...]
    """Owners and claimants, oldest first."""
    home: Path | None
    prometheus_port: int | None = None
    rpc_port: int | None = None
    ocp_url: str | None = field(default=None, repr=False)
    environment: Environment | None = None
    unseen: tuple[str, ...] = ()
    """What had to be assumed, and why."""


def find(known: Iterable[Known], listeners: Collection[Listener]) -> tuple[tuple[FoundOdp, ...], tuple[str, ...]]:
    """The ODPs that *known* processes form, one per SQL address, and why others could not be placed."""
    members: dict[Address, list[Known]] = {}
    unseen: dict[Address | None, list[str]] = {}
    for one in known:
        address, reason = _sql_address(one, listeners)
        if reason:
            # A pid only where nothing else tells which one is meant: what is said should not change by itself.
            unseen.setdefault(address, []).append(reason if address else f"pid {one.process.identity.pid}: {reason}")
        if address:
            members.setdefault(address, []).append(one)
    found = (_found(address, members[address], unseen.get(address, ())) for address in sorted(members))
    return tuple(found), tuple(unseen.get(None, ()))


def listening_on(port: int, ips: Collection[str], listeners: Iterable[Listener]) -> tuple[Listener, ...]:
    """The sockets that take connections to *port* of one of *ips*."""
    hosts = {*ips, "::", *("0.0.0.0" for ip in ips if ":" not in ip)}
    return tuple(each for each in listeners if each.address.port == port and each.address.host in hosts)


def serving(members: Sequence[Known], port: int) -> Known | None:
    """Who answers on *port*: its newest owner (a hot restart has two), or else its newest claimant."""
    candidates = [one for one in members if one.holds(port)] or [*members]
    return candidates[-1] if candidates else None


def ocps(found: Iterable[FoundOdp]) -> tuple[tuple[Ocp, ...], tuple[str, ...]]:
    """The OCPs that these ODPs ask, each once and named `host:port`, and what could not be taken for one."""
    by_url = {odp.ocp_url: odp for odp in found if odp.ocp_url}
    targets: dict[str, Ocp] = {}
    refused = []
    for url, odp in sorted(by_url.items()):
        try:
            ocp = Ocp(name=str(_server(url)), url=url, http_proxy=_http_proxy(url, odp.environment))
        except ValueError:
            # The error would quote the URL, and with it whatever stands in it.
            refused.append(f"{odp.address}: its obproxy_config_server_url is no http URL with a '?'")
            continue
        if targets.setdefault(ocp.name, ocp) is not ocp:
            refused.append(f"{odp.address}: asks {ocp.name} by another URL, which needs a name in the configuration")
    return tuple(targets.values()), tuple(refused)


def _server(url: str) -> Address:
    parts = urlsplit(url)
    return Address(parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0))


def _http_proxy(url: str, environment: Environment | None) -> str | None:
    """The proxy that ODP's libcurl would use for *url* (odp-facts 1.2); of a kind that we cannot use, none."""
    if not environment or _is_exempt(urlsplit(url).hostname or "", environment.no_proxy or ""):
        return None
    proxy = environment.https_proxy if urlsplit(url).scheme == "https" else environment.http_proxy
    try:
        return parse_http_url(proxy if "://" in proxy else f"http://{proxy}") if proxy else None
    except ValueError:
        return None


def _is_exempt(host: str, no_proxy: str) -> bool:
    """As libcurl reads it: a name stands for itself and all below it, `*` for everything."""
    names = [name.lower().lstrip(".") for name in no_proxy.replace(",", " ").split()]
    return any(name in {"*", host} or host.endswith(f".{name}") for name in names if name)


def _found(address: Address, members: Sequence[Known], unseen: Iterable[str]) -> FoundOdp:
    chief = serving(members, address.port) or members[-1]
    return FoundOdp(
        address=address,
        processes=tuple(one.process for one in members),
        home=chief.process.home,
        prometheus_port=_side_port(chief, "prometheus_listen_port"),
        rpc_port=_side_port(chief, "rpc_listen_port"),
        ocp_url=chief.said(parameters.CONFIG_SERVER_URL),
        environment=chief.candidate.environment,
        unseen=tuple(dict.fromkeys(unseen)),
    )


def _side_port(one: Known, name: str) -> int | None:
    port = one.port(name) or parameters.port(parameters.DEFAULTS[name])
    return port if port and one.holds(port) else None


def _sql_address(one: Known, listeners: Iterable[Listener]) -> tuple[Address | None, str]:
    """Where its SQL port is to be probed, and what had to be assumed for that."""
    port, doubt = _sql_port(one)
    if port is not None:
        return _reached(port, one.held), doubt
    claimed, is_closed = one.claimed_port, one.candidate.sockets is None
    if claimed is None:
        return None, "its sockets are closed to this user, and it names no port" if is_closed else ""
    doubt = f"its sockets are closed to this user; port {claimed} is what its parameters say" if is_closed else ""
    bound = Address(_LOOPBACK.get(one.bound_host, one.bound_host), claimed)
    return _reached(claimed, listeners) or bound, doubt


def _sql_port(one: Known) -> tuple[int | None, str]:
    """Which of the ports that it holds speaks SQL, and what had to be assumed for that."""
    ports = {listener.address.port for listener in one.held}
    if one.claimed_port in ports:
        return one.claimed_port, ""
    left = ports - {_side_port(one, "prometheus_listen_port"), _side_port(one, "rpc_listen_port")}
    if len(left) > 1:
        backlogs = {listener.address.port: listener.backlog for listener in one.held}
        left = {port for port in left if backlogs[port] == SQL_BACKLOG} or left
    doubt = f"which of its ports {sorted(left)} speaks SQL is not known; took the lowest" if len(left) > 1 else ""
    return min(left, default=None), doubt


def _reached(port: int, listeners: Iterable[Listener]) -> Address | None:
    """The address to probe for *port*: IPv4 where there is a choice."""
    hosts = [listener.address.host for listener in listeners if listener.address.port == port]
    if not hosts:
        return None
    host = min(hosts, key=lambda host: (":" in host, host))
    return Address(_LOOPBACK.get(host, host), port)
