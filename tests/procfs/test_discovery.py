import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from odp_exporter.observations import Identity, Process
from odp_exporter.procfs.discovery import FoundOdp, Known, find, listening_on, ocps, serving
from odp_exporter.procfs.processes import Environment
from odp_exporter.procfs.sockets import Listener
from odp_exporter.procfs.survey import Candidate
from odp_exporter.targets import Address, Ocp

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
URL = "http://192.0.2.10:8080/services?Action=GetObProxyConfig"
SQL = Listener(Address("127.0.0.1", 2883), 29, 1000, 0, 1024)
PROMETHEUS = Listener(Address("0.0.0.0", 2884), 18, 1000, 0, 4096)
RPC = Listener(Address("127.0.0.1", 2885), 31, 1000, 0, 1024)


def on(listener: Listener, *, host: str | None = None, port: int | None = None, backlog: int = 1024) -> Listener:
    address = Address(host or listener.address.host, port or listener.address.port)
    return Listener(address, listener.inode, listener.uid, 0, backlog)


def known(
    *held: Listener,
    pid: int = 42,
    options: Mapping[str, str] | None = None,
    stored: Mapping[str, str] | None = None,
    is_closed: bool = False,
    environment: Environment | None = None,
) -> Known:
    process = Process(
        Identity("b00t", pid, pid, "/opt/obproxy/bin/obproxy"),
        NOON, 1, "S", ("obproxy",), Path(f"/home/{pid}"), 1, 1.0, 11, 30, 1024,
    )  # fmt: skip
    sockets = None if is_closed else frozenset(listener.inode for listener in held)
    return Known(Candidate(process, sockets, options or {}, environment), stored, held)


def addresses(*ones: Known, listeners: Sequence[Listener] | None = None) -> list[str]:
    found, _ = find(ones, [each for one in ones for each in one.held] if listeners is None else listeners)
    return [str(odp.address) for odp in found]


def test_the_recorded_odp_with_its_two_ports() -> None:
    options = {"listen_port": "2883", "prometheus_listen_port": "2884", "local_bound_ip": "127.0.0.1"}
    one = known(SQL, PROMETHEUS, options=options | {"obproxy_config_server_url": URL})

    assert (
        (FoundOdp(Address("127.0.0.1", 2883), (one.process,), Path("/home/42"), 2884, None, URL),),
        (),
    ) == find([one], [SQL, PROMETHEUS])


def test_the_recorded_odp_with_its_three_ports() -> None:
    held = on(SQL, port=4883), on(PROMETHEUS, port=4884, backlog=4096), on(RPC, port=4885)
    options = {"listen_port": "4883", "prometheus_listen_port": "4884", "rpc_listen_port": "4885"}
    ((found,), _) = find([known(*held, options=options)], held)

    assert (4883, 4884, 4885) == (found.address.port, found.prometheus_port, found.rpc_port)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("0.0.0.0", "127.0.0.1:2883"), ("::", "[::1]:2883"), ("192.0.2.11", "192.0.2.11:2883")],
)
def test_the_address_to_probe_is_the_bound_one_or_loopback(host: str, expected: str) -> None:
    assert [expected] == addresses(known(on(SQL, host=host), options={"listen_port": "2883"}))


def test_ipv4_is_probed_where_there_is_a_choice() -> None:
    both = on(SQL, host="::"), Listener(Address("0.0.0.0", 2883), 30, 1000, 0, 1024)

    assert ["127.0.0.1:2883"] == addresses(known(*both, options={"listen_port": "2883"}))


def test_a_stored_port_counts_where_the_command_line_has_none() -> None:
    one = known(SQL, PROMETHEUS, stored={"listen_port": "2884", "prometheus_listen_port": "2883"})

    assert ["127.0.0.1:2884"] == addresses(one)


@pytest.mark.parametrize(
    ("held", "options"),
    [
        ([SQL], {}),
        ([SQL, PROMETHEUS], {}),
        ([SQL, PROMETHEUS, RPC], {}),
        ([SQL, on(PROMETHEUS, port=3884, backlog=4096)], {}),
        ([SQL, on(PROMETHEUS, port=3884, backlog=4096), on(RPC, port=3885)], {"rpc_listen_port": "3885"}),
        ([SQL, PROMETHEUS], {"listen_port": "6688"}),
    ],
)
def test_without_its_options_the_sql_port_is_the_one_that_is_left(
    held: list[Listener], options: dict[str, str]
) -> None:
    assert (["127.0.0.1:2883"], ()) == (addresses(known(*held, options=options)), find([known(*held)], held)[1])


def test_where_two_ports_could_speak_sql_the_doubt_is_said() -> None:
    held = SQL, on(RPC, port=3885)
    ((found,), _) = find([known(*held)], held)

    assert 2883 == found.address.port
    assert ("which of its ports [2883, 3885] speaks SQL is not known; took the lowest",) == found.unseen


def test_a_hot_restart_is_one_odp_of_two_processes() -> None:
    parent, child = known(SQL, pid=1), known(SQL, pid=2)
    ((found,), _) = find([parent, child], [SQL])

    assert (parent.process, child.process) == found.processes
    assert Path("/home/2") == found.home


def test_a_duplicate_that_could_not_bind_claims_the_port_of_the_hung_one() -> None:
    owner, duplicate = known(SQL, pid=1), known(pid=2, options={"listen_port": "2883"})
    ((found,), _) = find([owner, duplicate], [SQL])

    assert (owner.process, duplicate.process) == found.processes
    assert Path("/home/1") == found.home


def test_a_duplicate_that_holds_its_prometheus_port_alone_claims_the_sql_port_too() -> None:
    prometheus = on(PROMETHEUS, port=3884, backlog=4096)
    options = {"listen_port": "2883", "prometheus_listen_port": "3884"}
    owner, duplicate = known(SQL, pid=1), known(prometheus, pid=2, options=options)
    ((found,), _) = find([owner, duplicate], [SQL, prometheus])

    assert (2, Path("/home/1")) == (len(found.processes), found.home)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"listen_port": "2883"}, ["127.0.0.1:2883"]),
        ({"listen_port": "2883", "local_bound_ip": "192.0.2.11"}, ["192.0.2.11:2883"]),
        ({"listen_port": "2883", "ip_listen_mode": "2"}, ["[::1]:2883"]),
        ({"listen_port": "2883", "ip_listen_mode": "2", "local_bound_ipv6_ip": "2001:db8::1"}, ["[2001:db8::1]:2883"]),
        ({}, []),
        ({"listen_port": "x"}, []),
    ],
)
def test_an_odp_that_does_not_listen_yet_is_where_it_says_it_will_be(
    options: dict[str, str], expected: list[str]
) -> None:
    """A default is no saying: `obproxy --version` must not pass for an ODP on port 6688."""
    assert expected == addresses(known(options=options))


def test_descriptors_closed_to_this_user_leave_what_the_process_says() -> None:
    one = known(options={"listen_port": "2883"}, is_closed=True)
    ((found,), _) = find([one], [on(SQL, host="192.0.2.11"), PROMETHEUS])

    assert "192.0.2.11:2883" == str(found.address)
    assert ("its sockets are closed to this user; port 2883 is what its parameters say",) == found.unseen


def test_descriptors_closed_to_this_user_and_no_port_named_is_said() -> None:
    assert ((), ("pid 42: its sockets are closed to this user, and it names no port",)) == find(
        [known(is_closed=True)], [SQL]
    )


@pytest.mark.parametrize(
    ("ips", "expected"),
    [
        ({"127.0.0.1"}, ["127.0.0.1", "0.0.0.0", "::"]),
        ({"192.0.2.11"}, ["0.0.0.0", "::"]),
        ({"::1"}, ["::"]),
        ({"::1", "127.0.0.1"}, ["127.0.0.1", "0.0.0.0", "::"]),
    ],
)
def test_which_sockets_take_connections_to_an_address(ips: set[str], expected: list[str]) -> None:
    table = [on(SQL, host=host) for host in ("127.0.0.1", "0.0.0.0", "::", "192.0.2.12")]
    table += [on(SQL, port=2893)]

    assert expected == [listener.address.host for listener in listening_on(2883, ips, table)]


@pytest.mark.parametrize(
    ("one", "claims"),
    [
        (known(options={"listen_port": "2883"}), True),
        (known(stored={"listen_port": "2883"}), True),
        (known(options={"listen_port": "2884"}, stored={"listen_port": "2883"}), False),
        (known(options={"listen_port": "2883", "local_bound_ip": "192.0.2.12"}), False),
        (known(options={"listen_port": "2883", "local_bound_ip": "192.0.2.11"}), True),
        (known(SQL, options={"listen_port": "2883"}), False),
        (known(PROMETHEUS, options={"listen_port": "2883"}), True),
        (known(), False),
    ],
)
def test_who_claims_an_address(one: Known, claims: bool) -> None:  # noqa: FBT001 - a table of values
    assert claims == one.claims(2883, {"192.0.2.11"})


def test_ownership_outlasts_a_change_of_the_queue() -> None:
    assert known(SQL).owns([Listener(SQL.address, SQL.inode, 1000, 7, 1024)])
    assert not known(SQL).owns([RPC])


def test_who_serves() -> None:
    old, new, claimant = known(SQL, pid=1), known(SQL, pid=2), known(PROMETHEUS, pid=3)

    assert [new, claimant, None] == [
        serving([old, new, claimant], 2883),
        serving([claimant], 2883),
        serving([], 2883),
    ]


def odp(url: str, port: int = 2883, environment: Environment | None = None) -> FoundOdp:
    return FoundOdp(Address("127.0.0.1", port), (), None, ocp_url=url, environment=environment)


def test_an_ocp_that_several_odps_ask_is_one() -> None:
    assert ((Ocp(name="192.0.2.10:8080", url=URL),), ()) == ocps([odp(URL), odp(URL, 2893), odp("", 2894)])


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("http://u:5ec2e7@198.51.100.7", "198.51.100.7:80"),
        ("https://OCP.example", "ocp.example:443"),
        ("http://[2001:db8::1]:8080", "[2001:db8::1]:8080"),
    ],
)
def test_an_ocp_bears_its_host_and_port_whatever_others_there_are(server: str, name: str) -> None:
    url = f"{server}/services?Action=GetObProxyConfig"
    alone, _ = ocps([odp(url)])
    beside, _ = ocps([odp(url), odp(URL, 2893)])

    assert [name] == [ocp.name for ocp in alone]
    assert sorted([name, "192.0.2.10:8080"]) == sorted(ocp.name for ocp in beside)


@pytest.mark.parametrize(
    "url", ["http://u:5ec2e7@192.0.2.10:8080/services", "ftp://u:5ec2e7@h/?", "5ec2e7", "http://[/?"]
)
def test_a_url_that_odp_could_not_use_is_said_without_showing_it(url: str) -> None:
    assert ((), ("127.0.0.1:2883: its obproxy_config_server_url is no http URL with a '?'",)) == ocps([odp(url)])


def test_two_urls_of_one_host_need_names() -> None:
    found, refused = ocps([odp(URL), odp(f"{URL}&User_ID=x", 2893)])

    assert [URL] == [ocp.url for ocp in found]
    assert ("127.0.0.1:2893: asks 192.0.2.10:8080 by another URL, which needs a name in the configuration",) == refused


@pytest.mark.parametrize(
    ("proxy", "no_proxy", "expected"),
    [
        ("http://192.0.2.9:3128", None, "http://192.0.2.9:3128"),
        ("192.0.2.9:3128", None, "http://192.0.2.9:3128"),
        (None, None, None),
        ("http://192.0.2.9:3128", "192.0.2.10", None),
        ("http://192.0.2.9:3128", "localhost, 192.0.2.10", None),
        ("http://192.0.2.9:3128", "*", None),
        ("http://192.0.2.9:3128", "192.0.2.1", "http://192.0.2.9:3128"),
        ("http://192.0.2.9:3128", "", "http://192.0.2.9:3128"),
        ("socks5://192.0.2.9:1080", None, None),
        ("http://[", None, None),
    ],
)
def test_the_proxy_of_odps_environment_is_the_one_that_counts(
    proxy: str | None, no_proxy: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "http_proxy", "http://ours.example:1")
    ((ocp,), _) = ocps([odp(URL, environment=Environment(None, proxy, None, no_proxy))])

    assert expected == ocp.http_proxy


@pytest.mark.parametrize(("no_proxy", "is_exempt"), [("example", True), (".example", True), ("ample", False)])
def test_no_proxy_means_a_domain_and_what_lies_below_it(no_proxy: str, is_exempt: bool) -> None:  # noqa: FBT001 - a table of values
    environment = Environment(None, "http://192.0.2.9:3128", None, no_proxy)
    ((ocp,), _) = ocps([odp("http://ocp.example:8080/services?Action=x", environment=environment)])

    assert is_exempt == (ocp.http_proxy is None)


def test_http_and_https_have_proxies_of_their_own() -> None:
    environment = Environment(None, "http://p:1", "http://p:2", None)
    ((plain,), _) = ocps([odp(URL, environment=environment)])
    ((secure,), _) = ocps([odp(URL.replace("http:", "https:"), environment=environment)])

    assert ("http://p:1", "http://p:2") == (plain.http_proxy, secure.http_proxy)


def test_what_is_said_does_not_change_with_the_pid_where_the_address_tells_all() -> None:
    twice = [known(pid=pid, options={"listen_port": "2883"}, is_closed=True) for pid in (42, 43)]
    ((found,), _) = find(twice, [on(SQL, host="192.0.2.11")])

    assert ("its sockets are closed to this user; port 2883 is what its parameters say",) == found.unseen
