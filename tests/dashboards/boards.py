"""Dashboards as JSON, and the parts of them that the lint speaks of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser as promql

from dashboards.generate import DIRECTORY

Json = dict[str, Any]
_VARIABLE_QUERY = re.compile(r"label_values\((?:(?P<selector>.+), *)?(?P<label>\w+)\)", re.DOTALL)
_LENGTHS = {"$__rate_interval": "1m", "$__range": "1h"}
"""What Grafana puts in for its own variables; any length does where nothing is asked."""


@dataclass(frozen=True, slots=True)
class Target:
    """A query of a panel, of an annotation, or of a variable."""

    where: str
    expr: str
    is_instant: bool
    legend: str = ""
    label: str = ""
    """The label of which a variable takes the values."""

    @property
    def parsed(self) -> promql.Expr:
        """Its expression, with lengths for Grafana's own variables."""
        return promql.parse(replaced(self.expr))


def load() -> dict[str, Json]:
    """Every committed dashboard, by the name of its file."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(DIRECTORY.glob("*.json"))}


def replaced(expr: str) -> str:
    """*expr* as Prometheus takes it; variables of the dashboard stay, as they stand in strings."""
    for name, length in _LENGTHS.items():
        expr = expr.replace(name, length)
    return expr


def panels(board: Json) -> list[Json]:
    """All panels but the rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def variables(board: Json) -> list[Json]:
    """Those that are asked of Prometheus."""
    return [each for each in board["templating"]["list"] if each["type"] == "query"]


def of_panels(board: Json) -> Iterator[Target]:
    """The queries of panels."""
    for panel in panels(board):
        for target in panel.get("targets", ()):
            is_instant = target.get("instant", False)
            yield Target(panel["title"], target["expr"], is_instant, target.get("legendFormat", ""))


def of_annotations(board: Json) -> Iterator[Target]:
    """The queries of annotations."""
    for each in board["annotations"]["list"]:
        yield Target(f"annotation {each['name']}", each["expr"], is_instant=False)


def of_variables(board: Json) -> Iterator[Target]:
    """What variables ask: the selector, and the label of which they take the values."""
    for each in variables(board):
        where = f"variable {each['name']}"
        found = _VARIABLE_QUERY.fullmatch(each["query"])
        yield Target(
            where, found["selector"] or "" if found else "", is_instant=True, label=found["label"] if found else ""
        )


def overrides(panel: Json, property_id: str) -> Iterator[Any]:
    """The values that overrides of *panel* give a property."""
    for override in panel["fieldConfig"].get("overrides", ()):
        yield from (each["value"] for each in override["properties"] if each["id"] == property_id)


def links(panel: Json) -> Iterator[str]:
    """URLs behind the title and the values of *panel*."""
    lists = [panel.get("links", ()), panel["fieldConfig"]["defaults"].get("links", ()), *overrides(panel, "links")]
    for each in lists:
        yield from (link["url"] for link in each)
