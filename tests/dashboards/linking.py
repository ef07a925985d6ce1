"""What a dashboard leads to, and what it is led by: variables, data sources, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from urllib.parse import parse_qs, urlsplit

from dashboards.links import Uid, runbooks
from rules import render

from . import boards
from .boards import Json, links, panels

SOURCE = {"type": "prometheus", "uid": "$datasource"}
ON_TIME_RANGE = 2
"""Grafana's number: a variable is asked anew when the time range changes."""
_TIME = "${__url_time_range}"
_DASHBOARD = re.compile(r"/d/([\w-]+)")


def variables(board: Json) -> Iterator[str]:
    """The data source can be chosen; `job` is there; all are asked anew with the time."""
    chosen = [each for each in board["templating"]["list"] if each["type"] == "datasource"]
    if [(each["name"], each["label"]) for each in chosen] != [("datasource", "Data source")]:
        yield "has not just one data source to choose, `datasource`, labelled Data source"
    job = next((each for each in boards.variables(board) if each["name"] == "job"), {})
    if not (job.get("multi") and job.get("includeAll") and job.get("allValue") == ".+"):
        yield "the variable job is missing, or not one of several with All for .+"
    for each in boards.variables(board):
        if each.get("refresh") != ON_TIME_RANGE or not each.get("label") or each.get("datasource") != SOURCE:
            yield f"the variable {each['name']} has no label, or is not asked of $datasource when the time changes"


def sources(board: Json) -> Iterator[str]:
    """Everything is asked of the data source that is chosen."""
    for panel in panels(board):
        if not panel.get("targets"):
            yield f"{panel['title']!r} asks nothing"
        for each in (panel, *panel.get("targets", ())):
            if each.get("datasource") != SOURCE:
                yield f"{panel['title']!r} does not ask $datasource"
    for each in board["annotations"]["list"]:
        if each.get("datasource") != SOURCE:
            yield f"the annotation {each['name']} does not ask $datasource"


def targets(board: Json) -> Iterator[str]:
    """Links lead to dashboards and runbooks that there are, and keep the time."""
    for panel in panels(board):
        for url in links(panel):
            yield from (f"{panel['title']!r}: {problem}" for problem in problems_of(url))


def problems_of(url: str) -> Iterator[str]:
    """What is wrong with a link of a panel."""
    if not url.startswith("/d/"):
        if not (url.startswith(f"{runbooks()}/") and url.endswith(".md")) or _alert(url) not in alerts():
            yield f"{url} is neither a dashboard nor the runbook of an alert"
        return
    if _TIME not in url:
        yield f"{url} forgets the time that is shown (take links.to())"
    yield from unresolved(url)


def unresolved(url: str) -> Iterator[str]:
    """The dashboard and the variables of *url* that there are not."""
    found = _DASHBOARD.search(urlsplit(url).path)
    if found is None or found[1] not in set(Uid):
        yield f"{url} leads to no dashboard (there are: {', '.join(Uid)})"
        return
    names = _variables_of(found[1])
    for name in parse_qs(urlsplit(url).query, keep_blank_values=True):
        if name.startswith("var-") and name.removeprefix("var-") not in names:
            yield f"{url} sets {name}, which {found[1]} does not have (there are: {', '.join(sorted(names))})"


def _alert(url: str) -> str:
    """The alert of a runbook; a row's own name is one of them."""
    name = url.rpartition("/")[2].removesuffix(".md")
    return next(iter(alerts())) if name == "${__value.raw}" else name


@cache
def _variables_of(uid: str) -> frozenset[str]:
    """The names of the variables of a committed dashboard."""
    return frozenset(each["name"] for each in boards.load()[f"{uid}.json"]["templating"]["list"])


@cache
def alerts() -> list[str]:
    """The names of all alerts."""
    return re.findall(r"- alert: (\w+)", "".join(render.read_sources().values()))
