"""Makes promtool's unit tests of one profile out of rules/tests.

There, `${name}` is a threshold, and `${10s + down_for - 5s}` a moment: so the
instant before an alert fires is tested with the numbers of each profile. An
expected alert names its labels and its description; the other annotations are
the same for all alerts of a rule, and are taken from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TypedDict

import promql_parser
import yaml

from rules import render

_MOMENT = re.compile(r"\$\{([^}]*[+-][^}]*)\}")
_TERM = re.compile(r"([+-]?)\s*(\w+)")
_LABEL = re.compile(r"\{\{ \$labels\.(\w+)(?: \| urlquery)? \}\}")


class ExpectedAlert(TypedDict):
    """One alert that is to fire."""

    exp_labels: dict[str, str]
    exp_annotations: dict[str, str]


class AlertTest(TypedDict):
    """Which alerts of a name fire at a moment."""

    alertname: str
    eval_time: str
    exp_alerts: list[ExpectedAlert]


class Test(TypedDict, total=False):
    """Series, and what is to come of them."""

    name: str
    alert_rule_test: list[AlertTest]


class Document(TypedDict):
    """A file of tests."""

    tests: list[Test]


def read(text: str, values: Mapping[str, str]) -> Document:
    """The tests that *text* holds, with these thresholds."""
    with_moments = _MOMENT.sub(lambda found: _moment(found[1], values), text)
    document: Document = yaml.safe_load(render.fill(with_moments, values, where="tests"))
    return document


def complete(document: Document, annotations: Mapping[str, Mapping[str, str]]) -> str:
    """The file that promtool reads; *annotations* are those of the rules, by the name of the alert."""
    for test in document["tests"]:
        for case in test.get("alert_rule_test", []):
            for alert in case["exp_alerts"]:
                labels = alert["exp_labels"]
                shared = {name: _expanded(text, labels) for name, text in annotations[case["alertname"]].items()}
                alert["exp_annotations"] = shared | alert["exp_annotations"]
    # promtool's YAML reader takes no alias for what another test shares.
    return yaml.dump(document, Dumper=_WithoutAliases, sort_keys=False, width=1000)


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _expanded(text: str, labels: Mapping[str, str]) -> str:
    return _LABEL.sub(lambda found: labels[found[1]], text) if "$value" not in text else text


def _moment(text: str, values: Mapping[str, str]) -> str:
    total = sum(
        (_duration(values.get(term, term)) * (-1 if sign == "-" else 1) for sign, term in _TERM.findall(text)),
        start=timedelta(),
    )
    return f"{total.total_seconds():g}s"


def _duration(text: str) -> timedelta:
    if text.removesuffix("s").isdecimal():
        # promql-parser has no duration of 0s.
        return timedelta(seconds=int(text.removesuffix("s")))
    return promql_parser.parse_duration(text)
