import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from odp_exporter.procfs.locality import KEEP, RESOLVERS, Locality, here

PATIENCE = timedelta(seconds=20)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LINK_SCOPE = "20"


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::"])
def test_loopback_is_ours(ip: str) -> None:
    assert {ip} == here(ip)


@pytest.mark.parametrize("ip", ["192.0.2.1", "198.51.100.7", "2001:db8::1", "255.255.255.255"])
def test_documentation_addresses_are_not_ours(ip: str) -> None:
    assert frozenset() == here(ip)


def test_an_address_of_an_interface_is_ours() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        try:
            datagram.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this host has no address but loopback")
        ours = datagram.getsockname()[0]

    assert {ours} == here(ours)


def test_a_link_local_address_is_ours_in_its_zone() -> None:
    """The socket tables have it without the zone. A host without IPv6 has none."""
    rows = [line.split() for line in Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines()]
    ours = [(str(IPv6Address(int(row[0], 16))), row[5]) for row in rows if row[3] == LINK_SCOPE]

    for ip, interface in ours:
        assert {ip} == here(f"{ip}%{interface}")
    assert frozenset() == Locality().addresses("fe80::1%no-such", NOON)


def settled(locality: Locality, host: str, now: datetime = NOON) -> frozenset[str]:
    locality.settle([host], now, within=PATIENCE)
    return locality.addresses(host, now)


def test_a_name_is_as_local_as_its_addresses() -> None:
    local = settled(Locality(), "localhost")

    assert local
    assert local <= {"127.0.0.1", "::1"}


def test_an_ip_address_needs_no_resolver() -> None:
    locality = Locality()

    assert {"127.0.0.1"} == locality.addresses("127.0.0.1", NOON)
    assert frozenset() == locality.addresses("192.0.2.1", NOON)


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 70 + ".invalid", "..", ""])
def test_a_name_that_cannot_be_resolved_is_not_local(host: str) -> None:
    assert frozenset() == settled(Locality(), host)


@dataclass
class Resolver:
    """Stands in for the C library's: slow, failing, and counting what it is asked."""

    asked: list[str] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    is_failing: bool = False

    def __call__(self, host: str, *_: object, **__: object) -> list[object]:
        self.asked.append(host)
        assert self.may_answer.wait(PATIENCE.total_seconds())
        if self.is_failing:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    def until_asked(self, times: int) -> None:
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while len(self.asked) < times and time.monotonic() < deadline:
            time.sleep(0.001)

    def end(self) -> None:
        """Answer all that is asked."""
        self.may_answer.set()
        for thread in threading.enumerate():
            if thread.name == "resolver":
                thread.join(PATIENCE.total_seconds())


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    standing_in = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", standing_in)
    yield standing_in
    standing_in.end()


def test_nobody_waits_for_a_name_server_and_until_it_answers_a_name_is_not_local(resolver: Resolver) -> None:
    locality = Locality()
    meanwhile = locality.addresses("odp-1", NOON)
    resolver.may_answer.set()

    assert frozenset() == meanwhile
    assert {"127.0.0.1"} == settled(locality, "odp-1")


def test_an_answer_holds_for_a_minute_and_outlives_a_resolver_that_fails(resolver: Resolver) -> None:
    resolver.may_answer.set()
    locality = Locality()
    first = settled(locality, "odp-1")
    resolver.is_failing = True
    answers = [locality.addresses("odp-1", NOON + after) for after in (KEEP / 2, KEEP)]
    resolver.until_asked(2)
    late = settled(locality, "odp-1", NOON + KEEP * 3 / 2)

    assert [{"127.0.0.1"}] * 4 == [first, *answers, late]
    assert ["odp-1", "odp-1"] == resolver.asked


def test_names_wait_in_turn_and_never_pile_up(resolver: Resolver) -> None:
    locality = Locality()
    names = [f"odp-{number}" for number in range(50)]
    for minute in range(10):
        for name in names:
            locality.addresses(name, NOON + minute * KEEP)
    resolver.until_asked(RESOLVERS)
    threads = [thread for thread in threading.enumerate() if thread.name == "resolver"]
    resolver.may_answer.set()
    locality.settle(names, NOON + 9 * KEEP, within=PATIENCE)

    assert RESOLVERS == len(threads)
    assert sorted(names) == sorted(resolver.asked)


def test_waiting_for_first_answers_has_an_end(resolver: Resolver) -> None:
    locality = Locality()
    locality.settle(["odp-1"], NOON, within=timedelta(milliseconds=10))

    assert not resolver.may_answer.is_set()
    assert frozenset() == locality.addresses("odp-1", NOON)


def test_what_is_no_longer_watched_is_forgotten_asked_or_not(resolver: Resolver) -> None:
    locality = Locality()
    names = [f"odp-{number}" for number in range(RESOLVERS + 2)]
    for name in names:
        locality.addresses(name, NOON)
    resolver.until_asked(RESOLVERS)
    locality.keep({names[0], names[-1]})
    resolver.end()
    kept = settled(locality, names[-1])
    locality.keep({names[-1]})
    forgotten = locality.addresses(names[0], NOON)
    locality.settle(names[:1], NOON, within=PATIENCE)

    assert {"127.0.0.1"} == kept
    assert frozenset() == forgotten
    assert names[-2] not in resolver.asked
    assert 2 == resolver.asked.count(names[0])
