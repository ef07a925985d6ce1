"""What is to be probed now: the configuration, the target files and the ODPs that were discovered.

Pure. The configuration wins over a target file, a target file over discovery;
what is left out, and why, is said. An ODP once discovered stays a target while
it is dead, for that is when it matters; it is forgotten when it has been gone
for `discovery.forget_after`, or on reload.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .targets import Address, Ocp, Pool, Target

_LOOPBACKS = frozenset({"127.0.0.1", "::1"})
"""What discovery probes when an ODP listens on every address."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that has a name in the metrics."""

    odps: tuple[Target, ...] = ()
    pools: tuple[Pool, ...] = ()
    ocps: tuple[Ocp, ...] = ()
    left_out: tuple[str, ...] = ()
    """Targets that clash with earlier ones, for a person."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An ODP that discovery found, and when it last did."""

    target: Target
    at: datetime


@dataclass(frozen=True, slots=True)
class Discovered:
    """The ODPs that were ever seen on this host and are not yet forgotten."""

    sightings: tuple[Sighting, ...] = ()
    ocps: tuple[Ocp, ...] = ()

    def after(self, found: Discovered, *, now: datetime, forget_after: timedelta) -> Discovered:
        """What is known once *found* is what runs at *now*."""
        names = {sighting.target.name for sighting in found.sightings}
        gone = [
            sighting
            for sighting in self.sightings
            if sighting.target.name not in names and now - sighting.at < forget_after
        ]
        # An OCP's URL is read from living ODPs: keep it while all are dead.
        ocps = found.ocps or (self.ocps if gone else ())
        ordered = sorted([*found.sightings, *gone], key=lambda sighting: sighting.target.name)
        return Discovered(tuple(ordered), ocps)

    @property
    def odps(self) -> tuple[Target, ...]:
        """In the order of their names."""
        return tuple(sighting.target for sighting in self.sightings)


def merged(
    *,
    configured: Iterable[Target],
    from_files: Iterable[Target],
    discovered: Discovered,
    pools: Iterable[Pool],
    ocps: Iterable[Ocp],
) -> Inventory:
    """One inventory out of all sources; the earlier source wins."""
    odps: dict[str, Target] = {target.name: target for target in configured}
    left_out = []
    for target in from_files:
        if clash := _clash(target, odps.values()):
            left_out.append(f"{target.name}: {clash}")
        else:
            odps[target.name] = target
    for target in discovered.odps:
        if not _is_known(target, odps.values()):
            odps[target.name] = target
    return Inventory(tuple(odps.values()), tuple(pools), tuple(ocps) or discovered.ocps, tuple(left_out))


def _clash(target: Target, others: Iterable[Target]) -> str | None:
    for other in others:
        if target.name == other.name:
            return f"another target has this name, at {other.address}"
        if target.address == other.address:
            return f"{other.name} has the same address, {other.address}"
    return None


def _is_known(found: Target, others: Iterable[Target]) -> bool:
    """Some target is this ODP, perhaps by another of this host's addresses."""
    return any(found.name == other.name or _is_same(found.address, other.address) for other in others)


def _is_same(found: Address, other: Address) -> bool:
    return found == other or (found.port == other.port and found.host in _LOOPBACKS)
