"""Many sockets and their deadlines, seen by one look."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from odp_exporter.connecting import Connection
from odp_exporter.poller import CONNECTED, READABLE, Watch, poller


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003 - socket's own signature
    with ours, theirs:
        yield ours, theirs


def soon(seconds: float = 0.1) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_what_has_come_is_not_late_though_our_loop_is(pair: tuple[socket.socket, socket.socket]) -> None:
    """The loop stands still in the very turn in which the deadline is, after it has looked at the sockets."""
    ours, theirs = pair
    watch, deadline = poller().watch(ours), soon()

    def stand_still() -> None:
        theirs.send(b"x")
        time.sleep(0.3)

    asyncio.get_running_loop().call_at(deadline - 1e-6, stand_still)

    assert await watch.wait(READABLE, deadline)
    watch.end()


async def test_deadlines_come_in_their_order_however_they_were_set() -> None:
    began, ended = asyncio.get_running_loop().time(), list[float]()

    async def wait(seconds: float) -> None:
        with ExitStack() as stack:
            ours, _ = map(stack.enter_context, socket.socketpair())
            watch = poller().watch(ours)
            assert not await watch.wait(READABLE, began + seconds)
            watch.end()
        ended.append(seconds)

    await asyncio.gather(*map(wait, (0.3, 0.1, 0.2, 0.05, 0.25)))

    assert [0.05, 0.1, 0.2, 0.25, 0.3] == ended
    assert asyncio.get_running_loop().time() - began >= 0.3


async def test_each_kind_of_event_keeps_its_own_time(pair: tuple[socket.socket, socket.socket]) -> None:
    """A greeting that is seen before the probe has its turn moves not the time of its connection."""
    watch = Watch(poller(), pair[0].fileno())
    watch.happen(select.EPOLLOUT, 1.0)
    watch.happen(select.EPOLLOUT | select.EPOLLIN, 2.0)

    assert (1.0, 2.0) == (watch.connected, watch.came)
    assert await watch.wait(CONNECTED, soon())


async def test_a_stray_event_of_another_socket_costs_one_attempt(pair: tuple[socket.socket, socket.socket]) -> None:
    """A descriptor's number may have belonged to one whose end comes late."""
    ours, theirs = pair
    with Connection(ours, poller().watch(ours), "peer") as connection:
        connection.watch.happen(select.EPOLLRDHUP | select.EPOLLHUP, 1.0)
        assert await connection.receive(10, soon()) is None

        theirs.send(b"hello")
        theirs.close()
        assert b"hello" == await connection.receive(10, soon(10))
        assert b"" == await connection.receive(10, soon(10))


async def test_all_that_is_ready_is_seen_by_one_look() -> None:
    with ExitStack() as stack:
        pairs = [tuple(map(stack.enter_context, socket.socketpair())) for _ in range(300)]
        watches = [poller().watch(ours) for ours, _ in pairs]
        for _, theirs in pairs:
            theirs.send(b"x")
        poller().look()

        assert all([await watch.wait(READABLE, 0) for watch in watches])
        for watch in watches:
            watch.end()
