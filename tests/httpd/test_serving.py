"""Sockets, certificates, and a web configuration that changes under way."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import bcrypt
import pytest
from aiohttp import ClientConnectorError, ClientError, ClientSession, web
from odp_exporter.httpd.serving import ListenError, serve
from odp_exporter.targets import Address
from odp_exporter.yamlfiles.problems import ConfigError
from structlog.testing import capture_logs

ANY_PORT = Address("127.0.0.1", 0)
OFTEN = timedelta(milliseconds=20)


class Authority(Protocol):
    """conftest.py's."""

    certificate: Path

    def issue(self, name: str) -> tuple[Path, Path]: ...


def application(*, takes: float = 0, begun: asyncio.Event | None = None) -> web.Application:
    async def page(_: web.Request) -> web.Response:
        if begun:
            begun.set()
        await asyncio.sleep(takes)
        return web.Response(text="here")

    app = web.Application()
    app.router.add_get("/", page)
    return app


@asynccontextmanager
async def served(
    *addresses: Address, web_config: Path | None = None, app: web.Application | None = None, grace: float = 5
) -> AsyncIterator[tuple[Address, ...]]:
    bound = asyncio.get_running_loop().create_future()
    service = asyncio.ensure_future(
        serve(
            app or application(),
            addresses or (ANY_PORT,),
            web_config=web_config,
            on_bound=bound.set_result,
            grace=timedelta(seconds=grace),
            check_every=OFTEN,
        )
    )
    await asyncio.wait([service, bound], return_when=asyncio.FIRST_COMPLETED, timeout=30)
    if service.done():
        service.result()
    try:
        yield bound.result()
    finally:
        service.cancel()
        with pytest.raises(asyncio.CancelledError):
            await service


async def text(address: Address, *, tls: ssl.SSLContext | None = None, credentials: str = "") -> str:
    """What a new connection gets."""
    url = f"{'https' if tls else 'http'}://{address}/"
    headers = {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"} if credentials else {}
    async with ClientSession() as session, session.get(url, ssl=tls or True, headers=headers) as reply:
        return f"{reply.status} {await reply.text()}"


def trusting(authority: Authority, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.certificate)
    if client:
        context.load_cert_chain(*client)
    return context


def configured(folder: Path, text: str) -> Path:
    """In one go, as whoever follows the file may read it at any moment."""
    path, written = folder / "web.yml", folder / "web.yml.new"
    written.write_text(text, encoding="utf-8")
    return written.replace(path)


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a change of files was noticed, which nobody tells us."""
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110 - the files are noticed by polling
            await asyncio.sleep(0.01)


async def test_several_addresses_each_on_a_port_of_its_own() -> None:
    async with served(ANY_PORT, Address("localhost", 0), Address("::1", 0)) as bound:
        assert 3 == len({address.port for address in bound})
        assert Address("::1", bound[2].port) == bound[2]
        for address in bound:
            assert "200 here" == await text(address)


async def test_both_families_on_one_port() -> None:
    """`0.0.0.0:9888` and `[::]:9888` stand side by side."""
    async with served(Address("0.0.0.0", 0)) as (first,), served(Address("::", first.port)) as (second,):
        assert "200 here" == await text(Address("127.0.0.1", first.port))
        assert "200 here" == await text(Address("::1", second.port))


async def test_a_port_that_is_taken_is_named_with_the_way_out() -> None:
    async with served() as (address,):
        with pytest.raises(ListenError) as caught:
            await serve(application(), [address])

    assert f"{address}: address already in use (choose another with --web.listen-address)" == str(caught.value)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (Address("192.0.2.1", 0), "192.0.2.1:0: not an address of this host"),
        (Address("no-such-host.invalid", 1), "no-such-host.invalid:1: does not resolve"),
    ],
)
async def test_an_address_that_is_not_ours_is_named(address: Address, words: str) -> None:
    with pytest.raises(ListenError, match=words):
        await serve(application(), [address])


async def test_a_request_under_way_may_end() -> None:
    begun = asyncio.Event()
    async with served(app=application(takes=0.2, begun=begun)) as (address,):
        asked = asyncio.ensure_future(text(address))
        await begun.wait()

    assert "200 here" == await asked
    with pytest.raises(ClientConnectorError):
        await text(address)


async def test_a_request_that_does_not_end_is_cut_off() -> None:
    begun = asyncio.Event()
    async with asyncio.timeout(30), served(app=application(takes=600, begun=begun), grace=0.1) as (address,):
        asked = asyncio.ensure_future(text(address))
        await begun.wait()

    with pytest.raises(ClientError):
        await asked


async def test_an_idle_connection_holds_nobody_up() -> None:
    async with asyncio.timeout(30), served(grace=600) as (address,):
        _, writer = await asyncio.open_connection(address.host, address.port)
    writer.close()


async def test_tls_with_a_certificate_of_the_file(tmp_path: Path, authority: Authority) -> None:
    authority.issue("odp")
    path = configured(tmp_path, "tls_server_config: {cert_file: odp.crt, key_file: odp.key}")
    async with served(web_config=path) as (address,):
        assert "200 here" == await text(address, tls=trusting(authority))
        with pytest.raises(ClientError):
            await text(address)


@pytest.mark.parametrize(
    ("kind", "without", "with_wrong"),
    [
        ("NoClientCert", True, True),
        ("RequestClientCert", True, True),
        ("VerifyClientCertIfGiven", True, False),
        ("RequireAndVerifyClientCert", False, False),
    ],
)
async def test_client_certificates(
    tmp_path: Path, authority: Authority, kind: str, *, without: bool, with_wrong: bool
) -> None:
    authority.issue("odp")
    ours, strangers = authority.issue("client"), _stranger(tmp_path, authority)
    ca = f", client_ca_file: {authority.certificate.name}" if "Verify" in kind else ""
    path = configured(
        tmp_path, f"tls_server_config: {{cert_file: odp.crt, key_file: odp.key, client_auth_type: {kind}{ca}}}"
    )
    async with served(web_config=path) as (address,):
        assert await _comes_in(address, trusting(authority, ours))
        assert without == await _comes_in(address, trusting(authority))
        assert with_wrong == await _comes_in(address, trusting(authority, strangers))


def _stranger(folder: Path, authority: Authority) -> tuple[Path, Path]:
    return type(authority)(folder, "stranger").issue("stranger-client")  # type: ignore[call-arg]  # conftest.py's


async def _comes_in(address: Address, tls: ssl.SSLContext) -> bool:
    try:
        return "200 here" == await text(address, tls=tls)
    except (ClientError, OSError):
        return False


@pytest.mark.parametrize(("version", "number"), [("TLS12", "TLSv1.2"), ("TLS13", "TLSv1.3")])
async def test_the_versions_of_the_file_are_spoken(
    tmp_path: Path, authority: Authority, version: str, number: str
) -> None:
    authority.issue("odp")
    cipher = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    path = configured(
        tmp_path,
        f"tls_server_config: {{cert_file: odp.crt, key_file: odp.key, min_version: {version}, max_version: {version},"
        f" cipher_suites: [{cipher}]}}",
    )
    async with served(web_config=path) as (address,):
        name, spoken = await asyncio.to_thread(_handshake, address, trusting(authority))

    assert number == spoken
    assert ("ECDHE-ECDSA-CHACHA20-POLY1305" == name) == (version == "TLS12")


def _handshake(address: Address, tls: ssl.SSLContext) -> tuple[str, str]:
    with (
        socket.create_connection((address.host, address.port), timeout=10) as plain,
        tls.wrap_socket(plain, server_hostname=address.host) as wrapped,
    ):
        chosen = wrapped.cipher()
        return (chosen[0] if chosen else "", wrapped.version() or "")


def _serial(address: Address, tls: ssl.SSLContext) -> object:
    with (
        socket.create_connection((address.host, address.port), timeout=10) as plain,
        tls.wrap_socket(plain, server_hostname=address.host) as wrapped,
    ):
        return (wrapped.getpeercert() or {}).get("serialNumber")


async def test_a_new_certificate_is_shown_to_new_connections(tmp_path: Path, authority: Authority) -> None:
    """Without a restart, and without touching web.yml."""
    authority.issue("odp")
    tls = trusting(authority)
    path = configured(tmp_path, "tls_server_config: {cert_file: odp.crt, key_file: odp.key}")
    async with served(web_config=path) as (address,):
        before = await asyncio.to_thread(_serial, address, tls)
        authority.issue("odp")

        async def is_another() -> bool:
            return before != await asyncio.to_thread(_serial, address, tls)

        await eventually(is_another)
        assert "200 here" == await text(address, tls=tls)


async def test_basic_authentication_and_tls_come_and_go(tmp_path: Path, authority: Authority) -> None:
    authority.issue("odp")
    hashed = bcrypt.hashpw(b"s3cret", bcrypt.gensalt(4)).decode()
    path = configured(tmp_path, "")
    async with served(web_config=path) as (address,):

        async def is_closed() -> bool:
            return "200 here" != await text(address)

        async def is_encrypted() -> bool:
            return await _comes_in(address, trusting(authority))

        assert not await is_closed()

        configured(tmp_path, f"basic_auth_users: {{alice: '{hashed}'}}")
        await eventually(is_closed)
        assert "401 unauthorized\n" == await text(address)
        assert "200 here" == await text(address, credentials="alice:s3cret")

        configured(tmp_path, "tls_server_config: {cert_file: odp.crt, key_file: odp.key}")
        await eventually(is_encrypted)


async def test_no_connection_is_lost_while_the_configuration_changes(tmp_path: Path) -> None:
    path = configured(tmp_path, "")
    async with served(web_config=path) as (address,):
        for n in range(40):
            configured(tmp_path, f"# {n}\n")
            assert "200 here" == await text(address)
            await asyncio.sleep(0.005)


async def test_a_change_for_the_worse_changes_nothing_and_is_told_once(tmp_path: Path, authority: Authority) -> None:
    authority.issue("odp")
    tls = trusting(authority)
    path = configured(tmp_path, "tls_server_config: {cert_file: odp.crt, key_file: odp.key}")
    with capture_logs() as logs:

        async def is_told() -> bool:
            return any(entry["log_level"] == "error" for entry in logs)

        async def is_reloaded() -> bool:
            return any(entry["event"] == "web configuration reloaded" for entry in logs)

        async with served(web_config=path) as (address,):
            configured(tmp_path, "tls_server_config: {cert_file: new.crt, key_file: new.key}")
            await eventually(is_told)
            await asyncio.sleep(5 * OFTEN.total_seconds())

            assert "200 here" == await text(address, tls=tls)
            assert [
                {
                    "event": "web configuration not reloaded, the former one stays",
                    "log_level": "error",
                    "problems": [f"{path}: tls_server_config.cert_file: {tmp_path}/new.crt: no such file or directory"],
                }
            ] == [entry for entry in logs if entry["log_level"] == "error"]

            # What was missing comes at last, in a file that the configuration in use does not name.
            authority.issue("new")
            await eventually(is_reloaded)
            assert "200 here" == await text(address, tls=tls)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tls_server_config: {cert_file: odp.crt, key_file: odp.key}", "cert_file: .*/odp.crt: no such file"),
        ("tls_server_config: {cert_file: web.yml, key_file: web.yml}", "no certificate with its unencrypted key"),
        ("tls_server_config: {cert_file: fifo, key_file: fifo}", "cert_file: .*/fifo: not a regular file"),
        ("basic_auth_users: {alice: hunter2}", "web.yml:1:27: basic_auth_users.alice: not a bcrypt hash"),
    ],
)
async def test_a_bad_configuration_at_the_start_ends_it(tmp_path: Path, text: str, words: str) -> None:
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(ConfigError, match=words):
        await serve(application(), [ANY_PORT], web_config=configured(tmp_path, text))


async def test_a_certificate_and_a_key_that_do_not_belong_together(tmp_path: Path, authority: Authority) -> None:
    authority.issue("one")
    authority.issue("other")
    path = configured(tmp_path, "tls_server_config: {cert_file: one.crt, key_file: other.key}")

    with pytest.raises(ConfigError, match=r"other\.key \(key values mismatch\)"):
        await serve(application(), [ANY_PORT], web_config=path)
