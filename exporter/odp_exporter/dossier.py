"""The page that `odp-exporter inspect` prints of one ODP: all that is seen, what it means, what to do. Pure.

It shows no URL, no argument list and no parameter but the two that matter here,
so that it can be pasted into a ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from .exposition.tables.greeting import present_state
from .exposition.tables.row import Moment
from .exposition.tables.survival import Appraisal
from .health import State
from .observations import (
    CacheObservation,
    Cause,
    ClusterServers,
    Endpoint,
    GreetingObservation,
    HostObservation,
    OcpObservation,
    OcpResult,
    Phase,
)
from .store import OdpRecord
from .survival import comparison
from .survival.reasons import EXPLANATIONS, Finding, Findings, Reason, judged

MAX_NAMES = 5
"""Clusters that a reason names; the table has them all."""
_COLOURS = {True: "32", False: "31", None: "33"}
_RESTART = {
    True: "SAFE, it would come back with its clusters",
    False: "UNSAFE, it would lose a cluster",
    None: "CANNOT KNOW, so do not dare it",
}
_OUTAGE = {
    True: "SURVIVED, a restart included",
    False: "NOT SURVIVED by every cluster",
    None: "CANNOT KNOW",
}
Paint = Callable[[str, bool | None], str]


class Grade(IntEnum):
    """The exit status of `inspect`."""

    GOOD = 0
    """It serves, its OCP is well, it may be restarted, and it would live through an outage of OCP."""
    DEGRADED = 1
    """It serves, and one of the others is not so; or its state is not clear."""
    BAD = 2
    """It does not serve, or its memory is frozen."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """One ODP at one moment."""

    odp: OdpRecord
    appraisal: Appraisal
    moment: Moment
    restarts: Mapping[Cause, int] | str
    """Restarts by cause as the exporter has counted them, or why they are not known."""

    @property
    def state(self) -> State:
        """Of the ODP, as of now."""
        return present_state(self.odp, self.moment)

    @property
    def grade(self) -> Grade:
        """How it stands with this ODP."""
        host, verdict = self.appraisal.evidence.host, self.appraisal.verdict
        if self.state in {State.HUNG, State.DOWN} or (host and host.is_memory_frozen):
            return Grade.BAD
        ocp = self.appraisal.evidence.ocp
        is_well_served = ocp is None or all(it.result is OcpResult.OK for it in ocp.endpoints)
        is_good = (
            self.state is State.SERVING and is_well_served and verdict.restart_safe and verdict.survives_ocp_outage
        )
        return Grade.GOOD if is_good else Grade.DEGRADED


def page(dossier: Dossier, *, is_coloured: bool = False) -> str:
    """The whole page of one ODP."""
    evidence, verdict = dossier.appraisal.evidence, dossier.appraisal.verdict
    paint = _painted if is_coloured else _plain
    target = dossier.odp.target
    lines = [
        f"{target.name}" + (f" ({target.address})" if str(target.address) != target.name else ""),
        *_summary(dossier, paint),
        *_ocp(evidence.ocp),
        *_cache(evidence.cache, evidence.host),
        *_clusters(dossier),
        *_verdict("restart now", _RESTART, verdict.restart, paint),
        *_verdict("outage of OCP", _OUTAGE, verdict.outage, paint),
        *_unseen(evidence.host),
    ]
    return "".join(f"{line}\n" for line in lines)


def _plain(text: str, _: bool | None) -> str:  # noqa: FBT001 - the verdict that gives the colour
    return text


def _painted(text: str, verdict: bool | None) -> str:  # noqa: FBT001 - as above
    return f"\x1b[{_COLOURS[verdict]}m{text}\x1b[0m"


def _summary(dossier: Dossier, paint: Paint) -> Iterable[str]:
    host, state = dossier.appraisal.evidence.host, dossier.state
    yield _field("state", paint(state, {State.SERVING: True, State.HUNG: False, State.DOWN: False}.get(state)))
    yield _field("greeting", _greeting(dossier.odp.probes.latest))
    if host is None or not host.is_local:
        return
    for line in _processes(host) or ["none"]:
        yield _field("process", line)
    yield _field("restarts", _restarts(dossier.restarts))
    yield _field("watchdogs", ", ".join(sorted(host.watchdogs)) or "none: nobody starts it when it is dead")
    yield _field("parameters", _parameters(host))


def _field(name: str, text: str) -> str:
    return f"  {name:<11} {text}"


def _greeting(greeting: GreetingObservation | None) -> str:
    if greeting is None:
        return "not asked"
    seconds = [f"{phase} {greeting.durations[phase] * 1000:.1f} ms" for phase in Phase if phase in greeting.durations]
    version = f"server version {greeting.server_version}" if greeting.server_version else ""
    return ", ".join(filter(None, (greeting.result, greeting.detail, version, *seconds)))


def _processes(host: HostObservation) -> list[str]:
    marks = {
        "told to stop": host.is_told_to_stop,
        "hot restart under way": host.is_hot_restarting,
        "memory frozen": host.is_memory_frozen,
    }
    noted = [text for text, is_so in marks.items() if is_so]
    release = [f"release {host.version}"] if host.version else []
    return [
        ", ".join([f"pid {it.identity.pid}", f"since {_time(it.started)}", f"state {it.state}", *release, *noted])
        for it in host.processes
    ]


def _restarts(restarts: Mapping[Cause, int] | str) -> str:
    if isinstance(restarts, str):
        return f"not known: {restarts}"
    return ", ".join(f"{count} {cause}" for cause, count in sorted(restarts.items()) if count) or "none counted"


def _parameters(host: HostObservation) -> str:
    if host.parameters is None:
        return "not known"
    names = ("ignore_local_config", "enable_get_rslist_remote")
    values = {name: host.parameters.flag(name) for name in names}
    told = (f"{name}={'not known' if value is None else str(value).lower()}" for name, value in values.items())
    return f"{', '.join(told)} ({host.parameters.source})"


def _ocp(ocp: OcpObservation | None) -> Iterable[str]:
    if ocp is None:
        return
    yield f"  OCP {ocp.ocp}"
    for reply in sorted(ocp.endpoints, key=lambda it: list(Endpoint).index(it.endpoint)):
        if reply.endpoint is Endpoint.RS_LIST and reply.result is OcpResult.OK:
            continue
        subject = f"{reply.endpoint}{f' of {reply.cluster}' if reply.cluster else ''}"
        yield f"    {subject:<24} {_told(reply.result, reply.detail)}"
    good = sum(it.endpoint is Endpoint.RS_LIST and it.result is OcpResult.OK for it in ocp.endpoints)
    every = sum(it.endpoint is Endpoint.RS_LIST for it in ocp.endpoints)
    yield f"    {Endpoint.RS_LIST:<24} {good} of {every} ok"


def _cache(cache: CacheObservation | None, host: HostObservation | None) -> Iterable[str]:
    if cache is None:
        if host and host.is_local:
            yield "  cache not read: the ODP's home is not known"
        return
    yield f"  cache in {host.home if host else '?'}"
    for file in cache.files:
        written = f"written {_time(file.modified)}" if file.modified else ""
        facts = [_told(file.result, file.detail), *([str(file.path)] if file.path else []), written]
        yield f"    {file.file:<24} {', '.join(filter(None, facts))}"


def _told(result: str, detail: str) -> str:
    return f"{result}: {detail}" if detail else result


def _clusters(dossier: Dossier) -> Iterable[str]:
    evidence, verdict = dossier.appraisal.evidence, dossier.appraisal.verdict
    if not verdict.clusters:
        return
    given = _counts(evidence.ocp.rs_lists if evidence.ocp else ())
    cached = _counts(evidence.cache.clusters if evidence.cache else ())
    answering = comparison.answering(evidence.cache, evidence.reachable or {}) if evidence.cache else {}
    columns = ("cluster", "servers: OCP", "cached", "answering", "after a restart", "without OCP")
    rows = [
        (
            it.cluster,
            *(str(counts.get(it.cluster, "-")) for counts in (given, cached, answering)),
            _word(judged(it.restart)),
            _word(judged(it.outage)),
        )
        for it in verdict.clusters
    ]
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _counts(entries: Iterable[ClusterServers]) -> dict[str, int]:
    servers: dict[str, set[object]] = {}
    for entry in entries:
        servers.setdefault(entry.cluster, set()).update(entry.servers)
    return {name: len(found) for name, found in servers.items()}


def _word(verdict: bool | None) -> str:  # noqa: FBT001 - the verdict itself
    return {True: "usable", False: "LOST", None: "cannot know"}[verdict]


def _verdict(what: str, words: Mapping[bool | None, str], findings: Findings, paint: Paint) -> Iterable[str]:
    verdict = judged(findings)
    yield f"  {what}: {paint(words[verdict], verdict)}"
    for reason in dict.fromkeys(finding.reason for finding in findings):
        yield from _reason(reason, [finding for finding in findings if finding.reason is reason])


def _reason(reason: Reason, findings: list[Finding]) -> Iterable[str]:
    explained = EXPLANATIONS[reason]
    clusters = [finding.cluster for finding in findings if finding.cluster]
    more = f" and {len(clusters) - MAX_NAMES} more" if len(clusters) > MAX_NAMES else ""
    of = f" [{', '.join(clusters[:MAX_NAMES])}{more}]" if clusters else ""
    yield f"    {reason}{of}: {explained.sentence}"
    for detail in dict.fromkeys(finding.detail for finding in findings[:MAX_NAMES] if finding.detail):
        yield f"      seen: {detail}"
    yield f"      to do: {explained.way_out}"


def _unseen(host: HostObservation | None) -> Iterable[str]:
    if host and host.unseen:
        yield "  could not be seen"
        yield from (f"    {reason}" for reason in host.unseen)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
