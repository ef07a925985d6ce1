"""What a dashboard must be, beyond being one that Grafana takes. Each problem says where, what, and the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import layout, linking, queries
from .boards import Json

Check = Callable[[Json], Iterator[str]]

CHECKS: tuple[Check, ...] = (
    layout.whole,
    layout.places,
    layout.tables,
    layout.texts,
    layout.values,
    layout.legends,
    layout.colours,
    linking.variables,
    linking.sources,
    linking.targets,
    queries.parse,
    queries.names,
    queries.windows,
    queries.counters,
    queries.matchers,
)


def problems(board: Json) -> list[str]:
    """Everything that is wrong with a dashboard."""
    return [f"{board['uid']}: {text}" for check in CHECKS for text in check(board)]
