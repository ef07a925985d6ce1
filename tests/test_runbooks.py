"""Each alert has a page that helps, and the pages speak of what exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from odp_exporter import catalogue
from odp_exporter.remediation.model import Hold, Reason

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs/runbooks"
INDEX = FOLDER / "README.md"
PAGES = sorted(set(FOLDER.glob("*.md")) - {INDEX})
HEADINGS = [
    "What it means for applications",
    "Confirm it by hand",
    "What the remediator does by itself",
    "When it did not",
    "Wake whom, when",
    "Silence or tune",
]
FIRST_WORD = "Ask|Cure|Do|Find|Follow|Leave|Let|Look|Measure|Probe|Read|Repair|Restart|Save|See|Start"
"""Verbs: a page begins with an order, not with an explanation."""
SUFFIXES = ("", "_bucket", "_count", "_sum")


ROUNDING = "one_event"
"""What increase() makes of one event: a threshold that is not for tuning."""


@cache
def alerts() -> dict[str, set[str]]:
    """Every alert of the rules, with the thresholds that decide when it fires."""
    return {
        rule["alert"]: set(re.findall(r"\$\{(\w+)\}", f"{rule['expr']} {rule.get('for', '')}")) - {ROUNDING}
        for path in (ROOT / "rules/source").glob("*.yml")
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def consoles(text: str) -> Iterator[str]:
    """Each line of each console block."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        yield from block.splitlines()


def named_metrics(text: str) -> set[str]:
    """Metrics that the code in *text* names; `odp_(up|state)` of a grep names two."""
    code = " ".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    plain = re.findall(r"\bo[dc]p_[a-z]\w*", code)
    grouped = re.findall(r"\b(o[dc]p_\w*)\(([\w|]+)\)(\w*)", code)
    return set(plain) - {before for before, _, _ in grouped} | {
        f"{before}{middle}{after}" for before, group, after in grouped for middle in group.split("|")
    }


def page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert alerts().keys() == {path.stem for path in PAGES}


def test_the_index_leads_to_every_page() -> None:
    links = re.findall(r"\]\((\w+)\.md\)", INDEX.read_text(encoding="utf-8"))

    assert {path.stem for path in PAGES} == set(links)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_says_first_what_to_do_first(path: Path) -> None:
    """One sentence, with a command or a page to go to."""
    title, blank, first, after = path.read_text(encoding="utf-8").splitlines()[:4]

    assert (f"# {path.stem}", "", "") == (title, blank, after)
    assert re.match(rf"({FIRST_WORD})\b", first)
    assert re.search(r"`[\w-]+[$#] |\]\(\w+\.md\)", first)
    assert first.endswith((".", "`"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_all_pages_have_the_same_parts(path: Path) -> None:
    """Who has read one finds their way in all; and none is longer than a screen and a half."""
    text = path.read_text(encoding="utf-8")

    assert re.findall("^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert 25 <= len(text.splitlines()) <= 70


@pytest.mark.parametrize("path", [*PAGES, INDEX], ids=lambda path: path.stem)
def test_every_command_says_on_which_host_it_runs(path: Path) -> None:
    prompts = "any$ odp-1$ odp-1# lb# rem$ rem# prom$ am$"

    assert {line.split()[0] for line in consoles(path.read_text(encoding="utf-8"))} <= set(prompts.split())


@pytest.mark.parametrize("path", [*PAGES, INDEX], ids=lambda path: path.stem)
def test_no_command_ends_processes_by_name(path: Path) -> None:
    """Other ODPs live on the host."""
    lines = "\n".join(consoles(path.read_text(encoding="utf-8")))

    assert [] == re.findall(r"pkill|killall|obproxyd\.sh stop", lines)


@pytest.mark.parametrize("path", [*PAGES, INDEX], ids=lambda path: path.stem)
def test_every_metric_of_a_page_exists(path: Path) -> None:
    names = {family.name for family in catalogue.EXPORTER + catalogue.REMEDIATOR}
    known = {name + suffix for name in names for suffix in SUFFIXES}.union(*alerts().values())

    assert set() == named_metrics(path.read_text(encoding="utf-8")) - known


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_names_the_thresholds_of_its_alert(path: Path) -> None:
    """All of them, and no other's."""
    tuning = path.read_text(encoding="utf-8").partition(f"## {HEADINGS[-1]}\n\n")[2]
    named = re.match("Thresholds: ([^.]*)|No threshold", tuning.replace("\n", " "))

    assert named
    assert alerts()[path.stem] == set(re.findall(r"`(\w+)`", named[1] or ""))


def test_sections_that_are_linked_to_exist() -> None:
    slugs = {
        path.name: {
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall("^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        }
        for path in [*PAGES, INDEX]
    }
    broken = [
        f"{path.stem}: {file}#{slug}"
        for path in PAGES
        for file, slug in re.findall(r"\]\((\w+\.md)#([^)]+)\)", path.read_text(encoding="utf-8"))
        if slug not in slugs[file]
    ]

    assert [] == broken


@pytest.mark.parametrize(("name", "words"), [("OdpRemediationRefused", Reason), ("OdpRemediationFailed", Hold)])
def test_each_reason_of_the_remediator_is_explained(name: str, words: type[Reason | Hold]) -> None:
    """In the first column of a table, whose last one says what to do."""
    explained = re.findall(r"^\| ([a-z_, ]+) \|", page(name), re.MULTILINE)

    assert set() == {str(word) for word in words} - {word for cell in explained for word in cell.split(", ")}
