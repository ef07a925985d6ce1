"""What the expressions of a dashboard must be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import promql_parser as promql

from dashboards.links import Uid
from tests.rules import expressions
from tests.rules.parsed import Parsed, Surroundings
from tests.rules.rule_files import Rule

from .boards import Json, Target, of_annotations, of_panels, of_variables, replaced
from .vocabulary import OWN, known

_OVER_COUNTERS = {"rate", "irate", "increase", "max_over_time"}
_OF_COUNTERS = re.compile(r"\b(?:rate|irate|increase)\((?:[^\[\]]*)\[([^\]]*)\](.*)", re.DOTALL)
_ALERTS = ("ALERTS", "ALERTS_FOR_STATE")


def _targets(board: Json) -> Iterator[Target]:
    yield from of_panels(board)
    yield from of_annotations(board)
    yield from (target for target in of_variables(board) if target.expr)


def _parsed(board: Json) -> Iterator[tuple[Target, list[promql.Expr]]]:
    for target in _targets(board):
        if not _error(target):
            nodes: list[promql.Expr] = []
            promql.walk(target.parsed, nodes.append)
            yield target, nodes


def _error(target: Target) -> str:
    try:
        promql.parse(replaced(target.expr))
    except ValueError as error:
        return str(error)
    return ""


def parse(board: Json) -> Iterator[str]:
    """Every expression is one."""
    for target in _targets(board):
        if error := _error(target):
            yield f"{target.where!r}: {error}"
    for target in of_variables(board):
        if not target.label:
            yield f"{target.where!r}: not label_values(selector, label)"


def names(board: Json) -> Iterator[str]:
    """Metrics, labels and their values exist."""
    around = Surroundings(known(), timedelta(seconds=1), frozenset())
    for target, nodes in _parsed(board):
        rule = Rule(board["uid"], "", "1s", target.where, is_alert=False, expr=target.expr)
        parsed = Parsed(rule, target.parsed, around)
        if any(isinstance(node, promql.VectorSelector) and node.name is None for node in nodes):
            continue
        yield from (f"{target.where!r}: {problem}" for problem in expressions.names(parsed))
        if target.label and target.label not in parsed.labels:
            yield f"{target.where!r}: no label {target.label!r} there"


def windows(board: Json) -> Iterator[str]:
    """Counters are looked at over $__rate_interval, or over all that is shown where that is one look."""
    for target in _targets(board):
        for window, rest in _OF_COUNTERS.findall(target.expr):
            is_one_look = target.is_instant or rest.startswith(" @ end()")
            if window != "$__rate_interval" and not (window == "$__range" and is_one_look):
                yield f"{target.where!r}: a counter over [{window}] (take $__rate_interval)"


def counters(board: Json) -> Iterator[str]:
    """Counters stand under rate() and its kin."""
    series = known()
    for target, nodes in _parsed(board):
        covered = {
            _selector(node) for node in nodes if isinstance(node, promql.Call) and node.func.name in _OVER_COUNTERS
        }
        selectors = (node for node in nodes if isinstance(node, promql.VectorSelector) and node.name in series)
        for node in selectors:
            if node.name and series[node.name].is_counter and str(node) not in covered:
                yield f"{target.where!r}: {node.name} is a counter (take its rate() or increase())"


def _selector(call: promql.Call) -> str:
    matrix = next((argument for argument in call.args if isinstance(argument, promql.MatrixSelector)), None)
    return str(matrix.vector_selector) if matrix else ""


def matchers(board: Json) -> Iterator[str]:
    """Our metrics are asked for by job, and those of one ODP by its name."""
    for target, nodes in _parsed(board):
        for node in nodes:
            if isinstance(node, promql.VectorSelector) and (problem := _unmatched(board, target, node)):
                yield f"{target.where!r}: {problem}"


def _unmatched(board: Json, target: Target, node: promql.VectorSelector) -> str:
    text = str(node)
    if target.where == "variable job" or node.name in _ALERTS:
        return ""
    if node.name not in OWN and 'job=~"$job"' not in text:
        return f"{text} is not asked for by job (take promql.of())"
    if board["uid"] == Uid.ONE and 'odp="$odp"' not in text and not target.label:
        return f"{text} is not that of the one ODP"
    return ""
