"""What the labels, annotations and names of a rule must be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .parsed import Parsed
from .rule_files import Rule

SEVERITIES = ("critical", "warning", "info", "none")
WISHES = ("restart", "drain")
ANNOTATIONS = frozenset({"summary", "description", "runbook_url", "dashboard_url"})
DASHBOARDS = frozenset({"odp-fleet", "odp-one", "odp-ocp-cache", "odp-remediation"})
REPAIRED = frozenset({"odp", "pool"})
"""The labels of an alert that starts a repair: the exporter pushes the same alert and knows no others."""
_TEMPLATE_LABEL = re.compile(r"\$labels\.(\w+)")
_NAME = re.compile(r"(?:Odp|Ocp)(?:[A-Z][a-z]+)+|Watchdog")
_SUMMARY = re.compile(r"[A-Z][^{}]*\.")
_DASHBOARD = re.compile(r"/d/([\w-]+)")


def vocabulary(parsed: Parsed) -> Iterator[str]:
    """Labels are few, known and fixed."""
    rule = parsed.rule
    if not rule.is_alert:
        return
    if rule.labels.get("severity") not in SEVERITIES:
        yield f"severity is {rule.labels.get('severity')!r} (there are: {', '.join(SEVERITIES)})"
    if rule.labels.get("remediation", WISHES[0]) not in WISHES:
        yield f"remediation is {rule.labels['remediation']!r} (there are: {', '.join(WISHES)})"
    for name in sorted(rule.labels.keys() - {"severity", "remediation"}):
        yield f"nobody knows the label {name!r} (there are: severity, remediation)"
    for name, value in rule.labels.items():
        if "{{" in value:
            yield f"label {name!r} has a template: a value in it makes a new alert at each evaluation (annotate it)"


def repair(parsed: Parsed) -> Iterator[str]:
    """What starts a repair has the labels that are pushed, and resolves at once."""
    if "remediation" not in parsed.rule.labels:
        return
    if parsed.labels.keys() != REPAIRED:
        found = ", ".join(sorted(parsed.labels)) or "none"
        yield f"an alert that starts a repair has the labels odp and pool, not {found} (aggregate to them)"
    if parsed.rule.keep:
        yield "keep_firing_for hides the next failure from the remediator (remove it)"


def notes(parsed: Parsed) -> Iterator[str]:
    """People get all four, with texts that can be filled in."""
    rule = parsed.rule
    if not rule.is_alert:
        return
    if rule.annotations.keys() != ANNOTATIONS:
        different = ", ".join(sorted(rule.annotations.keys() ^ ANNOTATIONS))
        yield f"annotations are not the four that there must be: {different} (see any other alert)"
        return
    if not _SUMMARY.fullmatch(rule.annotations["summary"]):
        yield "summary is no plain sentence (capital first, full stop, no template: it names a group of alerts)"
    if not rule.annotations["description"].endswith("."):
        yield "description does not end in a full stop (add it)"
    yield from _links(rule)
    for name, text in rule.annotations.items():
        for label in sorted(set(_TEMPLATE_LABEL.findall(text)) - parsed.labels.keys()):
            left = ", ".join(sorted(parsed.labels)) or "none"
            yield f"{name} names the label {label!r}, which does not survive the expression (left are: {left})"


def _links(rule: Rule) -> Iterator[str]:
    if not rule.annotations["runbook_url"].endswith(f"/{rule.name}.md"):
        yield f"runbook_url is that of another alert (end it in /{rule.name}.md)"
    dashboard = _DASHBOARD.search(rule.annotations["dashboard_url"])
    if dashboard is None or dashboard[1] not in DASHBOARDS:
        yield f"dashboard_url leads to no dashboard (there are: {', '.join(sorted(DASHBOARDS))})"
    for name in re.findall(r"\{\{([^}]*)\}\}", rule.annotations["dashboard_url"]):
        if "urlquery" not in name:
            yield f"dashboard_url has {name.strip()!r} as it is (append | urlquery)"


def naming(parsed: Parsed) -> Iterator[str]:
    """Names say what they are."""
    if parsed.rule.is_alert:
        if not _NAME.fullmatch(parsed.rule.name):
            yield "not a name of ours (OdpSomething or OcpSomething)"
        return
    level, _, rest = parsed.rule.name.partition(":")
    if ":" not in rest or set(level.split("_")) != parsed.labels.keys():
        wanted = "_".join(sorted(parsed.labels))
        yield f"not level:metric:operations with its labels for a level (begin it with {wanted}:)"
