"""A rule with its expression understood, and what it is weighed against."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta

import promql_parser as promql

from .labels import labels_of
from .rule_files import Rule
from .vocabulary import Labels, Series


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What rules are weighed against."""

    known: Mapping[str, Series]
    scrape_interval: timedelta
    numbers: AbstractSet[float]
    """Those of thresholds.yml."""
    for_dashboards: AbstractSet[str] = frozenset()
    """Recorded series that no rule uses."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A rule with its expression understood."""

    rule: Rule
    expr: promql.Expr
    around: Surroundings

    @property
    def nodes(self) -> list[promql.Expr]:
        """Every part of the expression."""
        found: list[promql.Expr] = []
        promql.walk(self.expr, found.append)
        return found

    @property
    def labels(self) -> Labels:
        """Those that the result may have."""
        return labels_of(self.expr, self.around.known)
