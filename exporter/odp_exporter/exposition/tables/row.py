"""What a table is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Generic, TypeVar

from odp_exporter.metrics.family import Family
from odp_exporter.metrics.rendering import Template, Values, sample
from odp_exporter.observations import oldest
from odp_exporter.store import Histogram

S = TypeVar("S")
Labels = Mapping[str, str]
Samples = Sequence[tuple[Labels, float]]
"""Labels that turn up at run time, and the value of each set of them."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a scrape, and the interval of what is scraped."""

    now: datetime
    interval: timedelta

    oldest: datetime = field(init=False)
    """When something must have been seen to be called the present."""

    def __post_init__(self) -> None:
        """Work it out once for all that is scraped."""
        object.__setattr__(self, "oldest", oldest(self.now, self.interval))


@dataclass(frozen=True, slots=True)
class Row(Generic[S]):
    """A family whose label values are all known beforehand."""

    family: Family
    take: Callable[[S, Moment], Values]
    template: Template = field(init=False)

    def __post_init__(self) -> None:
        """Make what all owners' lines have in common."""
        object.__setattr__(self, "template", Template(self.family))


@dataclass(frozen=True, slots=True)
class OpenRow(Generic[S]):
    """A family with label values that turn up at run time."""

    family: Family
    take: Callable[[S, Moment], Samples]

    def write(self, owner: str, samples: Samples) -> bytes:
        """The lines of *owner*."""
        named = {str(self.family.owner): owner}
        return b"".join([sample(self.family, {**named, **labels}, value) for labels, value in samples])


Table = tuple[Row[S] | OpenRow[S], ...]


def buckets(histogram: Histogram) -> tuple[float, ...]:
    """The values of a histogram's lines."""
    counts = list(accumulate(histogram.counts))
    return (*counts, counts[-1], histogram.total)
