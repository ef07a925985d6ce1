"""Actuators in a configuration: each type gives its own, and a mistake is told at its place."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.actuators.host_command import EXIT_STATUSES
from odp_exporter.actuators.types import TYPES, ActuatorSettings, actuator
from odp_exporter.settings import STRICT, format_duration
from odp_exporter.yamlfiles.positions import compose
from odp_exporter.yamlfiles.schema import validated
from pydantic.dataclasses import dataclass

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = {
    "local": "{type: local, state_directory: /var/lib/x, start: {argv: [./bin/obproxy, -p, '{port}'], cwd: /}}",
    "obproxyd": "{type: obproxyd, core: true}",
    "systemd": "{type: systemd, unit: 'obproxy@{odp}.service', systemctl: [sudo, -n, systemctl]}",
    "ssh": "{type: ssh, user: admin, identity_file: /k, known_hosts_file: /h, port: 2222}",
    "exec": "{type: exec, look: [kubectl, exec, '{odp}'], restart: [kubectl]}",
}
IN_WORDS = {"evidence_directory": "`evidence` in the former", "timeout": "what the steps may take, and 15s"}
"""Defaults that depend on other keys."""
SECTIONS = {"local, obproxyd, systemd": ["local", "obproxyd", "systemd"], "ssh": ["ssh"], "exec": ["exec"]}
"""Of docs/actuators.md, with the types that they are about."""


@dataclass(frozen=True, slots=True, config=STRICT)
class Tree:
    """As in the configuration."""

    actuators: Mapping[str, ActuatorSettings]


def read(text: str) -> tuple[Tree | None, list[str]]:
    document = compose(f"actuators:\n  it: {text}\n", name="odp.yml")
    tree, faults = validated(Tree, document.value)
    return tree, [str(document.problem(fault)) for fault in faults]


def test_every_type_has_an_example_here_and_a_section_of_the_page() -> None:
    assert TYPES.keys() == EXAMPLES.keys()
    assert sorted(TYPES) == sorted(kind for kinds in SECTIONS.values() for kind in kinds)


def rows(title: str) -> dict[str, str]:
    """Each key of a section of docs/actuators.md with its default, as the page writes it."""
    page = (ROOT / "docs/actuators.md").read_text(encoding="utf-8")
    section = re.split(r"^#+ ", page.partition(f"### {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(r"^\| (`.*?) \| (.*?) \| .+ \|$", section, re.MULTILINE)
    return {name: told for keys, told in found for name in re.findall(r"`(\w+)`", keys)}


def default(field: dataclasses.Field[object]) -> str:
    """As the page writes it."""
    match field.default:
        case dataclasses.MISSING:
            return "required"
        case None:
            return IN_WORDS.get(field.name, "none")
        case timedelta() as duration:
            return f"`{format_duration(duration)}`"
        case tuple(words):
            return f"`[{', '.join(words)}]`"
        case value:
            return f"`{str(value).lower()}`"


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_is_explained_with_its_default(title: str) -> None:
    """docs/actuators.md has a row for each, and for nothing else."""
    settings = {field.name: default(field) for kind in SECTIONS[title] for field in dataclasses.fields(TYPES[kind][0])}

    assert settings == rows(title) | {"type": settings["type"]}


def test_every_example_of_the_page_is_one() -> None:
    page = (ROOT / "docs/actuators.md").read_text(encoding="utf-8")
    documents = [compose(text, name="odp.yml") for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    problems = [document.problems + validated(Tree, document.value)[1] for document in documents]

    assert [()] * len(documents) == problems
    assert documents


def test_every_exit_status_is_explained() -> None:
    page = (ROOT / "docs/actuators.md").read_text(encoding="utf-8")

    assert {0, 2, *EXIT_STATUSES.values()} == {int(code) for code in re.findall(r"^\| (\d) \|", page, re.MULTILINE)}


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_gives_its_own_actuator(kind: str) -> None:
    tree, problems = read(EXAMPLES[kind])

    assert [] == problems
    assert tree is not None
    settings, acting = TYPES[kind]
    assert isinstance(tree.actuators["it"], settings)
    assert isinstance(actuator(tree.actuators["it"]), acting)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{type: sshh}", "odp.yml:2:14: actuators.it.type: unknown type: 'sshh'; did you mean 'ssh'?"),
        ("{}", "odp.yml:2:7: actuators.it.type: missing; known here: 'exec', 'local', 'obproxyd', 'ssh', 'systemd'"),
        ("ssh", "odp.yml:2:7: actuators.it: not a mapping: a text"),
        ("{type: local, cor: true}", "odp.yml:2:21: actuators.it.cor: unknown key; did you mean 'core'?"),
        (
            "{type: exec, look: kubectl get, restart: [x]}",
            "odp.yml:2:26: actuators.it.look: not an argument vector: 'kubectl get' (a list, as [systemctl, restart])",
        ),
        (
            "{type: exec, look: [], restart: [x]}",
            "odp.yml:2:26: actuators.it.look: an argument vector without a program",
        ),
        (
            "{type: ssh, user: -oProxyCommand=x, identity_file: /k, known_hosts_file: /h}",
            "odp.yml:2:25: actuators.it.user: not a user name: '-oProxyCommand=x' (try 'admin')",
        ),
        (
            "{type: local, evidence_keep: 0}",
            "odp.yml:2:36: actuators.it.evidence_keep: not a positive number: '0' (at least 1)",
        ),
    ],
)
def test_a_mistake_is_told_at_its_place(text: str, problem: str) -> None:
    _, problems = read(text)

    assert [problem] == problems
