from __future__ import annotations

import json
from pathlib import Path

import pytest
from odp_exporter.cache import container
from odp_exporter.simulator.ocp import documents
from odp_exporter.simulator.ocp.documents import Shape, World
from odp_exporter.simulator.odp.cache_files import CONFIG_SERVER, RSLIST, CacheFiles, parse_rslist, rslist_payload
from odp_exporter.simulator.odp.logs import Logs
from odp_exporter.simulator.odp.release import Release
from odp_exporter.simulator.odp.replies import META_DATABASE, RsList, RsServer, parse_config, parse_rs_lists

CAPTURED_WORLD = World(
    {"ob1": ["127.0.0.1:2881", "127.0.0.2:2881", "127.0.0.3:2881"]}, version="v1-0000000000000000000000000001"
)


@pytest.fixture
def cache(tmp_path: Path) -> CacheFiles:
    for name in ("etc", ".conf", "log"):
        (tmp_path / name).mkdir()
    return CacheFiles(tmp_path, Logs(tmp_path, Release.parse("4.3.1")))


def test_the_configuration_of_our_ocp_is_cached_as_captured(cache: CacheFiles, tmp_path: Path, captures: Path) -> None:
    reply = json.dumps(documents.config(CAPTURED_WORLD, "http://127.0.0.1:8280")).encode()
    cache.write(CONFIG_SERVER, parse_config(reply).raw)

    assert (captures / CONFIG_SERVER).read_bytes() == (tmp_path / "etc" / CONFIG_SERVER).read_bytes()
    assert (captures / CONFIG_SERVER).read_bytes() == (tmp_path / ".conf" / CONFIG_SERVER).read_bytes()


@pytest.mark.parametrize("shape", [Shape.LIST, Shape.ARRAY])
def test_the_rs_list_of_our_ocp_is_cached_as_captured(
    cache: CacheFiles, tmp_path: Path, captures: Path, shape: Shape
) -> None:
    world = World(CAPTURED_WORLD.clusters, shape=shape)
    lists = parse_rs_lists(json.dumps(documents.rs_list(world, "ob1")).encode(), "ob1")
    cache.write(RSLIST, rslist_payload(lists, names_real_cluster=True))

    assert (captures / RSLIST).read_bytes() == (tmp_path / "etc" / RSLIST).read_bytes()


def test_a_captured_rs_list_is_read_and_written_back_unchanged(captures: Path) -> None:
    payload = container.decode((captures / RSLIST).read_bytes())

    assert payload == rslist_payload(parse_rslist(payload), names_real_cluster=True)


def test_no_known_list_is_a_lone_bracket(cache: CacheFiles, tmp_path: Path) -> None:
    cache.write(RSLIST, rslist_payload([], names_real_cluster=True))

    expected = "4a4300200002f3250000000000000000000000010000000100000000c8ac71e85b"
    assert expected == (tmp_path / "etc" / RSLIST).read_bytes().hex()


def test_the_meta_database_comes_first_and_ipv6_has_no_brackets() -> None:
    servers = (RsServer("2001:db8::1", 2881, "LEADER"),)
    lists = [RsList("ob1", "ob1", 1, True, servers), RsList(META_DATABASE, "metadb", 1, True, servers)]  # noqa: FBT003 - a field
    elements = json.loads(rslist_payload(lists, names_real_cluster=True))

    assert [META_DATABASE, "ob1"] == [element["ObRegion"] for element in elements]
    assert "metadb" == elements[0]["ObRealMetaRegion"]
    assert "2001:db8::1:2881" == elements[1]["RsList"][0]["address"]


def test_releases_before_4_2_1_do_not_name_the_real_cluster() -> None:
    lists = [RsList("ob1", "ob1", 1, is_primary=True, servers=())]

    assert b"ObRealClusterName" not in rslist_payload(lists, names_real_cluster=False)


def test_writing_keeps_the_previous_file_and_takes_a_new_inode(cache: CacheFiles, tmp_path: Path) -> None:
    path = tmp_path / "etc" / RSLIST
    cache.write(RSLIST, b"[1]")
    first = path.stat().st_ino
    cache.write(RSLIST, b"[2]")

    assert [b"[2]", b"[1]"] == [container.decode(each.read_bytes()) for each in (path, path.with_name(RSLIST + ".old"))]
    assert first != path.stat().st_ino
    assert not path.with_name(RSLIST + ".tmp").exists()


def test_copies_are_read_in_order_and_a_damaged_one_is_not_replaced(cache: CacheFiles, tmp_path: Path) -> None:
    cache.write(RSLIST, b"[1]")
    (tmp_path / "etc" / RSLIST).unlink()
    from_hidden_copy = cache.read(RSLIST)
    cache.write(RSLIST, b"[2]")
    (tmp_path / "etc" / RSLIST).write_bytes(b"damaged")

    assert b"[1]" == from_hidden_copy
    assert cache.read(RSLIST) is None
    assert cache.read(CONFIG_SERVER) is None


def test_each_write_is_logged_with_its_length(cache: CacheFiles, tmp_path: Path) -> None:
    cache.write(RSLIST, b"[1]")

    log = (tmp_path / "log" / "obproxy.log").read_text()
    assert 2 == log.count("write file successfully!")
    assert "len=35, ret=0" in log
