"""docs/remediation.md and the samples in deploy/ say what is true."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

from odp_exporter.remediation.policy import Policy
from odp_exporter.remediation.settings import Remediation
from odp_exporter.remediator_loading import load_all
from odp_exporter.settings import format_duration

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/remediation.md").read_text(encoding="utf-8")


def test_every_invariant_names_a_test_that_there_is() -> None:
    rows = dict(re.findall(r"^\| (S\d+) \|.*\| ([^|]*) \|$", PAGE, re.MULTILINE))
    there_are = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8"))
    }
    named = {row: re.findall(r"`(test_\w+)`", tests) for row, tests in rows.items()}

    assert [f"S{number}" for number in range(1, 34)] == list(rows)
    assert {} == {row: tests for row, tests in named.items() if not tests or not there_are.issuperset(tests)}


def test_every_option_is_on_the_page() -> None:
    documented = set(re.findall(r"^\| `remediation\.(\w+)` \|", PAGE, re.MULTILINE))

    assert {field.name for field in fields(Remediation)} == documented


def test_every_number_of_the_policy_is_on_the_page_with_its_default() -> None:
    policy = Policy()
    values = {field.name: getattr(policy, field.name) for field in fields(Policy)}
    shown = {
        name: format_duration(value) if isinstance(value, timedelta) else str(value) for name, value in values.items()
    }

    assert shown == dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", PAGE, re.MULTILINE))


def test_the_sample_configuration_can_be_used(tmp_path: Path) -> None:
    text = (ROOT / "deploy/odp-remediator.yml").read_text(encoding="utf-8")
    (tmp_path / "token").write_text("0123456789abcdef", encoding="ascii")
    (tmp_path / "odp.yml").write_text(text.replace("/etc/odp-remediator/token", "token"), encoding="utf-8")
    loaded = load_all(tmp_path / "odp.yml")

    assert ["odp-1", "odp-2", "odp-3"] == list(loaded.inventory.targets)
    assert Policy() == loaded.settings.policy


def test_the_unit_never_runs_as_root() -> None:
    unit = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / "deploy/odp-remediator.service").read_text(), re.MULTILINE))

    assert "odp-remediator" == unit["User"]
    assert "true" == unit["NoNewPrivileges"]


def test_what_the_unit_has_started_does_not_end_with_it() -> None:
    """An ODP that an actuator `local` has started is in its group."""
    assert "KillMode=process" in (ROOT / "deploy/odp-remediator.service").read_text().splitlines()
