"""docs/configuration.md and the sample in deploy/ know every option, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from datetime import timedelta
from pathlib import Path
from typing import get_args, get_type_hints

from odp_exporter.config import Config, load, parse
from odp_exporter.remediation.settings import Remediation
from odp_exporter.settings import format_duration
from odp_exporter.target_files import parse_targets
from odp_exporter.targets import Address, TargetPattern
from pydantic.dataclasses import is_pydantic_dataclass

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "deploy/odp-exporter.yml"
DERIVED = {
    "odps[].name": "the address",
    "pools.*.name": "the key",
    "remediation.exporters": "`http://HOST:9888`",
    "discovery.enabled": "`true` without `odps` and `file_sd_configs`, else `false`",
}
"""Defaults that no dataclass can state."""


def options(block: type = Config, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each option as the page writes it, and its default."""
    hints = get_type_hints(block)
    for field in fields(block):
        path = prefix + field.name
        inner = block_in(hints[field.name])
        if inner is None:
            yield path, DERIVED.get(path) or default(field)
        else:
            yield from options(
                inner, path + {"odps": "[].", "ocp": "[].", "file_sd_configs": "[].", "pools": ".*."}.get(path, ".")
            )


def block_in(kind: object) -> type | None:
    """The settings block that a field holds, maybe in a list or a mapping."""
    if isinstance(kind, type) and is_pydantic_dataclass(kind) and kind not in {Address, TargetPattern}:
        return kind
    return next((block for argument in get_args(kind) if (block := block_in(argument))), None)


def default(field: Field[object]) -> str:  # noqa: PLR0911 - one line for each kind of value
    """A default as the page writes it."""
    match field.default:
        case _ if field.default is MISSING and field.default_factory is MISSING:
            return "required"
        case None | ():
            return "none"
        case _ if field.default is MISSING:
            return "none"
        case timedelta():
            return f"`{format_duration(field.default)}`"
        case bool():
            return f"`{str(field.default).lower()}`"
        case tuple(values):
            return ", ".join(f"`{value}`" for value in values)
        case value:
            return f"`{value}`"


def test_the_page_has_every_option_with_its_default() -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)

    assert sorted(options()) == sorted(rows)


def test_the_page_leads_to_every_option_of_the_remediator() -> None:
    """Their defaults stand on the pages that it leads to."""
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`remediation\.[^|]+) \| \[[^]]+\]\([^)]+\)", page, re.MULTILINE)

    assert sorted(field.name for field in fields(Remediation)) == sorted(
        name for row in rows for name in re.findall(r"`remediation\.(\w+)`", row)
    )


def test_the_page_of_remediation_has_the_defaults_that_there_are() -> None:
    """The policy has a table of its own."""
    page = (ROOT / "docs/remediation.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `remediation\.(\w+)` \| ([^|]+) \|", page, re.MULTILINE))
    told = {field.name: DERIVED.get(f"remediation.{field.name}") or default(field) for field in fields(Remediation)}

    assert told == shown | {"policy": "none"}


def test_the_sample_loads() -> None:
    config = load(SAMPLE)

    assert ["odp-1", "odp-2"] == [target.name for target in config.odps]
    assert config.is_discovering


def test_the_sample_loads_with_everything_that_is_commented_out() -> None:
    text = re.sub(r"^( *)# ( *(?:- )?[a-z_]+:(?: |$))", r"\1\2", SAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    config = parse(text, name=str(SAMPLE))

    assert config.ping is not None
    assert config.remediation == {"listen_address": "0.0.0.0:9889"}


def test_the_sample_shows_every_option() -> None:
    sample = SAMPLE.read_text(encoding="utf-8")
    keys = {re.split(r"\[\]\.|\.\*\.|\.", path)[-1] for path, _ in options()}

    assert set() == keys - set(re.findall(r"([a-z_]+):", sample))


def test_the_target_file_of_the_page_is_one() -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)

    assert 3 == len(parse_targets(example, name="targets.yml", pools=["trade"]))
