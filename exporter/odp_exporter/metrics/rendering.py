"""From values to the text of a page, in both formats that Prometheus reads.

The bytes of a sample line are the same in both. All of a line but its owner's
name and its value is known beforehand, so the lines of a family are one
template; and most values are what they were at the last scrape, so that lines
once written are kept. It knows no metric.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import product
from typing import TypeVar

from .family import Family, Kind

Values = float | tuple[float | None, ...] | None
"""The values of one family and one owner, in the order of its lines; None leaves a line out, or all of them."""

V = TypeVar("V")

_REMEMBERED = 16_384
"""Owners, more than one exporter probes."""
_ABSENT = b" None\n"
"""How a line ends that has no value and is left out."""
_OWNER = b"\0"
"""Stands for the owner's name in a template."""
_TEXT_TYPES = {Kind.STATE_SET: "gauge", Kind.INFO: "gauge"}
# OpenMetrics wants the label of a state set to have the name of the metric; ours are `state`, so a gauge it stays.
_OPEN_METRICS_TYPES = {Kind.STATE_SET: "gauge"}


class Format(Enum):
    """A text format of Prometheus, by its content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


Block = tuple[Family, bytes]
"""A family and the lines of its samples, or of some; its other blocks follow at once."""


def page(blocks: Iterable[Block], form: Format) -> str:
    """The page of *blocks*; the `# EOF` of OpenMetrics is not part of it."""
    return b"".join(parts(blocks, form)).decode()


def parts(blocks: Iterable[Block], form: Format) -> Iterator[bytes]:
    """The page of *blocks* one by one, each family with its header once."""
    headed: Family | None = None
    for family, lines in blocks:
        if lines:
            yield lines if family is headed else _header(family, form).encode() + lines
            headed = family


def _header(family: Family, form: Format) -> str:
    if form is Format.TEXT:
        kind = _TEXT_TYPES.get(family.kind, family.kind.value)
        return f"# HELP {family.name} {family.help}\n# TYPE {family.name} {kind}\n"
    kind = _OPEN_METRICS_TYPES.get(family.kind, family.kind.value)
    unit = f"# UNIT {family.base_name} {family.unit}\n" if family.unit else ""
    return f"# HELP {family.base_name} {family.help}\n# TYPE {family.base_name} {kind}\n{unit}"


def sample(family: Family, labels: Mapping[str, str], value: float) -> bytes:
    """One line, for labels that turn up at run time."""
    return f"{family.name}{_labels(labels.items())} {value}\n".encode(errors="replace")


class Template:
    """The lines of one family, whole but for the owner's name and the values."""

    def __init__(self, family: Family) -> None:
        # Bytes find their next % at once, text looks at each character; %a is the repr of a number.
        self._lines = "".join(f"{prefix.replace('%', '%%')} %a\n" for prefix in _prefixes(family)).encode()

    def fill(self, owner: str, values: Values) -> bytes:
        """The lines of *owner* with their *values*."""
        if values is None:
            return b""
        filled = self._lines % values
        if _ABSENT in filled:
            filled = b"".join([line for line in filled.splitlines(keepends=True) if not line.endswith(_ABSENT)])
        return filled.replace(_OWNER, _encoded(owner))


class Written:
    """The lines of one family and some owners as they were last written; as long as values stay equal, so do they."""

    def __init__(self) -> None:
        self._owners: Sequence[str] = ()
        self._values: Sequence[object] = ()
        self._lines: Sequence[bytes] = ()
        self._whole = b""
        """All lines in one, of those that did not change the last time."""

    def lines(self, owners: Sequence[str], values: Sequence[V], write: Callable[[str, V], bytes]) -> bytes:
        """The lines of *owners* with their *values*, which nobody may change afterwards."""
        if owners == self._owners:
            if values == self._values:
                self._whole = self._whole or b"".join(self._lines)
                return self._whole
            known = zip(owners, values, self._values, self._lines, strict=True)
            self._lines = [line if value == last else write(owner, value) for owner, value, last, line in known]
        else:
            self._lines = list(map(write, owners, values))
        self._owners, self._values, self._whole = owners, values, b""
        return b"".join(self._lines)


def single(family: Family, values: Values) -> Block:
    """A family that no ODP, pool or OCP owns."""
    return family, Template(family).fill("", values)


def several(family: Family, values: Iterable[tuple[str, float]]) -> Block:
    """A family with one label, whose values turn up at run time."""
    (label,) = family.open
    return family, b"".join(sample(family, {label: name}, value) for name, value in values)


def _prefixes(family: Family) -> Iterable[str]:
    """Everything that stands before the values, line by line."""
    owner = [(family.owner, _OWNER.decode())] if family.owner else []
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


@functools.lru_cache(_REMEMBERED)
def _encoded(owner: str) -> bytes:
    return _escaped(owner).encode(errors="replace")
