"""Looks at one ODP's processes on this host, from /proc and the socket tables, as one who will act on them.

Every look goes through all of /proc anew: nothing is remembered but how the
ODP was started (state.py). It blocks, and may hang with a process that the
kernel holds; aside.py bounds that.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from odp_exporter import files
from odp_exporter.cache import container
from odp_exporter.clock import Clock, stopwatch, wall_clock
from odp_exporter.observations import Identity, Process, Watchdog
from odp_exporter.procfs import discovery, locality, logfiles, logwatch, odplogs, parameters, sockets, watchdogs
from odp_exporter.procfs.discovery import Known
from odp_exporter.procfs.parameters import ParametersUnreadable
from odp_exporter.procfs.processes import PROC
from odp_exporter.procfs.sockets import Listener, SocketsUnavailable
from odp_exporter.procfs.stored import StoredParameters
from odp_exporter.procfs.survey import NAME, Candidate, Script, Survey, View
from odp_exporter.targets import Target

from . import launch as launches
from .actuator import HostUnreachable, HostView, NotIdentified
from .launch import Launch
from .obstacles import obstacles
from .state import State
from .stopping import STOPPED


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look has shown."""

    view: HostView
    processes: tuple[Process, ...]
    """Those of the view, oldest first."""
    home: Path | None
    launch: Launch | None
    """How it was started, or is to be."""
    squatter: str = ""
    """Who holds the port without being this ODP, for a person."""
    looked: float = float("-inf")
    """When the look began, of the stopwatch."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an ODP lives, alive or dead."""

    home: Path | None
    launch: Launch | None
    unit: str | None
    """The systemd unit in which it runs, or last ran."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a dead ODP is started of which nobody knows how it was."""

    argv: tuple[str, ...]
    cwd: Path
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Eye:
    """Looks at the ODPs of this host."""

    state: State
    start: Start | None = None
    proc: Path = PROC
    unit_directories: Sequence[Path] = watchdogs.UNIT_DIRECTORIES
    clock: Clock = field(default=wall_clock, repr=False)

    def look(self, target: Target) -> Sight:
        """The processes of *target* now; HostUnreachable if it does not live here, NotIdentified if nothing is seen."""
        looked, now = stopwatch(), self.clock()
        ips, port = _ours(target.address.host), target.address.port
        listeners, seen = self._seen(now, port)
        stored = StoredParameters(_decoded)
        known = [_known(candidate, stored, listeners, port) for candidate in seen.candidates]
        through = discovery.listening_on(port, ips, listeners)
        members = [one for one in known if one.owns(through) or one.claims(port, ips)]
        serving = discovery.serving(members, port)
        place = self._place(target, serving)
        squatter = _squatter(through, members)
        view = HostView(
            processes=tuple(one.process.identity for one in members),
            owner=next((one.process.identity for one in reversed(members) if one.owns(through)), None),
            is_hot_restarting=_is_handing_over(members),
            is_stopped=serving is not None and serving.process.state == STOPPED,
            watchdogs=self._watchdogs(seen.scripts, place, port),
            obstacles=tuple(_all(place, serving, squatter)),
        )
        values = stored.of(place.home).values if place.home else None
        drain = parameters.drain_timeout(parameters.merged(serving.candidate.options if serving else {}, values, ""))
        return Sight(
            view=replace(view, is_told_to_stop=self._is_told_to_stop(view, place.home, now, drain)),
            processes=tuple(one.process for one in members),
            home=place.home,
            launch=place.launch,
            squatter=squatter,
            looked=looked,
        )

    def _seen(self, now: datetime, port: int) -> tuple[tuple[Listener, ...], View]:
        try:
            listeners = sockets.listeners()
            return listeners, Survey(rescan=timedelta(), proc=self.proc).look(now, listeners, {port})
        except (SocketsUnavailable, files.FileError) as error:
            raise NotIdentified(str(error)) from error

    def _place(self, target: Target, serving: Known | None) -> _Place:
        """Where *target* lives and how it was started: as it shows, or as was said or seen before."""
        launch = self._launch(target, serving)
        home = target.home or (serving.process.home if serving else None)
        home = home or (Path(launch.home) if launch and launch.home else None)
        launch = launch or _assumed(target, home)
        cgroup = serving.candidate.cgroup if serving else launch.cgroup if launch else ""
        return _Place(home, launch, watchdogs.unit_of(cgroup))

    def _launch(self, target: Target, serving: Known | None) -> Launch | None:
        """As the living process was started, or as it is configured, or as an earlier one was."""
        if serving:
            process = serving.process
            found = launches.capture(
                process.identity.pid, proc=self.proc, home=process.home, executable=process.identity.executable
            )
            if found:
                return found
        if self.start:
            start, home = self.start, target.home
            return Launch(
                argv=tuple(_filled(word, target) for word in start.argv),
                cwd=str(start.cwd),
                environment={"PATH": os.defpath},
                uid=start.uid,
                gid=start.gid,
                groups=start.groups,
                home=str(home or start.cwd),
            )
        return self.state.launch(target.name)

    def _is_told_to_stop(self, view: HostView, home: Path | None, now: datetime, drain: timedelta) -> bool:
        """Its log says so, and it is not mute for longer than ODP itself allows a drain; our own order is none."""
        # One that does not listen yet is starting, and the word was its predecessor's.
        if view.owner is None or view.is_hot_restarting or home is None or self.state.is_announced(view.owner):
            return False
        try:
            log = files.read_tail(home / logwatch.MAIN, limit=logfiles.MAX_BYTES)
        except files.FileError:
            return False
        is_told = odplogs.present(odplogs.since_last_start(odplogs.events(log.content))).is_told_to_stop
        return is_told and now.timestamp() - log.modified <= drain.total_seconds()

    def _watchdogs(self, scripts: Iterable[Script], place: _Place, port: int) -> frozenset[Watchdog]:
        kinds = {watchdogs.watching(script, home=place.home, port=port) for script in scripts}
        if place.unit and self._is_restarted(place.unit):
            kinds.add(Watchdog.SYSTEMD)
        return frozenset(kind for kind in kinds if kind)

    def _is_restarted(self, unit: str) -> bool:
        try:
            return watchdogs.is_restarted_by(unit, self.unit_directories)
        except files.FileError:
            return False


def _ours(host: str) -> frozenset[str]:
    try:
        ips = locality.here(host)
    except (OSError, ValueError) as error:
        message = f"{host}: does not resolve: {error}"
        raise HostUnreachable(message) from error
    if not ips:
        message = f"{host}: not an address of this host (an actuator of type ssh acts on others)"
        raise HostUnreachable(message)
    return ips


def _squatter(through: Sequence[Listener], members: Sequence[Known]) -> str:
    if not through or any(one.owns(through) for one in members):
        return ""
    port, uid = through[0].address.port, through[0].uid
    return f"port {port} is held by a process of uid {uid} that is not this ODP, or into which this user cannot see"


def _is_handing_over(members: Sequence[Known]) -> bool:
    """A hot restart's child runs beside its parent, and both hold the port (odp-facts 7.6)."""
    owners = {one.process.identity.pid for one in members if one.held}
    return any(one.process.parent in owners for one in members)


def _all(place: _Place, serving: Known | None, squatter: str) -> Iterator[str]:
    """Everything that is in the way of a start."""
    if squatter:
        yield squatter
    if serving and serving.candidate.homeless:
        yield serving.candidate.homeless
    if place.launch is None:
        yield "how to start it is not known (give its home, or the actuator's start)"
    else:
        yield from obstacles(place.launch, place.home, uid=os.geteuid())


def _assumed(target: Target, home: Path | None) -> Launch | None:
    """As the watchdogs do: by the port, for all else is stored (odp-facts 3.3, 7.9)."""
    try:
        owner = home.stat() if home else None
    except OSError:
        return None
    if owner is None:
        return None
    return Launch(
        argv=(f"./bin/{NAME}", "-p", str(target.address.port)),
        cwd=str(home),
        environment={"PATH": os.defpath, "OBPROXY_ROOT": str(home)},
        uid=owner.st_uid,
        gid=owner.st_gid,
        home=str(home),
    )


def _known(candidate: Candidate, stored: StoredParameters, listeners: Iterable[Listener], port: int) -> Known:
    home, held = candidate.process.home, candidate.sockets or ()
    said = parameters.port(candidate.options.get("listen_port"))
    # One whose command line names another port claims this one by no stored parameter.
    return Known(
        candidate,
        stored.of(home).values if home and said in {None, port} else None,
        tuple(listener for listener in listeners if listener.inode in held),
    )


def _filled(word: str, target: Target) -> str:
    home = str(target.home or "")
    return word.replace("{port}", str(target.address.port)).replace("{odp}", target.name).replace("{home}", home)


def _decoded(content: bytes) -> bytes:
    try:
        return container.decode(content, magic=container.BCDE)
    except container.ContainerError as error:
        raise ParametersUnreadable(str(error)) from error


def identities(processes: Collection[Identity]) -> str:
    """Processes as a message names them."""
    return ", ".join(f"pid {each.pid}" for each in processes)
