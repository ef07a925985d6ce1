"""What applications see: the pool's address at a real HAProxy, the connection limit, a real login."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from hashlib import sha1
from pathlib import Path

import pytest
from odp_exporter.simulator.exporter import exporter, naming
from odp_exporter.simulator.fleet import Fault, Fleet, Odp
from odp_exporter.simulator.fleet.ports import free_port

PASSWORD = "inspector-secret"
FAST = "probe: {interval: 200ms, timeout: 150ms}\nprocess: {interval: 100ms}\n"
PATIENT = "probe: {interval: 20s, timeout: 10s}\n"
"""For greetings that must come, however busy the machine is."""


@contextlib.asynccontextmanager
async def haproxy(program: str, directory: Path, *odps: Odp) -> AsyncIterator[int]:
    """A load balancer in front of *odps*, as the port on which it serves."""
    port = free_port("127.0.0.1")
    servers = "".join(f"  server {odp.name} {odp.address[0]}:{odp.address[1]}\n" for odp in odps)
    config = directory / "haproxy.cfg"
    config.write_text(
        "defaults\n  mode tcp\n  retries 0\n  timeout connect 1s\n  timeout client 10s\n  timeout server 10s\n"
        f"listen odp\n  bind 127.0.0.1:{port}\n{servers}"
    )
    process = await asyncio.create_subprocess_exec(program, "-db", "-f", config, stderr=asyncio.subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        await process.wait()


def pool(port: int, host: str = "127.0.0.1", pace: str = FAST) -> str:
    return f"{pace}pools: {{trade: {{vip: '{host}:{port}'}}}}\n"


async def test_a_pool_is_probed_through_its_load_balancer(
    debian: Callable[[str], str], fleet: Fleet, tmp_path: Path
) -> None:
    odp = await fleet.start_odp("odp-1")
    async with (
        haproxy(debian("haproxy"), tmp_path, odp) as port,
        exporter(tmp_path, naming(odp, more=pool(port))) as it,
    ):
        await it.until(lambda metrics: metrics.value("odp_pool_up", pool="trade") == 1)
        odp.kill()
        # HAProxy accepts and, having no server to talk to, closes.
        await it.until(lambda metrics: bool(metrics.value("odp_pool_probes_total", pool="trade", result="closed")))
        await it.until(lambda metrics: metrics.value("odp_pool_up", pool="trade") == 0)


async def test_a_probe_on_demand_has_the_name_and_the_families_of_its_target(fleet: Fleet, tmp_path: Path) -> None:
    """Whether it is asked for by name or by address."""
    odp = await fleet.start_odp("odp-1")
    address = f"{odp.address[0]}:{odp.address[1]}"
    async with exporter(tmp_path, naming(odp, more=pool(odp.address[1], "localhost", PATIENT))) as it:
        by_name, by_address, of_pool = [
            await it.request(f"/probe?target={target}") for target in ("odp-1", address, "trade")
        ]

    assert [200] * 3 == [status for status, _ in (by_name, by_address, of_pool)]
    assert 'odp_up{odp="odp-1"} 1' in by_name[1]
    assert 'odp_up{odp="odp-1"} 1' in by_address[1]
    assert 'odp_pool_up{pool="trade"} 1' in of_pool[1]
    assert "odp_up{" not in of_pool[1]


async def test_client_connections_are_counted_against_their_limit(fleet: Fleet, tmp_path: Path) -> None:
    """At the limit ODP still greets, and refuses every login (odp-facts 4.4)."""
    odp = await fleet.start_odp("odp-1", options={"client_max_connections": "4"})
    async with exporter(tmp_path, naming(odp, more="process: {interval: 100ms}\nprobe: {interval: 1h}\n")) as it:
        clients = [await asyncio.open_connection(*odp.address) for _ in range(3)]
        await it.until(lambda metrics: metrics.value("odp_client_connections", odp="odp-1") == 3)
        metrics = await it.metrics()
        for _, client in clients:
            client.close()
        await it.until(lambda metrics: metrics.value("odp_client_connections", odp="odp-1") == 0)

    assert 4 == metrics.value("odp_client_connections_limit", odp="odp-1")


def pinging(directory: Path, password: str = PASSWORD, every: str = "200ms") -> str:
    (directory / "password").write_text(password + "\n")
    return f"{FAST}ping: {{password_file: password, interval: {every}, timeout: {every}}}\n"


async def inspected(fleet: Fleet, **options: str) -> Odp:
    digest = sha1(PASSWORD.encode()).hexdigest()  # noqa: S324 - how ODP stores it
    return await fleet.start_odp("odp-1", options={"inspector_password": digest, **options})


async def test_ping_logs_in_and_leaves_no_trace_of_a_broken_session(fleet: Fleet, tmp_path: Path) -> None:
    odp = await inspected(fleet)
    async with exporter(tmp_path, naming(odp, more=pinging(tmp_path, every="4s"))) as it:
        metrics = await it.until(lambda metrics: (metrics.value("odp_pings_total", odp="odp-1", result="ok") or 0) > 1)

    assert 1 == metrics.value("odp_ping_up", odp="odp-1")
    assert "CLIENT_VC_TRACE" not in odp.log("obproxy_diagnosis.log")
    assert PASSWORD not in metrics.page + it.log


@pytest.mark.parametrize(
    ("password", "limit", "result"), [("not-the-password", "0", "denied"), (PASSWORD, "1", "too_many_connections")]
)
async def test_what_ping_is_refused_is_told_apart(
    password: str, limit: str, result: str, fleet: Fleet, tmp_path: Path
) -> None:
    odp = await inspected(fleet, client_max_connections=limit)
    async with exporter(tmp_path, naming(odp, more=pinging(tmp_path, password))) as it:
        _, client = await asyncio.open_connection(*odp.address)
        _, another = await asyncio.open_connection(*odp.address)
        metrics = await it.until(lambda metrics: bool(metrics.value("odp_pings_total", odp="odp-1", result=result)))
        client.close()
        another.close()

    assert password not in metrics.page + it.log


async def test_a_ping_of_a_hung_odp_times_out_and_of_a_dead_one_is_an_error(fleet: Fleet, tmp_path: Path) -> None:
    odp = await inspected(fleet)
    async with exporter(tmp_path, naming(odp, more=pinging(tmp_path))) as it:
        await odp.fault(Fault.HANG)
        await it.until(lambda metrics: bool(metrics.value("odp_pings_total", odp="odp-1", result="timeout")))
        odp.kill()

        await it.until(lambda metrics: bool(metrics.value("odp_pings_total", odp="odp-1", result="error")))


async def test_without_a_password_file_ping_is_off(fleet: Fleet, tmp_path: Path) -> None:
    odp = await inspected(fleet)
    async with exporter(tmp_path, naming(odp)) as it:
        metrics = await it.until_state("odp-1", "serving")
        status, body = await it.request("/probe?target=odp-1&module=ping")

    assert {} == metrics.by("odp", "odp_ping_up")
    assert (400, "module ping is switched off (set ping.password_file in the configuration)\n") == (status, body)
