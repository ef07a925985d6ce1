"""The only place that reads a clock; everything else is told what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present moment, with a time zone."""


def wall_clock() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


stopwatch = time.perf_counter
"""Monotonic seconds, for durations only."""
