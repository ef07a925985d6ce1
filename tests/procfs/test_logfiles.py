import os
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from odp_exporter import files
from odp_exporter.procfs.logfiles import Position, appended


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "obproxy.log"
    path.write_bytes(b"one\ntwo\n")
    return path


def end(log: Path) -> Position:
    return appended(log, None).end


def rotate(log: Path, stamp: int) -> None:
    log.rename(f"{log}.{stamp:014}")


def write(log: Path, text: bytes) -> None:
    with log.open("ab") as file:
        file.write(text)


def test_a_log_is_read_from_where_it_was_left(log: Path) -> None:
    here = end(log)
    write(log, b"three\n")

    more = appended(log, here)

    assert b"three\n" == more.text
    assert more.is_whole
    assert b"" == appended(log, more.end).text


def test_a_half_written_line_waits_for_its_other_half(log: Path) -> None:
    here = end(log)
    write(log, b"three\nfo")
    first = appended(log, here)
    write(log, b"ur\n")

    assert b"three\n" == first.text
    assert b"four\n" == appended(log, first.end).text


def test_of_more_than_the_limit_the_end_is_read(log: Path) -> None:
    here = end(log)
    write(log, b"x" * 100 + b"\nlast\n")

    more = appended(log, here, limit=10)

    assert more.text.endswith(b"last\n")
    assert not more.is_whole
    assert b"" == appended(log, more.end).text


def test_a_line_longer_than_the_limit_is_passed_over(log: Path) -> None:
    here = end(log)
    write(log, b"x" * 100)

    more = appended(log, here, limit=10)
    write(log, b"\nlast\n")

    assert b"\nlast\n" == appended(log, more.end, limit=10).text


def test_rotations_are_followed(log: Path) -> None:
    here = end(log)
    write(log, b"three\n")
    rotate(log, 1)
    write(log, b"four\n")
    rotate(log, 2)
    write(log, b"five\n")
    (log.parent / "obproxy.log.wf").write_bytes(b"not a part\n")

    more = appended(log, here)

    assert (b"three\nfour\nfive\n", True) == (more.text, more.is_whole)
    assert b"" == appended(log, more.end).text


def test_of_rotated_logs_the_end_is_read_as_far_as_the_limit_goes(log: Path) -> None:
    here = end(log)
    write(log, b"three\n")
    rotate(log, 1)
    write(log, b"four\n")

    more = appended(log, here, limit=8)

    assert (b"four\n", False) == (more.text, more.is_whole)


def test_a_position_in_a_log_that_is_gone_is_said_to_be_lost(log: Path) -> None:
    here = end(log)
    os.link(log, log.parent / "keeps the inode")
    log.unlink()
    write(log, b"new\n")

    more = appended(log, here)

    assert (b"new\n", False) == (more.text, more.is_whole)


def test_a_log_cut_short_is_read_from_its_end(log: Path) -> None:
    here = end(log)
    log.write_bytes(b"new\n")

    more = appended(log, here)

    assert (b"new\n", False) == (more.text, more.is_whole)


def test_a_missing_log_is_an_error_of_its_own(log: Path) -> None:
    log.unlink()

    with pytest.raises(files.FileMissing):
        appended(log, Position(1, 1))


@given(st.lists(st.one_of(st.binary(max_size=20), st.just(b"line\n"), st.none()), max_size=30))
def test_whatever_is_written_and_rotated_every_whole_line_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[bytes | None]
) -> None:
    log = tmp_path_factory.mktemp("log") / "obproxy.log"
    log.touch()
    position = end(log)
    written, seen = b"", b""
    for number, step in enumerate(steps):
        if step is None:
            # ODP rotates between lines.
            write(log, b"\n")
            written += b"\n"
            rotate(log, number)
            log.touch()
        else:
            write(log, step)
            written += step
        if number % 3 == 0:
            more = appended(log, position)
            assert more.is_whole
            seen, position = seen + more.text, more.end
    seen += appended(log, position).text

    assert written[: written.rfind(b"\n") + 1] == seen
