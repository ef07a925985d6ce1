"""The host probe: what this host shows of its ODPs without asking them.

One look at the socket tables and at /proc serves all targets. It blocks, for a
millisecond or two; the caller runs it in one thread, always the same. What was
not to be seen is said in each observation, and nothing here raises for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from odp_exporter import files
from odp_exporter.cache import container
from odp_exporter.clock import stopwatch
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
from odp_exporter.procfs.units import Units
from odp_exporter.targets import Address, Ocp, Target

RESCAN = timedelta(seconds=5)
"""How often all pids are gone through; a death or a new owner of a watched port is seen at once."""
RECOUNT = timedelta(seconds=5)
"""How often clients are counted; with the hash table of a large host that takes 4 ms, however few they are."""
FIRST_ANSWER = timedelta(seconds=1)
"""How long `local` waits for names never resolved before; else configured ODPs would be discovered as others."""
MAX_UNSEEN = 100
"""The most reasons that a discovery gives; a host of a thousand nameless processes is no thousand lines of log."""


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

    listeners: tuple[Listener, ...] | None
    """None where the socket tables could not be read."""
    known: tuple[Known, ...]
    scripts: tuple[Script, ...]
    unseen: tuple[str, ...]
    clients: Mapping[Listener, int] | None = None
    """Connections per watched listener; None where the kernel does not tell."""
    interval: timedelta = timedelta()
    """From this look to the next one."""
    tick: timedelta = timedelta()
    """When it was made, by a clock that nobody sets."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a target was last seen to live; it stays true while the target is dead."""

    home: Path | None = None
    unit: str | None = None
    """The systemd unit of its process."""


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
        self._units = Units(unit_directories)
        self._places: dict[str, _Place] = {}
        self._ports: frozenset[int] = frozenset()
        self._asked_hosts: frozenset[str] = frozenset()
        self._clients: dict[int, int] = {}
        """Connections by inode of the listener."""
        self._counted = datetime.min.replace(tzinfo=UTC)

    def observe(
        self,
        targets: Sequence[Target],
        now: datetime,
        *,
        silent: Collection[str] = (),
        interval: timedelta = timedelta(),
    ) -> tuple[HostObservation, ...]:
        """What this host shows of each of *targets*, which is asked again after *interval*.

        Those named in *silent* did not greet when last asked.
        """
        ips = {target.name: self._locality.addresses(target.address.host, now) for target in targets}
        self._ports = frozenset(target.address.port for target in targets if ips[target.name])
        tick = timedelta(seconds=stopwatch())
        host = replace(self._with_clients(self._look(now), now), interval=interval, tick=tick)
        self._keep(targets, host)
        return tuple(
            self._observation(target, ips[target.name], host, now, is_silent=target.name in silent)
            if ips[target.name]
            else HostObservation(target.name, now, is_local=False, tick=host.tick)
            for target in targets
        )

    def queues(self, targets: Sequence[Target], now: datetime) -> Mapping[str, int]:
        """Clients that wait to be accepted by each of *targets*; empty where the kernel does not tell."""
        try:
            listeners = sockets.listeners({target.address.port for target in targets})
        except SocketsUnavailable:
            return {}  # observe() says so
        return {
            target.name: sum(
                each.accept_queue
                for each in discovery.listening_on(
                    target.address.port, self._locality.addresses(target.address.host, now), listeners
                )
            )
            for target in targets
        }

    def local(self, addresses: Iterable[Address], now: datetime) -> frozenset[Address]:
        """Those of *addresses* that belong to this host, as far as their names can be resolved within a second."""
        asked = frozenset(addresses)
        self._asked_hosts = frozenset(address.host for address in asked)
        self._locality.settle(self._asked_hosts, now, within=FIRST_ANSWER)
        return frozenset(address for address in asked if self._locality.addresses(address.host, now))

    def discover(self, now: datetime) -> Discovery:
        """The ODPs that run here *now*, named by the address to probe."""
        host = self._look(now)
        found, unplaced = discovery.find(host.known, host.listeners or ())
        ocps, refused = discovery.ocps(found)
        assumed = [f"{odp.address}: {reason}" for odp in found for reason in odp.unseen]
        targets = (Target(name=str(odp.address), address=odp.address, home=odp.home) for odp in found)
        unseen = dict.fromkeys((*host.unseen, *unplaced, *assumed, *refused))
        return Discovery(tuple(targets), ocps, tuple(unseen)[:MAX_UNSEEN])

    def _keep(self, targets: Sequence[Target], host: _Host) -> None:
        """Let go of all that was remembered for others."""
        names = {target.name for target in targets}
        if not self._places.keys() <= names:
            self._places = {name: place for name, place in self._places.items() if name in names}
            self._history.forget(names)
        places = self._places.values()
        homes = {one.process.home for one in host.known} | {place.home for place in places}
        self._stored.keep({home for home in homes if home})
        self._units.keep({place.unit for place in places if place.unit})
        self._locality.keep(self._asked_hosts | {target.address.host for target in targets})

    def _look(self, now: datetime) -> _Host:
        listeners: tuple[Listener, ...] | None = None
        view, unseen = View((), ()), []
        try:
            listeners = sockets.listeners()
        except SocketsUnavailable as error:
            unseen.append(str(error))
        try:
            view = self._survey.look(now, listeners or (), self._ports)
        except files.FileError as error:
            unseen.append(str(error))
        known = tuple(self._known(candidate, listeners or ()) for candidate in view.candidates)
        return _Host(listeners, known, view.scripts, tuple(unseen))

    def _known(self, candidate: Candidate, listeners: Iterable[Listener]) -> Known:
        home, held = candidate.process.home, candidate.sockets or ()
        return Known(
            candidate,
            self._stored.of(home).values if home else None,
            tuple(listener for listener in listeners if listener.inode in held),
        )

    def _with_clients(self, host: _Host, now: datetime) -> _Host:
        if host.listeners is None:
            return host
        watched = [listener for listener in host.listeners if listener.address.port in self._ports]
        try:
            self._count(watched, now)
        except SocketsUnavailable as error:
            return replace(host, unseen=(*host.unseen, str(error)))
        return replace(host, clients={listener: self._clients[listener.inode] for listener in watched})

    def _count(self, watched: Sequence[Listener], now: datetime) -> None:
        """Count the clients of each listener, unless that was done lately: the kernel goes through all its sockets."""
        is_known = self._clients.keys() == {listener.inode for listener in watched}
        if not is_known or not timedelta() <= now - self._counted < RECOUNT:
            counts = sockets.established(watched)
            self._clients = {listener.inode: count for listener, count in counts.items()}
            self._counted = now

    def _observation(
        self, target: Target, ips: Collection[str], host: _Host, now: datetime, *, is_silent: bool
    ) -> HostObservation:
        port = target.address.port
        through = discovery.listening_on(port, ips, host.listeners or ())
        members = [one for one in host.known if one.owns(through) or one.claims(port, ips)]
        serving = discovery.serving(members, port)
        place = self._place(target, serving)
        stored = self._stored.of(place.home) if place.home else Stored(None, problem=_homeless(serving))
        values = parameters.merged(serving.candidate.options if serving else {}, stored.values, stored.source)
        watching, unread = self._watchdogs(place, port, host.scripts, now)
        processes = tuple(one.process for one in members)
        findings = self._history.observe(target.name, processes, place.home, now, is_silent=is_silent)
        unseen = (*host.unseen, *_closed(through, members), stored.problem, *unread, *findings.unseen)
        return HostObservation(
            target=target.name,
            at=now,
            is_local=True,
            processes=processes,
            is_listening=None if host.listeners is None else bool(through),
            accept_queue=sum(listener.accept_queue for listener in through) if through else None,
            client_connections=None if host.clients is None else sum(host.clients[each] for each in through),
            home=place.home,
            version=findings.version,
            parameters=values,
            watchdogs=watching,
            is_told_to_stop=findings.is_told_to_stop,
            drain_timeout=parameters.drain_timeout(values),
            is_hot_restarting=findings.is_hot_restarting,
            is_memory_frozen=findings.is_memory_frozen,
            restarts=findings.restarts,
            cores=findings.cores,
            unseen=tuple(filter(None, dict.fromkeys(unseen))),
            interval=host.interval,
            tick=host.tick,
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


def _closed(through: Sequence[Listener], members: Iterable[Known]) -> Iterable[str]:
    """Why ownership of the port is not proven."""
    is_owned = any(one.owns(through) for one in members)
    if through and not is_owned:
        first = through[0]
        yield f"port {first.address.port}: held by a process of uid {first.uid} into which this user cannot see"


def _homeless(serving: Known | None) -> str:
    return serving.candidate.homeless if serving else "home: not known"


def _decoded(content: bytes) -> bytes:
    try:
        return container.decode(content, magic=container.BCDE)
    except container.ContainerError as error:
        raise ParametersUnreadable(str(error)) from error
