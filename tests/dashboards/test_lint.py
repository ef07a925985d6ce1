"""The dashboards break no rule, and each rule refuses the dashboard that breaks it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import pytest

from dashboards.links import Uid
from tests.dashboards.boards import Json, panels
from tests.dashboards.lint import problems

Spoil = Callable[[Json], object]


@pytest.mark.parametrize("uid", Uid)
def test_dashboards_break_no_rule(committed: dict[str, Json], uid: Uid) -> None:
    assert [] == problems(committed[f"{uid}.json"])


def panel(board: Json, title: str) -> Json:
    return next(each for each in panels(board) if each["title"] == title)


def expr(text: str, *, of: str = "State") -> Spoil:
    return lambda board: panel(board, of)["targets"][0].update(expr=text)


def defaults(title: str, **changed: object) -> Spoil:
    return lambda board: panel(board, title)["fieldConfig"]["defaults"].update(changed)


def variable(index: int, **changed: object) -> Spoil:
    return lambda board: board["templating"]["list"][index].update(changed)


def link(url: str) -> Spoil:
    return lambda board: panel(board, "Repair")["fieldConfig"]["defaults"]["links"][0].update(url=url)


BAD: dict[str, tuple[Spoil, str]] = {
    "editable": (lambda board: board.update(editable=True), "can be edited in Grafana"),
    "crosshair": (lambda board: board.update(graphTooltip=0), "do not share their crosshair"),
    "hidden": (
        lambda board: board["links"][0].update(placement="inControlsMenu"),
        "'ODP dashboards' is hidden in a menu",
    ),
    "same id": (lambda board: panel(board, "Age").update(id=panel(board, "State")["id"]), "2 panels have the id"),
    "no id": (lambda board: panel(board, "Age").update(id=0), "1 panels have the id 0"),
    "too wide": (lambda board: panel(board, "Repair")["gridPos"].update(w=4), "'Repair' is not within 24 columns"),
    "overlap": (lambda board: panel(board, "State")["gridPos"].update(w=4), "'State' and 'Age' overlap"),
    "wide table": (
        lambda board: panel(board, "Cached clusters")["gridPos"].update(w=5),
        "'Cached clusters' needs 210 pixels and has 186 of 1000",
    ),
    "no title": (lambda board: panel(board, "Age").update(title=""), "'' has no title"),
    "no description": (lambda board: panel(board, "Age").pop("description"), "no description in sentences"),
    "no unit": (defaults("Age", unit=None), "'Age' has None for a unit"),
    "wrong unit": (defaults("Age", unit="secs"), "'Age' has 'secs' for a unit"),
    "no thresholds": (defaults("Age", thresholds={}), "'Age' has Grafana's thresholds"),
    "thresholds from a number": (
        defaults("Age", thresholds={"steps": [{"value": 80, "color": "#D55E00"}]}),
        "'Age' has Grafana's thresholds",
    ),
    "no legend": (
        lambda board: panel(board, "Processor")["options"]["legend"].update(showLegend=False),
        "'Processor' hides its legend",
    ),
    "no name": (lambda board: panel(board, "Processor")["targets"][0].pop("legendFormat"), "names its series by all"),
    "no word": (
        defaults("State", mappings=[{"type": "value", "options": {"1": {"color": "#009E73"}}}]),
        "'State' tells something by a colour alone",
    ),
    "foreign colour": (
        defaults("State", thresholds={"steps": [{"value": None, "color": "red"}]}),
        "'State' has the colour 'red'",
    ),
    "no data source": (variable(0, name="source"), "has not just one data source to choose"),
    "no job": (variable(1, name="jobs"), "the variable job is missing"),
    "job of one": (variable(1, multi=False), "the variable job is missing, or not one of several"),
    "never asked again": (variable(2, refresh=1), "the variable odp has no label, or is not asked of"),
    "fixed source": (lambda board: panel(board, "Age").update(datasource={"uid": "abc"}), "'Age' does not ask"),
    "fixed source of a query": (
        lambda board: panel(board, "Age")["targets"][0].update(datasource=None),
        "'Age' does not ask",
    ),
    "fixed source of an annotation": (
        lambda board: board["annotations"]["list"][0].update(datasource=None),
        "the annotation Alerts does not ask",
    ),
    "no query": (lambda board: panel(board, "Age").update(targets=[]), "'Age' asks nothing"),
    "no such dashboard": (link("/d/odp-two?${__url_time_range}"), "leads to no dashboard"),
    "no such variable": (link("/d/odp-one?${__url_time_range}&var-proxy=a"), "sets var-proxy, which odp-one does not"),
    "no time": (link("/d/odp-one?var-odp=a"), "forgets the time that is shown"),
    "no such runbook": (link("https://github.com/OWNER/odp-ha/blob/main/docs/runbooks/OdpSad.md"), "nor the runbook"),
    "elsewhere": (link("https://grafana.com/"), "is neither a dashboard nor the runbook"),
    "no expression": (expr("sum("), "'State': "),
    "no query for a variable": (variable(2, query="odp_info"), "not label_values(selector, label)"),
    "no such metric": (expr('odp_stat{job=~"$job", odp="$odp"}'), "no metric 'odp_stat'; did you mean 'odp_state'?"),
    "no such label": (expr('odp_state{job=~"$job", odp="$odp", stat="a"}'), "no label 'stat' there"),
    "no such state": (expr('odp_state{job=~"$job", odp="$odp", state="ill"}'), "odp_state has no state='ill'"),
    "no such label of a variable": (
        variable(2, query='label_values(odp_info{job=~"$job"}, proxy)'),
        "no label 'proxy'",
    ),
    "fixed window": (
        expr('rate(odp_probes_total{job=~"$job", odp="$odp"}[5m])'),
        "a counter over [5m] (take $__rate_interval)",
    ),
    "whole range at each instant": (
        expr('rate(odp_probes_total{job=~"$job", odp="$odp"}[$__range])', of="Processor"),
        "a counter over [$__range] (take $__rate_interval)",
    ),
    "bare counter": (expr('odp_probes_total{job=~"$job", odp="$odp"}'), "odp_probes_total is a counter"),
    "no job matcher": (expr('odp_up{odp="$odp"}'), "is not asked for by job"),
    "every ODP": (expr('odp_up{job=~"$job"}'), "is not that of the one ODP"),
    "every ODP's own": (expr("odp_current_session"), "is not that of the one ODP"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_dashboard_is_refused(committed: dict[str, Json], what: str) -> None:
    spoil, problem = BAD[what]
    board = copy.deepcopy(committed["odp-one.json"])

    spoil(board)

    assert [text for text in problems(board) if re.search(re.escape(problem), text)]
