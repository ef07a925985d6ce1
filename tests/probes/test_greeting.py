import asyncio
import contextlib
import gc
import os
import resource
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from odp_exporter.observations import GreetingObservation, Phase, ProbeResult
from odp_exporter.poller import poller
from odp_exporter.probes.greeting import Deadlines, Doubt, probe
from odp_exporter.targets import Address

GREETING = bytes.fromhex(
    "4a0000000a352e362e32350002000000616161616161616100dff72e00009f0015"
    "00000000000000000000626262626262626262626262006d7973716c5f6e61746976655f70617373776f726400"
)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON = Deadlines(connect=timedelta(milliseconds=300), greeting=timedelta(milliseconds=200))
LATER = Deadlines(connect=timedelta(seconds=10), greeting=timedelta(seconds=10))

Talk = Callable[[socket.socket], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(talk: Talk, host: str = "127.0.0.1") -> AsyncIterator[Address]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        listener.setblocking(False)  # noqa: FBT003 - socket's own signature
        async with asyncio.TaskGroup() as group:
            acceptor = group.create_task(accepting(listener, talk))
            yield Address(host, listener.getsockname()[1])
            acceptor.cancel()


async def accepting(listener: socket.socket, talk: Talk) -> None:
    for _ in range(100):
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        with connection:
            await talk(connection)


async def probed(address: Address, deadlines: Deadlines = LATER) -> GreetingObservation:
    return await probe("odp-1", address, deadlines=deadlines, clock=lambda: NOON)


def saying(*parts: bytes) -> Talk:
    async def talk(connection: socket.socket) -> None:
        for part in parts:
            await asyncio.get_running_loop().sock_sendall(connection, part)
            await asyncio.sleep(0.01)
        await heard(connection)

    return talk


async def heard(connection: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(connection, 100)


async def closing(connection: socket.socket) -> None:
    await asyncio.get_running_loop().sock_sendall(connection, GREETING[:20])


async def resetting(connection: socket.socket) -> None:
    await asyncio.sleep(0.1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("talk", [saying(GREETING), closing])
async def test_every_probe_says_when_it_was_made_by_a_clock_that_nobody_sets(talk: Talk) -> None:
    """The clock of the wall stands still here."""
    async with serving(talk) as address:
        first, second = await probed(address), await probed(address)

    assert first.at == second.at
    assert first.moment < second.moment


async def test_a_whole_greeting_is_ok_with_both_phases_timed() -> None:
    async with serving(saying(GREETING)) as address:
        seen = await probed(address)

    assert (ProbeResult.OK, "5.6.25", "", str(address)) == (seen.result, seen.server_version, seen.detail, seen.peer)
    assert {Phase.CONNECT, Phase.GREETING} == set(seen.durations)
    assert ("odp-1", NOON) == (seen.target, seen.at)


async def test_patience_ends_soon_once_there_is_a_doubt() -> None:
    """It arises while the greeting is awaited already."""
    answers = iter((False, True))
    doubt = Doubt(lambda: next(answers), timedelta(milliseconds=100))
    async with serving(saying(b"")) as address:
        seen = await probe("odp-1", address, deadlines=LATER, clock=lambda: NOON, doubt=doubt)

    assert (ProbeResult.GREETING_TIMEOUT, "connected, but no whole greeting within 0.2s, 0 bytes came") == (
        seen.result,
        seen.detail,
    )


async def test_without_a_doubt_a_late_greeting_is_waited_for() -> None:
    async def late(connection: socket.socket) -> None:
        await asyncio.sleep(0.25)
        await asyncio.get_running_loop().sock_sendall(connection, GREETING)
        await heard(connection)

    doubt = Doubt(lambda: False, timedelta(milliseconds=50))
    async with serving(late) as address:
        seen = await probe("odp-1", address, deadlines=LATER, clock=lambda: NOON, doubt=doubt)

    assert ProbeResult.OK is seen.result


async def test_times_are_those_of_the_network_not_of_our_loop() -> None:
    """A probe that gets its turn late has seen the greeting in time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        probing = asyncio.create_task(probed(Address(*listener.getsockname())))
        await asyncio.sleep(0)
        with accepted(listener) as connection:
            connection.sendall(GREETING)
            poller().look()
            stand_still()
            seen = await probing

    assert ProbeResult.OK is seen.result
    assert seen.durations[Phase.GREETING] < 0.4


def accepted(listener: socket.socket) -> socket.socket:
    return listener.accept()[0]


def stand_still() -> None:
    time.sleep(0.5)


async def test_a_greeting_that_trickles_in_is_ok() -> None:
    async with serving(saying(*(GREETING[i : i + 9] for i in range(0, len(GREETING), 9)))) as address:
        seen = await probed(address)

    assert ProbeResult.OK is seen.result


async def test_the_probe_closes_cleanly_and_sends_nothing() -> None:
    """A reset or a stray byte would leave marks in ODP's diagnosis log."""
    sent: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talk(connection: socket.socket) -> None:
        await asyncio.get_running_loop().sock_sendall(connection, GREETING)
        sent.set_result(await heard(connection))

    async with serving(talk) as address:
        await probed(address)

        assert b"" == await asyncio.wait_for(sent, 10)


async def test_a_free_port_is_refused() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        seen = await probed(Address("127.0.0.1", held.getsockname()[1]))

    assert ProbeResult.REFUSED is seen.result
    assert seen.detail.endswith(": connection refused")
    assert {} == seen.durations


async def test_a_port_that_accepts_and_stays_silent_is_a_greeting_timeout() -> None:
    """The kernel accepts for a stopped process: only the greeting tells (odp-facts 4.5)."""
    with socket.create_server(("127.0.0.1", 0)) as stopped:
        seen = await probed(Address(*stopped.getsockname()), SOON)

    assert ProbeResult.GREETING_TIMEOUT is seen.result
    assert "connected, but no whole greeting within 0.2s, 0 bytes came" == seen.detail
    assert {Phase.CONNECT} == set(seen.durations)


async def test_half_a_greeting_is_a_greeting_timeout_that_says_how_much_came() -> None:
    async with serving(saying(GREETING[:33])) as address:
        seen = await probed(address, SOON)

    assert (ProbeResult.GREETING_TIMEOUT, True) == (seen.result, seen.detail.endswith("33 bytes came"))


async def test_a_full_accept_queue_is_a_connect_timeout() -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003 - socket's own signature
            filler.connect_ex(full.getsockname())
        seen = await probed(Address(*full.getsockname()), SOON)

    assert ProbeResult.CONNECT_TIMEOUT is seen.result


@pytest.mark.parametrize(
    ("talk", "result", "detail"),
    [
        (closing, ProbeResult.CLOSED, "closed before the greeting was whole, 20 bytes came"),
        (resetting, ProbeResult.RESET, "connection reset by peer, 0 bytes came"),
        (
            saying(b"\x17\0\0\0\xff\x10\x04Too many connections"),
            ProbeResult.ERROR_PACKET,
            "error 1040: Too many connections",
        ),
        (
            saying(b"HTTP/1.1 400 Bad"),
            ProbeResult.MALFORMED,
            "an HTTP server is on this port: it said b'HTTP/1.1 400 Bad'",
        ),
    ],
)
async def test_each_way_of_not_greeting_has_its_result(talk: Talk, result: ProbeResult, detail: str) -> None:
    async with serving(talk) as address:
        seen = await probed(address)

    assert (result, detail) == (seen.result, seen.detail)


async def test_probes_ipv6() -> None:
    async with serving(saying(GREETING), "::1") as address:
        seen = await probed(address)

    assert (ProbeResult.OK, f"[::1]:{address.port}") == (seen.result, seen.peer)


async def test_a_name_falls_back_to_its_next_address_when_the_first_does_not_connect() -> None:
    """`localhost` is ::1 and 127.0.0.1; ODP listens on one of them only."""
    async with serving(saying(GREETING)) as address:
        seen = await probed(Address("localhost", address.port))

    assert (ProbeResult.OK, str(address)) == (seen.result, seen.peer)


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    seen = await probed(Address("odp.invalid", 2883))

    assert ProbeResult.UNREACHABLE is seen.result
    assert seen.detail.startswith("odp.invalid: ")


async def test_a_connection_to_oneself_counts_as_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting to a free ephemeral port can give a socket that is its own peer."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = Address(*held.getsockname())

    class SelfConnecting(socket.socket):
        """Bound to the very port that it will connect to, as the kernel may choose."""

        def __init__(self, family: int, kind: int) -> None:
            super().__init__(family, kind)
            self.bind((address.host, address.port))

    monkeypatch.setattr("odp_exporter.connecting.socket.socket", SelfConnecting)
    seen = await probed(address)

    assert (ProbeResult.REFUSED, True) == (seen.result, seen.detail.endswith("the probe was connected to itself"))


async def test_leaves_no_socket_open_when_cancelled() -> None:
    """Warnings are errors: a leaked socket would fail this test."""
    with socket.create_server(("127.0.0.1", 0)) as stopped:
        task = asyncio.create_task(probed(Address(*stopped.getsockname())))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_greeting_that_came_while_our_own_loop_stood_still_is_ok() -> None:
    """Else a stalled exporter would call every ODP hung at once."""

    async def talk(connection: socket.socket) -> None:
        await asyncio.get_running_loop().sock_sendall(connection, GREETING)
        time.sleep(0.4)  # noqa: ASYNC251 - the stall
        await heard(connection)

    async with serving(talk) as address:
        seen = await probed(address, SOON)

    assert ProbeResult.OK is seen.result


async def test_our_own_lack_of_descriptors_is_not_the_odps_reset() -> None:
    """Of the two that a first probe needs there is one left."""
    with socket.create_server(("127.0.0.1", 0)) as stopped, few_descriptors(1):
        seen = await probed(Address(*stopped.getsockname()), SOON)

    assert ProbeResult.INTERNAL_ERROR is seen.result


@contextlib.contextmanager
def few_descriptors(left: int) -> Iterator[None]:
    settle_descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as opened:
        free = [opened.enter_context(Path(os.devnull).open("rb")).fileno() for _ in range(left)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(free) + 1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_slow_resolver_takes_nothing_from_the_time_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo

    def slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.25)
        return resolve(*args, **kwargs)

    monkeypatch.setattr("odp_exporter.resolving.socket.getaddrinfo", slowly)
    with socket.create_server(("127.0.0.1", 0)) as stopped:
        seen = await probed(Address("localhost", stopped.getsockname()[1]), SOON)

    assert ProbeResult.GREETING_TIMEOUT is seen.result


def settle_descriptors() -> None:
    """Close now what earlier tests left to the collector or to a resolver: closed later, it would be one to spare."""
    gc.collect()
    for thread in threading.enumerate():
        if thread.name == "resolver":
            thread.join(60)
