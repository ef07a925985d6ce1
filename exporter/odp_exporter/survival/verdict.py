"""The two verdicts on one ODP, and on each cluster behind it. Pure.

*Restart safe*: a restart now would come back with the ODP's clusters. These
are the ones whose RS lists it has cached, for it can lose no others; without
a cache that tells, all that its configuration would list. Whether it serves
at present changes nothing about that. *Survives an outage of OCP*: every
cluster that OCP knows would stay usable with OCP gone, a restart included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from odp_exporter.observations import (
    CacheFileObservation,
    CacheObservation,
    ClusterServers,
    HostObservation,
    OcpObservation,
    Parameters,
    Server,
)

from .reasons import Finding, Findings, Reason, judged
from .start import GONE, NOT_ASKED, Answers, Cached, Setting, Start, answers, start

_SINCE_SQLITE = (4, 3)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one ODP, none of it too old to count."""

    host: HostObservation | None = None
    cache: CacheObservation | None = None
    ocp: OcpObservation | None = None
    """Of the OCP that it asks."""
    reachable: Mapping[Server, bool] | None = None
    """Of cached servers, whether they answer; None where they are not to be probed."""


class CacheContent(NamedTuple):
    """What was read from the cache, whenever that was."""

    files: tuple[CacheFileObservation, ...]
    clusters: tuple[ClusterServers, ...]
    config_clusters: tuple[str, ...]

    @classmethod
    def of(cls, cache: CacheObservation) -> CacheContent:
        """What this look at the *cache* has found."""
        return cls(cache.files, cache.clusters, cache.config_clusters)


class Premises(NamedTuple):
    """All that verdicts rest on; as long as it stays equal, so do they."""

    is_local: bool | None
    """None where the host is not known."""
    parameters: Parameters | None
    release: str | None
    cache: CacheContent | None
    given: Answers
    reachable: Mapping[Server, bool] | None


@dataclass(frozen=True, slots=True)
class ClusterVerdict:
    """What would become of one cluster behind the ODP."""

    cluster: str
    restart: Findings
    """What stands against its logins after a restart now."""
    outage: Findings
    """What stands against them with OCP gone."""
    is_at_stake: bool
    """The ODP's own verdict rests on it: a restart could lose it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a restart, and an outage of OCP, would do to one ODP."""

    restart: Findings
    outage: Findings
    clusters: tuple[ClusterVerdict, ...] = ()

    @property
    def restart_safe(self) -> bool | None:
        """A restart now would come back with its clusters; None: cannot know, which is no reason to dare it."""
        return judged(self.restart)

    @property
    def survives_ocp_outage(self) -> bool | None:
        """Every cluster OCP knows would stay usable with OCP gone, restart included."""
        return judged(self.outage)


def judge(evidence: Evidence) -> Verdict:
    """Weigh what is known."""
    return weigh(premises(evidence, answers(evidence.ocp) if evidence.ocp else NOT_ASKED))


def premises(evidence: Evidence, given: Answers) -> Premises:
    """What of the *evidence* has a bearing on verdicts; *given* is what its OCP answers."""
    host, cache = evidence.host, evidence.cache
    return Premises(
        host.is_local if host else None,
        host.parameters if host else None,
        host.version if host else None,
        CacheContent.of(cache) if cache else None,
        given,
        evidence.reachable,
    )


def weigh(it: Premises) -> Verdict:
    """What follows from the premises."""
    if it.is_local is None:
        return _ignorant(Finding(Reason.HOST_UNKNOWN))
    if not it.is_local:
        return _ignorant(Finding(Reason.NOT_LOCAL))
    url = config_server_url(it.parameters)
    if it.parameters is None or url is None:
        return _ignorant(Finding(Reason.PARAMETERS_UNKNOWN))
    if not url:
        return _without_ocp(it.parameters)
    return _agreed([_weigh(setting, it) for setting in _settings(it.parameters, it.release)])


def config_server_url(parameters: Parameters | None) -> str | None:
    """The OCP that an ODP asks, without a password; empty for none, None where that is not known."""
    return parameters.values.get("obproxy_config_server_url") if parameters else None


def _settings(parameters: Parameters, release: str | None) -> list[Setting]:
    """The setting, or all that it may be."""
    ignoring, loading, remote = (
        (True, False) if known is None else (known,)
        for known in (
            parameters.flag("ignore_local_config"),
            _loads_parameters(parameters, release),
            parameters.flag("enable_get_rslist_remote"),
        )
    )
    firsts = {not ignores and loads for ignores, loads in product(ignoring, loading)}
    return [Setting(is_cache_first=first, is_cache_off=off) for first, off in product(sorted(firsts), remote)]


def _loads_parameters(parameters: Parameters, release: str | None) -> bool | None:
    """A start finds parameters to load, without which ODP does not heed ignore_local_config=false.

    From 4.3 a new database will do; before that, obproxy_config.bin must be there (odp-facts 3.1).
    """
    if parameters.is_stored or (release and _number(release) >= _SINCE_SQLITE):
        return True
    return parameters.is_stored if release else None


def _number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdigit())


def _agreed(verdicts: list[Verdict]) -> Verdict:
    """The one verdict, or the one that all settings come to; else the parameters are what is not known."""
    first = verdicts[0]
    ignorance = (Finding(Reason.PARAMETERS_UNKNOWN),)
    return Verdict(
        first.restart if len({it.restart_safe for it in verdicts}) == 1 else ignorance,
        first.outage if len({it.survives_ocp_outage for it in verdicts}) == 1 else ignorance,
        first.clusters if len(verdicts) == 1 else (),
    )


def _weigh(setting: Setting, it: Premises) -> Verdict:
    cache, given = it.cache, it.given
    now = start(setting, given, cache, it.reachable)
    gone = start(setting, GONE, cache, it.reachable)
    at_stake = _at_stake(now, cache)
    known = given.clusters if given.configuration else gone.clusters
    cached = (entry.cluster for entry in (cache.clusters if cache else ()))
    names = dict.fromkeys((*known, *now.clusters, *cached))
    clusters = tuple(ClusterVerdict(name, now.usable(name), gone.usable(name), name in at_stake) for name in names)
    return Verdict(
        now.without or _all(each.restart for each in clusters if each.is_at_stake),
        gone.without or _all(each.outage for each in clusters if each.cluster in known),
        clusters,
    )


def _at_stake(now: Start, cache: Cached | None) -> frozenset[str]:
    listed = frozenset(now.clusters)
    held = frozenset(entry.cluster for entry in (cache.clusters if cache else ()))
    return listed & held or listed


def _all(findings: Iterable[Findings]) -> Findings:
    return tuple(finding for one in findings for finding in one)


def _without_ocp(parameters: Parameters) -> Verdict:
    """No config server URL: rootservice_list is all there is, and the cache is not used (odp-facts 3.1)."""
    has_servers = bool(parameters.values.get("rootservice_list"))
    findings = () if has_servers else (Finding(Reason.NO_ROOT_SERVICES),)
    return Verdict(findings, findings)


def _ignorant(finding: Finding) -> Verdict:
    return Verdict((finding,), (finding,))
