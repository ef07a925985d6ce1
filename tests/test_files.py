import os
from pathlib import Path

import pytest
from odp_exporter.files import FileMissing, FileUnusable, read, read_from, read_tail, replace


def test_reads_a_file_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    seen = read(tmp_path / "file")

    assert (b"content", 7) == (seen.content, seen.size)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")

    with pytest.raises(FileUnusable, match="7 bytes, more than the 6 that are read"):
        read(tmp_path / "file", limit=6)


def test_the_limit_holds_for_files_whose_size_the_kernel_does_not_tell() -> None:
    """Those of /proc say 0."""
    with pytest.raises(FileUnusable, match="more than the 10 that are read"):
        read(Path("/proc/self/status"), limit=10)


def test_reads_from_an_offset_and_from_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")

    assert b"345" == read_from(tmp_path / "file", 3, limit=3).content
    assert b"" == read_from(tmp_path / "file", 30, limit=3).content
    assert b"789" == read_tail(tmp_path / "file", limit=3).content


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")

    for path in (tmp_path / "fifo", tmp_path, tmp_path / "loop", Path("/dev/zero")):
        with pytest.raises(FileUnusable):
            read(path)


def test_nothing_there_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    for path in (tmp_path / "none", tmp_path / "file/below"):
        with pytest.raises(FileMissing, match=f"^{path}: "):
            read(path)


def test_replacing_leaves_one_whole_file_that_others_may_not_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.json"
    replace(path, b"one")
    replace(path, b"two")

    assert (b"two", 0o600, [path]) == (path.read_bytes(), path.stat().st_mode & 0o777, list(path.parent.iterdir()))


def test_what_cannot_be_replaced_is_an_error_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()

    with pytest.raises(FileUnusable):
        replace(tmp_path / "state.json", b"content")
    assert [tmp_path / "state.json"] == list(tmp_path.iterdir())
