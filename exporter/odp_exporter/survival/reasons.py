"""Why a restart would not come back with its clusters, or why nobody can tell: a closed set. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """What stands against a verdict; the `reason` label of odp_restart_unsafe_reason."""

    NO_CONFIGURATION = "no_configuration"
    CLUSTER_NOT_CONFIGURED = "cluster_not_configured"
    OCP_HALF_BROKEN = "ocp_half_broken"
    RS_LIST_FAILS = "rs_list_fails"
    CACHE_SWITCHED_OFF = "cache_switched_off"
    RSLIST_MISSING = "rslist_missing"
    RSLIST_INVALID = "rslist_invalid"
    CLUSTER_NOT_CACHED = "cluster_not_cached"
    CACHE_CUT_SHORT = "cache_cut_short"
    ONLY_IPV6 = "only_ipv6"
    SERVERS_UNREACHABLE = "servers_unreachable"
    NO_ROOT_SERVICES = "no_root_services"

    NOT_LOCAL = "not_local"
    HOST_UNKNOWN = "host_unknown"
    PARAMETERS_UNKNOWN = "parameters_unknown"
    OCP_UNKNOWN = "ocp_unknown"
    RS_LIST_UNKNOWN = "rs_list_unknown"
    CACHE_UNKNOWN = "cache_unknown"
    SERVERS_UNKNOWN = "servers_unknown"

    @property
    def is_ignorance(self) -> bool:
        """It says that something is not known, not that something is wrong."""
        return self in _IGNORANCE


_IGNORANCE = frozenset(
    {
        Reason.NOT_LOCAL,
        Reason.HOST_UNKNOWN,
        Reason.PARAMETERS_UNKNOWN,
        Reason.OCP_UNKNOWN,
        Reason.RS_LIST_UNKNOWN,
        Reason.CACHE_UNKNOWN,
        Reason.SERVERS_UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason for people."""

    sentence: str
    way_out: str


EXPLANATIONS: dict[Reason, Explanation] = {
    Reason.NO_CONFIGURATION: Explanation(
        "a start would find no configuration: neither from OCP nor in the cache, so that every login gets error 4669",
        "mend OCP; until then do not restart this ODP, and keep a copy of its etc/ and .conf/",
    ),
    Reason.CLUSTER_NOT_CONFIGURED: Explanation(
        "the configuration that a start would use does not list the cluster: its logins get error 4669",
        "register the cluster with OCP, or forget it; ODP takes a new configuration within a minute of its start",
    ),
    Reason.OCP_HALF_BROKEN: Explanation(
        "OCP gives a configuration, so that a start does not even look at the cached RS lists "
        "(ignore_local_config=true asks OCP first)",
        "mend OCP's RS lists; or, if the cache is valid, alter proxyconfig set ignore_local_config=false, and take it "
        "out of the start options, which win",
    ),
    Reason.RS_LIST_FAILS: Explanation(
        "OCP does not give the cluster's RS list",
        "mend OCP, or have the cluster report its root services to it again",
    ),
    Reason.CACHE_SWITCHED_OFF: Explanation(
        "the cached RS lists are switched off by enable_get_rslist_remote=true (obproxyd.sh sets it)",
        "alter proxyconfig set enable_get_rslist_remote=false, and take it out of the start options, which win",
    ),
    Reason.RSLIST_MISSING: Explanation(
        "there is no cached RS list, as with an ODP that nobody has logged in to since it was installed",
        "log in to each cluster once while OCP answers; ODP writes the file within a minute",
    ),
    Reason.RSLIST_INVALID: Explanation(
        "ODP would ignore the cached RS lists: it takes no damaged file, and no copy in its place",
        "while OCP answers, log in to a cluster that is new to this ODP, or alter proxyconfig set refresh_rslist=true: "
        "ODP writes the file anew",
    ),
    Reason.CLUSTER_NOT_CACHED: Explanation(
        "the cache has no RS list of the cluster",
        "log in to the cluster once while OCP answers; ODP writes the file within a minute",
    ),
    Reason.CACHE_CUT_SHORT: Explanation(
        "ODP stops reading the cached RS lists at the first cluster that its configuration does not list, and the "
        "cluster comes after that",
        "while OCP answers, alter proxyconfig set refresh_rslist=true: ODP writes the file anew, without the stranger",
    ),
    Reason.ONLY_IPV6: Explanation(
        "the cache knows only IPv6 addresses of the cluster, which ODP writes in a form that it may not read back",
        "rely on OCP for this cluster: see that it answers before a restart",
    ),
    Reason.SERVERS_UNREACHABLE: Explanation(
        "none of the cluster's cached servers can be reached on its SQL port",
        "mend the servers or the network; if the cluster has moved, log in to it once while OCP answers",
    ),
    Reason.NO_ROOT_SERVICES: Explanation(
        "the parameters name neither a config server nor root services: a start would know no cluster",
        "start it with -o obproxy_config_server_url=..., or with -r and -c",
    ),
    Reason.NOT_LOCAL: Explanation(
        "the ODP runs on another host, whose cache and parameters cannot be seen from here",
        "ask the exporter on that host",
    ),
    Reason.HOST_UNKNOWN: Explanation(
        "the host has not been looked at lately",
        "wait for a second; if that does not help, the log of the exporter says more",
    ),
    Reason.PARAMETERS_UNKNOWN: Explanation(
        "its parameters cannot be read",
        "run the exporter as ODP's own user; give the ODP's home if it cannot be found",
    ),
    Reason.OCP_UNKNOWN: Explanation(
        "nobody has lately asked the OCP that its obproxy_config_server_url names",
        "name this OCP under ocp: in the configuration, with the same URL",
    ),
    Reason.RS_LIST_UNKNOWN: Explanation(
        "OCP was not asked for the cluster's RS list",
        "wait for the next round; OCP may be too slow to be asked for all clusters in one",
    ),
    Reason.CACHE_UNKNOWN: Explanation(
        "the cache cannot be read",
        "run the exporter as ODP's own user",
    ),
    Reason.SERVERS_UNKNOWN: Explanation(
        "none of the cluster's cached servers was found to answer, and not all were tried",
        "wait for the next round, or raise servers.max",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason, as it was met."""

    reason: Reason
    detail: str = ""
    """What exactly was seen, for a person; no secret, one line."""
    cluster: str | None = None
    """The OceanBase cluster that it concerns; None for all."""


Findings = tuple[Finding, ...]


def judged(findings: Iterable[Finding]) -> bool | None:
    """True without a finding; False if any is wrong; None, cannot know, if the rest is ignorance."""
    reasons = [finding.reason for finding in findings]
    if not reasons:
        return True
    return None if all(reason.is_ignorance for reason in reasons) else False
