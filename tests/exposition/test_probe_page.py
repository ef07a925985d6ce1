"""`/probe`, as Prometheus and as people ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientResponse, ClientSession
from aiohttp.test_utils import TestServer
from odp_exporter.exposition.collector import Collector
from odp_exporter.exposition.probe_page import TIMEOUT_HEADER, ProbeTimeouts
from odp_exporter.exposition.web import Site, application
from odp_exporter.metrics.rendering import Format
from odp_exporter.observations import (
    Endpoint,
    EndpointObservation,
    GreetingObservation,
    OcpObservation,
    OcpResult,
    Phase,
    PingObservation,
    PingResult,
    ProbeResult,
)
from odp_exporter.ondemand import Answer, ModuleUnknown, TargetNotAllowed
from prometheus_client.openmetrics import parser as open_metrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
WHOLE = GreetingObservation(
    "odp-1", NOON, ProbeResult.OK, {Phase.CONNECT: 0.0004, Phase.GREETING: 0.0012}, "", "5.6.25", "192.0.2.11:2883"
)
HUNG = GreetingObservation(
    "odp-1", NOON, ProbeResult.GREETING_TIMEOUT, {Phase.CONNECT: 0.0004}, "no byte within 1s", peer="192.0.2.11:2883"
)


@dataclass
class Probes:
    """Probes odp-1 only, and answers what the test says."""

    answer: Answer = WHOLE
    takes: timedelta = timedelta()
    modules: Sequence[str] = ("greeting", "ocp")
    asked: list[tuple[str, str, timedelta]] = field(default_factory=list)

    async def probe(self, target: str, module: str, *, timeout: timedelta) -> Answer:
        if module not in self.modules:
            message = f"unknown module: {module!r} (there are: greeting, ocp)"
            raise ModuleUnknown(message)
        if target not in {"odp-1", "192.0.2.11:2883"}:
            message = f"not a target of this exporter: {target!r}"
            raise TargetNotAllowed(message)
        self.asked.append((target, module, timeout))
        await asyncio.sleep(self.takes.total_seconds())
        return self.answer


@pytest.fixture
def probes() -> Probes:
    return Probes()


@pytest.fixture
async def client(collector: Collector, probes: Probes) -> AsyncIterator[ClientSession]:
    async def reload() -> Sequence[str]:
        return ()

    async with (
        TestServer(application(Site(collector, probes, reload, lambda: True))) as server,
        ClientSession(server.make_url("/")) as session,
    ):
        yield session


async def values(reply: ClientResponse) -> dict[str, float]:
    assert 200 == reply.status
    samples = [sample for metric in parse_text(await reply.text()) for sample in metric.samples]
    return {sample.name + "".join(sorted(sample.labels.values())): sample.value for sample in samples}


async def test_a_whole_greeting_is_a_success(client: ClientSession, probes: Probes) -> None:
    found = await values(await client.get("/probe?target=odp-1&module=greeting"))

    assert 0 <= found.pop("probe_duration_seconds") < 10
    assert {
        "probe_success": 1,
        "probe_timeout_seconds": 10,
        "probe_phase_duration_secondsconnect": 0.0004,
        "probe_phase_duration_secondsgreeting": 0.0012,
        "odp_upodp-1": 1,
        "odp_probe_resultodp-1ok": 1,
    } == found
    assert [("odp-1", "greeting", timedelta(seconds=10))] == probes.asked


async def test_a_hang_is_a_failure_that_names_its_reason(client: ClientSession, probes: Probes) -> None:
    probes.answer = HUNG
    found = await values(await client.get("/probe?target=odp-1"))

    assert (0, 0, 1) == (found["probe_success"], found["odp_upodp-1"], found["odp_probe_resultgreeting_timeoutodp-1"])
    assert "probe_phase_duration_secondsgreeting" not in found


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (PingObservation("odp-1", NOON, PingResult.DENIED, 0.1), {"probe_success": 0, "odp_ping_upodp-1": 0}),
        (
            OcpObservation("ocp", NOON, (EndpointObservation(Endpoint.CONFIG, OcpResult.OK, 200, 0.1),)),
            {"probe_success": 1, "ocp_upconfigocp": 1, "ocp_http_status_codeconfigocp": 200, "ocp_clustersocp": 0},
        ),
    ],
)
async def test_every_kind_of_answer_has_its_families(
    client: ClientSession, probes: Probes, answer: Answer, expected: dict[str, float]
) -> None:
    probes.answer = answer
    found = await values(await client.get("/probe?target=odp-1"))
    transcript = await client.get("/probe?target=odp-1&debug=true")

    assert expected.items() <= found.items()
    assert 200 == transcript.status


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (GreetingObservation("trade", NOON, ProbeResult.OK), {"odp_pool_uptrade": 1}),
        (PingObservation("trade", NOON, PingResult.OK, 0.1), {}),
    ],
)
async def test_a_pool_is_no_odp(
    client: ClientSession, probes: Probes, answer: Answer, expected: dict[str, float]
) -> None:
    """A pool has the families of pools, of which none speaks of pings."""
    probes.answer = answer
    found = await values(await client.get("/probe?target=odp-1"))

    assert 1 == found["probe_success"]
    assert expected == {name: value for name, value in found.items() if not name.startswith("probe_")}


async def test_the_format_is_negotiated_here_too(client: ClientSession) -> None:
    reply = await client.get("/probe?target=odp-1", headers={"Accept": "application/openmetrics-text"})

    assert Format.OPEN_METRICS.value == reply.headers["Content-Type"]
    text = await reply.text()
    assert list(open_metrics_parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]  # theirs


async def test_debug_tells_a_person_what_happened(client: ClientSession, probes: Probes) -> None:
    probes.answer = HUNG
    reply = await client.get("/probe?target=odp-1&debug=true")
    story, _, metrics = (await reply.text()).partition("\n\n")

    assert "text/plain" == reply.content_type
    assert (
        """\
target: odp-1
module: greeting
peer: 192.0.2.11:2883
phase connect: 0.40 ms
phase greeting: not completed
result: greeting_timeout (no byte within 1s)"""
        == story
    )
    assert metrics.startswith("# HELP probe_success ")


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 400, "query parameter 'target' missing (try /probe?target=192.0.2.11:2883&module=greeting)"),
        ("?target=", 400, "query parameter 'target' missing"),
        ("?target=odp-1&target=odp-2", 400, "query parameter 'target' given more than once"),
        ("?target=odp-1&module=", 400, "query parameter 'module' missing"),
        ("?target=odp-1&module=icmp", 400, "unknown module: 'icmp' (there are: greeting, ocp)"),
        ("?target=169.254.169.254:80", 403, "not a target of this exporter: '169.254.169.254:80'"),
        ("?target=127.0.0.1:22", 403, "not a target of this exporter"),
        ("?target=odp-1%00", 403, "not a target of this exporter"),
        ("?target=http://odp-1/", 403, "not a target of this exporter"),
    ],
)
async def test_what_is_not_allowed_is_not_probed(
    client: ClientSession, probes: Probes, query: str, status: int, words: str
) -> None:
    reply = await client.get(f"/probe{query}")

    assert (status, "text/plain") == (reply.status, reply.content_type)
    assert words in await reply.text()
    assert [] == probes.asked


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 10), ("10", 9.5), ("0.75", 0.25), ("1.", 0.5), ("1e1", 9.5), ("1e300", 10), ("3600", 10), ("0.6", 0.1)],
)
def test_a_probe_gets_what_the_scraper_can_wait(header: str | None, seconds: float) -> None:
    assert seconds == pytest.approx(ProbeTimeouts().granted(header).total_seconds(), abs=1e-6)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        *((text, "not a number of seconds") for text in ("", "ten", "-1", "nan", "inf", "1e999", "0x10", "1_0", " 1")),
        *((text, "leave no time") for text in ("0", "0.5", "0.25", "1e-9")),
    ],
)
async def test_a_timeout_that_makes_no_sense_is_refused(
    client: ClientSession, probes: Probes, header: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        ProbeTimeouts().granted(header)
    reply = await client.get("/probe?target=odp-1", headers={TIMEOUT_HEADER: header.strip() or "x"})
    assert (400 if header.strip() != "1" else 200) == reply.status
    assert (header == " 1") == bool(probes.asked)


async def test_the_header_reaches_the_probe(client: ClientSession, probes: Probes) -> None:
    reply = await client.get("/probe?target=odp-1", headers={TIMEOUT_HEADER: "3"})

    assert 2.5 == (await values(reply))["probe_timeout_seconds"]
    assert [timedelta(seconds=2.5)] == [granted for *_, granted in probes.asked]


async def test_a_probe_that_does_not_end_is_given_up(client: ClientSession, probes: Probes) -> None:
    probes.takes = timedelta(seconds=30)
    found = await values(await client.get("/probe?target=odp-1", headers={TIMEOUT_HEADER: "0.6"}))

    assert 0 == found["probe_success"]
    assert found["probe_duration_seconds"] < 10
