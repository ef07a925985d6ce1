"""What is to be probed now: the configuration, the target files and the ODPs that were discovered.

Pure. The configuration wins over a target file, a target file over discovery;
what is left out, and why, is said. An ODP once discovered stays a target while
it is dead, for that is when it matters; it is forgotten when it has been looked
for in vain for `discovery.forget_after`. That is counted look by look: no clock
that is set, and no time when nobody looked, makes an ODP that is dead forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

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
    """An ODP that discovery found, and for how long it has been looked for in vain since."""

    target: Target
    gone_for: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Discovered:
    """The ODPs that were ever seen on this host and are not yet forgotten."""

    sightings: tuple[Sighting, ...] = ()
    ocps: tuple[Ocp, ...] = ()

    def after(self, found: Discovered, *, elapsed: timedelta, forget_after: timedelta) -> Discovered:
        """What is known once *found* is what runs, so much time after the look before."""
        names = {sighting.target.name for sighting in found.sightings}
        missed = (
            Sighting(sighting.target, sighting.gone_for + elapsed)
            for sighting in self.sightings
            if sighting.target.name not in names
        )
        gone = [sighting for sighting in missed if sighting.gone_for < forget_after]
        # An OCP's URL is read from living ODPs: keep it while all are dead.
        ocps = found.ocps or (self.ocps if gone else ())
        ordered = sorted([*found.sightings, *gone], key=lambda sighting: sighting.target.name)
        return Discovered(tuple(ordered), ocps)

    @property
    def odps(self) -> tuple[Target, ...]:
        """In the order of their names."""
        return tuple(sighting.target for sighting in self.sightings)


def merged(  # noqa: PLR0913 - each by name
    *,
    configured: Iterable[Target],
    from_files: Iterable[Target],
    discovered: Discovered,
    pools: Iterable[Pool],
    ocps: Iterable[Ocp],
    local: Collection[Address],
) -> Inventory:
    """One inventory out of all sources; the earlier source wins.

    *local* are those addresses of configured targets, and of targets from
    files, that belong to this host.
    """
    names: dict[str, Target] = {}
    addresses: dict[Address, Target] = {}
    left_out = []
    for target in (*configured, *from_files):
        if clash := _clash(target, names, addresses):
            left_out.append(f"{target.name}: {clash}")
        else:
            names[target.name] = addresses[target.address] = target
    ports = {address.port for address in local}
    for target in discovered.odps:
        is_another_name = target.address.host in _LOOPBACKS and target.address.port in ports
        if not is_another_name and not _clash(target, names, addresses):
            names[target.name] = addresses[target.address] = target
    return Inventory(tuple(names.values()), tuple(pools), tuple(ocps) or discovered.ocps, tuple(left_out))


def _clash(target: Target, names: Mapping[str, Target], addresses: Mapping[Address, Target]) -> str | None:
    if other := names.get(target.name):
        return f"another target has this name, at {other.address}"
    if other := addresses.get(target.address):
        return f"{other.name} has the same address, {other.address}"
    return None
