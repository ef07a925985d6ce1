"""The project keeps the promises that it makes about itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
DISTRIBUTION = "odp-exporter"
NOT_OURS = re.compile(r"\.(?!ci$).*|__pycache__|build|dist|images|testdata|.*\.egg-info")
"""Folders of tools, and of bytes that others made."""


def files() -> Iterator[tuple[Path, str]]:
    """Every text file of the project, with its text."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not NOT_OURS.fullmatch(name)]
        for path in (Path(folder, name) for name in names):
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def installed() -> dict[str, str]:
    """Name and version of every distribution that running and testing us needs."""
    found: set[tuple[str, str]] = set()
    waiting = {(DISTRIBUTION, ""), (DISTRIBUTION, "test")}
    while waiting:
        name, extra = waiting.pop()
        found.add((name, extra))
        direct = requirements_of(metadata.distribution(name), extra)
        waiting |= {
            (canonicalize_name(needed.name), extra) for needed in direct for extra in ("", *needed.extras)
        } - found
    return {name: str(Version(metadata.version(name))) for name, _ in found}


def requirements_of(distribution: metadata.Distribution, extra: str) -> Iterator[Requirement]:
    for line in distribution.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def test_the_layers_hold() -> None:
    """import-linter reads its contracts from pyproject.toml."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own linter

    assert 0 == done.returncode, done.stdout + done.stderr


def test_the_project_stands_alone() -> None:
    """No file leans on what lies beside the checkout, or says where packages are fetched from."""
    outside = re.compile(
        "|".join([r"\.\./" + "shared", "/" + "work/", "pypi" + r"\.org", "python" + "hosted", "--index" + "-url"])
    )

    assert [] == [f"{path}: {match[0]}" for path, text in files() for match in outside.finditer(text)]


def test_constraints_pin_all_that_is_installed() -> None:
    """Runtime and tests; a pin of something else is a leftover."""
    lines = (ROOT / "constraints.txt").read_text(encoding="ascii").splitlines()
    pins: dict[str, str] = {
        canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)
    }

    assert installed() == pins | {DISTRIBUTION: str(Version(metadata.version(DISTRIBUTION)))}


def test_runtime_dependencies_are_the_ones_with_a_reason() -> None:
    """CONTRIBUTING.md has a line for each."""
    reasons = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)

    direct = [requirement.name for requirement in requirements_of(metadata.distribution(DISTRIBUTION), "")]

    assert sorted(direct) == sorted(reasons)


@pytest.mark.parametrize(
    "path",
    [
        ".ci/run",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Dockerfile",
        "LICENSE",
        "README.md",
        "deploy/odp-exporter.service",
        "docs/architecture.md",
        "exporter/odp_exporter/cli.py",
        "pyproject.toml",
    ],
)
def test_the_tree_is_the_one_of_the_design(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_cited_fact_is_written_down() -> None:
    """Docstrings cite sections of docs/odp-facts.md by number."""
    facts = (ROOT / "docs/odp-facts.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?)[. ]", facts, re.MULTILINE))

    cited = {
        number
        for _, text in files()
        for citation in re.findall(r"odp-facts[ \n#*]+((?:\d+(?:\.\d+)?(?:, | and | to )?)+)", text)
        for number in re.findall(r"\d+(?:\.\d+)?", citation)
    }

    assert set() == cited - sections


def test_every_make_target_is_explained_and_exists() -> None:
    """`make help` is the list, and the documents name none besides."""
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 - the make of this machine
    documents = (text for path, text in files() if path.suffix == ".md")
    named = [name for text in documents for name in re.findall(r"(?:`|\$ )make ([a-z-]+)", text)]

    assert targets == set(re.findall(r"^  ([a-z-]+) ", shown, re.MULTILINE))
    assert {"demo", "test"} <= set(named) <= targets


@pytest.mark.parametrize(("ci", "code"), [("true", 2), ("", 0)])
def test_what_may_not_be_installed_is_left_out_except_in_ci(tmp_path: Path, ci: str, code: int) -> None:
    """An ordinary user without sudo, on a machine without promtool."""
    commands = {"apt-get": "exit 1", "bash": 'exec /bin/bash "$@"', "id": "echo 1000", "sudo": "exit 1"}
    for name, line in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n", encoding="ascii")
        (tmp_path / name).chmod(0o755)
    make = shutil.which("make") or "make"
    done = subprocess.run(  # noqa: S603 - the make of this machine
        [make, "debian-tools"],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )

    assert code == done.returncode
    assert "this needs root, or sudo without a password" in done.stderr
    assert re.search(r"the tests that need these packages are left out:.* prometheus", done.stdout)


def test_the_unit_hides_nothing_that_the_exporter_must_see() -> None:
    """And it never runs as root."""
    unit = (ROOT / "deploy/odp-exporter.service").read_text(encoding="ascii")
    settings = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
    blinding = "PrivateDevices PrivateTmp PrivateUsers ProcSubset ProtectClock ProtectKernelLogs ProtectProc RemoveIPC"

    assert "admin" == settings["User"]
    assert set() == settings.keys() & set(blinding.split())
    assert {"AF_INET", "AF_INET6", "AF_NETLINK"} <= set(settings["RestrictAddressFamilies"].split())


def sections(text: str) -> set[str]:
    """The anchors of a document: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_documents_lead_somewhere() -> None:
    """To a file that there is, and to a section that it has."""
    documents = {(ROOT / path).resolve(): text for path, text in files() if path.suffix == ".md"}
    links = [
        (path, link, (path.parent / place if place else path).resolve(), anchor)
        for path, text in documents.items()
        for link in re.findall(r"\]\((?![a-z]+:)([^)]+)\)", text)
        for place, _, anchor in [link.partition("#")]
    ]
    broken = [
        f"{path.relative_to(ROOT)}: {link}"
        for path, link, goal, anchor in links
        if not goal.exists() or (anchor and anchor not in sections(documents.get(goal, "")))
    ]

    assert len(links) > 100
    assert [] == broken


def test_the_page_of_the_architecture_has_the_layers_that_are_enforced() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ][0]
    (page,) = re.findall(
        r"```\n(__main__\n.*?)\n```", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"), re.DOTALL
    )

    assert contract["layers"] == [" | ".join(line.split()) for line in page.splitlines()]


def test_the_index_leads_to_every_page() -> None:
    """docs/README.md, in which people look for the page that answers their question."""
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert pages | {"runbooks/README.md"} <= set(re.findall(r"\]\(([^)#]+)\)", index))
