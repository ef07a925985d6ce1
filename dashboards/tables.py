"""Tables: a row for each thing, a column for each query, joined by what the thing is called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, prometheus, table
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_kinds

from .palette import Steps, Words, mappings, thresholds, unknown
from .panels import About, Query, at_end, framed

_NARROWEST = 70
"""Pixels of a column; where there is less room, the table scrolls."""


@dataclass(frozen=True, slots=True)
class Label:
    """A column of text, out of a label of the series."""

    name: str
    title: str
    width: int = 0
    """In pixels; 0: what is left."""
    links: tuple[builders.DashboardLink, ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """A column of numbers or words, out of a query of its own."""

    title: str
    expr: str
    unit: str = "none"
    steps: Steps | None = None
    """Colour the ground of the cell; None: it stays plain."""
    words: Words | None = None
    width: int = 0
    decimals: int | None = None


def rows(about: About, labels: Iterable[Label], values: Iterable[Value], *, sort_by: str) -> table.Panel:
    """A table; the first label joins the values, and the highest of *sort_by* come first."""
    labels, values = list(labels), list(values)
    panel = framed(
        table.Panel()
        .show_header(True)  # noqa: FBT003 - the library's signature
        .cell_height(kinds.TableCellHeight.SM)
        .min_width(_NARROWEST)
        .filterable(True)  # noqa: FBT003 - as above
        .sort_by([common.TableSortByFieldState().display_name(sort_by).desc(True)]),  # noqa: FBT003 - as above
        about,
        map(_target, values),
    )
    for transformation in _transformations(labels, values):
        panel.with_transformation(transformation)
    for label in labels:
        panel.override_by_name(label.title, list(_of_label(label)))
    for value in values:
        panel.override_by_name(value.title, list(_of_value(value)))
    return panel


def _target(value: Value) -> prometheus.Dataquery:
    return at_end(Query(value.expr, value.title)).format(prometheus_kinds.PromQueryFormat.TABLE)


def _transformations(labels: list[Label], values: list[Value]) -> Iterator[models.DataTransformerConfig]:
    """Join, then name and order the columns; what has no name is left out."""
    only = len(values) == 1
    if not only:
        joining = {"byField": labels[0].name, "mode": "outer"}
        yield models.DataTransformerConfig(id_val="joinByField", options=joining)
    fields = {each.name: each.title for each in labels} | {
        "Value" if only else f"Value #{letter}": value.title
        for letter, value in zip(ascii_uppercase, values, strict=False)  # strict: there are more letters
    }
    yield models.DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": list(fields)}})
    order = {name: index for index, name in enumerate(fields)}
    yield models.DataTransformerConfig(
        id_val="organize", options={"excludeByName": {}, "indexByName": order, "renameByName": fields}
    )


def _of_label(label: Label) -> Iterator[models.DynamicConfigValue]:
    if label.width:
        yield models.DynamicConfigValue("custom.width", label.width)
    # What the panel says when it is empty is not to be said by empty cells, too.
    yield models.DynamicConfigValue("noValue", "-")
    if label.links:
        yield models.DynamicConfigValue("links", [link.build() for link in label.links])


def _of_value(value: Value) -> Iterator[models.DynamicConfigValue]:
    yield models.DynamicConfigValue("unit", value.unit)
    if value.width:
        yield models.DynamicConfigValue("custom.width", value.width)
    if value.decimals is not None:
        yield models.DynamicConfigValue("decimals", value.decimals)
    yield models.DynamicConfigValue("mappings", [*mappings(value.words or {}), unknown("-", "transparent")])
    if value.steps is not None:
        yield models.DynamicConfigValue("thresholds", thresholds(value.steps).build())
        yield models.DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"})
