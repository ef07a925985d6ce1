"""What stands in the RS-list cache, as ODP writes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.cache import container, rslist
from odp_exporter.cache.content import ContentError
from odp_exporter.observations import CacheResult, ClusterServers, Server

CAPTURED = Path(__file__).parents[1] / "testdata/cache/obproxy_rslist_info.json"
SERVERS = tuple(Server(f"127.0.0.{number}", 2881) for number in (1, 2, 3))

ips = st.ip_addresses().filter(lambda ip: not ip.is_unspecified).map(str).filter(lambda ip: "%" not in ip)
servers = st.builds(Server, ips, st.integers(1, 65535))
cached = st.builds(
    rslist.CachedCluster,
    region=st.from_regex(r"[A-Za-z0-9_.-]{1,30}", fullmatch=True),
    region_id=st.integers(-1, 2**32),
    servers=st.lists(servers, min_size=1, max_size=5, unique=True).map(tuple),
    is_primary=st.booleans(),
    real_name=st.none() | st.just("real"),
)


def result_of(payload: bytes) -> CacheResult:
    try:
        rslist.decode(payload)
    except ContentError as error:
        return error.result
    return CacheResult.OK


def entry(**changes: object) -> bytes:
    whole: dict[str, object] = {
        "ObRegion": "ob1",
        "ObRegionId": 1,
        "Type": "PRIMARY",
        "RsList": [{"address": "192.0.2.1:2881", "role": "LEADER", "sql_port": 2881}],
    }
    return json.dumps([{key: value for key, value in {**whole, **changes}.items() if value is not ...}]).encode()


def test_the_file_of_a_real_odp() -> None:
    payload = container.decode(CAPTURED.read_bytes())

    assert (ClusterServers("ob1", 1, frozenset(SERVERS)),) == rslist.decode(payload)
    assert payload == rslist.dump([rslist.CachedCluster("ob1", 1, SERVERS, real_name="ob1")])


def test_a_lone_bracket_is_an_empty_list() -> None:
    """ODP's closing bracket only ever replaces a last comma."""
    assert () == rslist.decode(b"[")
    assert b"[" == rslist.dump([])


@pytest.mark.parametrize("payload", [b"[]", b"[ ]", b"\n[\n]\n"])
def test_an_empty_array_is_an_empty_list_too(payload: bytes) -> None:
    assert () == rslist.decode(payload)


def test_the_meta_database_is_no_cluster() -> None:
    payload = rslist.dump(
        [
            rslist.CachedCluster("MetaDataBase", 1, SERVERS[:1], real_name="", real_meta_region="obmeta"),
            rslist.CachedCluster("ob1", 1, SERVERS[1:], real_name="ob1"),
        ]
    )

    assert (ClusterServers("ob1", 1, frozenset(SERVERS[1:])),) == rslist.decode(payload)
    assert b'"ObRealClusterName":"","ObRealMetaRegion":"obmeta","RsList":[' in payload


def test_a_cluster_has_one_element_per_id() -> None:
    payload = rslist.dump(
        [
            rslist.CachedCluster("ob1", 1, SERVERS[:1]),
            rslist.CachedCluster("ob1", 2, SERVERS[1:], is_primary=False),
        ]
    )

    assert [("ob1", 1), ("ob1", 2)] == [(one.cluster, one.cluster_id) for one in rslist.decode(payload)]


def test_ipv6_stands_without_brackets() -> None:
    payload = rslist.dump([rslist.CachedCluster("ob1", 1, (Server("2001:db8::1", 2881),))])

    assert b'"address":"2001:db8::1:2881"' in payload
    assert frozenset({Server("2001:db8::1", 2881)}) == rslist.decode(payload)[0].servers


@given(clusters=st.lists(cached, max_size=4))
def test_what_was_dumped_decodes(clusters: list[rslist.CachedCluster]) -> None:
    expected = tuple(
        ClusterServers(one.region, one.region_id, frozenset(one.servers), one.is_primary) for one in clusters
    )

    assert expected == rslist.decode(rslist.dump(clusters))


def test_a_cluster_without_servers_is_left_out() -> None:
    assert () == rslist.decode(entry(RsList=[]))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", CacheResult.NOT_JSON),
        (b"[[", CacheResult.NOT_JSON),
        (b"\0", CacheResult.NOT_JSON),
        (b"[" * 100_000, CacheResult.NOT_JSON),
        (b'[{"ObRegionId":' + b"9" * 5000 + b"}]", CacheResult.NOT_JSON),
        (b'[{"ObRegionId":NaN}]', CacheResult.NOT_JSON),
        (b"{}", CacheResult.CONTENT),
        (b"[1]", CacheResult.CONTENT),
        (b"[null]", CacheResult.CONTENT),
        (entry(ObRegion=...), CacheResult.CONTENT),
        (entry(ObRegion=7), CacheResult.CONTENT),
        (entry(ObRegionId=True), CacheResult.CONTENT),
        (entry(RsList=...), CacheResult.CONTENT),
        (entry(RsList={}), CacheResult.CONTENT),
        (entry(RsList=[{"address": "192.0.2.1:2881", "role": "OBSERVER", "sql_port": 2881}]), CacheResult.CONTENT),
        (entry(RsList=[{"address": "192.0.2.1:2881", "role": "LEADER", "sql_port": True}]), CacheResult.CONTENT),
        (entry(Type="LEARNER"), CacheResult.CONTENT),
        (entry(ObRegion="x" * 129), CacheResult.CONTENT),
        (entry(ObRegion="x" * 128), CacheResult.OK),
        (entry(), CacheResult.OK),
    ],
)
def test_what_odp_could_not_read_is_named(payload: bytes, expected: CacheResult) -> None:
    assert expected == result_of(payload)


@given(payload=st.binary(max_size=200) | st.text(alphabet='[]{}",:0aObRegionsList \\', max_size=60).map(str.encode))
def test_arbitrary_payloads_give_clusters_or_a_content_error(payload: bytes) -> None:
    assert result_of(payload) in {CacheResult.OK, CacheResult.NOT_JSON, CacheResult.CONTENT}
