"""What promtool lets pass and a rule must not do. Each problem says where, what, and the way out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import promql_parser as promql

from . import expressions, texts
from .labels import labels_of
from .parsed import Parsed, Surroundings
from .rule_files import Rule
from .vocabulary import Series

_CHECKS: tuple[Callable[[Parsed], Iterator[str]], ...] = (
    expressions.names,
    expressions.windows,
    expressions.numbers,
    expressions.condition,
    expressions.waiting,
    texts.vocabulary,
    texts.repair,
    texts.notes,
    texts.naming,
)


def problems(rules: Iterable[Rule], around: Surroundings) -> list[str]:
    """Everything that is wrong with *rules*, which are all those of one profile in the order of evaluation."""
    rules = list(rules)
    parsed = [Parsed(rule, promql.parse(rule.expr), around) for rule in rules]
    around = replace(around, known={**around.known, **_recorded(parsed, around)})
    parsed = [replace(each, around=around) for each in parsed]
    single = (f"{each.rule.where}: {text}" for each in parsed for check in _CHECKS for text in check(each))
    return [*single, *_unused(parsed), *_repeated(rules)]


def _recorded(parsed: Iterable[Parsed], around: Surroundings) -> dict[str, Series]:
    recorded: dict[str, Series] = {}
    for each in parsed:
        if not each.rule.is_alert:
            recorded[each.rule.name] = Series(labels_of(each.expr, {**around.known, **recorded}))
    return recorded


def _unused(parsed: Iterable[Parsed]) -> Iterator[str]:
    parsed = list(parsed)
    used = {node.name for each in parsed for node in each.nodes if isinstance(node, promql.VectorSelector)}
    for each in parsed:
        if not each.rule.is_alert and each.rule.name not in used | each.around.for_dashboards:
            yield f"{each.rule.where}: recorded and used by no rule (remove it, or list it for dashboards)"


def _repeated(rules: Iterable[Rule]) -> Iterator[str]:
    for (file, name), times in Counter((rule.file, rule.name) for rule in rules if rule.is_alert).items():
        if times > 1:
            yield f"{file}: {name}: {times} alerts have this name (one runbook, one meaning: rename one)"
