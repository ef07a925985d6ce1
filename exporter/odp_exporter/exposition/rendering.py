"""From values to the text of a page, in both formats that Prometheus reads.

The bytes of a sample line are the same in both, and all of a line but its
value is known before a scrape: so the lines of one family and one owner are
kept as one template, and a scrape only fills in numbers. It knows no metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import product

from .family import Family, Kind

Values = float | tuple[float | None, ...] | None
"""The values of one family and one owner, in the order of its lines; None leaves a line out, or all of them."""

_OWNER = "\0"
"""Stands for the owner's name in a template that is still every owner's."""
_TEXT_TYPES = {Kind.STATE_SET: "gauge", Kind.INFO: "gauge"}
# OpenMetrics wants the label of a state set to have the name of the metric; ours are `state`, so a gauge it stays.
_OPEN_METRICS_TYPES = {Kind.STATE_SET: "gauge"}


class Format(Enum):
    """A text format of Prometheus, by its content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


Block = tuple[Family, str]
"""A family and the text of its samples."""


def page(blocks: Iterable[Block], form: Format) -> str:
    """The page of *blocks*; the `# EOF` of OpenMetrics is not part of it."""
    return "".join(part for family, lines in blocks if lines for part in (_header(family, form), lines))


def _header(family: Family, form: Format) -> str:
    if form is Format.TEXT:
        kind = _TEXT_TYPES.get(family.kind, family.kind.value)
        return f"# HELP {family.name} {family.help}\n# TYPE {family.name} {kind}\n"
    kind = _OPEN_METRICS_TYPES.get(family.kind, family.kind.value)
    unit = f"# UNIT {family.base_name} {family.unit}\n" if family.unit else ""
    return f"# HELP {family.base_name} {family.help}\n# TYPE {family.base_name} {kind}\n{unit}"


def sample(family: Family, labels: Mapping[str, str], value: float) -> str:
    """One line, for labels that turn up at run time."""
    return f"{family.name}{_labels(labels.items())} {value}\n"


class Templates:
    """Fills in the lines of one family, remembering each owner's."""

    def __init__(self, family: Family) -> None:
        self._common = "".join(f"{prefix.replace('%', '%%')} %s\n" for prefix in _prefixes(family))
        self._owned: dict[str, str] = {}

    def fill(self, owner: str, values: Values) -> str:
        """The lines of *owner* with their *values*."""
        if values is None:
            return ""
        template = self._owned.get(owner) or self._begin(owner)
        if isinstance(values, tuple) and None in values:
            lines = zip(template.split("\n"), values, strict=False)  # strict: the last part is empty
            return "".join(f"{line % value}\n" for line, value in lines if value is not None)
        return template % values

    def forget_all_but(self, owners: Mapping[str, object]) -> None:
        """Drop the lines of owners that are gone."""
        if len(self._owned) > len(owners):
            self._owned = {owner: self._owned[owner] for owner in owners if owner in self._owned}

    def _begin(self, owner: str) -> str:
        self._owned[owner] = template = self._common.replace(_OWNER, _escaped(owner).replace("%", "%%"))
        return template


def _prefixes(family: Family) -> Iterable[str]:
    """Everything that stands before the values, line by line."""
    owner = [(family.owner, _OWNER)] if family.owner else []
    names = [label.name for label in family.closed]
    for values in product(*(label.values for label in family.closed)):
        labels = [*owner, *zip(names, values, strict=True)]
        if family.kind is not Kind.HISTOGRAM:
            yield family.name + _labels(labels)
            continue
        for bound in family.bounds:
            yield f"{family.name}_bucket{_labels([*labels, ('le', str(bound))])}"
        yield f"{family.name}_bucket{_labels([*labels, ('le', '+Inf')])}"
        yield f"{family.name}_count{_labels(labels)}"
        yield f"{family.name}_sum{_labels(labels)}"


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    text = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{text}}}" if text else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
