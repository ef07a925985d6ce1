"""What one Alertmanager was told of, and what of that is over: pure, with time as an argument.

Time is that of a clock that nobody sets, for it is only about how long something lasts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from .alerts import Alert, Key, Outlook


@dataclass(frozen=True, slots=True)
class Told:
    """Every alert that was pushed and not ended yet."""

    alerts: Mapping[Key, Alert] = field(default_factory=dict)
    quiet: Mapping[Key, timedelta] = field(default_factory=dict)
    """Since when those that fire no more do not."""

    def after(self, seen: Outlook, now: timedelta, expire_after: timedelta) -> Told:
        """What is *seen* now, taken in; what has been quiet for longer than it takes to expire is forgotten.

        So is what nothing can be said of any more: that it is over would be a guess, and it expires.
        """
        present = {alert.key: alert for alert in seen.firing}
        quiet = {key: self.quiet.get(key, now) for key in self.alerts if key in seen.clear}
        quiet = {key: since for key, since in quiet.items() if now - since <= expire_after}
        return Told({**{key: self.alerts[key] for key in quiet}, **present}, quiet)

    def over(self, now: timedelta, end_after: timedelta) -> tuple[Alert, ...]:
        """Those of which may be said that they are over."""
        return tuple(self.alerts[key] for key, since in self.quiet.items() if now - since >= end_after)

    def without(self, ended: Collection[Alert]) -> Told:
        """It has been said of these."""
        keys = {alert.key for alert in ended}
        return Told(
            {key: alert for key, alert in self.alerts.items() if key not in keys},
            {key: since for key, since in self.quiet.items() if key not in keys},
        )

    def wait(self, now: timedelta, end_after: timedelta, longest: timedelta) -> timedelta:
        """Until the next one is over, but no longer than *longest*."""
        return min([longest, *(since + end_after - now for since in self.quiet.values())])
