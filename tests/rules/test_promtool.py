"""What Prometheus itself says of the rules."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rules import render
from tests.rules import unit_tests
from tests.rules.rule_files import rules_of

TESTS = sorted((render.RULES / "tests").glob("*.yml"))
ALWAYS_FIRES = "Watchdog"
"""The one alert that cannot be silent."""


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)  # noqa: S603 - promtool of this machine


@pytest.mark.parametrize("profile", render.Profile)
def test_promtool_accepts_every_rule(debian: Callable[[str], str], profile: render.Profile) -> None:
    files = sorted((render.RULES / profile).glob("*.yml"))

    done = run(debian("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *files)

    assert len(render.FILES) == len(files)
    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("sample", ["file_sd.yml", "probe.yml", "remediator.yml", "static.yml"])
def test_promtool_accepts_every_scrape_sample(debian: Callable[[str], str], sample: str) -> None:
    done = run(debian("promtool"), "check", "config", render.RULES / "prometheus" / sample)

    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("profile", render.Profile)
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_rules_fire_when_they_should_and_not_before(
    debian: Callable[[str], str],
    tmp_path: Path,
    settings: render.Settings,
    outputs: Mapping[str, str],
    file: Path,
    profile: render.Profile,
) -> None:
    for name, text in outputs.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    annotations = {rule.name: rule.annotations for rule in rules_of(outputs, profile)}
    document = unit_tests.read(file.read_text(encoding="utf-8"), settings.values(profile) | {"profile": profile})
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / file.name).write_text(unit_tests.complete(document, annotations), encoding="utf-8")

    done = run(debian("promtool"), "test", "rules", tmp_path / "tests" / file.name)

    assert 0 == done.returncode, done.stdout + done.stderr


def test_every_alert_is_tested_firing_and_silent(settings: render.Settings, outputs: Mapping[str, str]) -> None:
    profile = render.Profile.DEFAULT
    values = settings.values(profile) | {"profile": profile}
    cases = [
        case
        for file in TESTS
        for test in unit_tests.read(file.read_text(encoding="utf-8"), values)["tests"]
        for case in test.get("alert_rule_test", [])
    ]
    alerts = {rule.name for rule in rules_of(outputs, profile) if rule.is_alert}

    assert alerts == {case["alertname"] for case in cases if case["exp_alerts"]}
    assert alerts - {ALWAYS_FIRES} == {case["alertname"] for case in cases if not case["exp_alerts"]}
