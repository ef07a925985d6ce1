"""One element of a root service list, judged as ODP judges it."""

from __future__ import annotations

import pytest
from odp_exporter.observations import Server
from odp_exporter.odp_json import Json
from odp_exporter.root_services import RootServiceError, RootServices, WrongRole, parse


def server(address: str, role: str = "LEADER", port: Json = 2881) -> dict[str, Json]:
    return {"address": address, "role": role, "sql_port": port}


def element(*servers: Json, **changes: Json) -> dict[str, Json]:
    return {"ObRegion": "ob1", "ObRegionId": 1, "RsList": list(servers), **changes}


def servers_of(address: str, *, bare_ipv6: bool = False) -> frozenset[Server]:
    return parse(element(server(address)), bare_ipv6=bare_ipv6).servers


def test_a_plain_element() -> None:
    found = parse(element(server("192.0.2.1:2882"), server("192.0.2.2:2882", "follower", 2883)), bare_ipv6=False)

    expected = frozenset({Server("192.0.2.1", 2881), Server("192.0.2.2", 2883)})
    assert RootServices("ob1", "", 1, expected) == found


@pytest.mark.parametrize(
    "address",
    [
        "observer-1:2882",
        "192.0.2.1",
        "192.0.2.1:28x",
        "192.0.2.01:2882",
        "192.0.2.256:2882",
        "0.0.0.0:2882",
        "[::]:2882",
        "[2001:db8::1]",
        "[2001:db8::1:2882",
        "[fe80::1%eth0]:2882",
        "2001:db8::1:2882",
        ":2882",
        "x" * 10_000,
    ],
)
def test_what_odp_cannot_parse_is_skipped(address: str) -> None:
    assert frozenset() == servers_of(address)


@pytest.mark.parametrize("bare_ipv6", [False, True])
def test_ipv6_in_brackets_is_kept_in_its_shortest_form(*, bare_ipv6: bool) -> None:
    assert frozenset({Server("2001:db8::1", 2881)}) == servers_of("[2001:DB8:0:0::1]:2882", bare_ipv6=bare_ipv6)


def test_bare_ipv6_is_odps_own_way_of_writing() -> None:
    assert frozenset({Server("2001:db8::1", 2881)}) == servers_of("2001:db8::1:2881", bare_ipv6=True)


@pytest.mark.parametrize("port", [0, -1, 65536, 10**30])
def test_a_port_that_is_none_is_skipped(port: int) -> None:
    assert frozenset() == parse(element(server("192.0.2.1:2882", port=port)), bare_ipv6=False).servers


def test_a_server_without_sql_port_is_skipped() -> None:
    item: Json = {"address": "192.0.2.1:2882", "role": "LEADER"}

    assert frozenset() == parse(element(item), bare_ipv6=False).servers


def test_readonly_servers_count() -> None:
    found = parse(element(ReadonlyRsList=[server("192.0.2.9:2882")]), bare_ipv6=False)

    assert frozenset({Server("192.0.2.9", 2881)}) == found.servers


def test_of_both_names_and_both_ids_the_last_one_counts() -> None:
    found = parse(element(ObCluster="ob2", ObClusterId=2), bare_ipv6=False)

    assert ("ob2", 2) == (found.name, found.cluster_id)


@pytest.mark.parametrize("role", ["", "OBSERVER", "LEADER "])
def test_another_role_fails_the_whole_list(role: str) -> None:
    with pytest.raises(WrongRole):
        parse(element(server("192.0.2.1:2882"), server("192.0.2.2:2882", role)), bare_ipv6=False)


def test_the_role_of_a_skipped_server_is_not_looked_at() -> None:
    assert frozenset() == parse(element(server("observer-1:2882", "OBSERVER")), bare_ipv6=False).servers


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (None, "an element of the list is not an object"),
        ([], "an element of the list is not an object"),
        ({"RsList": None}, "the list of servers is absent or not an array"),
        ({}, "the list of servers is absent or not an array"),
        (element(1), "a server is not an object"),
        (element({"role": "LEADER", "sql_port": 2881}), "a server has no address"),
        (element({**server("192.0.2.1:2882"), "address": 7}), "address is not a string"),
        (element({**server("192.0.2.1:2882"), "role": None}), "role is not a string"),
        (element(server("192.0.2.1:2882", port="2881")), "sql_port is not a number"),
        (element(server("192.0.2.1:2882", port=True)), "sql_port is not a number"),
        (element(ObRegionId="1"), "ObRegionId is not a number"),
        (element(ObCluster=None), "ObCluster is not a string"),
        (element(ReadonlyRsList=""), "the list of servers is absent or not an array"),
        (element(Type="LEADER"), "Type is 'LEADER', not PRIMARY or STANDBY"),
        (element(Type=1), "Type is not a string"),
    ],
)
def test_what_fails_the_whole_list(broken: Json, message: str) -> None:
    with pytest.raises(RootServiceError, match=message):
        parse(broken, bare_ipv6=False)
