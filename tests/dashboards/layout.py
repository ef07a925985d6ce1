"""How a dashboard and its panels have to look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from grafana_foundation_sdk.models import units

from dashboards.palette import Colour

from .boards import Json, overrides, panels

WIDTH = 24
NARROWEST = 1000
"""Pixels of a window that shows a dashboard whole."""
_FRAME = 22
"""Pixels that Grafana puts around a table."""
_UNITS = {value for value in vars(units).values() if isinstance(value, str)}
_WITH_LEGEND = ("timeseries", "state-timeline")
_COLOURS = {*Colour, "transparent"}


def whole(board: Json) -> Iterator[str]:
    """Nobody edits it in Grafana, and everybody is shown the same instant."""
    if board.get("editable", True):
        yield "can be edited in Grafana, where the next release overwrites it (make it readonly)"
    if board.get("graphTooltip") != 1:
        yield "panels do not share their crosshair (tooltip CROSSHAIR)"
    hidden = [each for each in (*board["annotations"]["list"], *board["links"]) if "placement" in each]
    for each in hidden:
        yield f"{each.get('name') or each['title']!r} is hidden in a menu (strip its placement)"


def places(board: Json) -> Iterator[str]:
    """Every panel has a number and a place of its own."""
    for number, times in Counter(panel["id"] for panel in board["panels"]).items():
        if times > 1 or not number:
            yield f"{times} panels have the id {number} (ids come from titles: give each its own)"
    for panel in board["panels"]:
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > WIDTH:
            yield f"{panel['title']!r} is not within {WIDTH} columns"
    for one, other in combinations(board["panels"], 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"{one['title']!r} and {other['title']!r} overlap"


def _overlap(one: Json, other: Json) -> bool:
    return bool(
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def tables(board: Json) -> Iterator[str]:
    """Every table shows all of its columns in a narrow window."""
    for panel in (each for each in panels(board) if each["type"] == "table"):
        room = NARROWEST * panel["gridPos"]["w"] // WIDTH - _FRAME
        if (needed := sum(_columns(panel))) > room:
            yield f"{panel['title']!r} needs {needed} pixels and has {room} of {NARROWEST} (make its columns narrower)"


def _columns(panel: Json) -> Iterator[int]:
    (names,) = (each["options"]["renameByName"] for each in panel["transformations"] if each["id"] == "organize")
    fixed = {each["matcher"]["options"]: each["properties"] for each in panel["fieldConfig"]["overrides"]}
    for name in names.values():
        widths = [each["value"] for each in fixed.get(name, ()) if each["id"] == "custom.width"]
        yield widths[0] if widths else panel["fieldConfig"]["defaults"]["custom"]["minWidth"]


def texts(board: Json) -> Iterator[str]:
    """Every panel says what it is and which question it answers."""
    for panel in panels(board):
        if not panel.get("title") or not panel.get("description", "").endswith((".", "?")):
            yield f"{panel.get('title')!r} has no title, or no description in sentences"


def values(board: Json) -> Iterator[str]:
    """Every value has a unit and thresholds that somebody chose."""
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        for unit in (defaults.get("unit"), *overrides(panel, "unit")):
            if unit not in _UNITS and not str(unit).startswith("suffix:"):
                yield f"{panel['title']!r} has {unit!r} for a unit (the library's units.py has them all)"
        steps = defaults.get("thresholds", {}).get("steps", ())
        if not steps or steps[0].get("value") is not None:
            yield f"{panel['title']!r} has Grafana's thresholds, red from 80 on (set its own)"


def legends(board: Json) -> Iterator[str]:
    """Every series has a name, and its legend is shown."""
    for panel in panels(board):
        is_shown = panel["options"].get("legend", {}).get("showLegend", False)
        if panel["type"] in _WITH_LEGEND and not is_shown:
            yield f"{panel['title']!r} hides its legend"
        for target in panel.get("targets", ()):
            if not target.get("legendFormat"):
                yield f"{panel['title']!r} names its series by all their labels (set a legend)"


def colours(board: Json) -> Iterator[str]:
    """Colours are the palette's, and each word that has one is a word."""
    for panel in panels(board):
        for result in _results(panel):
            if not result.get("text"):
                yield f"{panel['title']!r} tells something by a colour alone (add its word)"
        for colour in sorted(set(_colours(panel)) - _COLOURS):
            yield f"{panel['title']!r} has the colour {colour!r} (take one of dashboards/palette.py)"


def _results(panel: Json) -> Iterator[Json]:
    lists: list[Any] = [panel["fieldConfig"]["defaults"].get("mappings", ()), *overrides(panel, "mappings")]
    for mapping in (each for mappings in lists for each in mappings):
        yield from mapping["options"].values() if mapping["type"] == "value" else [mapping["options"]["result"]]


def _colours(panel: Json) -> Iterator[str]:
    yield from (result["color"] for result in _results(panel))
    for thresholds in (panel["fieldConfig"]["defaults"].get("thresholds", {}), *overrides(panel, "thresholds")):
        yield from (step["color"] for step in thresholds.get("steps", ()))
    yield from (each["fixedColor"] for each in overrides(panel, "color"))
