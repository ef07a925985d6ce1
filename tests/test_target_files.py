"""Target files: what they say, and what a broken one costs."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.target_files import MAX_BYTES, TargetFiles, load_target_files, parse_pattern, parse_targets
from odp_exporter.targets import Address, Target
from odp_exporter.yamlfiles.problems import ConfigError

TESTDATA = Path(__file__).parent / "testdata/target_files"
BAD = sorted(path for path in (TESTDATA / "bad").iterdir() if path.suffix != ".txt")
A, B = Address("192.0.2.11", 2883), Address("192.0.2.12", 2883)
FIRST, SECOND = f"- targets: [{A}]\n", f"- targets: [{B}]\n"


def names(files: TargetFiles) -> list[str]:
    return [target.name for target in files.targets]


def problems(files: TargetFiles) -> list[str]:
    return [str(problem) for problem in files.problems]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_every_mistake_is_told_in_these_words(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_targets(path.read_text(encoding="utf-8"), name="odp.yml", pools=["trade"])

    assert path.with_suffix(".txt").read_text(encoding="utf-8") == f"{caught.value}\n"


def test_labels_that_are_settings_are_taken_out() -> None:
    found = load_target_files([str(TESTDATA / "good/groups.yml")], pools=["trade"])

    assert (
        Target("odp-1", A, Path("/home/admin/obproxy"), "trade", {"idc": "hz1"}),
        Target("192.0.2.21:2883", Address("192.0.2.21", 2883)),
        Target("192.0.2.22:2883", Address("192.0.2.22", 2883)),
    ) == found.targets


def test_json_may_be_indented_by_tabs() -> None:
    found = load_target_files([str(TESTDATA / "good/*.json")])

    assert (Target("odp-3", Address("192.0.2.31", 2883), labels={"idc": "\u676d\u5dde"}),) == found.targets


def test_all_good_files_together(tmp_path: Path) -> None:
    """In the order of their names; hidden files are somebody's unfinished work."""
    (tmp_path / "b.yml").write_text(SECOND)
    (tmp_path / "a.yml").write_text(FIRST)
    (tmp_path / ".a.yml").write_text("unfinished")
    (tmp_path / "a.yml~").write_text("old")

    found = load_target_files([f"{tmp_path}/*.yml", f"{tmp_path}/a.yml"])

    assert ([str(A), str(B)], []) == (names(found), problems(found))


def test_a_broken_file_keeps_its_last_good_targets(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(FIRST)
    (tmp_path / "b.yml").write_text(SECOND)
    last = load_target_files([f"{tmp_path}/*.yml"])
    (tmp_path / "a.yml").write_text(FIRST[:-3])
    (tmp_path / "b.yml").write_text("- targets: [192.0.2.13:2883]\n")

    found = load_target_files([f"{tmp_path}/*.yml"], last=last)

    assert [str(A), "192.0.2.13:2883"] == names(found)
    assert [f"{tmp_path}/a.yml:1:27: not YAML: the end of the file inside a bracket"] == problems(found)


def test_a_file_that_was_never_good_has_no_targets(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("targets")

    found = load_target_files([f"{tmp_path}/a.yml"])

    assert ([], [f"{tmp_path}/a.yml:1:1: not a list: a text"]) == (names(found), problems(found))


def test_a_file_that_is_gone_takes_its_targets_along(tmp_path: Path) -> None:
    patterns = [f"{tmp_path}/a.yml", f"{tmp_path}/[b-z].yml"]
    (tmp_path / "a.yml").write_text(FIRST)
    (tmp_path / "b.yml").write_text(SECOND)
    last = load_target_files(patterns)
    (tmp_path / "a.yml").unlink()
    (tmp_path / "b.yml").unlink()

    found = load_target_files(patterns, last=last)

    assert [str(A), str(B)] == names(last)
    assert ([], [f"{tmp_path}/a.yml: no such file or directory"]) == (names(found), problems(found))


def test_a_directory_that_cannot_be_listed_keeps_its_last_good_targets(tmp_path: Path) -> None:
    directory = tmp_path / "targets"
    directory.mkdir()
    (directory / "a.yml").write_text(FIRST)
    last = load_target_files([f"{directory}/*.yml"])
    directory.rename(tmp_path / "elsewhere")
    directory.symlink_to(directory)

    found = load_target_files([f"{directory}/*.yml"], last=last)

    assert [str(A)] == names(found)
    assert f"{directory}: too many levels of symbolic links" == problems(found)[0]


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.yml")
    (tmp_path / "directory.yml").mkdir()
    with (tmp_path / "huge.yml").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    (tmp_path / "latin.yml").write_bytes(b"\xff")

    found = load_target_files([f"{tmp_path}/*.yml"])

    assert [
        f"{tmp_path}/directory.yml: not a regular file",
        f"{tmp_path}/fifo.yml: not a regular file",
        f"{tmp_path}/huge.yml: {MAX_BYTES + 1} bytes, more than the {MAX_BYTES} that are read",
        f"{tmp_path}/latin.yml:1:1: not UTF-8: byte 0xff",
    ] == problems(found)


@pytest.mark.parametrize("pattern", ["a.yml", "/etc/targets/*.json", "targets/odp-[0-9].yaml"])
def test_patterns_are_those_of_prometheus(pattern: str) -> None:
    assert pattern == parse_pattern(pattern)


@pytest.mark.parametrize("pattern", ["", "a.txt", "*/a.yml", "**/a.yml", "a\0.yml", None])
def test_other_patterns_are_refused(pattern: object) -> None:
    with pytest.raises(ValueError, match="not a pattern of target files"):
        parse_pattern(pattern)


@given(st.text() | st.text("[]{}:,-\n targetslb'\"12.0"))
def test_any_text_is_a_target_file_or_has_problems(text: str) -> None:
    with suppress(ConfigError):
        parse_targets(text, name="odp.yml")
