import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from odp_exporter.procfs.parameters import ParametersUnreadable
from odp_exporter.procfs.stored import BINARY, DATABASE, Stored, StoredParameters

RECORDED = Path(__file__).parents[1] / "testdata/captures/proxyconfig_v1.db"
LOCKING = """
import itertools, select, sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
print("ready", flush=True)
for n in itertools.count(1):
    database.execute("begin exclusive")
    database.execute("update proxy_config set value = ? where name = 'app_name'", (f"app{n}",))
    database.execute("update proxy_config set value = ? where name = 'rootservice_cluster_name'", (f"app{n}",))
    database.execute("commit")
    if n >= int(sys.argv[2]) and select.select([sys.stdin], [], [], 0)[0]:
        break
print(n, flush=True)
"""
SEEN = 4
"""States of the writer's that we want to see, the first one included."""
HOLDING = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
database.execute("begin exclusive")
print("ready", flush=True)
sys.stdin.read()
"""


def decode(content: bytes) -> bytes:
    if not content.startswith(b"OK"):
        raise ParametersUnreadable("no container")
    return content[2:]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


def with_database(home: Path) -> Path:
    return Path(shutil.copyfile(RECORDED, home / DATABASE))


def test_values_come_from_the_database_where_it_has_some(home: Path) -> None:
    """On 4.3 obproxy_config.bin is stale: it is written before a hot restart and never read (odp-facts 3.4)."""
    with_database(home)
    (home / BINARY).write_bytes(b"OKlisten_port=1\n")
    stored = StoredParameters(decode).of(home)

    assert stored.values is not None
    assert ("5883", DATABASE, "") == (stored.values["listen_port"], stored.source, stored.problem)


def test_values_come_from_the_older_file_where_the_database_has_none(home: Path) -> None:
    sqlite3.connect(home / DATABASE).close()
    (home / BINARY).write_bytes(b"OKlisten_port=2883\n")

    assert Stored({"listen_port": "2883"}, BINARY) == StoredParameters(decode).of(home)


def test_an_odp_without_files_has_the_defaults(home: Path) -> None:
    assert Stored({}, "defaults") == StoredParameters(decode).of(home)


def test_a_home_that_is_none_says_so(tmp_path: Path) -> None:
    problem = StoredParameters(decode).of(tmp_path / "gone").problem

    assert f"{tmp_path}/gone/etc: no such directory" == problem


def test_a_bad_database_is_not_made_up_for_by_the_older_file(home: Path) -> None:
    (home / DATABASE).write_bytes(b"nonsense" * 1000)
    (home / BINARY).write_bytes(b"OKlisten_port=2883\n")
    stored = StoredParameters(decode).of(home)

    assert (None, "") == (stored.values, stored.source)
    assert f"{home / DATABASE}: not a parameter database: file is not a database" == stored.problem


def test_a_bad_older_file_says_so(home: Path) -> None:
    (home / BINARY).write_bytes(b"damaged")

    assert Stored(None, problem=f"{home / BINARY}: no container") == StoredParameters(decode).of(home)


def test_what_lies_there_in_place_of_a_file_does_no_harm(home: Path) -> None:
    os.mkfifo(home / DATABASE)
    fifo = StoredParameters(decode).of(home)
    (home / DATABASE).unlink()
    (home / DATABASE).mkdir()
    directory = StoredParameters(decode).of(home)

    assert [None, None] == [fifo.values, directory.values]
    assert [f"{home / DATABASE}: not a regular file"] * 2 == [fifo.problem, directory.problem]


def test_a_huge_file_is_not_read(home: Path) -> None:
    with (home / DATABASE).open("wb") as huge:
        huge.truncate(1 << 40)

    assert "more than the" in StoredParameters(decode).of(home).problem


def test_a_file_is_read_again_only_when_it_changed(home: Path) -> None:
    (home / BINARY).write_bytes(b"OKlisten_port=1\n")
    stored = StoredParameters(decode)
    first = stored.of(home)
    again = stored.of(home)
    (home / BINARY).write_bytes(b"OKlisten_port=22\n")
    changed = stored.of(home)

    assert first is again
    assert {"listen_port": "22"} == changed.values


def test_a_home_that_is_no_longer_watched_is_forgotten(home: Path) -> None:
    stored = StoredParameters(decode)
    first = stored.of(home)
    stored.keep({home})
    kept = stored.of(home)
    stored.keep(set())
    anew = stored.of(home)

    assert (True, False) == (first is kept, first is anew)


def test_odp_is_never_kept_from_its_lock_and_we_never_see_half_a_change(home: Path) -> None:
    """ODP gives up its start when it cannot have an exclusive transaction; this writer gives up at once."""
    path = with_database(home)
    stored, pairs = StoredParameters(decode), set[tuple[str, str]]()
    command = [sys.executable, "-c", LOCKING, str(path), "300"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as writer:  # noqa: S603 - our own code
        assert writer.stdin
        assert writer.stdout
        assert writer.stderr
        assert b"ready\n" == writer.stdout.readline()
        deadline = time.monotonic() + 40
        while len(pairs) < SEEN and writer.poll() is None and time.monotonic() < deadline:
            if values := stored.of(home).values:
                pairs.add((values["app_name"], values["rootservice_cluster_name"]))
        writer.stdin.close()
        changes, complaints = int(writer.stdout.read() or 0), writer.stderr.read()

    assert (b"", True) == (complaints, changes >= 300)
    assert len(pairs) >= SEEN
    assert [] == [pair for pair in pairs if pair[0] != pair[1] and pair != ("odptest", "undefined")]
    final = stored.of(home).values
    assert final is not None
    assert f"app{changes}" == final["app_name"]


def test_a_write_that_is_under_way_leaves_the_values_as_they_were(home: Path) -> None:
    path = with_database(home)
    stored = StoredParameters(decode)
    before = stored.of(home)
    (home / f"{DATABASE}-journal").touch()
    path.write_bytes(RECORDED.read_bytes()[:9000])
    during = stored.of(home)
    path.write_bytes(RECORDED.read_bytes())
    (home / f"{DATABASE}-journal").unlink()

    assert before is during
    assert before == stored.of(home)


def test_two_changes_within_one_tick_of_the_clock_are_two(home: Path) -> None:
    path = with_database(home)
    stored = StoredParameters(decode)
    seen = []
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for port in range(6000, 6020):
            database.execute("update proxy_config set value = ? where name = 'listen_port'", (str(port),))
            seen.append(stored.of(home).values)

    assert [str(port) for port in range(6000, 6020)] == [values["listen_port"] for values in seen if values]


def test_a_lock_that_somebody_holds_does_not_keep_us(home: Path) -> None:
    path = with_database(home)
    command = [sys.executable, "-c", HOLDING, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:  # noqa: S603 - our own code
        assert holder.stdout
        assert b"ready\n" == holder.stdout.readline()
        stored = StoredParameters(decode).of(home)
        holder.kill()

    assert DATABASE == stored.source


def test_nothing_is_left_in_odps_directory(home: Path) -> None:
    with_database(home)
    before = sorted(home.rglob("*"))
    StoredParameters(decode).of(home)

    assert before == sorted(home.rglob("*"))
