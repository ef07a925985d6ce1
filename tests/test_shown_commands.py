"""Whatever command of ours a document shows is one: its options, its arguments and their form."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from odp_exporter import cli, remediator_cli

ROOT = Path(__file__).parent.parent
PROGRAMS: dict[str, click.Group] = {"odp-exporter": cli.main, "odp-remediator": remediator_cli.main}
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DEPLOYED = sorted(path for path in ROOT.glob("deploy/**/*") if path.suffix in {".service", ".yml"})
MEANT = {"HOST:PORT": "192.0.2.11:2883", "[TARGET]": "odp-1", "[ODP]": "odp-1"}
"""What stands for a word in capitals that would not pass as it is."""


def in_consoles(text: str) -> Iterator[str]:
    """Each line of each console block that is typed."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        yield from re.sub(r" \\\n", " ", block).splitlines()


def in_code(text: str) -> Iterator[str]:
    """Each word of code in a sentence; what stands in brackets there may be left out."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for code in re.findall(r"`([^`]+)`", prose):
        yield re.sub(r"\[(?!TARGET|ODP)[^]]*\]", "", " ".join(code.split()))


def in_settings(text: str) -> Iterator[str]:
    """What a unit starts, and what the comment of a sample tells people to type."""
    yield from re.findall(r"^(?:ExecStart=|# .*: |#   )((?:/\S*/)?odp-(?:exporter|remediator) .*)$", text, re.MULTILINE)


def commands(line: str) -> Iterator[list[str]]:
    """The words of each command of ours in a line of shell."""
    for part in re.split(r"[|;&]+|\$\(|\bdo ", re.sub(r"^\S*[$#] ", "", line)):
        words = shlex.split(part.replace("$ODP_EXPORTER_ARGS", ""), comments=True) if "odp-" in part else []
        if words and words[0].rpartition("/")[2] in PROGRAMS:
            yield [MEANT.get(word, word) for word in (words[0].rpartition("/")[2], *words[1:]) if word[:1] not in "><"]


def fault(words: list[str], *, whole: bool) -> str | None:
    """What the program says to such a command; a sentence that is not *whole* may leave arguments out."""
    program, name, *rest = words if len(words) > 1 else (*words, "--help")
    if name.startswith("-"):
        return None
    command = PROGRAMS[program].commands.get(name)
    try:
        if command is None:
            return "no such command"
        command.make_context(name, rest)
    except click.MissingParameter as error:
        return error.format_message() if whole else None
    except click.exceptions.Exit:
        return None
    except click.UsageError as error:
        return error.format_message()
    return None


@pytest.fixture(autouse=True)
def asked_by_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    """For `odp-remediator restart --forced`."""
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", "odp-remediator restart 192.0.2.11:2883 --json")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_page_is_one(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    typed = [(words, True) for line in in_consoles(text) for words in commands(line)]
    named = [(words, False) for line in in_code(text) for words in commands(line)]

    assert [] == [(words, told) for words, whole in typed + named if (told := fault(words, whole=whole))]


@pytest.mark.parametrize("path", DEPLOYED, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_sample_is_one(path: Path) -> None:
    shown = [words for line in in_settings(path.read_text(encoding="utf-8")) for words in commands(line)]

    assert [] == [(words, told) for words in shown if (told := fault(words, whole=True))]


def test_the_tables_of_the_readme_have_every_command() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(odp-[\w-]+) (\w+)[^`]*` \|", page, re.MULTILINE)

    assert sorted(rows) == sorted((program, name) for program, group in PROGRAMS.items() for name in group.commands)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("$ odp-exporter inspect --jason", "No such option '--jason'. Did you mean '--json'?"),
        ("any$ odp-exporter prob 192.0.2.11:2883", "no such command"),
        ("rem$ odp-remediator history odp-1 | tail", "Got unexpected extra argument (odp-1)"),
        ("rem$ ls; odp-remediator pause --fleet   # all", "Missing option '--reason'."),
    ],
)
def test_a_command_that_is_none_is_found(line: str, told: str) -> None:
    (words,) = commands(line)

    assert told == fault(words, whole=True)
