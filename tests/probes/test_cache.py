"""Cache files in every state in which a host may have them."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.cache import container, idc_list, rslist
from odp_exporter.observations import (
    CacheFile,
    CacheFileObservation,
    CacheObservation,
    CacheResult,
    ClusterServers,
    Server,
)
from odp_exporter.probes.cache import FILE_NAMES, MAX_FILE_BYTES, read_cache

CAPTURED = Path(__file__).parents[1] / "testdata/cache"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SERVER = Server("192.0.2.11", 2881)
SECRET = "hunter2-meta"
CONFIG = (
    b'{"Message":"successful","Success":true,"Code":200,"Data":{"Version":"v1","ObProxyBinUrl":"http://x/",'
    b'"ObProxyDatabaseInfo":{"DataBase":"d","User":"u","Password":"%s","MetaDataBase":"http://x/"},'
    b'"ObRootServiceInfoUrlList":[{"ObRegion":"ob1","ObRootServiceInfoUrl":"http://x/?r"}]}}' % SECRET.encode()
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("etc", ".conf"):
        (tmp_path / folder).mkdir()
    return tmp_path


def listing(name: str) -> bytes:
    return container.encode(rslist.dump([rslist.CachedCluster(name, 1, (SERVER,))]))


def read(home: Path) -> CacheObservation:
    seen = read_cache("odp-1", home, NOON)
    assert SECRET not in repr(seen)
    return seen


def seen_of(home: Path, file: CacheFile) -> CacheFileObservation:
    [seen] = [seen for seen in read(home).files if seen.file is file]
    return seen


def rslist_of(home: Path) -> CacheFileObservation:
    return seen_of(home, CacheFile.RSLIST)


def test_the_files_of_a_real_odp(home: Path) -> None:
    for file in (CacheFile.RSLIST, CacheFile.CONFIG_SERVER):
        path = shutil.copy(CAPTURED / FILE_NAMES[file], home / "etc")
        os.utime(path, (1_795_374_000, 1_795_374_000))

    seen = read(home)

    assert ("odp-1", NOON) == (seen.target, seen.at)
    assert {
        CacheFile.RSLIST: CacheResult.OK,
        CacheFile.CONFIG_SERVER: CacheResult.OK,
        CacheFile.IDC_LIST: CacheResult.MISSING,
    } == {one.file: one.result for one in seen.files}
    servers = frozenset(Server(f"127.0.0.{number}", 2881) for number in (1, 2, 3))
    assert (ClusterServers("ob1", 1, servers),) == seen.clusters
    assert ("v1-0000000000000000000000000001", ("ob1",)) == (seen.config_version, seen.config_clusters)
    assert (home / "etc/obproxy_rslist_info.json", 308, datetime.fromtimestamp(1_795_374_000, UTC)) == (
        seen.files[0].path,
        seen.files[0].size,
        seen.files[0].modified,
    )


def test_an_idc_list(home: Path) -> None:
    payload = idc_list.dump([idc_list.CachedIdcs("ob1", 1, (("z1", "R1"),))])
    (home / "etc" / FILE_NAMES[CacheFile.IDC_LIST]).write_bytes(container.encode(payload))

    assert CacheResult.OK == seen_of(home, CacheFile.IDC_LIST).result


def test_nothing_at_all(tmp_path: Path) -> None:
    seen = read(tmp_path / "nowhere")

    assert [CacheResult.MISSING] * 3 == [one.result for one in seen.files]
    assert ((), None, ()) == (seen.clusters, seen.config_version, seen.config_clusters)


COPIES = [f"{folder}/obproxy_rslist_info.json{suffix}" for suffix in ("", ".old") for folder in ("etc", ".conf")]


@pytest.mark.parametrize("present", range(4))
def test_the_order_in_which_odp_looks_for_copies(home: Path, present: int) -> None:
    for copy in COPIES[present:]:
        (home / copy).write_bytes(listing(f"from-{COPIES.index(copy)}"))

    seen = read(home)

    assert [f"from-{present}"] == [one.cluster for one in seen.clusters]
    assert home / COPIES[present] == seen.files[0].path


def test_a_damaged_copy_is_not_passed_over(home: Path) -> None:
    """Only a file that cannot be read makes ODP look for another one."""
    for copy in COPIES:
        (home / copy).write_bytes(listing("whole"))
    (home / COPIES[0]).write_bytes(listing("whole")[:-1] + b" ")

    assert (CacheResult.PAYLOAD_CHECKSUM, home / COPIES[0]) == (rslist_of(home).result, rslist_of(home).path)
    assert () == read(home).clusters


@pytest.mark.parametrize("kind", ["directory", "fifo", "loop"])
def test_a_copy_that_cannot_be_read_is_passed_over(home: Path, kind: str) -> None:
    obstruct(home / COPIES[0], kind)
    assert CacheResult.UNREADABLE == rslist_of(home).result

    (home / COPIES[1]).write_bytes(listing("ob1"))
    assert (CacheResult.OK, home / COPIES[1]) == (rslist_of(home).result, rslist_of(home).path)


def test_a_copy_of_somebody_else_is_not_passed_over(home: Path) -> None:
    """What is closed to this user is most likely open to ODP: nothing is known of it."""
    for copy in COPIES[:2]:
        (home / copy).write_bytes(listing("ob1"))
    (home / COPIES[0]).chmod(0)
    home.parent.chmod(0o755)

    with as_nobody():
        seen = read(home)

    assert (CacheResult.FORBIDDEN, None) == (seen.files[0].result, seen.files[0].path)
    assert f"{home / COPIES[0]}: permission denied" == seen.files[0].detail
    assert () == seen.clusters


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def obstruct(path: Path, kind: str) -> None:
    match kind:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case _:
            path.symlink_to(path)


def test_etc_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "etc").touch()

    assert CacheResult.MISSING == rslist_of(tmp_path).result


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", CacheResult.SHORT),
        (b"[]", CacheResult.SHORT),
        (listing("ob1")[:-5], CacheResult.LENGTH),
        (b'[{"ObRegion":"edited by hand","RsList":[]}]', CacheResult.MAGIC),
        (container.encode(b"nonsense"), CacheResult.NOT_JSON),
        (container.encode(b"{}"), CacheResult.CONTENT),
        (container.encode(b"["), CacheResult.OK),
        (container.encode(b"x" * MAX_FILE_BYTES), CacheResult.UNREADABLE),
    ],
    ids=["empty", "short", "cut", "edited", "no JSON", "object", "bracket", "huge"],
)
def test_a_spoilt_rslist(home: Path, content: bytes, expected: CacheResult) -> None:
    (home / COPIES[0]).write_bytes(content)
    (home / COPIES[1]).write_bytes(listing("ob1"))

    seen = rslist_of(home)

    assert (expected, home / COPIES[0], len(content)) == (seen.result, seen.path, seen.size)
    assert (expected is CacheResult.OK) == (not seen.detail)


def test_a_sparse_terabyte_costs_nothing(home: Path) -> None:
    with (home / COPIES[0]).open("wb") as file:
        file.truncate(2**40)

    assert (CacheResult.UNREADABLE, 2**40) == (rslist_of(home).result, rslist_of(home).size)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (container.encode(CONFIG, compressed=True), CacheResult.OK),
        (container.encode(CONFIG), CacheResult.COMPRESSION),
        (container.encode(CONFIG[:-1], compressed=True), CacheResult.NOT_JSON),
        (container.encode(CONFIG.replace(b"200", b"500"), compressed=True), CacheResult.CONTENT),
        (container.encode(CONFIG.replace(b"ob1", b""), compressed=True), CacheResult.CONTENT),
    ],
    ids=["whole", "plain", "cut", "failure", "nameless"],
)
def test_a_spoilt_configuration(home: Path, content: bytes, expected: CacheResult) -> None:
    (home / "etc" / FILE_NAMES[CacheFile.CONFIG_SERVER]).write_bytes(content)

    assert expected == seen_of(home, CacheFile.CONFIG_SERVER).result


@given(content=st.binary(max_size=100).map(container.encode) | st.binary(max_size=100))
def test_whatever_is_in_the_files_an_observation_comes_back(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    home = tmp_path_factory.getbasetemp() / "anything"
    (home / "etc").mkdir(parents=True, exist_ok=True)
    for name in FILE_NAMES.values():
        (home / "etc" / name).write_bytes(content)

    assert 3 == len(read(home).files)


def test_a_reader_never_sees_odp_halfway_through_a_write(home: Path) -> None:
    """X.tmp is written, X becomes X.old, X.tmp becomes X, first in etc/, then in .conf/."""
    for copy in COPIES[:2]:
        (home / copy).write_bytes(listing("ob0"))
    done = threading.Event()

    def write_as_odp_does() -> None:
        for number in range(200):
            for path in (home / copy for copy in COPIES[:2]):
                temporary = path.with_name(f"{path.name}.tmp")
                temporary.write_bytes(listing(f"ob{number}"))
                path.rename(path.with_name(f"{path.name}.old"))
                temporary.rename(path)
        done.set()

    writer = threading.Thread(target=write_as_odp_does)
    writer.start()
    results = {rslist_of(home).result}
    while not done.is_set():
        results.add(rslist_of(home).result)
    writer.join(timeout=10)

    assert {CacheResult.OK} == results


def test_a_moment_that_no_calendar_holds_is_no_moment(home: Path) -> None:
    path = home / COPIES[0]
    path.write_bytes(listing("ob1"))
    os.utime(path, (2**60, 2**60))

    assert CacheResult.OK == rslist_of(home).result
