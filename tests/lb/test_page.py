"""docs/load-balancers.md knows every key, and its examples are ones."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.lb.agent import AgentSettings
from odp_exporter.lb.driver import Admin, Health, Member
from odp_exporter.lb.exec import Exec, ExecSettings
from odp_exporter.lb.haproxy import HaproxySettings
from odp_exporter.lb.types import DRIVERS, LbSettings
from odp_exporter.settings import STRICT, format_duration
from odp_exporter.targets import Address, Target
from odp_exporter.yamlfiles.positions import compose
from odp_exporter.yamlfiles.schema import validated
from pydantic.dataclasses import dataclass

PAGE = (Path(__file__).parents[2] / "docs/load-balancers.md").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, config=STRICT)
class Remediation:
    lbs: Mapping[str, LbSettings]


@dataclass(frozen=True, slots=True, config=STRICT)
class Example:
    remediation: Remediation


def section(title: str) -> str:
    """From a heading to the next."""
    return re.split(r"^#+ ", PAGE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def options(settings: type) -> dict[str, str]:
    """Each key with its default, as the page writes it."""
    return {
        field.name: default(field.default, field.default_factory) for field in fields(settings) if field.name != "type"
    }


def default(value: object, factory: object) -> str:
    match value:
        case timedelta():
            return f"`{format_duration(value)}`"
        case bool():
            return f"`{str(value).lower()}`"
        case _ if value is MISSING and factory is MISSING:
            return "required"
        case _:
            return "none"


@pytest.mark.parametrize(
    ("title", "settings"), [("haproxy", HaproxySettings), ("exec", ExecSettings), ("The agent", AgentSettings)]
)
def test_the_page_has_every_key_with_its_default(title: str, settings: type) -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| [^|]+ \|$", section(title), re.MULTILINE)

    assert options(settings) == dict(rows)


def test_the_page_has_every_type() -> None:
    types = {settings.__dataclass_fields__["type"].default for settings in DRIVERS}

    assert types == set(re.findall(r"^\| \[`(\w+)`\]", PAGE, re.MULTILINE))


@pytest.mark.parametrize("title", ["haproxy", "exec"])
def test_an_example_of_settings_is_one(title: str) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", section(title), re.DOTALL)
    found, faults = validated(Example, compose(example, name="example").value)

    assert () == faults
    assert found is not None
    assert {"edge"} == set(found.remediation.lbs)


async def test_the_example_of_members_is_understood(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "members.json").write_text(json.dumps(json.loads(example)))
    read = (sys.executable, "-c", f"print(open({str(tmp_path / 'members.json')!r}).read())")
    settings = ExecSettings(members=read, drain=read, enable=read, counts_sessions=True)
    members = await Exec(settings, [Target("odp-1", Address("127.0.0.1", 2883))]).members()

    assert {"odp-1": Member("odp-1", Admin.READY, Health.UP, 10, 3)} == members
