"""What an expression must not do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

import promql_parser as promql

from .labels import labels_of, matchers
from .parsed import Parsed
from .vocabulary import Labels, Series

ALWAYS = "Watchdog"
"""The one alert that needs no condition."""
LEAST_SCRAPES = 4
"""So many scrapes a window spans: of two, one may be lost."""
_OVER_COUNTERS = frozenset({"rate", "irate", "increase"})
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
_ALTERNATIVES = re.compile(r"[\w|]*")


def names(parsed: Parsed) -> Iterator[str]:
    """Metrics, labels and their values exist."""
    for node in parsed.nodes:
        match node:
            case promql.VectorSelector():
                yield from _of_selector(node, parsed.around.known)
            case promql.AggregateExpr() if node.modifier:
                yield from _missing(node.modifier.labels, labels_of(node.expr, parsed.around.known))
            case promql.BinaryExpr() if node.modifier and node.modifier.matching:
                yield from _of_matching(node, node.modifier.matching, parsed.around.known)


def _of_selector(selector: promql.VectorSelector, known: Mapping[str, Series]) -> Iterator[str]:
    name = selector.name or ""
    if name not in known:
        yield f"no metric {name!r}{_like(name, known)}"
        return
    labels = known[name].labels
    yield from _missing([each.name for each in matchers(selector)], labels)
    for each in matchers(selector):
        values = labels.get(each.name)
        is_plain = each.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual) or _ALTERNATIVES.fullmatch(each.value)
        if values is not None and is_plain:
            for value in sorted(set(each.value.split("|")) - values):
                yield f"{name} has no {each.name}={value!r} (there are: {', '.join(sorted(values))})"


def _of_matching(expr: promql.BinaryExpr, matching: promql.LabelModifier, known: Mapping[str, Series]) -> Iterator[str]:
    left, right = labels_of(expr.lhs, known), labels_of(expr.rhs, known)
    if matching.type == promql.LabelModifierType.Exclude:
        yield from _missing(matching.labels, {**left, **right})
    else:
        yield from _missing(matching.labels, left)
        yield from _missing(matching.labels, right)


def _missing(names: Iterable[str], labels: Labels) -> Iterator[str]:
    for name in names:
        if name not in labels:
            yield f"no label {name!r} there (there are: {', '.join(sorted(labels)) or 'none'})"


def _like(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else " (docs/metrics.md has them all)"


def windows(parsed: Parsed) -> Iterator[str]:
    """rate() and its kin see enough scrapes of a counter."""
    least = LEAST_SCRAPES * parsed.around.scrape_interval
    for node in parsed.nodes:
        if isinstance(node, promql.Call) and node.func.name in _OVER_COUNTERS:
            for matrix in (argument for argument in node.args if isinstance(argument, promql.MatrixSelector)):
                name = matrix.vector_selector.name or ""
                if name in parsed.around.known and not parsed.around.known[name].is_counter:
                    yield f"{node.func.name}() of {name}, which is no counter (try delta(), or max_over_time())"
                if matrix.range < least:
                    found, wanted = promql.display_duration(matrix.range), promql.display_duration(least)
                    yield f"{node.func.name}() over {found} may see one scrape only (take at least {wanted})"


def numbers(parsed: Parsed) -> Iterator[str]:
    """Numbers stand in thresholds.yml, once."""
    for node in parsed.nodes:
        if isinstance(node, promql.NumberLiteral) and node.val not in parsed.around.numbers | {0.0, 1.0}:
            yield f"{node.val:g} is a number of its own (give it a name and a reason in thresholds.yml)"


def condition(parsed: Parsed) -> Iterator[str]:
    """An alert fires for every series that its expression gives."""
    if parsed.rule.is_alert and parsed.rule.name != ALWAYS and not _is_filtered(parsed.expr):
        yield "nothing is compared, so it fires for every series (compare, or use absent())"


def _is_filtered(expr: promql.Expr) -> bool:
    match expr:
        case promql.ParenExpr() | promql.AggregateExpr():
            return _is_filtered(expr.expr)
        case promql.Call():
            return expr.func.name == "absent"
        case promql.BinaryExpr():
            return _is_filtering(expr)
        case _:
            return False


def _is_filtering(expr: promql.BinaryExpr) -> bool:
    match str(expr.op):
        case "and":
            return _is_filtered(expr.lhs) or _is_filtered(expr.rhs)
        case "or":
            return _is_filtered(expr.lhs) and _is_filtered(expr.rhs)
        case "unless":
            return _is_filtered(expr.lhs)
        case operator:
            return operator in _COMPARISONS and not (expr.modifier and expr.modifier.return_bool)


def waiting(parsed: Parsed) -> Iterator[str]:
    """`for` gives what is absent the time to come, and counts in evaluations."""
    wait = _duration(parsed.rule.wait)
    calls = {node.func.name for node in parsed.nodes if isinstance(node, promql.Call)}
    if parsed.rule.is_alert and calls & {"absent", "absent_over_time"} and not wait:
        yield "absent() without a wait fires whenever Prometheus starts (add for:)"
    if wait % _duration(parsed.rule.interval):
        yield f"for: {parsed.rule.wait} is no multiple of the group's interval {parsed.rule.interval} (round it up)"


def _duration(text: str) -> timedelta:
    return promql.parse_duration(text) if text.strip("0s") else timedelta()
