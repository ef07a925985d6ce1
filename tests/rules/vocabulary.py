"""The series that rules may name: those of the catalogue, of Prometheus itself, and recorded ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from odp_exporter import catalogue
from odp_exporter.metrics.family import Family, Kind

Labels = Mapping[str, frozenset[str] | None]
"""The labels that a series may have, each with its values; None: they turn up at run time."""

OF_TARGETS: Labels = {"job": None, "instance": None}
"""What Prometheus adds to all it scrapes."""
_UP = frozenset({"up"})


@dataclass(frozen=True, slots=True)
class Series:
    """What is known of the series of one name."""

    labels: Labels
    is_counter: bool = False


def known_series() -> dict[str, Series]:
    """Every series that a rule may name without recording it."""
    families = (*catalogue.EXPORTER, *catalogue.REMEDIATOR)
    series = {name: found for family in families for name, found in _series_of(family, _values(family, families))}
    prometheus = {name: Series(OF_TARGETS) for name in _UP}
    return {
        name: Series({**found.labels, **OF_TARGETS}, found.is_counter)
        for name, found in {**series, **prometheus}.items()
    }


def _values(family: Family, families: Iterable[Family]) -> Labels:
    """The values of each label: its own, or the only ones that it has anywhere for this kind of target."""
    siblings = [label for sibling in families if sibling.owner == family.owner for label in sibling.closed]
    sets = {name: {frozenset(label.values) for label in siblings if label.name == name} for name in family.open}
    elsewhere = {name: next(iter(found)) for name, found in sets.items() if len(found) == 1}
    return {**dict.fromkeys(family.labels), **elsewhere, **{it.name: frozenset(it.values) for it in family.closed}}


def _series_of(family: Family, labels: Labels) -> Iterator[tuple[str, Series]]:
    match family.kind:
        case Kind.HISTOGRAM:
            yield f"{family.name}_bucket", Series({**labels, "le": _buckets(family.bounds)}, is_counter=True)
            yield f"{family.name}_sum", Series(labels, is_counter=True)
            yield f"{family.name}_count", Series(labels, is_counter=True)
        case kind:
            yield family.name, Series(labels, is_counter=kind is Kind.COUNTER)


def _buckets(bounds: Iterable[float]) -> frozenset[str]:
    # As the page has them: 1.0, not 1.
    return frozenset({*(repr(float(bound)) for bound in bounds), "+Inf"})
