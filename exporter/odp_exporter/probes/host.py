"""The host probe: what this host shows of its ODPs without asking them.

One look at the socket tables and at /proc serves all targets. It blocks, for a
millisecond or two; the caller runs it in one thread, always the same. What was
not to be seen is said in each observation, and nothing here raises for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from odp_exporter import files
from odp_exporter.cache import container
from odp_exporter.observations import HostObservation, Process, Watchdog
from odp_exporter.procfs import discovery, parameters, sockets, watchdogs
from odp_exporter.procfs.discovery import Known
from odp_exporter.procfs.history import Findings
from odp_exporter.procfs.locality import Locality
from odp_exporter.procfs.parameters import ParametersUnreadable
from odp_exporter.procfs.processes import PROC
from odp_exporter.procfs.sockets import Listener, SocketsUnavailable
from odp_exporter.procfs.stored import Stored, StoredParameters
from odp_exporter.procfs.survey import Candidate, Script, Survey, View
from odp_exporter.targets import Ocp, Target

RESCAN = timedelta(seconds=5)
"""How often all pids are gone through; a death or a new owner of a watched port is seen at once."""
_UNIT_KEPT = timedelta(minutes=1)
"""How long the reading of a unit's files holds."""


class History(Protocol):
    """Remembers the lives of processes, and tells what their logs and cores say."""

    def observe(
        self, target: str, present: Sequence[Process], home: Path | None, now: datetime, *, is_silent: bool = False
    ) -> Findings:
        """What has become of *target* up to *now*; *is_silent* says that it did not greet."""

    def forget(self, kept: Collection[str]) -> None:
        """Let go of all targets but those *kept*."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """The ODPs that run on this host, and the OCPs that they ask."""

    targets: tuple[Target, ...] = ()
    ocps: tuple[Ocp, ...] = ()
    unseen: tuple[str, ...] = ()
    """What could not be found out, each with its reason, for a person."""


@dataclass(frozen=True, slots=True)
class _Host:
    """One look at this host."""

    listeners: tuple[Listener, ...]
    known: tuple[Known, ...]
    scripts: tuple[Script, ...]
    unseen: tuple[str, ...]
    clients: Mapping[Listener, int] | None = None
    """Connections per watched listener; None where the kernel does not tell."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a target was last seen to live; it stays true while the target is dead."""

    home: Path | None = None
    unit: str | None = None
    """The systemd unit of its process."""


@dataclass(slots=True)
class _Units:
    """Remembers for a minute whether systemd restarts a unit."""

    directories: Sequence[Path]
    _answers: dict[str, tuple[datetime, bool | None]] = field(default_factory=dict)

    def is_restarted(self, unit: str, now: datetime) -> bool | None:
        """None where its files could not be read."""
        asked, answer = self._answers.get(unit, (None, None))
        if asked is None or not timedelta() <= now - asked < _UNIT_KEPT:
            try:
                answer = watchdogs.is_restarted_by(unit, self.directories)
            except files.FileError:
                answer = None
            self._answers[unit] = (now, answer)
        return answer


class HostProbe:
    """Observes the targets that live on this host, and discovers them."""

    def __init__(
        self,
        history: History,
        *,
        rescan: timedelta = RESCAN,
        proc: Path = PROC,
        unit_directories: Sequence[Path] = watchdogs.UNIT_DIRECTORIES,
    ) -> None:
        self._history = history
        self._survey = Survey(rescan=rescan, proc=proc)
        self._stored = StoredParameters(_decoded)
        self._locality = Locality()
        self._units = _Units(unit_directories)
        self._places: dict[str, _Place] = {}
        self._ports: frozenset[int] = frozenset()

    def observe(
        self, targets: Sequence[Target], now: datetime, *, silent: Collection[str] = ()
    ) -> tuple[HostObservation, ...]:
        """What this host shows of each of *targets*; those named in *silent* did not greet when last asked."""
        names = {target.name for target in targets}
        if not self._places.keys() <= names:
            self._places = {name: place for name, place in self._places.items() if name in names}
            self._history.forget(names)
        ips = {target.name: self._locality.addresses(target.address.host, now) for target in targets}
        self._ports = frozenset(target.address.port for target in targets if ips[target.name])
        host = _with_clients(self._look(now), self._ports)
        return tuple(
            self._observation(target, ips[target.name], host, now, is_silent=target.name in silent)
            if ips[target.name]
            else HostObservation(target.name, now, is_local=False)
            for target in targets
        )

    def discover(self, now: datetime) -> Discovery:
        """The ODPs that run here *now*, named by the address to probe."""
        host = self._look(now)
        found, unplaced = discovery.find(host.known, host.listeners)
        ocps, refused = discovery.ocps(found)
        assumed = [f"{odp.address}: {reason}" for odp in found for reason in odp.unseen]
        targets = (Target(name=str(odp.address), address=odp.address, home=odp.home) for odp in found)
        return Discovery(tuple(targets), ocps, (*host.unseen, *unplaced, *assumed, *refused))

    def _look(self, now: datetime) -> _Host:
        listeners: tuple[Listener, ...] = ()
        view, unseen = View((), ()), []
        try:
            listeners = sockets.listeners()
        except SocketsUnavailable as error:
            unseen.append(str(error))
        try:
            view = self._survey.look(now, listeners, self._ports)
        except files.FileError as error:
            unseen.append(str(error))
        known = tuple(self._known(candidate, listeners) for candidate in view.candidates)
        return _Host(listeners, known, view.scripts, tuple(unseen))

    def _known(self, candidate: Candidate, listeners: Iterable[Listener]) -> Known:
        home, held = candidate.process.home, candidate.sockets or ()
        return Known(
            candidate,
            self._stored.of(home).values if home else None,
            tuple(listener for listener in listeners if listener.inode in held),
        )

    def _observation(
        self, target: Target, ips: Collection[str], host: _Host, now: datetime, *, is_silent: bool
    ) -> HostObservation:
        port = target.address.port
        through = discovery.listening_on(port, ips, host.listeners)
        members = [one for one in host.known if one.owns(through) or one.claims(port, ips)]
        serving = discovery.serving(members, port)
        place = self._place(target, serving)
        stored = self._stored.of(place.home) if place.home else Stored(None, problem="home: not known")
        watching, unread = self._watchdogs(place, port, host.scripts, now)
        processes = tuple(one.process for one in members)
        findings = self._history.observe(target.name, processes, place.home, now, is_silent=is_silent)
        unseen = (*host.unseen, *_closed(through, members), stored.problem, *unread, *findings.unseen)
        return HostObservation(
            target=target.name,
            at=now,
            is_local=True,
            processes=processes,
            is_listening=bool(through),
            accept_queue=sum(listener.accept_queue for listener in through) if through else None,
            client_connections=None if host.clients is None else sum(host.clients[each] for each in through),
            home=place.home,
            version=findings.version,
            parameters=parameters.merged(serving.candidate.options if serving else {}, stored.values, stored.source),
            watchdogs=watching,
            is_told_to_stop=findings.is_told_to_stop,
            is_hot_restarting=findings.is_hot_restarting,
            is_memory_frozen=findings.is_memory_frozen,
            restarts=findings.restarts,
            cores=findings.cores,
            unseen=tuple(filter(None, dict.fromkeys(unseen))),
        )

    def _place(self, target: Target, serving: Known | None) -> _Place:
        """Where *target* lives: as configured, or as its process shows, or as it last did."""
        before = self._places.get(target.name, _Place())
        seen = _Place(serving.process.home, watchdogs.unit_of(serving.candidate.cgroup)) if serving else before
        place = _Place(target.home or seen.home or before.home, seen.unit)
        self._places[target.name] = place
        return place

    def _watchdogs(
        self, place: _Place, port: int, scripts: Iterable[Script], now: datetime
    ) -> tuple[frozenset[Watchdog], tuple[str, ...]]:
        kinds = (watchdogs.watching(script, home=place.home, port=port) for script in scripts)
        found = frozenset(kind for kind in kinds if kind)
        is_restarted = self._units.is_restarted(place.unit, now) if place.unit else False
        if is_restarted is None:
            return found, (f"{place.unit}: its unit files cannot be read",)
        return (found | {Watchdog.SYSTEMD} if is_restarted else found), ()


def _with_clients(host: _Host, ports: Collection[int]) -> _Host:
    watched = [listener for listener in host.listeners if listener.address.port in ports]
    try:
        return replace(host, clients=sockets.established(watched) if host.listeners else None)
    except SocketsUnavailable as error:
        return replace(host, unseen=(*host.unseen, str(error)))


def _closed(through: Sequence[Listener], members: Iterable[Known]) -> Iterable[str]:
    """Why ownership of the port is not proven."""
    is_owned = any(one.owns(through) for one in members)
    if through and not is_owned:
        first = through[0]
        yield f"port {first.address.port}: held by a process of uid {first.uid} into which this user cannot see"


def _decoded(content: bytes) -> bytes:
    try:
        return container.decode(content, magic=container.BCDE)
    except container.ContainerError as error:
        raise ParametersUnreadable(str(error)) from error
