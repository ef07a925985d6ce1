import os
import socket
import struct
import subprocess
import sys
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.procfs import sockets
from odp_exporter.procfs.sockets import Listener, SocketsUnavailable, established, listeners
from odp_exporter.targets import Address

AS_NOBODY = """
import os, sys
from odp_exporter.procfs import sockets
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print(sum(listener.address.port == int(sys.argv[1]) for listener in sockets.listeners()))
"""


def listener_of(server: socket.socket) -> Listener:
    (found,) = [each for each in listeners() if each.inode == os.fstat(server.fileno()).st_ino]
    return found


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_listener_shows_where_it_listens_and_who_opened_it(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, backlog=17) as server:
        found = listener_of(server)

        assert Address(host, server.getsockname()[1]) == found.address
        assert (os.getuid(), 0, 17) == (found.uid, found.accept_queue, found.backlog)
        assert (host in {"0.0.0.0", "::"}) == found.takes_all_addresses


def test_the_accept_queue_of_a_server_that_stopped_accepting_fills_up() -> None:
    """A backlog of one holds two connections, as a backlog of 1024 held 1025 of a stopped ODP."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server, ExitStack() as clients:
        for _ in range(2):
            clients.enter_context(socket.create_connection(server.getsockname(), timeout=5))
        with socket.socket() as late:
            late.settimeout(0.1)
            with pytest.raises(TimeoutError):
                late.connect(server.getsockname())

            found = listener_of(server)

        assert (2, 1) == (found.accept_queue, found.backlog)


def test_connections_are_counted_where_they_came_in() -> None:
    """The client's end on the same host, other ports and other addresses do not count."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))),
            stack.enter_context(socket.create_server(("0.0.0.0", 0))),
            stack.enter_context(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)),
            stack.enter_context(socket.create_server(("127.0.0.1", 0))),
        ]
        for server, connections in zip(servers, (1, 2, 3, 4), strict=True):
            for _ in range(connections):
                address = ("127.0.0.1", server.getsockname()[1])
                stack.enter_context(socket.create_connection(address, timeout=5))
                stack.enter_context(server.accept()[0])
        through = [listener_of(server) for server in servers[:3]]

        assert dict(zip(through, (1, 2, 3), strict=True)) == established(through)


def test_two_servers_of_one_port_have_each_its_own_clients() -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, ExitStack() as stack:
        second = stack.enter_context(socket.create_server(("127.0.0.2", first.getsockname()[1])))
        stack.enter_context(socket.create_connection(second.getsockname(), timeout=5))

        assert [0, 1] == list(established([listener_of(first), listener_of(second)]).values())


def test_hundreds_of_connections_arrive_in_many_pieces_and_are_all_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:
        for _ in range(700):
            stack.enter_context(socket.create_connection(server.getsockname(), timeout=5))
            stack.enter_context(server.accept()[0])
        listener = listener_of(server)

        assert {listener: 700} == established([listener])


def test_only_listeners_of_the_ports_that_are_asked_for_are_handed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port = one.getsockname()[1]
        assert {port, other.getsockname()[1]} <= {each.address.port for each in listeners()}

        assert {port} == {each.address.port for each in listeners({port})}


def test_nothing_listens_means_nothing_to_count() -> None:
    assert {} == established([])


@given(st.sets(st.integers(1, 65535), min_size=1, max_size=40))
def test_the_kernel_takes_the_filter_for_any_ports(ports: set[int]) -> None:
    """A program with a jump into nowhere would be refused as a whole."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5):
        port = server.getsockname()[1]
        through = [Listener(Address("127.0.0.1", each), 1, 0, 0, 0) for each in ports | {port}]

        assert 1 == established(through)[through[[each.address.port for each in through].index(port)]]


def test_more_ports_than_a_filter_can_name_are_counted_without_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5):
        listener = listener_of(server)
        others = [Listener(Address("127.0.0.1", port), port, 0, 0, 0) for port in range(1, 2000)]

        assert 1 == established([listener, *others])[listener]


def test_an_ordinary_user_sees_the_same() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-c", AS_NOBODY, str(server.getsockname()[1])]
        run = subprocess.run(command, capture_output=True, check=False, timeout=30)  # noqa: S603 - our own code

    assert (b"1\n", b"") == (run.stdout, run.stderr)


def test_a_refusal_of_the_kernel_is_one_error_with_its_reason() -> None:
    with pytest.raises(SocketsUnavailable, match="cannot be read: invalid argument"):
        sockets._dump(socket.AF_INET, 10, b"\xff\xff\xff\xff")  # noqa: SLF001 - no public call makes a bad filter


@pytest.mark.parametrize(
    "datagrams",
    [
        [],
        [b""],
        [b"\x10"],
        [struct.pack("=IHHII", 16, 20, 0, 1, 0)],
        [struct.pack("=IHHII", 0, 20, 0, 1, 0) + bytes(80)],
    ],
)
def test_a_dump_without_an_end_is_an_error(datagrams: list[bytes]) -> None:
    with pytest.raises(SocketsUnavailable, match="no end"):
        sockets._receive(datagrams)  # noqa: SLF001 - no kernel at hand ends a dump so


def test_an_interrupted_dump_is_noticed() -> None:
    message = struct.pack("=IHHII", 88, 20, 0x10, 1, 0) + bytes(72)
    end = struct.pack("=IHHIIi", 20, 3, 0x2, 1, 0, 0)

    assert ([bytes(72)], True) == sockets._receive([message, end])  # noqa: SLF001 - no kernel at hand does it on demand
