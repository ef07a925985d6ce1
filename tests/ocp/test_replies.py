"""OCP's replies, accepted and refused as ODP does."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.cache import container
from odp_exporter.observations import ClusterServers, OcpResult, Server
from odp_exporter.ocp.envelope import OcpError
from odp_exporter.ocp.replies import ClusterUrl, ConfigReply, parse_config, parse_rs_list, parse_version
from odp_exporter.odp_json import Json

CAPTURED = Path(__file__).parents[1] / "testdata/cache/obproxy_config_server_info.json"
SECRET = "hunter2-meta"
RS_URL = "http://192.0.2.10:8080/services?Action=ObRootServiceInfo&ObCluster="
CONFIG: dict[str, Json] = {
    "Version": "07c5563d293278097dc84e6b64ef6341",
    "ObProxyBinUrl": "http://192.0.2.10:8080/client?Action=GetObProxy",
    "ObProxyDatabaseInfo": {
        "DataBase": "obproxy",
        "User": "obproxyuser",
        "Password": SECRET,
        "MetaDataBase": "http://192.0.2.10:8080/services?Action=ObRootServiceInfo&ObRegion=obdv1",
    },
    "ObRootServiceInfoUrlList": [
        {"ObRegion": "obcluster", "ObRootServiceInfoUrl": f"{RS_URL}obcluster"},
        {"ObRegion": "obcluster2", "ObRootServiceInfoUrl": f"{RS_URL}obcluster2"},
    ],
}
RS_LIST: dict[str, Json] = {
    "ObRegion": "obcluster",
    "ObRegionId": 1,
    "Type": "PRIMARY",
    "RsList": [{"address": "192.0.2.11:2882", "role": "LEADER", "sql_port": 2881}],
    "ReadonlyRsList": [],
}
Path_ = tuple[str | int, ...]


def reply(data: object) -> bytes:
    envelope = {"Code": 200, "Message": "successful", "Success": True, "Data": data}
    return json.dumps(envelope, ensure_ascii=False).encode()


def changed(data: dict[str, Json], path: Path_, value: object) -> bytes:
    """A reply with one value replaced, or removed if it is `...`."""
    whole = copy.deepcopy(data)
    parent: Any = whole
    for key in path[:-1]:
        parent = parent[key]
    if value is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return reply(whole)


def failure(parse: Callable[[bytes], object], text: bytes) -> OcpResult:
    with pytest.raises(OcpError) as caught:
        parse(text)
    assert SECRET not in str(caught.value) + repr(caught.value)
    assert len(caught.value.detail) <= 300
    return caught.value.result


def asked_for_obcluster(text: bytes) -> tuple[ClusterServers, ...]:
    return parse_rs_list(text, "obcluster")


def test_a_configuration() -> None:
    expected = ConfigReply(
        "07c5563d293278097dc84e6b64ef6341",
        (ClusterUrl("obcluster", f"{RS_URL}obcluster"), ClusterUrl("obcluster2", f"{RS_URL}obcluster2")),
    )

    assert expected == parse_config(reply(CONFIG))


def test_the_configuration_that_a_real_odp_cached() -> None:
    found = parse_config(container.decode(CAPTURED.read_bytes(), compressed=True))

    assert "v1-0000000000000000000000000001" == found.version
    assert ["ob1"] == [cluster.name for cluster in found.clusters]


def test_neither_password_nor_url_stands_in_a_repr() -> None:
    shown = repr(parse_config(reply(CONFIG)))

    assert SECRET not in shown
    assert "192.0.2.10" not in shown


REQUIRED: dict[Path_, OcpResult] = {
    ("Version",): OcpResult.VERSION,
    ("ObProxyBinUrl",): OcpResult.DATA,
    ("ObProxyDatabaseInfo",): OcpResult.DATA,
    ("ObProxyDatabaseInfo", "DataBase"): OcpResult.DATA,
    ("ObProxyDatabaseInfo", "User"): OcpResult.DATA,
    ("ObProxyDatabaseInfo", "Password"): OcpResult.DATA,
    ("ObProxyDatabaseInfo", "MetaDataBase"): OcpResult.DATA,
    ("ObRootServiceInfoUrlList",): OcpResult.NO_CLUSTERS,
    ("ObRootServiceInfoUrlList", 0, "ObRegion"): OcpResult.DATA,
}


@pytest.mark.parametrize(("path", "expected"), REQUIRED.items(), ids=str)
def test_a_configuration_that_lacks_a_key_is_refused(path: Path_, expected: OcpResult) -> None:
    assert expected == failure(parse_config, changed(CONFIG, path, ...))


@given(path=st.sampled_from(sorted(REQUIRED, key=str)), value=st.none() | st.booleans() | st.integers() | st.just(""))
def test_a_configuration_with_a_value_of_another_kind_is_refused(path: Path_, value: Json) -> None:
    assert failure(parse_config, changed(CONFIG, path, value)) in {REQUIRED[path], OcpResult.DATA}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("Version",), "v" * 33, OcpResult.VERSION),
        (("Version",), "ü" * 17, OcpResult.VERSION),
        (("ObProxyDatabaseInfo", "User"), "root@sys#obcluster", OcpResult.DATA),
        (("ObRootServiceInfoUrlList",), [], OcpResult.NO_CLUSTERS),
        (("ObRootServiceInfoUrlList",), {}, OcpResult.DATA),
        (("ObRootServiceInfoUrlList",), ["obcluster"], OcpResult.DATA),
        (("ObRootServiceInfoUrlList", 1, "ObRegion"), "obcluster", OcpResult.DUPLICATE_CLUSTER),
        (("ObRootServiceInfoUrlList", 1, "ObRootServiceInfoUrl"), 7, OcpResult.DATA),
        (("ObRootServiceInfoUrlTemplate",), "", OcpResult.DATA),
        (("ObClusterList",), ["obcluster3"], OcpResult.DATA),
    ],
)
def test_a_configuration_that_odp_would_not_take(path: Path_, value: Json, expected: OcpResult) -> None:
    assert expected == failure(parse_config, changed(CONFIG, path, value))


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_data_must_be_an_object(data: Json) -> None:
    assert OcpResult.DATA == failure(parse_config, reply(data))
    assert OcpResult.DATA == failure(parse_version, reply(data))


def test_a_user_of_the_meta_database_may_say_so() -> None:
    text = changed(CONFIG, ("ObProxyDatabaseInfo", "User"), "root@sys#MetaDataBase")

    assert 2 == len(parse_config(text).clusters)


def test_a_cluster_without_url_is_taken_as_odp_takes_it() -> None:
    text = changed(CONFIG, ("ObRootServiceInfoUrlList", 1, "ObRootServiceInfoUrl"), ...)

    assert "" == parse_config(text).clusters[1].url


def templated(**changes: Json) -> bytes:
    data = {key: value for key, value in CONFIG.items() if key != "ObRootServiceInfoUrlList"}
    template = "http://192.0.2.10:8080/services?Action=ObRootServiceInfo&ObRegion=${ObRegion}&dropped=1"
    return reply({**data, "ObRootServiceInfoUrlTemplate": template, **changes})


@pytest.mark.parametrize("key", ["ObClusterList", "ObRegion"])
def test_a_template_gives_every_cluster_its_url(key: str) -> None:
    url = "http://192.0.2.10:8080/services?Action=ObRootServiceInfo&ObRegion="
    names: Json = ["ob1", "ob2"]
    found = parse_config(templated(**{key: names}))

    assert (ClusterUrl("ob1", f"{url}ob1"), ClusterUrl("ob2", f"{url}ob2")) == found.clusters


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, OcpResult.NO_CLUSTERS),
        ({"ObClusterList": []}, OcpResult.NO_CLUSTERS),
        ({"ObClusterList": "ob1"}, OcpResult.DATA),
        ({"ObClusterList": ["ob1", ""]}, OcpResult.DATA),
        ({"ObClusterList": [1]}, OcpResult.DATA),
        ({"ObClusterList": ["ob1", "ob1"]}, OcpResult.DUPLICATE_CLUSTER),
        ({"ObClusterList": ["ob1"], "ObRootServiceInfoUrlTemplate": "http://x/?r=ob1"}, OcpResult.DATA),
        ({"ObClusterList": ["ob1"], "ObRootServiceInfoUrlTemplateV2": None}, OcpResult.DATA),
    ],
)
def test_templates_that_odp_would_not_take(changes: dict[str, Json], expected: OcpResult) -> None:
    assert expected == failure(parse_config, templated(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"ObRootServiceInfoUrlList": [{"ObRegion": "x" * 129, "ObRootServiceInfoUrl": RS_URL}]},
        {"ObRootServiceInfoUrlTemplate": f"{RS_URL}${{ObCluster}}", "ObClusterList": ["x" * 129]},
    ],
)
def test_a_name_that_no_cluster_can_have_is_refused(changes: dict[str, Json]) -> None:
    """It would be a label, and a page of any size."""
    assert OcpResult.DATA == failure(parse_config, reply({**CONFIG, **changes}))
    assert OcpResult.DATA == failure(
        lambda body: parse_rs_list(body, "x" * 129), changed(RS_LIST, ("ObRegion",), "x" * 129)
    )
    assert parse_rs_list(changed(RS_LIST, ("ObRegion",), "x" * 128), "x" * 128)


def test_a_version() -> None:
    assert "v1" == parse_version(reply({"Version": "v1"}))


@pytest.mark.parametrize("data", [{}, {"Version": ""}, {"Version": 1}, {"Version": None}, {"Version": "v" * 33}])
def test_what_is_no_version(data: Json) -> None:
    assert OcpResult.VERSION == failure(parse_version, reply(data))


def test_an_rs_list_is_an_object_or_an_array() -> None:
    expected = (ClusterServers("obcluster", 1, frozenset({Server("192.0.2.11", 2881)})),)

    assert expected == asked_for_obcluster(reply(RS_LIST))
    assert expected == asked_for_obcluster(reply([RS_LIST]))


def test_an_rs_list_of_primary_and_standby_has_two_ids() -> None:
    standby = {**RS_LIST, "ObRegionId": 2, "Type": "STANDBY"}

    assert [1, 2] == [one.cluster_id for one in asked_for_obcluster(reply([RS_LIST, standby]))]


def test_an_alias_is_a_name_too() -> None:
    text = changed(RS_LIST, ("ObClusterAlias",), "trade")

    assert ["trade"] == [one.cluster for one in parse_rs_list(text, "trade")]


def test_the_meta_database_answers_to_any_name() -> None:
    assert ["MetaDataBase"] == [one.cluster for one in parse_rs_list(reply(RS_LIST), "MetaDataBase")]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("ObRegion",), "another", OcpResult.CLUSTER_MISMATCH),
        (("ObRegion",), ..., OcpResult.CLUSTER_MISMATCH),
        (("ObRegion",), "ObCluster", OcpResult.CLUSTER_MISMATCH),
        (("ObRegion",), None, OcpResult.DATA),
        (("RsList",), ..., OcpResult.DATA),
        (("RsList",), [], OcpResult.NO_SERVERS),
        (("RsList", 0, "address"), "observer-1:2882", OcpResult.NO_SERVERS),
        (("RsList", 0, "address"), "2001:db8::1:2882", OcpResult.NO_SERVERS),
        (("RsList", 0, "role"), "OBSERVER", OcpResult.ROLE),
        (("RsList", 0, "role"), ..., OcpResult.ROLE),
        (("RsList", 0, "sql_port"), "2881", OcpResult.DATA),
        (("RsList", 0, "sql_port"), ..., OcpResult.NO_SERVERS),
    ],
)
def test_an_rs_list_that_is_of_no_use(path: Path_, value: Json, expected: OcpResult) -> None:
    assert expected == failure(asked_for_obcluster, changed(RS_LIST, path, value))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, OcpResult.DATA),
        ("x", OcpResult.DATA),
        ([], OcpResult.NO_SERVERS),
        ({}, OcpResult.DATA),
        ([{**RS_LIST}, {**RS_LIST, "ObRegion": "another"}], OcpResult.CLUSTER_MISMATCH),
    ],
)
def test_data_of_an_rs_list_that_is_of_no_use(data: Json, expected: OcpResult) -> None:
    assert expected == failure(asked_for_obcluster, reply(data))
