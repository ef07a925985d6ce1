import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from odp_exporter.resolving import Endpoint, Names, endpoints
from odp_exporter.targets import Address

BRIEFLY = 0.05
PATIENCE = 20.0
FOR_EVER = 1000.0
"""Longer than a test may last."""
GOOD, MUTE = Address("good.example", 2883), Address("mute.example", 2883)
FOUND = [Endpoint(socket.AF_INET, ("192.0.2.11", 2883), "192.0.2.11:2883")]


@dataclass
class Resolver:
    """Stands in for the C library's: each name is answered, fails or stays without an answer."""

    asked: list[str] = field(default_factory=list)
    mute: set[str] = field(default_factory=set)
    failing: dict[str, int] = field(default_factory=dict)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def __call__(self, host: str, *_: object, **__: object) -> list[object]:
        self.asked.append(host)
        if host in self.mute:
            assert self.may_answer.wait(PATIENCE)
        if host in self.failing:
            raise socket.gaierror(self.failing[host], "failing")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.11", 0))]

    def end(self) -> None:
        """Answer whatever is under way."""
        self.may_answer.set()
        for thread in threading.enumerate():
            if thread.name == "resolver":
                thread.join(PATIENCE)
        self.may_answer.clear()


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    standing_in = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", standing_in)
    yield standing_in
    standing_in.end()


async def in_vain(names: Names, address: Address, seconds: float = BRIEFLY) -> bool:
    try:
        await names.endpoints(address, seconds)
    except OSError:
        return True
    return False


async def test_a_name_is_looked_up_whenever_it_is_asked_for(resolver: Resolver) -> None:
    names = Names()

    assert [FOUND, FOUND] == [await names.endpoints(GOOD, PATIENCE) for _ in range(2)]
    assert [GOOD.host] * 2 == resolver.asked


async def test_a_name_whose_server_is_silent_holds_one_thread_however_often_it_is_asked_for(
    resolver: Resolver,
) -> None:
    resolver.mute = {MUTE.host}
    names = Names(at_a_time=2)
    for _ in range(3):
        assert all(await asyncio.gather(*(in_vain(names, MUTE) for _ in range(10))))

    assert FOUND == await names.endpoints(GOOD, PATIENCE)
    assert [MUTE.host, GOOD.host] == resolver.asked


async def test_the_last_answer_holds_while_the_name_server_is_silent_and_is_waited_for_once(
    resolver: Resolver,
) -> None:
    names = Names()
    await names.endpoints(GOOD, PATIENCE)
    resolver.mute = {GOOD.host}

    assert FOUND == await names.endpoints(GOOD, BRIEFLY)
    assert FOUND == await names.endpoints(GOOD, FOR_EVER)


async def test_the_last_answer_holds_while_other_names_hold_every_thread(resolver: Resolver) -> None:
    names = Names(at_a_time=1)
    await names.endpoints(GOOD, PATIENCE)
    resolver.mute = {MUTE.host}
    assert await in_vain(names, MUTE)

    assert FOUND == await names.endpoints(GOOD, BRIEFLY)


async def test_an_answer_that_came_too_late_counts_for_the_next_time(resolver: Resolver) -> None:
    resolver.mute = {MUTE.host}
    names = Names()
    assert await in_vain(names, MUTE)
    resolver.end()

    assert FOUND == await names.endpoints(MUTE, BRIEFLY)


async def test_the_last_answer_holds_while_the_name_server_fails_unless_it_denies_the_name(
    resolver: Resolver,
) -> None:
    names = Names()
    await names.endpoints(GOOD, PATIENCE)
    resolver.failing = {GOOD.host: socket.EAI_AGAIN}
    assert FOUND == await names.endpoints(GOOD, PATIENCE)
    resolver.failing = {GOOD.host: socket.EAI_NONAME}
    assert await in_vain(names, GOOD, PATIENCE)
    resolver.failing = {GOOD.host: socket.EAI_AGAIN}

    assert await in_vain(names, GOOD, PATIENCE)


async def test_no_more_answers_are_remembered_than_allowed(resolver: Resolver) -> None:
    names = Names(remembered=2)
    addresses = [Address(f"odp-{number}.example", 2883) for number in range(3)]
    for address in addresses:
        await names.endpoints(address, PATIENCE)
    resolver.failing = dict.fromkeys((address.host for address in addresses), socket.EAI_AGAIN)

    assert [True, False, False] == [await in_vain(names, address, PATIENCE) for address in addresses]


async def test_an_address_in_a_zone_is_connected_to_in_that_zone() -> None:
    """Link-local addresses are told apart by nothing else."""
    loopback = socket.if_nametoindex("lo")
    by_name, by_number = [await endpoints(Address(f"fe80::1%{zone}", 2883), BRIEFLY) for zone in ("lo", loopback)]

    assert [Endpoint(socket.AF_INET6, ("fe80::1", 2883, 0, loopback), "[fe80::1%lo]:2883")] == by_name
    assert by_name[0].where == by_number[0].where


async def test_a_zone_that_this_host_does_not_have_is_an_error() -> None:
    with pytest.raises(OSError, match="no interface"):
        await endpoints(Address("fe80::1%no-such", 2883), BRIEFLY)


async def test_an_ip_address_needs_no_resolver(resolver: Resolver) -> None:
    assert FOUND == [*await endpoints(Address("192.0.2.11", 2883), BRIEFLY)]
    assert [] == resolver.asked
