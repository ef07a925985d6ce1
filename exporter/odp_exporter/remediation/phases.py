"""How long the phases of repairs took: a histogram in memory."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from .families import PHASE_BOUNDS, PHASES


class Phases:
    """Counts durations by phase and bucket."""

    def __init__(self) -> None:
        self._buckets = {phase: [0] * (len(PHASE_BOUNDS) + 1) for phase in PHASES}
        self._sums = dict.fromkeys(PHASES, 0.0)

    def observe(self, phase: str, seconds: float) -> None:
        """One more that took *seconds*."""
        seconds = max(0.0, seconds)
        self._buckets[phase][bisect_left(PHASE_BOUNDS, seconds)] += 1
        self._sums[phase] += seconds

    def values(self) -> tuple[float, ...]:
        """In the order of the page: cumulative buckets, count and sum of each phase."""
        return tuple(
            value
            for phase in PHASES
            for buckets in [list(accumulate(self._buckets[phase]))]
            for value in (*buckets, buckets[-1], self._sums[phase])
        )
