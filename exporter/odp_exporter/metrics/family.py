"""What a metric family is. Which ones there are stands in families.py."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

_UNITS = ("seconds", "bytes")


class Kind(Enum):
    """How the values of a family are to be read."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    STATE_SET = "state_set"
    """A gauge per state: 1 for the present one, 0 for the others."""
    INFO = "info"
    """Always 1; the labels are what it says."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A label whose values are all known beforehand; every one of them is exported."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name, its meaning and its labels."""

    name: str
    kind: Kind
    help: str
    """Meaning, unit and traps, for whoever writes a query."""
    owner: str | None = None
    """The label that names the ODP, pool or OCP of which it speaks."""
    closed: tuple[Closed, ...] = ()
    open: tuple[str, ...] = ()
    """Labels whose values turn up at run time, bounded in number."""
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All label names, in the order of the page."""
        return (*((self.owner,) if self.owner else ()), *(label.name for label in self.closed), *self.open)

    @property
    def base_name(self) -> str:
        """The name without the suffix that OpenMetrics counts to the sample."""
        match self.kind:
            case Kind.COUNTER:
                return self.name.removesuffix("_total")
            case Kind.INFO:
                return self.name.removesuffix("_info")
            case _:
                return self.name

    @property
    def unit(self) -> str | None:
        """The base unit that the name ends in."""
        return next((unit for unit in _UNITS if self.base_name.endswith(f"_{unit}")), None)
