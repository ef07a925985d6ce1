"""A mistake in a file that people write, and how it is told to them.

Values only: who finds a mistake makes a Fault, who knows the file makes a
Problem of it, and a file with any of them gives one ConfigError with them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from odp_exporter.settings import quoted

Location = tuple[str | int, ...]
"""The way to a value: keys of mappings and indices of lists, counted from 0 (`odps.1` is the second ODP)."""

_PLAIN = re.compile(r"[\w:\[\]/-]{1,64}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the value at a location, or with its key."""

    location: Location
    message: str
    at_key: bool = False
    """The key is wrong, not the value behind it."""
    first: Location | None = None
    """Where that stands which it repeats or contradicts."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, as a person finds it: file, line, column, what and why."""

    path: str
    message: str
    line: int | None = None
    """Counted from 1; None for a mistake of the file as a whole."""
    column: int | None = None
    where: str = ""
    """The location, written with dots."""

    def __str__(self) -> str:
        place = [shown(self.path), *(str(number) for number in (self.line, self.column) if number)]
        return ": ".join(part for part in (":".join(place), self.where, self.message) if part)


class ConfigError(Exception):
    """A file cannot be used; *problems* are all its mistakes, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0)))
        super().__init__("\n".join(map(str, self.problems)))


def where(location: Location) -> str:
    """*location* on one line, whatever its keys contain."""
    return ".".join(part if isinstance(part, str) and _PLAIN.fullmatch(part) else _odd(part) for part in location)


def shown(path: str) -> str:
    """*path* on one line, whatever it contains."""
    return path if path.isprintable() else ascii(path)


def _odd(part: str | int) -> str:
    return str(part) if isinstance(part, int) else quoted(part)
