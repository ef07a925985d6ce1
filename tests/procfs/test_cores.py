import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from odp_exporter.observations import Cores
from odp_exporter.procfs.cores import (
    Core,
    CoresOutOfSight,
    CoreWatch,
    Tally,
    found,
    has_new,
    parse_pattern,
    tallied,
)

NOW = datetime(2026, 11, 22, 19, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOME = Path("/home/admin/obproxy")


@pytest.mark.parametrize(
    ("pattern", "has_pid", "directory", "matching", "other"),
    [
        ("core", False, HOME, "core.1", "score"),
        ("dump", True, HOME, "dump.4711", "dump"),
        ("dump.%p", True, HOME, "dump.4711", "dump.4711.1"),
        ("cores/core.%e.%t", False, HOME / "cores", "core.[ET_NET 1].1763838000", "core1"),
        ("/cores/%e-%p-100%%", False, Path("/cores"), "obproxy-4711-100%", "obproxy-4711-100"),
        ("/cores/core.%e", False, Path("/cores"), "core.[ET_NET 1]", "core.mysqld"),
        ("/core.%p", False, Path("/"), "core.4711", "core"),
        (
            "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t",
            True,
            Path("/var/lib/systemd/coredump"),
            "core.obproxy.1000.0123456789abcdef.4711.1763838000000000.zst",
            "core.mysqld.1000.0123456789abcdef.4711.1763838000000000.zst",
        ),
    ],
)
def test_the_place_of_cores(pattern: str, has_pid: bool, directory: Path, matching: str, other: str) -> None:  # noqa: FBT001 - a table's column
    place = parse_pattern(pattern, has_pid=has_pid, home=HOME)

    assert directory == place.directory
    assert place.name.fullmatch(matching)
    assert not place.name.fullmatch(other)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("|/usr/share/apport/apport %p", "cores go to a program: '/usr/share/apport/apport'"),
        ("|", "cores go to a program: ''"),
        ("", "cores go to no place that is known beforehand: ''"),
        ("/cores/%h/core", "cores go to no place that is known beforehand: '/cores/%h/core'"),
        ("/cores/core", "cores of all programs go to one name: '/cores/core'"),
    ],
)
def test_places_out_of_sight_are_said(pattern: str, message: str) -> None:
    with pytest.raises(CoresOutOfSight) as raised:
        parse_pattern(pattern, has_pid=False, home=HOME)

    assert message == str(raised.value)


def test_an_unknown_home_is_out_of_sight_only_where_it_matters() -> None:
    with pytest.raises(CoresOutOfSight, match="home, which is unknown"):
        parse_pattern("core", has_pid=True, home=None)
    assert Path("/cores") == parse_pattern("/cores/core", has_pid=True, home=None).directory


@given(st.text(max_size=40), st.booleans())
def test_any_pattern_is_a_place_or_out_of_sight(pattern: str, has_pid: bool) -> None:  # noqa: FBT001 - Hypothesis gives it
    try:
        place = parse_pattern(pattern, has_pid=has_pid, home=HOME)
    except CoresOutOfSight:
        return
    assert place.directory.is_absolute()


def test_in_a_shared_directory_only_the_cores_of_known_pids_count(tmp_path: Path) -> None:
    for name in ("core.4711", "core.4712", "other"):
        (tmp_path / name).touch()
    (tmp_path / "core.4713").mkdir()
    (tmp_path / "core.4714").symlink_to("core.4711")

    cores = found(parse_pattern(f"{tmp_path}/core.%p", has_pid=False, home=None), {4711, 4713, 4714})

    assert [("core.4711", 4711)] == [(core.name, core.pid) for core in cores]


def core(name: str, age: timedelta = timedelta(hours=1), pid: int | None = None) -> Core:
    return Core(name, int((NOW - age).timestamp() * 1e9), pid)


def test_cores_that_were_there_before_do_not_count_but_date() -> None:
    tally = tallied(Tally(), HOME, [core("core.1")], NOW)

    assert Cores(0, NOW - timedelta(hours=1)) == tally.cores


def test_a_new_core_counts_once_and_still_when_it_is_gone() -> None:
    tally = tallied(Tally(), HOME, [], NOW)
    for cores in ([core("core.1")], [core("core.1")], [core("core.1"), core("core.2")], []):
        tally = tallied(tally, HOME, cores, NOW)

    assert Cores(2, NOW - timedelta(hours=1)) == tally.cores


def test_a_core_that_replaces_another_counts() -> None:
    tally = tallied(tallied(Tally(), HOME, [core("core")], NOW), HOME, [core("core", timedelta(minutes=1))], NOW)

    assert Cores(1, NOW - timedelta(minutes=1)) == tally.cores


def test_a_core_counts_when_it_is_whole() -> None:
    growing = [core("core.1", SECOND)]
    tally = tallied(tallied(Tally(), HOME, [], NOW), HOME, growing, NOW)

    assert 0 == tally.total
    assert has_new(tally, growing, {1})
    assert 1 == tallied(tally, HOME, growing, NOW + 5 * SECOND).total


def test_cores_of_another_place_are_not_new() -> None:
    tally = tallied(tallied(Tally(), HOME, [], NOW), Path("/cores"), [core("core.1")], NOW)

    assert 0 == tally.total


def test_a_core_shows_the_crash_of_its_process_only() -> None:
    tally = tallied(Tally(), HOME, [core("core.1", pid=1)], NOW)

    assert has_new(tally, [core("core.2", pid=2)], {2})
    assert has_new(tally, [core("core")], {2})
    assert not has_new(tally, [core("core.2", pid=2)], {3})
    assert not has_new(tally, [core("core.1", pid=1)], {1})
    assert not has_new(Tally(), [core("core.1", pid=1)], {1})


def proc(directory: Path, pattern: str) -> Path:
    kernel = directory / "proc/sys/kernel"
    kernel.mkdir(parents=True, exist_ok=True)
    (kernel / "core_pattern").write_text(f"{pattern}\n")
    (kernel / "core_uses_pid").write_text("1\n")
    return directory / "proc"


def test_a_watch_sees_a_core_come(tmp_path: Path) -> None:
    watch = CoreWatch(proc(tmp_path, "core"))
    tally = watch.look(Tally(), home=tmp_path, pids=(), now=NOW)
    (tmp_path / "core.4711").touch()
    os.utime(tmp_path / "core.4711", (NOW.timestamp(), NOW.timestamp()))

    assert watch.shows_crash(tally, {4711})
    tally = watch.look(tally, home=tmp_path, pids=(), now=NOW + SECOND)
    assert 0 == tally.total
    tally = watch.look(tally, home=tmp_path, pids=(), now=NOW + 3 * SECOND)
    assert Cores(1, NOW) == tally.cores
    assert tally is watch.look(tally, home=tmp_path, pids=(), now=NOW + 4 * SECOND)


def test_a_watch_says_what_is_out_of_sight_and_learns_of_a_change(tmp_path: Path) -> None:
    watch = CoreWatch(proc(tmp_path, "|/bin/false"))
    watch.look(Tally(), home=tmp_path, pids=(), now=NOW)
    assert "cores: cores go to a program: '/bin/false'" == watch.unseen
    assert not watch.shows_crash(Tally(), ())

    proc(tmp_path, "core")
    watch.look(Tally(), home=tmp_path, pids=(), now=NOW + timedelta(minutes=2))

    assert watch.unseen is None


def test_a_directory_that_is_missing_or_a_file_is_survived(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    missing = CoreWatch(proc(tmp_path, f"{tmp_path}/missing/%p"))
    assert Cores(0, None) == missing.look(Tally(), home=None, pids=(), now=NOW).cores
    assert missing.unseen is None

    file = CoreWatch(proc(tmp_path, f"{tmp_path}/file/%p"))
    file.look(Tally(), home=None, pids=(), now=NOW)

    assert file.unseen is not None
