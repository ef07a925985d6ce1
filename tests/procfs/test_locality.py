import socket
from datetime import UTC, datetime, timedelta

import pytest
from odp_exporter.procfs.locality import KEEP, Locality, is_ours

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::"])
def test_loopback_is_ours(ip: str) -> None:
    assert is_ours(ip)


@pytest.mark.parametrize("ip", ["192.0.2.1", "198.51.100.7", "2001:db8::1", "255.255.255.255"])
def test_documentation_addresses_are_not_ours(ip: str) -> None:
    assert not is_ours(ip)


def test_an_address_of_an_interface_is_ours() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        try:
            datagram.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this host has no address but loopback")
        ours = datagram.getsockname()[0]

    assert is_ours(ours)


def test_a_name_is_as_local_as_its_addresses() -> None:
    locality = Locality()

    assert locality.addresses("localhost", NOON) <= {"127.0.0.1", "::1"}
    assert {"127.0.0.1"} == locality.addresses("127.0.0.1", NOON)
    assert frozenset() == locality.addresses("192.0.2.1", NOON)


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 70 + ".invalid", "..", ""])
def test_a_name_that_cannot_be_resolved_is_not_local(host: str) -> None:
    assert frozenset() == Locality().addresses(host, NOON)


def test_an_answer_holds_for_a_minute_and_outlives_a_resolver_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def resolver(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        if len(asked) > 1:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    locality = Locality()
    answers = [locality.addresses("odp-1", NOON + after) for after in (timedelta(), KEEP / 2, KEEP, KEEP * 3 / 2)]

    assert [{"127.0.0.1"}] * 4 == answers
    assert ["odp-1", "odp-1"] == asked
