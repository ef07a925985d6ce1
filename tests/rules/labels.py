"""Which labels the result of an expression may have.

"May", because a series need not have all labels of its family, and `or` takes
from both sides. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import promql_parser as promql

from .vocabulary import Labels, Series

_FILTERS = frozenset({"topk", "bottomk", "limitk"})
_SETS = frozenset({"and", "unless"})


def labels_of(expr: promql.Expr, known: Mapping[str, Series]) -> Labels:  # noqa: PLR0911 - one for each kind of expression
    """The labels of what *expr* gives; none for a scalar."""
    match expr:
        case promql.VectorSelector():
            return known[expr.name].labels if expr.name and expr.name in known else {}
        case promql.MatrixSelector():
            return labels_of(expr.vector_selector, known)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return labels_of(expr.expr, known)
        case promql.Call():
            return _of_call(expr, known)
        case promql.AggregateExpr():
            return _of_aggregation(expr, known)
        case promql.BinaryExpr():
            return _of_binary(expr, known)
        case _:
            return {}


def only(labels: Labels, names: Iterable[str]) -> Labels:
    """Those of *labels* with one of these *names*."""
    wanted = set(names)
    return {name: values for name, values in labels.items() if name in wanted}


def without(labels: Labels, names: Iterable[str]) -> Labels:
    """Those of *labels* with none of these *names*."""
    return only(labels, labels.keys() - set(names))


def matchers(selector: promql.VectorSelector) -> list[promql.Matcher]:
    """What *selector* asks of labels."""
    return [*selector.matchers.matchers, *(each for group in selector.matchers.or_matchers for each in group)]


def _of_call(call: promql.Call, known: Mapping[str, Series]) -> Labels:
    arguments = [argument for argument in call.args if isinstance(argument, promql.Expr)]
    if call.func.name == "absent" and isinstance(arguments[0], promql.VectorSelector):
        return {
            each.name: frozenset({each.value}) for each in matchers(arguments[0]) if each.op == promql.MatchOp.Equal
        }
    vectors = [argument for argument in arguments if not isinstance(argument, promql.NumberLiteral)]
    return labels_of(vectors[0], known) if vectors else {}


def _of_aggregation(expr: promql.AggregateExpr, known: Mapping[str, Series]) -> Labels:
    inner = labels_of(expr.expr, known)
    if str(expr.op) in _FILTERS:
        return inner
    if expr.modifier is None:
        return {}
    keep = only if expr.modifier.type == promql.AggModifierType.By else without
    return keep(inner, expr.modifier.labels)


def _of_binary(expr: promql.BinaryExpr, known: Mapping[str, Series]) -> Labels:
    left, right = labels_of(expr.lhs, known), labels_of(expr.rhs, known)
    operator = str(expr.op)
    if operator in _SETS:
        return left
    if operator == "or":
        return {name: _either(name, left, right) for name in (*left, *right)}
    return _of_arithmetic(expr, left, right)


def _either(name: str, left: Labels, right: Labels) -> frozenset[str] | None:
    values = [labels[name] for labels in (left, right) if name in labels]
    return frozenset[str]().union(*(each for each in values if each is not None)) if None not in values else None


def _of_arithmetic(expr: promql.BinaryExpr, left: Labels, right: Labels) -> Labels:
    modifier = expr.modifier
    if not (_is_vector(expr.lhs) and _is_vector(expr.rhs)):
        return left if _is_vector(expr.lhs) else right
    if modifier is None or modifier.matching is None:
        return left
    if modifier.group_labels is not None:
        many, one = (right, left) if modifier.card == promql.VectorMatchCardinality.OneToMany else (left, right)
        return {**many, **only(one, modifier.group_labels)}
    keep = only if modifier.matching.type == promql.LabelModifierType.Include else without
    return keep(left, modifier.matching.labels)


def _is_vector(expr: promql.Expr) -> bool:
    match expr:
        case promql.NumberLiteral():
            return False
        case promql.Call():
            return bool(expr.func.return_type == promql.ValueType.Vector)
        case promql.ParenExpr() | promql.UnaryExpr():
            return _is_vector(expr.expr)
        case promql.BinaryExpr():
            return _is_vector(expr.lhs) or _is_vector(expr.rhs)
        case _:
            return True
