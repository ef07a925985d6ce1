"""The pages, asked for over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import re
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from odp_exporter.exposition.collector import Collector
from odp_exporter.exposition.web import PATHS, Site, application
from odp_exporter.httpd.negotiation import OFF_LOOP_BYTES
from odp_exporter.metrics.rendering import Format, page
from odp_exporter.observations import GreetingObservation, ProbeResult
from odp_exporter.ondemand import Answer, TargetNotAllowed
from odp_exporter.targets import Ocp, Pool, Target
from prometheus_client.openmetrics import parser as open_metrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text

URL = re.compile(r"https?://|//")


@dataclass
class NothingAllowed:
    """No probe on demand at all."""

    modules: Sequence[str] = ()

    async def probe(self, target: str, module: str, *, timeout: timedelta) -> Answer:  # noqa: ARG002 - the protocol's signature
        raise TargetNotAllowed(target)


@dataclass
class Asked:
    """What the pages ask of the application, and what it answers."""

    problems: Sequence[str] = ()
    is_ready: bool = True
    reloads: int = field(default=0)

    async def reload(self) -> Sequence[str]:
        self.reloads += 1
        return self.problems


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
async def client(collector: Collector, asked: Asked) -> AsyncIterator[ClientSession]:
    site = Site(collector, NothingAllowed(), asked.reload, lambda: asked.is_ready)
    async with (
        TestServer(application(site)) as server,
        ClientSession(server.make_url("/"), auto_decompress=False) as session,
    ):
        yield session


async def test_metrics_are_the_page_and_the_process_of_the_exporter(
    client: ClientSession, collector: Collector
) -> None:
    reply = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
    text = await reply.text()

    assert (200, Format.TEXT.value) == (reply.status, reply.headers["Content-Type"])
    assert text.startswith(page(collector.collect(), Format.TEXT))
    names = {metric.name for metric in parse_text(text)}
    assert {"process_open_fds", "process_resident_memory_bytes", "python_info", "python_gc_collections"} <= names


async def test_promtool_accepts_the_whole_reply_without_a_word(
    client: ClientSession, debian: Callable[[str], str]
) -> None:
    body = await (await client.get("/metrics", headers={"Accept-Encoding": "identity"})).read()
    promtool = await asyncio.create_subprocess_exec(
        debian("promtool"), "check", "metrics", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )

    assert (b"", b"") == await promtool.communicate(body)
    assert 0 == promtool.returncode


async def test_open_metrics_by_negotiation(client: ClientSession) -> None:
    reply = await client.get("/metrics", headers={"Accept": "application/openmetrics-text", "Accept-Encoding": ""})
    text = await reply.text()

    assert Format.OPEN_METRICS.value == reply.headers["Content-Type"]
    assert text.endswith("# EOF\n")
    assert 1 == text.count("# EOF")
    assert list(open_metrics_parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]  # theirs


async def test_gzip_of_a_small_and_of_a_large_page(client: ClientSession, collector: Collector) -> None:
    address = collector.store.odps["odp-1"].target.address
    for count in (1, 100):
        collector.store.keep(odps=[Target(f"odp-{n}", address) for n in range(count)], pools=[], ocps=[])
        expected = page(collector.collect(), Format.TEXT).encode()
        reply = await client.get("/metrics", headers={"Accept-Encoding": "gzip"})

        assert ("gzip", "Accept, Accept-Encoding") == (reply.headers["Content-Encoding"], reply.headers["Vary"])
        assert gzip.decompress(await reply.read()).startswith(expected)
    assert OFF_LOOP_BYTES < len(expected)


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
async def test_head_is_get_without_a_body(client: ClientSession, path: str) -> None:
    got, head = await client.get(path), await client.head(path)

    assert (200, got.headers["Content-Type"], b"") == (head.status, head.headers["Content-Type"], await head.read())


async def test_ready_once_everything_was_probed(client: ClientSession, asked: Asked) -> None:
    asked.is_ready = False
    assert 503 == (await client.get("/-/ready")).status
    assert 200 == (await client.get("/-/healthy")).status

    asked.is_ready = True
    assert 200 == (await client.get("/-/ready")).status


async def test_who_was_ready_stays_ready(client: ClientSession, asked: Asked) -> None:
    """A target that is found later is no reason to take the exporter out of service."""
    assert 200 == (await client.get("/-/ready")).status

    asked.is_ready = False
    assert 200 == (await client.get("/-/ready")).status


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_reload_that_works(client: ClientSession, asked: Asked, method: str) -> None:
    reply = await client.request(method, "/-/reload")

    assert (200, 1) == (reply.status, asked.reloads)


async def test_a_reload_that_fails_says_why(client: ClientSession, asked: Asked) -> None:
    asked.problems = ("odp.yml:10:5: odps.1.hots: unknown key; did you mean 'host'?", "odp.yml:12:3: …")
    reply = await client.post("/-/reload")

    assert 500 == reply.status
    assert list(asked.problems) == (await reply.text()).splitlines()[1:]


async def test_a_flood_of_mistakes_is_cut(client: ClientSession, asked: Asked) -> None:
    asked.problems = tuple(f"odp.yml:{line}:1: wrong" for line in range(1, 50_001))
    lines = (await (await client.post("/-/reload")).text()).splitlines()

    assert list(asked.problems[:100]) == lines[1:101]
    assert ["and 49900 more (`odp-exporter check FILE` names them all)"] == lines[101:]


async def test_a_look_reloads_nothing(client: ClientSession, asked: Asked) -> None:
    reply = await client.get("/-/reload")

    assert (405, "POST,PUT", 0) == (reply.status, reply.headers["Allow"], asked.reloads)


async def test_an_unknown_path_is_told_the_known_ones(client: ClientSession) -> None:
    reply = await client.get("/metricz<script>")
    text = await reply.text()

    assert (404, "text/plain") == (reply.status, reply.content_type)
    assert all(path in text for path in PATHS)


async def test_a_fault_of_ours_shows_no_traceback(collector: Collector, asked: Asked) -> None:
    """Not even while asyncio debugs, when aiohttp would show it."""

    async def broken() -> Sequence[str]:
        message = "secret-in-an-exception"
        raise RuntimeError(message)

    site = Site(collector, NothingAllowed(), broken, lambda: asked.is_ready)
    async with TestServer(application(site)) as server, ClientSession(server.make_url("/")) as session:
        reply = await session.post("/-/reload")

        assert (500, "internal error; the log of odp-exporter says more\n") == (reply.status, await reply.text())


@pytest.mark.parametrize("path", ["/", "/metrics", "/nowhere", "/probe", "/-/reload"])
async def test_every_reply_carries_the_headers_of_caution(client: ClientSession, path: str) -> None:
    headers = (await client.get(path)).headers

    assert ("nosniff", "DENY", "no-referrer", "no-store", "odp-exporter") == (
        headers["X-Content-Type-Options"],
        headers["X-Frame-Options"],
        headers["Referrer-Policy"],
        headers["Cache-Control"],
        headers["Server"],
    )
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")


class Links(HTMLParser):
    """Collects what a page refers to, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.cells: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "img", "link", "iframe", "form", "b"}
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        self.cells.append(data)


async def test_the_landing_page_leads_to_every_target(client: ClientSession) -> None:
    reply = await client.get("/")
    html = Links(await reply.text())

    assert "text/html; charset=utf-8" == reply.headers["Content-Type"]
    assert [
        "metrics",
        "-/healthy",
        "-/ready",
        "probe?target=odp-1&module=greeting&debug=true",
        "probe?target=odp-2&module=greeting&debug=true",
        "probe?target=trade&module=greeting&debug=true",
        "probe?target=ocp&module=ocp&debug=true",
    ] == html.links
    assert {"ODP odp-1 (192.0.2.11:2883)", "unknown", "closed: closed <early>", "2 s ago", "not probed yet"} <= set(
        html.cells
    )


async def test_the_landing_page_escapes_and_keeps_secrets(client: ClientSession, collector: Collector) -> None:
    nasty = "<b>\"'&amp;"
    address = collector.store.odps["odp-1"].target.address
    ocp = Ocp(nasty, "http://user:hunter2@192.0.2.10/?Action=GetObProxyConfig")
    collector.store.keep(odps=[Target(nasty, address)], pools=[Pool(nasty, address)], ocps=[ocp])
    collector.store.record(GreetingObservation(nasty, collector.clock(), ProbeResult.MALFORMED, detail=nasty))
    text = await (await client.get("/")).text()

    assert f"ODP {nasty} (192.0.2.11:2883)" in Links(text).cells
    assert "hunter2" not in text
    assert not URL.search(text)


async def test_the_landing_page_of_nothing_says_so(client: ClientSession, collector: Collector) -> None:
    collector.store.keep(odps=[], pools=[], ocps=[])

    assert "Nothing is probed" in await (await client.get("/")).text()
