"""HAProxy and its look-alike before simulated ODPs."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from odp_exporter.simulator.fleet import Fault, Fleet
from odp_exporter.simulator.fleet.processes import is_alive, working_below
from odp_exporter.simulator.stack.balancer import Balancer, balancer
from odp_exporter.simulator.stack.haproxy import BACKEND, Haproxy, HaproxyFailed, Ports, Server, config, haproxy

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "deploy/haproxy.cfg"
GREETING_BYTES = 78
PATIENCE_SECONDS = 15.0
OWNER = """\
import asyncio, pathlib, sys
from odp_exporter.simulator.stack.haproxy import Server, haproxy

async def main():
    async with haproxy(sys.argv[1], pathlib.Path(sys.argv[2]), [Server("odp-1", 1)]) as running:
        print(*await running.workers(), flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.02)


async def greeted(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.wait_for(reader.readexactly(GREETING_BYTES), PATIENCE_SECONDS)
    return reader, writer


def is_up(running: Haproxy | Balancer, name: str) -> Callable[[], Awaitable[bool]]:
    """Its state is that of a running server that has been checked."""

    async def asked() -> bool:
        page = f"show servers state {BACKEND}"
        state = await running.ask(page) if isinstance(running, Haproxy) else running.answer(page)
        row = next(line.split() for line in state.splitlines() if f" {name} " in line)
        names = state.splitlines()[1].removeprefix("# ").split()
        seen = dict(zip(names, row, strict=True))
        return (seen["srv_op_state"], seen["srv_check_status"] != "1") == ("2", True)

    return asked


def is_down(running: Haproxy | Balancer, name: str) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return not await is_up(running, name)()

    return asked


async def two_odps(fleet: Fleet) -> Sequence[Server]:
    return [
        Server(odp.name, odp.address[1]) for odp in [await fleet.start_odp("odp-1"), await fleet.start_odp("odp-2")]
    ]


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The load balancer's own."""
    return tmp_path_factory.mktemp("lb").resolve()


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.ERROR_PACKET, Fault.CLOSE, Fault.HTTP])
async def test_haproxy_throws_out_an_odp_that_does_not_greet(
    fleet: Fleet, directory: Path, debian: Callable[[str], str], fault: Fault
) -> None:
    """A connect alone would find the hung one healthy (odp-facts 4.5)."""
    odp = await fleet.start_odp("odp-1")
    servers = [Server("odp-1", odp.address[1]), Server("odp-2", (await fleet.start_odp("odp-2")).address[1])]
    async with haproxy(debian("haproxy"), directory, servers) as running:
        for name in ("odp-1", "odp-2"):
            await eventually(is_up(running, name))
        await odp.fault(fault)
        await eventually(is_down(running, "odp-1"))
        clients = [await greeted(running.ports.sql) for _ in range(6)]
        for _, writer in clients:
            writer.transport.abort()

        await eventually(is_up(running, "odp-2"))
        if fault is not Fault.HANG:
            await odp.clear()
            await eventually(is_up(running, "odp-1"))


@pytest.mark.parametrize(("option", "ends_with"), [(" linger", "end"), ("", "reset")])
async def test_only_with_linger_a_check_closes_cleanly(
    directory: Path, debian: Callable[[str], str], option: str, ends_with: str
) -> None:
    """A reset would leave marks in ODP's diagnosis log, every 2 s."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # noqa: FBT003 - socket's own signature
        running = Haproxy(debian("haproxy"), directory, Ports())
        text = config(directory, [Server("odp-1", listener.getsockname()[1])], running.ports)
        # We answer a check as soon as we can, on a machine that may be busy.
        running.configure(text.replace(" linger", option).replace("timeout check 1s", "timeout check 30s"))
        try:
            await running.start()
            loop = asyncio.get_running_loop()
            connection, _ = await asyncio.wait_for(loop.sock_accept(listener), PATIENCE_SECONDS)
            with connection:
                await loop.sock_sendall(connection, bytes.fromhex("4a0000000a") + b"x" * 73)
                try:
                    end = "end" if not await asyncio.wait_for(loop.sock_recv(connection, 1), 10) else "bytes"
                except ConnectionResetError:
                    end = "reset"
        finally:
            await running.stop()

    assert ends_with == end


async def test_nothing_of_haproxy_is_left_not_even_what_is_stopped(
    fleet: Fleet, directory: Path, debian: Callable[[str], str]
) -> None:
    servers = await two_odps(fleet)
    async with haproxy(debian("haproxy"), directory, servers) as running:
        await eventually(is_up(running, "odp-1"))
        _, writer = await greeted(running.ports.sql)
        await running.reload()
        pids = await running.workers()
        os.kill(pids[1], signal.SIGSTOP)
    writer.transport.abort()

    assert 2 == len(pids)
    assert [] == list(working_below(directory))


async def test_haproxy_ends_with_its_owner(directory: Path, debian: Callable[[str], str]) -> None:
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OWNER, debian("haproxy"), str(directory)), stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    line = await asyncio.wait_for(owner.stdout.readline(), PATIENCE_SECONDS)
    owner.kill()
    await owner.wait()

    async def gone() -> bool:
        return not any(is_alive(int(pid)) for pid in line.split())

    assert line.split()
    await eventually(gone)


async def test_a_configuration_that_haproxy_refuses_fails_with_its_words(
    directory: Path, debian: Callable[[str], str]
) -> None:
    with pytest.raises(HaproxyFailed, match="invalid port '99999'"):
        async with haproxy(debian("haproxy"), directory, [Server("odp-1", 99999)]):
            pass
    assert [] == list(working_below(directory))


def test_the_sample_is_one_that_haproxy_takes_without_a_warning(debian: Callable[[str], str]) -> None:
    done = subprocess.run([debian("haproxy"), "-c", "-f", SAMPLE], capture_output=True, text=True, check=False)  # noqa: S603 - the HAProxy of this machine

    assert (0, "Configuration file is valid\n", "") == (done.returncode, done.stdout, done.stderr)


def test_the_sample_and_the_page_check_as_is_tested_here(directory: Path) -> None:
    """What keeps out a hung ODP above is what operators are given."""
    tested = config(directory, [Server("odp-1", 1)], Ports(), agent_port=1)
    checks = re.findall(r"^ *((?:option )?tcp-check.*)$", tested, re.MULTILINE)
    page = (ROOT / "docs/load-balancers.md").read_text(encoding="utf-8")

    assert 3 == len(checks)
    for given in (SAMPLE.read_text(encoding="utf-8"), page):
        assert checks == re.findall(r"^ *((?:option )?tcp-check.*)$", given, re.MULTILINE)


# The look-alike


async def test_the_look_alike_spreads_by_weight_and_heeds_a_drain(fleet: Fleet, directory: Path) -> None:
    one, two = await two_odps(fleet)
    async with balancer(directory, [one, Server(two.name, two.port, weight=3)]) as running:
        writers = [(await greeted(running.port))[1] for _ in range(8)]
        spread = counts(running)
        running.answer(f"set server {BACKEND}/odp-2 state drain")
        writers += [(await greeted(running.port))[1] for _ in range(4)]
        after = counts(running)
        for writer in writers:
            writer.transport.abort()

    assert ({"odp-1": 2, "odp-2": 6}, {"odp-1": 6, "odp-2": 6}) == (spread, after)


def counts(running: Balancer) -> dict[str, int]:
    rows = [line.split(",") for line in running.answer(f"show stat {BACKEND} 4 -1").splitlines()[1:] if line]
    return {row[1]: int(row[2]) for row in rows}


async def test_the_look_alike_throws_out_a_hung_odp(fleet: Fleet, directory: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with balancer(directory, [Server("odp-1", odp.address[1])]) as running:
        await eventually(is_up(running, "odp-1"))
        await odp.fault(Fault.HANG)
        await eventually(is_down(running, "odp-1"))
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        rest = b""
        try:
            rest = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        except ConnectionResetError:
            pass
        finally:
            writer.transport.abort()

    assert b"" == rest


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (f"set server {BACKEND}/odp-9 state drain", "No such server."),
        (f"set server {BACKEND}/odp-1 weight 300", "'weight 300' is not understood."),
        ("shutdown sessions server x/odp-1", "No such server."),
        ("show servers state x", "Can't find backend."),
        ("reboot", "Unknown command"),
        ("", "Unknown command"),
    ],
)
async def test_the_look_alike_refuses_by_a_text(directory: Path, command: str, answer: str) -> None:
    async with balancer(directory, [Server("odp-1", 1)]) as running:
        assert answer == running.answer(command).strip()
