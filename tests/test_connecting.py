"""Which of the ways not to connect are our own trouble."""

import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from odp_exporter.connecting import NotConnected, connect
from odp_exporter.observations import ProbeResult
from odp_exporter.targets import Address

SECONDS = 10.0


async def not_connected(address: Address) -> NotConnected:
    with pytest.raises(NotConnected) as caught:
        (await connect(address, SECONDS)).close()
    return caught.value


@contextlib.contextmanager
def out_of_ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    """A server to which the only local port that the kernel may use is connected already."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as holding:
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holding.bind(("127.0.0.1", 0))  # or the kernel might give this port to others' connections as well
        holding.connect(listener.getsockname())
        held = holding.getsockname()

        class WithOnePort(socket.socket):
            def connect_ex(self, where: Any) -> int:
                if self.type == socket.SOCK_STREAM and where == listener.getsockname():
                    self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    self.bind(held)
                return super().connect_ex(where)

        monkeypatch.setattr("odp_exporter.connecting.socket.socket", WithOnePort)
        yield Address(*listener.getsockname())


async def test_a_lack_of_local_ports_says_nothing_about_the_other_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Applications of this host can use them all up."""
    with out_of_ports(monkeypatch) as address:
        why = await not_connected(address)

    assert (ProbeResult.INTERNAL_ERROR, f"{address}: this host has no local port left to connect from") == (
        why.result,
        str(why),
    )


async def test_a_lack_of_an_address_to_connect_from_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is with ::1 where IPv6 is switched off: the same error of the kernel, and it stays."""

    class Addressless(socket.socket):
        def connect_ex(self, _: Any) -> int:
            return errno.EADDRNOTAVAIL

    monkeypatch.setattr("odp_exporter.connecting.socket.socket", Addressless)

    assert ProbeResult.UNREACHABLE is (await not_connected(Address("::1", 2883))).result


async def test_our_own_trouble_with_one_address_of_a_name_is_not_hidden_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An ODP may serve at the one that we could not try."""
    with out_of_ports(monkeypatch) as address:

        def both(*_: object, **__: object) -> list[object]:
            return [(socket.AF_INET, 1, 6, "", (ip, 0)) for ip in (address.host, "127.0.0.2")]

        monkeypatch.setattr("odp_exporter.resolving.socket.getaddrinfo", both)
        why = await not_connected(Address("odp.example", address.port))

    assert ProbeResult.INTERNAL_ERROR is why.result


async def test_our_own_lack_of_descriptors_for_a_resolver_is_not_the_names_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def too_many(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr("odp_exporter.resolving.socket.getaddrinfo", too_many)

    assert ProbeResult.INTERNAL_ERROR is (await not_connected(Address("never-heard-of.example", 2883))).result
