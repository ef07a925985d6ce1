"""What the programs of a site say about one ODP since they were asked last, each with its time."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from odp_exporter.simulator.stack.remediator import Recorded
from odp_exporter.simulator.stack.site import Site


@dataclass(frozen=True, slots=True, order=True)
class News:
    """Something that a program said."""

    at: float
    """Unix time: as the program says where it does, else when it was read."""
    source: str
    text: str


class Source(Protocol):
    """One program."""

    async def news(self) -> list[News]:
        """What is new."""
        ...


@dataclass(slots=True)
class ExporterLog:
    """Changes of state, by the exporter's log."""

    site: Site
    odp: str
    _read: int = 0

    async def news(self) -> list[News]:
        """What it has logged since."""
        lines = self.site.exporter.log.splitlines(keepends=True)
        fresh = [line for line in lines[self._read :] if line.endswith("\n")]
        self._read += len(fresh)
        logged = [dict(word.split("=", 1) for word in shlex.split(line) if "=" in word) for line in fresh]
        return [_logged(each) for each in logged if each.get("odp") == self.odp and each["event"] == "state changed"]


@dataclass(slots=True)
class Alerts:
    """Alerts that ask for a repair, by Alertmanager's own list."""

    site: Site
    odp: str
    _known: set[str] = field(default_factory=set)

    async def news(self) -> list[News]:
        """Those that have come in since."""
        found = []
        for labels, at in await self.site.alertmanagers[0].received():
            name = labels["alertname"]
            if labels.get("odp") == self.odp and "remediation" in labels and name not in self._known:
                self._known.add(name)
                found.append(News(at.timestamp(), "alertmanager", f"{name} has come in"))
        return found


@dataclass(slots=True)
class History:
    """Decisions and steps, by the remediator's history."""

    site: Site
    odp: str
    records: list[Recorded] = field(default_factory=list)
    """Those since the first question."""
    _read: int | None = None

    async def news(self) -> list[News]:
        """What it has recorded since."""
        every = await self.site.remediator.history(self.odp)
        fresh = every[len(every) if self._read is None else self._read :]
        self._read = len(every)
        self.records += fresh
        told = [(each, _recorded(each)) for each in fresh]
        return [News(each.at.timestamp(), "remediator", text) for each, text in told if text]


@dataclass(slots=True)
class Balancer:
    """What the load balancer does with the ODP, by its own state."""

    site: Site
    odp: str
    _state: str = ""

    async def news(self) -> list[News]:
        """Whether that has changed."""
        state = (await self.site.edge.states()).get(self.odp, "").partition(" ")[0]
        before, self._state = self._state, state or self._state
        if not before or before == self._state:
            return []
        return [News(time.time(), "balancer", f"{before} -> {self._state}")]


def _logged(fields: Mapping[str, str]) -> News:
    at = datetime.fromisoformat(fields["ts"]).timestamp()
    return News(at, "exporter", f"{fields['state']} ({fields['result']})")


def _recorded(each: Recorded) -> str:
    """A record in a few words; empty for the beginning of what has its end told soon."""
    if each.outcome == "begun" and each.action not in {"look", "hold"}:
        return ""
    said = _SAID.get((each.action, each.outcome), f"{each.action} {each.outcome}: {{reason}} {{detail}}")
    return said.format(reason=each.reason, detail=each.detail).rstrip()


_SAID = {
    ("look", "begun"): "told of {reason} ({detail})",
    ("look", "done"): "looked, plan: {reason} ({detail})",
    ("look", "refused"): "REFUSED, {reason}: {detail}",
    ("drain", "done"): "drained, as read back from the load balancer",
    ("start", "done"): "started: {detail}",
    ("replace", "done"): "ended the old one and started another: {detail}",
    ("verify", "done"): "verified by whole greetings of the new process",
    ("enable", "done"): "back in the load balancer, whose own check agrees",
}
"""By action and outcome."""
