"""Our own lint: the rules pass it, and for each of its reasons a bad rule does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import promql_parser
import pytest

from rules import render

from . import lint, vocabulary
from .parsed import Surroundings
from .rule_files import Rule, parse, rules_of

FOR_DASHBOARDS: frozenset[str] = frozenset()
"""Recorded series that no rule uses, but a dashboard does."""
GOOD = Rule(
    "odp.yml",
    "odp-process",
    "15s",
    "OdpSick",
    is_alert=True,
    expr='max by (odp, cause) (increase(odp_restarts_total{cause="oom"}[5m])) > 1',
    wait="30s",
    labels={"severity": "warning"},
    annotations={
        "summary": "An ODP is sick.",
        "description": "ODP {{ $labels.odp }} has a cold: {{ $labels.cause }}.",
        "runbook_url": "https://docs.example/OdpSick.md",
        "dashboard_url": "https://grafana.example/d/odp-one?var-odp={{ $labels.odp | urlquery }}",
    },
)
REPAIR = replace(
    GOOD,
    expr='max by (odp, pool) (odp_info) and on (odp) odp_state{state="down"} == 1',
    labels={"severity": "critical", "remediation": "restart"},
    annotations={**GOOD.annotations, "description": "ODP {{ $labels.odp }} of {{ $labels.pool }} has a cold."},
)
RECORD = replace(GOOD, name="odp:odp_up:max", is_alert=False, expr="max by (odp) (odp_up)", wait="", labels={})


def around(scrape_interval: timedelta = timedelta(seconds=5)) -> Surroundings:
    return Surroundings(vocabulary.known_series(), scrape_interval, frozenset({0.5}), FOR_DASHBOARDS)


def annotated(**texts: str) -> Rule:
    return replace(GOOD, annotations={**GOOD.annotations, **texts})


@pytest.mark.parametrize("profile", render.Profile)
def test_our_rules_pass(settings: render.Settings, outputs: Mapping[str, str], profile: render.Profile) -> None:
    values = settings.values(profile)
    numbers = frozenset(float(value) for value in values.values() if value.replace(".", "", 1).isdecimal())
    scrape_interval = promql_parser.parse_duration(values["scrape_interval"])

    found = lint.problems(rules_of(outputs, profile), replace(around(scrape_interval), numbers=numbers))

    assert [] == found


def test_every_alert_has_its_runbook(outputs: Mapping[str, str]) -> None:
    folder = render.RULES.parent / "docs/runbooks"
    alerts = {rule.name for rule in rules_of(outputs, render.Profile.DEFAULT) if rule.is_alert}

    assert alerts == {page.stem for page in folder.glob("*.md")} - {"README"}


def test_good_rules_pass() -> None:
    assert [] == lint.problems([GOOD, replace(REPAIR, name="OdpDead", annotations=_runbook("OdpDead"))], around())


def _runbook(name: str) -> dict[str, str]:
    return {**REPAIR.annotations, "runbook_url": f"https://docs.example/{name}.md"}


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (
            replace(GOOD, expr='max by (odp, cause) (increase(odp_restart_total{cause="oom"}[5m])) > 1'),
            "no metric 'odp_restart_total'; did you mean 'odp_restarts_total'?",
        ),
        (
            replace(GOOD, expr='max by (odp, cause) (odp_restarts_total{kause="oom"}) > 1'),
            "no label 'kause' there (there are: cause, instance, job, odp)",
        ),
        (
            replace(GOOD, expr='max by (odp, cause) (odp_restarts_total{cause=~"oom|segfault"}) > 1'),
            (
                "odp_restarts_total has no cause='segfault' (there are: crash, host_boot, hot_restart, oom, "
                "remediation, signal, stop, unknown)"
            ),
        ),
        (
            replace(GOOD, expr="max by (odp, cause) (odp_restarts_total) > 1 and on (pool) odp_pool_up == 0"),
            "no label 'pool' there (there are: cause, odp)",
        ),
        (
            replace(GOOD, expr="max by (odp, cause, pool) (odp_restarts_total) > 1"),
            "no label 'pool' there (there are: cause, instance, job, odp)",
        ),
        (
            replace(GOOD, expr="max by (odp, cause) (increase(odp_restarts_total[15s])) > 1"),
            "increase() over 15s may see one scrape only (take at least 20s)",
        ),
        (
            replace(RECORD, name="odp:odp_up:rate", expr="max by (odp) (rate(odp_up[5m]))"),
            "rate() of odp_up, which is no counter (try delta(), or max_over_time())",
        ),
        (
            replace(GOOD, expr="max by (odp, cause) (odp_restarts_total) > 7"),
            "7 is a number of its own (give it a name and a reason in thresholds.yml)",
        ),
        (
            replace(GOOD, expr="max by (odp, cause) (odp_restarts_total)"),
            "nothing is compared, so it fires for every series (compare, or use absent())",
        ),
        (
            replace(GOOD, expr="max by (odp, cause) (odp_restarts_total) > bool 1"),
            "nothing is compared, so it fires for every series (compare, or use absent())",
        ),
        (
            replace(GOOD, expr="max by (odp, cause) (odp_restarts_total) > 1 or odp_restarts_total"),
            "nothing is compared, so it fires for every series (compare, or use absent())",
        ),
        (
            replace(GOOD, expr='absent(odp_restarts_total{odp="a",cause="oom"})', wait=""),
            "absent() without a wait fires whenever Prometheus starts (add for:)",
        ),
        (
            replace(GOOD, wait="20s"),
            "for: 20s is no multiple of the group's interval 15s (round it up)",
        ),
        (
            replace(GOOD, labels={"serverity": "page"}),
            "severity is None (there are: critical, warning, info, none)",
        ),
        (
            replace(GOOD, labels={"severity": "warning", "team": "dba"}),
            "nobody knows the label 'team' (there are: severity, remediation)",
        ),
        (
            replace(REPAIR, labels={"severity": "critical", "remediation": "reboot"}),
            "remediation is 'reboot' (there are: restart, drain)",
        ),
        (
            replace(GOOD, labels={"severity": "{{ if gt $value 3.0 }}critical{{ else }}warning{{ end }}"}),
            "label 'severity' has a template: a value in it makes a new alert at each evaluation (annotate it)",
        ),
        (
            replace(GOOD, labels={"severity": "warning", "remediation": "restart"}),
            "an alert that starts a repair has the labels odp and pool, not cause, odp (aggregate to them)",
        ),
        (
            replace(REPAIR, keep="1m"),
            "keep_firing_for hides the next failure from the remediator (remove it)",
        ),
        (
            replace(GOOD, annotations={"summary": "An ODP is sick."}),
            (
                "annotations are not the four that there must be: dashboard_url, description, runbook_url (see "
                "any other alert)"
            ),
        ),
        (
            annotated(summary="ODP {{ $labels.odp }} is sick."),
            "summary is no plain sentence (capital first, full stop, no template: it names a group of alerts)",
        ),
        (
            annotated(description="ODP has a cold"),
            "description does not end in a full stop (add it)",
        ),
        (
            annotated(description="{{ $labels.instance }} has a cold."),
            "description names the label 'instance', which does not survive the expression (left are: cause, odp)",
        ),
        (
            annotated(runbook_url="https://docs.example/OdpDown.md"),
            "runbook_url is that of another alert (end it in /OdpSick.md)",
        ),
        (
            annotated(dashboard_url="https://grafana.example/d/mine"),
            "dashboard_url leads to no dashboard (there are: odp-fleet, odp-ocp-cache, odp-one, odp-remediation)",
        ),
        (
            annotated(dashboard_url="https://grafana.example/d/odp-one?var-odp={{ $labels.odp }}"),
            "dashboard_url has '$labels.odp' as it is (append | urlquery)",
        ),
        (
            replace(
                GOOD, name="odp_sick", annotations={**GOOD.annotations, "runbook_url": "https://d.example/odp_sick.md"}
            ),
            "not a name of ours (OdpSomething or OcpSomething)",
        ),
        (
            replace(RECORD, name="fleet:odp_up:max"),
            "not level:metric:operations with its labels for a level (begin it with odp:)",
        ),
        (
            RECORD,
            "recorded and used by no rule (remove it, or list it for dashboards)",
        ),
    ],
)
def test_a_bad_rule_is_refused_with_a_way_out(rule: Rule, problem: str) -> None:
    assert f"odp.yml: {rule.name}: {problem}" in lint.problems([rule], around())


def test_a_name_stands_for_one_alert() -> None:
    problem = "odp.yml: OdpSick: 2 alerts have this name (one runbook, one meaning: rename one)"

    assert [problem] == lint.problems([GOOD, GOOD], around())


def test_a_recorded_series_keeps_the_labels_of_what_it_is_made_of() -> None:
    """So a misspelt value is found behind a record as well."""
    record = replace(RECORD, name="odp_state:odp_state:max", expr="max by (odp, state) (odp_state)")
    alert = replace(
        GOOD,
        expr='max by (odp) (odp_state:odp_state:max{state="dwon"}) == 1',
        annotations={**GOOD.annotations, "description": "ODP {{ $labels.odp }} has a cold."},
    )
    problem = (
        "odp.yml: OdpSick: odp_state:odp_state:max has no state='dwon' (there are: down, draining, hung, serving, "
        "starting, unknown)"
    )

    assert [problem] == lint.problems([record, alert], around())


def test_values_that_turn_up_at_run_time_are_those_counted_elsewhere() -> None:
    """ocp_result shows what ocp_requests_total counts; an ODP's file and result are of several kinds."""
    known = vocabulary.known_series()

    assert known["ocp_requests_total"].labels["result"] == known["ocp_result"].labels["result"]
    assert known["odp_cache_result"].labels["result"] is None


def test_buckets_are_written_as_on_the_page() -> None:
    """1 and 1.0 are the same number and two labels."""
    known = vocabulary.known_series()["odp_recovery_duration_seconds_bucket"].labels["le"]

    assert known is not None
    assert {"1.0", "+Inf"} <= known
    assert "1" not in known


def test_files_are_read_with_all_that_is_judged() -> None:
    text = """
groups:
  - name: odp-process
    interval: 15s
    rules:
      - alert: OdpSick
        expr: odp_up == 0
        for: 30s
        keep_firing_for: 1m
        labels: {severity: info}
        annotations: {summary: An ODP is sick.}
"""
    expected = Rule(
        "x.yml",
        "odp-process",
        "15s",
        "OdpSick",
        is_alert=True,
        expr="odp_up == 0",
        wait="30s",
        labels={"severity": "info"},
        annotations={"summary": "An ODP is sick."},
        keep="1m",
    )

    assert [expected] == list(parse("x.yml", text))
