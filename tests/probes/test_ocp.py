"""The OCP probe against servers that misbehave in every way that we know of."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from odp_exporter.exchange import open_session
from odp_exporter.observations import (
    ClusterServers,
    Endpoint,
    EndpointObservation,
    OcpObservation,
    OcpResult,
    Server,
)
from odp_exporter.probes import ocp as probe
from odp_exporter.simulator.fleet.ports import free_port
from odp_exporter.targets import Ocp

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET = "hunter2-meta"
BASE = "/services?Action=GetObProxyConfig&User_ID=odp&uid=ocpmaster"

Talk = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class FakeOcp:
    """Answers three endpoints with raw bytes, or leaves the talking to a function."""

    host: str = "127.0.0.1"
    port: int = 0
    answers: dict[Endpoint, bytes | Talk] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0

    @property
    def root(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            with contextlib.suppress(ConnectionError):
                request = await reader.read(65536)
                self.requests.append(request)
                self.was_asked.set()
                answer = self._answer(request.partition(b"\r\n")[0])
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(writer)
        finally:
            self.at_once -= 1
            writer.close()

    def _answer(self, line: bytes) -> bytes | Talk:
        if b"VersionOnly" in line:
            return self.answers.get(Endpoint.VERSION) or http(reply({"Version": "v1"}))
        if b"ObRootServiceInfo" in line:
            return self.answers.get(Endpoint.RS_LIST) or http(reply(rs_list("ob1")))
        return self.answers.get(Endpoint.CONFIG) or http(reply(config(self.root)))


def reply(data: object) -> bytes:
    return json.dumps(
        {"Code": 200, "Message": "successful", "Success": True, "Data": data}, ensure_ascii=False
    ).encode()


def config(root: str, names: tuple[str, ...] = ("ob1",), urls: Mapping[str, str] | None = None) -> dict[str, object]:
    rs_url = f"{root}/services?Action=ObRootServiceInfo&ObRegion="
    return {
        "Version": "v1",
        "ObProxyBinUrl": f"{root}/client?Action=GetObProxy",
        "ObProxyDatabaseInfo": {
            "DataBase": "obproxy",
            "User": "root@sys",
            "Password": SECRET,
            "MetaDataBase": f"{rs_url}metadb",
        },
        "ObRootServiceInfoUrlList": [
            {"ObRegion": name, "ObRootServiceInfoUrl": (urls or {}).get(name, f"{rs_url}{name}")} for name in names
        ],
    }


def rs_list(name: str) -> dict[str, object]:
    servers = [{"address": "192.0.2.11:2882", "role": "LEADER", "sql_port": 2881}]
    return {"ObRegion": name, "ObRegionId": 1, "RsList": servers}


def http(body: bytes, *, status: str = "200 OK", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status.encode(), len(body), headers, body)


def redirect(location: str) -> bytes:
    return http(b"", status="302 Found", headers=f"Location: {location}\r\n".encode())


@contextlib.asynccontextmanager
async def serving(
    answers: Mapping[Endpoint, bytes | Talk] | None = None,
    *,
    host: str = "127.0.0.1",
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[FakeOcp]:
    fake = FakeOcp(host, answers=dict(answers or {}))
    talks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.get_running_loop().create_task(fake.serve(reader, writer)))

    server = await asyncio.start_server(accept, host, 0, ssl=context)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        for talk in talks:
            talk.cancel()
        if talks:
            await asyncio.wait(talks, timeout=10)


async def asked(url: str, *, http_proxy: str | None = None) -> OcpObservation:
    async with open_session() as session:
        return await probe.ask(Ocp("ocp", url, http_proxy=http_proxy), session=session, clock=lambda: NOON)


async def seen_of(endpoint: Endpoint, answer: bytes | Talk) -> EndpointObservation:
    """What is seen of one endpoint that answers so."""
    async with serving({endpoint: answer}) as fake:
        observation = await asked(fake.root + BASE)
    assert SECRET not in repr(observation)
    [seen] = [seen for seen in observation.endpoints if seen.endpoint is endpoint]
    return seen


async def test_a_good_round() -> None:
    async with serving() as fake:
        observation = await asked(fake.root + BASE)

    assert [
        (Endpoint.VERSION, OcpResult.OK, 200, None),
        (Endpoint.CONFIG, OcpResult.OK, 200, None),
        (Endpoint.RS_LIST, OcpResult.OK, 200, "ob1"),
    ] == [(seen.endpoint, seen.result, seen.status, seen.cluster) for seen in observation.endpoints]
    assert ("ocp", NOON, "v1", ("ob1",)) == (
        observation.ocp,
        observation.at,
        observation.version,
        observation.clusters,
    )
    assert (ClusterServers("ob1", 1, frozenset({Server("192.0.2.11", 2881)})),) == observation.rs_lists
    assert all(0 < seen.seconds < 30 for seen in observation.endpoints)


async def test_requests_are_those_of_odp_but_for_one_header() -> None:
    """ODP sends `Host` and `Accept: */*`, each time on a new connection."""
    async with serving() as fake:
        await asked(fake.root + BASE)

    tail = f" HTTP/1.1\r\nHost: 127.0.0.1:{fake.port}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    paths = [f"{BASE}&VersionOnly=true", BASE, "/services?Action=ObRootServiceInfo&ObRegion=ob1&version=2"]
    assert [f"GET {path}{tail}" for path in paths] == [request.decode() for request in fake.requests]
    assert 3 == fake.connections


async def test_nothing_is_encoded_anew() -> None:
    async with serving() as fake:
        await asked(f"{fake.root}/a%2fb/{{x}}?q=%41|'&x=<>#fragment")

    assert "GET /a%2fb/{x}?q=%41|'&x=<> HTTP" in fake.requests[1].decode()


async def test_a_path_may_be_left_out() -> None:
    async with serving() as fake:
        await asked(f"{fake.root}?Action=GetObProxyConfig")

    assert fake.requests[1].startswith(b"GET /?Action=GetObProxyConfig HTTP/1.1\r\n")


async def talk_reset_in_the_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def talk_no_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.write(b"this is no chunk\r\n")


async def talk_headers_without_end(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Header: x\r\n" * 1000)
        await writer.drain()


async def talk_endless_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


async def talk_silence(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def talk_trickle(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def talk_nothing(_: asyncio.StreamWriter) -> None:
    return


@pytest.mark.parametrize(
    ("answer", "result", "status", "detail"),
    [
        (http(b"", status="500 Oops"), OcpResult.HTTP_STATUS, 500, "HTTP status 500"),
        (http(reply({}), status="404 Not Found"), OcpResult.HTTP_STATUS, 404, "HTTP status 404"),
        (http(b"", status="304 Not Modified"), OcpResult.HTTP_STATUS, 304, "HTTP status 304"),
        (http(b""), OcpResult.EMPTY, 200, "the reply has no body"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", OcpResult.EMPTY, 204, "the reply has no body"),
        (http(b"<html>no</html>"), OcpResult.NOT_JSON, 200, "not JSON: expecting value at character 0"),
        (http(b'{"a": "\xff\xfe"}'), OcpResult.MESSAGE, 200, "Message is absent"),
        (http(b"\xff\xfe{}"), OcpResult.NOT_JSON, 200, "not JSON: expecting value at character 0"),
        (http(b"[" * 400_000), OcpResult.NOT_JSON, 200, "not JSON: nested too deeply"),
        (http(reply(None)), OcpResult.DATA, 200, "Data is absent or not an object"),
        (http(b" " * (512 * 1024 + 1)), OcpResult.TOO_LARGE, 200, "more than the 524288 bytes that ODP takes"),
        (talk_endless_body, OcpResult.TOO_LARGE, 200, "more than the 524288 bytes that ODP takes"),
        (
            http(gzip.compress(bytes(10**7)), headers=b"Content-Encoding: gzip\r\n"),
            OcpResult.NOT_JSON,
            200,
            "not JSON: expecting value at character 0",
        ),
        (http(b"{}")[:-1], OcpResult.UNREACHABLE, 200, "the reply broke off"),
        (talk_reset_in_the_body, OcpResult.UNREACHABLE, 200, "the reply broke off"),
        (b"J\0\0\0\x0a5.6.25\0 and more\r\n\r\n", OcpResult.UNREACHABLE, 0, "what came is no HTTP reply"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", OcpResult.UNREACHABLE, 0, "what came is no HTTP reply"),
        (http(b"{}", headers=b"X: %s\r\n" % (b"x" * 10**6)), OcpResult.UNREACHABLE, 0, "what came is no HTTP reply"),
        (talk_headers_without_end, OcpResult.UNREACHABLE, 0, "what came is no HTTP reply"),
        (talk_nothing, OcpResult.UNREACHABLE, 0, "closed without a reply"),
        (redirect("file:///etc/passwd"), OcpResult.REDIRECTS, 302, "redirected to what is neither http nor https"),
        (redirect("ftp://127.0.0.1/"), OcpResult.REDIRECTS, 302, "redirected to what is neither http nor https"),
        (redirect("http://[::1"), OcpResult.REDIRECTS, 302, "redirected to what is neither http nor https"),
        (redirect(BASE), OcpResult.REDIRECTS, 302, "more than 3 redirects"),
        (redirect(""), OcpResult.HTTP_STATUS, 302, "HTTP status 302"),
    ],
)
async def test_a_reply_that_odp_could_not_use(
    answer: bytes | Talk, result: OcpResult, status: int, detail: str
) -> None:
    seen = await seen_of(Endpoint.CONFIG, answer)

    assert (result, status, detail) == (seen.result, seen.status, seen.detail)


@pytest.mark.parametrize("talk", [talk_silence, talk_trickle])
async def test_a_reply_that_is_not_whole_in_time(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_SECONDS", 0.3)

    seen = await seen_of(Endpoint.CONFIG, talk)

    status = 200 if talk is talk_trickle else 0
    assert (OcpResult.TIMEOUT, status, "not whole within 0.3 s") == (seen.result, seen.status, seen.detail)
    assert seen.seconds >= 0.3


async def test_chunks_that_are_none_end_with_the_deadline_at_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aiohttp's parser in C says nothing of them, its parser in Python does."""
    monkeypatch.setattr(probe, "TIMEOUT_SECONDS", 0.3)

    seen = await seen_of(Endpoint.CONFIG, talk_no_chunks)

    assert seen.result in {OcpResult.UNREACHABLE, OcpResult.TIMEOUT}
    assert 200 == seen.status


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
async def test_three_redirects_are_followed(status: str) -> None:
    async with serving() as fake:
        places = iter(["/b?x=1", f"{fake.root}/c?x=1", "?x=ObRootServiceInfo"])

        async def lead_on(writer: asyncio.StreamWriter) -> None:
            place = next(places, None)
            headers = f"Location: {place}\r\n".encode()
            writer.write(http(b"", status=status, headers=headers) if place else http(reply({"Version": "v1"})))
            await writer.drain()

        fake.answers[Endpoint.VERSION] = fake.answers[Endpoint.CONFIG] = lead_on
        fake.answers[Endpoint.RS_LIST] = http(reply({"Version": "v1"}))
        observation = await asked(fake.root + BASE)

    assert (OcpResult.OK, 200) == (observation.endpoints[0].result, observation.endpoints[0].status)
    assert b"GET /c?x=ObRootServiceInfo " in fake.requests[3]


async def test_where_a_redirect_leads_may_refuse() -> None:
    seen = await seen_of(Endpoint.CONFIG, redirect(f"http://127.0.0.1:{free_port('127.0.0.1')}/"))

    assert (OcpResult.REFUSED, 302) == (seen.result, seen.status)


@pytest.mark.parametrize(("size", "expected"), [(16384, OcpResult.OK), (16385, OcpResult.TOO_LARGE)])
async def test_an_rs_list_may_have_16_kib(size: int, expected: OcpResult) -> None:
    seen = await seen_of(Endpoint.RS_LIST, http(reply(rs_list("ob1")).ljust(size)))

    assert expected == seen.result


async def test_an_rs_list_of_another_cluster() -> None:
    seen = await seen_of(Endpoint.RS_LIST, http(reply(rs_list("ob2"))))

    assert (OcpResult.CLUSTER_MISMATCH, "ob1", "asked for cluster 'ob1', got 'ob2'") == (
        seen.result,
        seen.cluster,
        seen.detail,
    )


async def test_without_a_configuration_no_rs_list_is_asked_for() -> None:
    async with serving({Endpoint.CONFIG: http(b"")}) as fake:
        observation = await asked(fake.root + BASE)

    assert [OcpResult.OK, OcpResult.EMPTY, OcpResult.NOT_ASKED] == [seen.result for seen in observation.endpoints]
    assert ("v1", (), ()) == (observation.version, observation.clusters, observation.rs_lists)


async def test_a_failing_version_does_not_hide_the_rest() -> None:
    async with serving({Endpoint.VERSION: http(b"", status="500 Oops")}) as fake:
        observation = await asked(fake.root + BASE)

    assert [OcpResult.HTTP_STATUS, OcpResult.OK, OcpResult.OK] == [seen.result for seen in observation.endpoints]


async def test_every_cluster_is_judged_on_its_own() -> None:
    urls = {
        "none": "",
        "ftp": "ftp://127.0.0.1/",
        "blank": "http://127.0.0.1/ x",
        "split": "http://127.0.0.1/\x7f",
        "port": "http://127.0.0.1:99999/",
        "host": "http://a..b/",
        "label": f"http://{'a' * 64}/",
        "closed": f"http://127.0.0.1:{free_port('127.0.0.1')}/",
    }
    async with serving() as fake:
        fake.answers[Endpoint.CONFIG] = http(reply(config(fake.root, ("ob1", *urls), urls)))
        observation = await asked(fake.root + BASE)

    assert {
        "ob1": OcpResult.OK,
        "none": OcpResult.NOT_ASKED,
        "ftp": OcpResult.UNREACHABLE,
        "blank": OcpResult.UNREACHABLE,
        "split": OcpResult.UNREACHABLE,
        "port": OcpResult.UNREACHABLE,
        "host": OcpResult.UNREACHABLE,
        "label": OcpResult.UNREACHABLE,
        "closed": OcpResult.REFUSED,
    } == {seen.cluster: seen.result for seen in observation.endpoints[2:]}
    assert ["ob1"] == [servers.cluster for servers in observation.rs_lists]


async def test_clusters_beyond_bearing_are_counted_but_not_asked_for() -> None:
    names = tuple(f"ob{number}" for number in range(203))

    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.005)
        writer.write(http(reply([{**rs_list("x"), "ObClusterAlias": name} for name in names[:1]])))
        await writer.drain()

    async with serving({Endpoint.RS_LIST: slowly}) as fake:
        fake.answers[Endpoint.CONFIG] = http(reply(config(fake.root, names)))
        observation = await asked(fake.root + BASE)

    assert (203, 202) == (len(observation.clusters), len(observation.endpoints))
    assert "3 clusters too many: RS lists of the first 200 only were asked" == observation.endpoints[1].detail
    assert 4 == fake.most_at_once


async def test_a_slow_ocp_ends_the_round_and_not_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clusters that were not reached say so; the rest is known, and dated by when it was."""
    monkeypatch.setattr(probe, "MIN_ROUND", timedelta(seconds=probe.TIMEOUT_SECONDS + 1))
    names = tuple(f"ob{number}" for number in range(40))
    began = datetime.now(UTC)

    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.4)
        writer.write(http(b"", status="503 Busy"))
        await writer.drain()

    async with serving({Endpoint.RS_LIST: slowly}) as fake, open_session() as session:
        fake.answers[Endpoint.CONFIG] = http(reply(config(fake.root, names)))
        ocp = Ocp("ocp", fake.root + BASE, interval=timedelta(seconds=1))
        observation = await probe.ask(ocp, session=session, clock=lambda: datetime.now(UTC))

    rs_lists = observation.endpoints[2:]
    not_asked = [seen for seen in rs_lists if seen.result is OcpResult.NOT_ASKED]
    assert list(names) == [seen.cluster for seen in rs_lists]
    assert 4 <= len(names) - len(not_asked) < len(names)
    assert {"OCP is slow: the time for this round is over"} == {seen.detail for seen in not_asked}
    assert timedelta(seconds=1) <= observation.at - began


@pytest.mark.parametrize("seconds", [0.1, 5, 10, 14.9, 15, 29, 60, 3600])
def test_a_round_ends_before_the_one_before_it_is_stale(seconds: float) -> None:
    interval = timedelta(seconds=seconds)

    assert interval + probe.round_limit(interval) <= max(3 * interval, timedelta(seconds=30))
    assert probe.round_limit(interval) <= timedelta(seconds=60)


async def test_a_refused_connection() -> None:
    observation = await asked(f"http://127.0.0.1:{free_port('127.0.0.1')}{BASE}")

    assert [(OcpResult.REFUSED, 0), (OcpResult.REFUSED, 0), (OcpResult.NOT_ASKED, 0)] == [
        (seen.result, seen.status) for seen in observation.endpoints
    ]
    assert "no connection to OCP: connection refused" == observation.endpoints[0].detail


async def test_refused_on_every_address_of_a_name_is_refused() -> None:
    observation = await asked(f"http://localhost:{free_port('127.0.0.1')}{BASE}")

    assert OcpResult.REFUSED == observation.endpoints[0].result


async def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a resolver answers nobody, that takes longer than ODP would wait."""
    monkeypatch.setattr(probe, "TIMEOUT_SECONDS", 1.0)

    observation = await asked(f"http://ocp.invalid{BASE}")

    assert observation.endpoints[0].result in {OcpResult.UNREACHABLE, OcpResult.TIMEOUT}


async def test_ipv6() -> None:
    with contextlib.closing(socket.socket(socket.AF_INET6)) as attempt:
        try:
            attempt.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
    async with serving(host="::1") as fake:
        observation = await asked(fake.root + BASE)

    assert [OcpResult.OK] * 3 == [seen.result for seen in observation.endpoints]


async def test_tls_that_is_none() -> None:
    async with serving() as fake:
        observation = await asked(fake.root.replace("http:", "https:") + BASE)

    seen = observation.endpoints[0]
    assert (OcpResult.TLS, 0) == (seen.result, seen.status)
    assert seen.detail.startswith("TLS failed")


async def test_a_certificate_that_nobody_signed(tmp_path: Path) -> None:
    async with serving(context=self_signed(tmp_path)) as fake:
        observation = await asked(fake.root.replace("http:", "https:") + BASE)

    seen = observation.endpoints[0]
    assert OcpResult.TLS == seen.result
    assert seen.detail.startswith("the certificate is not trusted: self")


async def test_a_proxy_is_used_only_when_it_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port('127.0.0.1')}")
    async with serving() as fake, serving() as proxy:
        alone = await asked(fake.root + BASE)
        through = await asked(fake.root + BASE, http_proxy=proxy.root)

    assert (OcpResult.OK, OcpResult.OK) == (alone.endpoints[0].result, through.endpoints[0].result)
    assert proxy.requests[0].startswith(f"GET {fake.root}{BASE}&VersionOnly=true HTTP/1.1\r\n".encode())


async def test_a_proxy_that_refuses() -> None:
    credentials = f"http://someone:{SECRET}@127.0.0.1:{free_port('127.0.0.1')}"
    async with serving() as fake, serving({endpoint: http(b"", status="403 No") for endpoint in Endpoint}) as strict:
        nobody = await asked(fake.root + BASE, http_proxy=credentials)
        forbidden = await asked(fake.root + BASE, http_proxy=strict.root)
        tunnel = await asked(f"https://127.0.0.1:{fake.port}{BASE}", http_proxy=strict.root)

    assert (OcpResult.REFUSED, 0) == (nobody.endpoints[0].result, nobody.endpoints[0].status)
    assert "no connection to the proxy: connection refused" == nobody.endpoints[0].detail
    assert SECRET not in repr(nobody)
    assert (OcpResult.HTTP_STATUS, 403) == (forbidden.endpoints[0].result, forbidden.endpoints[0].status)
    assert (OcpResult.HTTP_STATUS, 403) == (tunnel.endpoints[0].result, tunnel.endpoints[0].status)
    assert [] == fake.requests


async def test_credentials_of_the_url_are_sent_and_not_shown() -> None:
    async with serving({Endpoint.VERSION: b"nonsense\r\n\r\n"}) as fake:
        url = fake.root.replace("//", f"//odp:{SECRET}@") + BASE
        observation = await asked(url)

    assert b"\r\nAuthorization: Basic " in fake.requests[1]
    assert SECRET not in repr(observation)


async def test_cancelling_ends_a_round() -> None:
    async with serving({Endpoint.VERSION: talk_silence}) as fake:
        round_of_questions = asyncio.create_task(asked(fake.root + BASE))
        await asyncio.wait_for(fake.was_asked.wait(), timeout=10)
        round_of_questions.cancel()

        with pytest.raises(asyncio.CancelledError):
            await round_of_questions


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ocp")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "ocp.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
