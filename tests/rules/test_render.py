"""Rendering gives what is committed, and says what does not fit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from rules import render

THRESHOLDS = """\
links: {runbooks: https://docs.example/, dashboards: https://grafana.example}
thresholds:
  down_for: {default: 5s, fast: 0s, why: Two scrapes.}
"""


def test_what_is_committed_is_what_rendering_gives(outputs: Mapping[str, str]) -> None:
    """`python rules/render.py` writes it; a file that no source gives any more is left over."""
    folders = [*render.Profile, "kubernetes"]
    committed = {
        str(path.relative_to(render.RULES)): path.read_text(encoding="utf-8")
        for folder in folders
        for path in (render.RULES / folder).glob("*")
    }

    assert outputs == committed


def test_the_page_of_alerts_is_up_to_date(settings: render.Settings, sources: Mapping[str, str]) -> None:
    present = render.PAGE.read_text(encoding="utf-8")

    assert render.page(settings, sources, present=present) == present


def test_own_urls_go_where_one_says_and_nowhere_else(tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in render.RULES.rglob("*.yml")}
    program: list[str | Path] = [sys.executable, render.RULES / "render.py", "--into", tmp_path]
    urls = ["--runbooks", "https://wiki.example/odp/", "--dashboards", "https://g.example"]

    done = subprocess.run([*program, *urls], capture_output=True, text=True, check=False)  # noqa: S603 - our own program

    assert "" == done.stdout + done.stderr
    assert "https://wiki.example/odp/OdpDown.md" in (tmp_path / "fast/repair.yml").read_text(encoding="utf-8")
    assert "https://g.example/d/odp-one?" in (tmp_path / "kubernetes/prometheusrule.yml").read_text(encoding="utf-8")
    assert before == {path: path.stat().st_mtime_ns for path in render.RULES.rglob("*.yml")}


def test_kubernetes_gets_the_rules_of_the_default_profile(
    debian: Callable[[str], str], tmp_path: Path, outputs: Mapping[str, str]
) -> None:
    document = yaml.safe_load(outputs["kubernetes/prometheusrule.yml"])
    groups = [group for name in render.FILES for group in yaml.safe_load(outputs[f"default/{name}"])["groups"]]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(document["spec"]), encoding="utf-8")

    done = subprocess.run([debian("promtool"), "check", "rules", tmp_path / "rules.yml"], check=False)  # noqa: S603 - promtool of this machine

    assert ("monitoring.coreos.com/v1", "PrometheusRule") == (document["apiVersion"], document["kind"])
    assert {"groups": groups} == document["spec"]
    assert 0 == done.returncode


def test_kubernetes_scrapes_both_programs_under_the_jobs_of_the_rules(
    settings: render.Settings, outputs: Mapping[str, str]
) -> None:
    """The job label is the value of app.kubernetes.io/name of their Services."""
    values = settings.values(render.Profile.DEFAULT)
    monitors = list(yaml.safe_load_all(outputs["kubernetes/servicemonitor.yml"]))

    assert ["ServiceMonitor"] * 2 == [monitor["kind"] for monitor in monitors]
    assert [values["exporter_job"], values["remediator_job"]] == [
        monitor["spec"]["selector"]["matchLabels"][monitor["spec"]["jobLabel"]] for monitor in monitors
    ]
    assert [values["scrape_interval"]] * 2 == [monitor["spec"]["endpoints"][0]["interval"] for monitor in monitors]


@pytest.mark.parametrize("sample", ["file_sd.yml", "remediator.yml", "static.yml"])
def test_the_samples_scrape_under_the_jobs_of_the_rules_as_often_as_their_windows_need(
    settings: render.Settings, sample: str
) -> None:
    document = yaml.safe_load((render.RULES / "prometheus" / sample).read_text(encoding="utf-8"))
    profile = render.Profile(Path(document["rule_files"][0]).parent.name)
    values = settings.values(profile)
    (job,) = document["scrape_configs"]

    assert job["job_name"] in {values["exporter_job"], values["remediator_job"]}
    assert values["scrape_interval"] == job["scrape_interval"]


def test_every_number_has_its_reason(settings: render.Settings) -> None:
    reasonless = [name for name, threshold in settings.thresholds.items() if not threshold.why.endswith(".")]

    assert [] == reasonless


def test_a_placeholder_without_a_value_is_refused() -> None:
    with pytest.raises(render.RenderError) as refused:
        render.fill("a: 1\nfor: ${down_four}\n", {"down_for": "5s"}, where="source/odp.yml")

    assert "source/odp.yml:2: no value for '${down_four}' (add 'down_four' to thresholds.yml)" == str(refused.value)


def test_a_threshold_that_nobody_uses_is_refused() -> None:
    with pytest.raises(render.RenderError) as refused:
        render.outputs(render.load(THRESHOLDS), {"odp.yml": "groups: []\n"})

    assert "thresholds.yml: 'down_for' is used by no rule (remove it)" == str(refused.value)


@pytest.mark.parametrize("entry", ["{default: 5s, why: Two scrapes.}", "{default: 5s, fast: 0s, why: ''}"])
def test_a_threshold_without_a_profile_or_a_reason_is_refused(entry: str) -> None:
    text = THRESHOLDS.replace("{default: 5s, fast: 0s, why: Two scrapes.}", entry)

    with pytest.raises(render.RenderError) as refused:
        render.load(text)

    assert "thresholds.yml: 'down_for' needs default, fast, why, and nothing else" == str(refused.value)


def test_a_page_without_its_mark_is_refused() -> None:
    with pytest.raises(render.RenderError) as refused:
        render.page(render.load(THRESHOLDS), {}, present="# Alerts\n")

    expected = (
        "alerts.md: nobody says where the tables begin "
        "(put back the line: <!-- What follows is written by rules/render.py. -->)"
    )
    assert expected == str(refused.value)
