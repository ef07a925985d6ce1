"""What is probed: ODPs, the pools that they form behind a load balancer, and OCPs.

Values only. They come from the configuration (config.py), from target files
or from discovery (procfs/); nothing here looks at the network.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, model_validator
from pydantic.dataclasses import dataclass

from .settings import (
    STRICT,
    AbsolutePath,
    Count,
    HttpUrl,
    Interval,
    PositiveCount,
    parse_http_url,
    parse_port,
    quoted,
    refuse_impossible_labels,
)

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
_IP = re.compile(r"[0-9A-Za-z:.%_-]{1,64}")
_LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
RESERVED_LABELS = frozenset(
    {
        "action",
        "address",
        "alertmanager",
        "alertname",
        "cause",
        "endpoint",
        "file",
        "instance",
        "job",
        "kind",
        "lb",
        "le",
        "module",
        "name",
        "ob_cluster",
        "ocp",
        "odp",
        "outcome",
        "phase",
        "pool",
        "probe",
        "python_version",
        "reason",
        "remediation",
        "result",
        "severity",
        "state",
        "target",
        "version",
    }
)
"""Label names that the metrics and alerts give a meaning of their own."""


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a TCP server listens: an IP address or a host name, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(value: object) -> Address:
    """`192.0.2.11:2883`, `odp-1.example:2883` or `[2001:db8::1]:2883`."""
    if isinstance(value, Address):
        return value
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    canonical = _canonical_host(host)
    if canonical is None:
        message = f"not an address: {quoted(value)} (try '192.0.2.11:2883' or '[2001:db8::1]:2883')"
        raise ValueError(message)
    refuse_impossible_labels(canonical, str(value))
    return Address(canonical, parse_port(port))


def parse_probed_address(value: object) -> Address:
    """An address at which one server can be asked."""
    address = parse_address(value)
    try:
        ip = ipaddress.ip_address(address.host)
    except ValueError:
        return address
    if ip.is_unspecified or ip.is_multicast:
        message = f"no address of one server: {quoted(str(address))} (name the one to ask, for example '127.0.0.1')"
        raise ValueError(message)
    return address


def _canonical_host(host: str) -> str | None:
    """One spelling for each host, so that equal addresses are equal; None for what is no host."""
    if host.startswith("[") and host.endswith("]"):
        return _canonical_ip(host[1:-1], ipaddress.IPv6Address)
    # The resolver takes '12' for 0.0.0.12, and '12:30' is more likely a time of day.
    if host.rpartition(".")[2].isdigit():
        return _canonical_ip(host, ipaddress.IPv4Address)
    return host.lower() if _HOST.fullmatch(host) else None


def _canonical_ip(host: str, kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> str | None:
    if not _IP.fullmatch(host):
        return None
    try:
        return str(kind(host))
    except ValueError:
        return None


def parse_name(value: object) -> str:
    """A name that can stand in a metric label, an alert and a URL."""
    if isinstance(value, str) and 0 < len(value) <= 128 and value.isprintable() and value == value.strip():  # noqa: PLR2004 - see the message
        return value
    message = f"not a name: {quoted(value)} (1 to 128 printable characters, no blanks at the ends)"
    raise ValueError(message)


def parse_label_name(value: object) -> str:
    """A label that a target may get; those with a meaning of their own are refused."""
    if not isinstance(value, str) or not _LABEL_NAME.fullmatch(value):
        message = f"not a label name: {quoted(value)} (letters, digits and _, not starting with a digit or __)"
        raise ValueError(message)
    if value in RESERVED_LABELS:
        message = f"reserved label name: {quoted(value)} (choose another, for example 'x_{value}')"
        raise ValueError(message)
    return value


def parse_ocp_url(value: object) -> str:
    """An http URL with a `?`, for ODP glues `&VersionOnly=true` to it (odp-facts 1.1)."""
    url = parse_http_url(value)
    if "?" not in url:
        message = "has no '?', and ODP appends '&VersionOnly=true' to it (try '...?Action=GetObProxyConfig')"
        raise ValueError(message)
    return url


AddressField = Annotated[Address, BeforeValidator(parse_probed_address)]
Name = Annotated[str, BeforeValidator(parse_name)]
OcpUrl = Annotated[str, PlainValidator(parse_ocp_url)]
Labels = Mapping[Annotated[str, BeforeValidator(parse_label_name)], str]


@dataclass(frozen=True, slots=True)
class TargetPattern:
    """One address, or one port of every IP address in a network."""

    port: int
    host: str = ""
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    """Given in place of a host; it holds no host name, for nobody's DNS shall decide."""

    def matches(self, address: Address) -> bool:
        """*address* is one of those meant."""
        if address.port != self.port or self.network is None:
            return address == Address(self.host, self.port)
        try:
            return ipaddress.ip_address(address.host) in self.network
        except ValueError:
            return False

    def __str__(self) -> str:
        return str(Address(str(self.network or self.host), self.port))


def parse_target_pattern(value: object) -> TargetPattern:
    """An address, `192.0.2.0/24:2883` or `[2001:db8::/64]:2883`."""
    if isinstance(value, TargetPattern):
        return value
    if not isinstance(value, str) or "/" not in value:
        address = parse_address(value)
        return TargetPattern(address.port, address.host)
    host, _, port = value.rpartition(":")
    in_brackets = host.startswith("[") and host.endswith("]")
    try:
        network = ipaddress.IPv6Network(host[1:-1]) if in_brackets else ipaddress.IPv4Network(host)
    except ValueError as error:
        message = f"not a network and a port: {quoted(value)} (try '192.0.2.0/24:2883' or '[2001:db8::/64]:2883')"
        raise ValueError(message) from error
    return TargetPattern(parse_port(port), network=network)


PatternField = Annotated[TargetPattern, BeforeValidator(parse_target_pattern)]


@dataclass(frozen=True, slots=True, config=STRICT)
class Target:
    """One ODP."""

    name: Name
    """The value of the `odp` label; the address when the file gives none."""
    address: AddressField
    """Where its SQL port is probed."""
    home: AbsolutePath | None = None
    """ODP's work directory, with etc/ and log/; found from the process when absent."""
    pool: Name | None = None
    """The pool behind whose load balancer it serves."""
    labels: Labels = field(default_factory=dict)
    """Labels that the configuration adds to what is said of this ODP."""

    @model_validator(mode="before")
    @classmethod
    def _name_from_address(cls, given: Any) -> Any:  # noqa: ANN401 - pydantic's own signature
        if isinstance(given, dict) and "name" not in given and isinstance(given.get("address"), str):
            return {**given, "name": given["address"]}
        return given


@dataclass(frozen=True, slots=True, config=STRICT)
class Pool:
    """ODPs that stand behind one load balancer address."""

    name: Name
    """The value of the `pool` label."""
    vip: AddressField | None = None
    """The load balancer's address, probed as applications reach it."""
    lb: Name | None = None
    """The load balancer that the remediator steers for this pool."""
    min_serving: Count = 1
    """The remediator never lets fewer members than this serve."""
    max_concurrent: PositiveCount = 1
    """The remediator repairs at most this many members at a time."""


@dataclass(frozen=True, slots=True, config=STRICT)
class Ocp:
    """One OCP (or ob-configserver), as ODP reaches it."""

    name: Name
    """The value of the `ocp` label."""
    url: OcpUrl
    """ODP's obproxy_config_server_url: the GetObProxyConfig address, with its `?`."""
    interval: Interval = timedelta(minutes=1)
    """How often all its endpoints are asked; ODP itself asks every 30 to 60 s."""
    http_proxy: HttpUrl | None = None
    """The HTTP proxy that ODP's environment names; the exporter's own environment never counts."""
