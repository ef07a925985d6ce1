"""Rules as promtool reads them, parsed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from rules.render import FILES, Profile


@dataclass(frozen=True, slots=True)
class Rule:
    """A recording or an alerting rule."""

    file: str
    group: str
    interval: str
    name: str
    """The alert, or the series that is recorded."""
    is_alert: bool
    expr: str
    wait: str = ""
    """Its `for`; empty if it has none."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    keep: str = ""
    """Its `keep_firing_for`."""

    @property
    def where(self) -> str:
        """The place, for messages."""
        return f"{self.file}: {self.name}"


def rules_of(outputs: Mapping[str, str], profile: Profile) -> list[Rule]:
    """Every rule of a *profile* among rendered files."""
    return [rule for name in FILES for rule in parse(f"{profile}/{name}", outputs[f"{profile}/{name}"])]


def parse(file: str, text: str) -> Iterator[Rule]:
    """The rules of one file."""
    for group in yaml.load(text, yaml.BaseLoader)["groups"]:  # noqa: S506 - BaseLoader makes nothing but text, lists and mappings
        for rule in group["rules"]:
            yield Rule(
                file,
                group["name"],
                group["interval"],
                rule.get("alert") or rule["record"],
                "alert" in rule,
                rule["expr"],
                rule.get("for", ""),
                rule.get("labels", {}),
                rule.get("annotations", {}),
                rule.get("keep_firing_for", ""),
            )
