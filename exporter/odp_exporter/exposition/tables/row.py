"""What a table is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Generic, TypeVar

from odp_exporter.exposition.family import Family
from odp_exporter.exposition.rendering import Values
from odp_exporter.store import Histogram

S = TypeVar("S")
Labels = Mapping[str, str]

MIN_STALE = timedelta(seconds=30)
"""However short the interval, a pause of this length is no sign of a scheduler that died."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a scrape, and the interval of what is scraped."""

    now: datetime
    interval: timedelta

    def is_fresh(self, at: datetime) -> bool:
        """What was seen *at* that time may be called the present: the scheduler has not died since."""
        return self.now - at <= max(3 * self.interval, MIN_STALE)


@dataclass(frozen=True, slots=True)
class Row(Generic[S]):
    """A family whose label values are all known beforehand."""

    family: Family
    take: Callable[[S, Moment], Values]


@dataclass(frozen=True, slots=True)
class OpenRow(Generic[S]):
    """A family with label values that turn up at run time."""

    family: Family
    take: Callable[[S, Moment], Iterable[tuple[Labels, float]]]


Table = tuple[Row[S] | OpenRow[S], ...]


def buckets(histogram: Histogram) -> tuple[float, ...]:
    """The values of a histogram's lines."""
    counts = tuple(accumulate(histogram.counts))
    return (*counts, counts[-1], histogram.total)
