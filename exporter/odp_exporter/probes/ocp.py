"""Asks OCP what ODP asks it, the way ODP asks it, and judges the replies as ODP does (odp-facts 1).

One round is the version, the configuration and the root services of every
cluster that it lists; the meta database's are not asked for, because OCP need
not have them (odp-facts 1.8). It has an end, so that a slow OCP shows as slow.
Every request has a connection of its own and is one attempt, as those of a
running ODP are. Nothing is retried, cached or decompressed, and no environment
variable counts.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Generic, TypeVar
from urllib.parse import urljoin

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from odp_exporter.clock import Clock, stopwatch
from odp_exporter.observations import ClusterServers, Endpoint, EndpointObservation, OcpObservation, OcpResult
from odp_exporter.ocp.envelope import OcpError
from odp_exporter.ocp.replies import ClusterUrl, ConfigReply, parse_config, parse_rs_list, parse_version
from odp_exporter.ocp.urls import rs_list_url, version_url
from odp_exporter.settings import parse_http_url
from odp_exporter.targets import Ocp

TIMEOUT_SECONDS = 5.0
"""What ODP gives one request, redirects included (odp-facts 1.2)."""
MAX_REDIRECTS = 3
MAX_CONFIG_BYTES = 512 * 1024
MAX_RS_LIST_BYTES = 16 * 1024
MAX_CLUSTERS = 200
"""Clusters whose root services are asked for in one round; more would take minutes."""
MAX_ROUND = timedelta(seconds=60)
"""The clusters that are left then are not asked for in this round."""
MIN_ROUND = timedelta(seconds=3 * TIMEOUT_SECONDS)
"""Even of a short interval: the version, the configuration and one RS list, each as slow as can be."""
MAX_CONCURRENT = 4
"""RS list requests under way at a time: OCP is to be measured, not loaded."""

T = TypeVar("T")


def open_session() -> aiohttp.ClientSession:
    """A session that sends what ODP sends; to be called within the event loop, and closed by the caller."""
    return aiohttp.ClientSession(
        # Connection: close, which force_close adds, is the one header more than ODP's own.
        connector=aiohttp.TCPConnector(force_close=True, use_dns_cache=False),
        headers={"Accept": "*/*"},
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
    )


async def ask(ocp: Ocp, *, session: aiohttp.ClientSession, clock: Clock) -> OcpObservation:
    """One round of questions to *ocp*, dated by its end."""
    no_more_after = stopwatch() + round_limit(ocp.interval).total_seconds() - TIMEOUT_SECONDS
    questioner = _Questioner(session, ocp.http_proxy)
    version = await questioner.ask(Endpoint.VERSION, version_url(ocp.url), MAX_CONFIG_BYTES, parse_version)
    config = await questioner.ask(Endpoint.CONFIG, ocp.url, MAX_CONFIG_BYTES, parse_config)
    if config.reply is None:
        not_asked = _not_asked("the configuration did not come")
        return OcpObservation(ocp.name, clock(), (version.seen, config.seen, not_asked), version.reply)
    rs_lists = await _ask_rs_lists(config.reply.clusters[:MAX_CLUSTERS], questioner, no_more_after)
    return OcpObservation(
        ocp.name,
        clock(),
        (version.seen, _noted(config.seen, config.reply), *(answer.seen for answer in rs_lists)),
        config.reply.version,
        tuple(cluster.name for cluster in config.reply.clusters),
        tuple(servers for answer in rs_lists for servers in answer.reply or ()),
    )


def round_limit(interval: timedelta) -> timedelta:
    """How long a round may take: not so long that the one before it would count as stale."""
    return min(MAX_ROUND, max(interval, MIN_ROUND))


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    """What was seen of one request, and the reply if ODP would have taken it."""

    seen: EndpointObservation
    reply: T | None


class _Questioner:
    """Sends requests over one session and turns whatever happens into an answer."""

    def __init__(self, session: aiohttp.ClientSession, proxy: str | None) -> None:
        self._session = session
        self._proxy = proxy

    async def ask(self, endpoint: Endpoint, url: str, limit: int, parse: Callable[[bytes], T]) -> _Answer[T]:
        """One request; any failure of network, OCP or proxy is a result."""
        exchange = _Exchange(self._session, self._proxy)
        reply = None
        began = stopwatch()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                body = await exchange.body(url, limit)
            result, detail = OcpResult.OK, ""
        except OcpError as error:
            result, detail = error.result, error.detail
        except TimeoutError:
            result, detail = OcpResult.TIMEOUT, f"not whole within {TIMEOUT_SECONDS:g} s"
        except aiohttp.ClientHttpProxyError as error:
            exchange.status = error.status
            result, detail = OcpResult.HTTP_STATUS, f"the proxy answers with HTTP status {error.status}"
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            result, detail = _explained(error)
        seconds = stopwatch() - began
        if result is OcpResult.OK:
            try:
                reply = parse(body)
            except OcpError as error:
                result, detail = error.result, error.detail
        return _Answer(EndpointObservation(endpoint, result, exchange.status, seconds, detail), reply)


class _Exchange:
    """One request with its redirects; knows the latest HTTP status even when the rest fails."""

    def __init__(self, session: aiohttp.ClientSession, proxy: str | None) -> None:
        self._session = session
        self._proxy = proxy
        self.status = 0

    async def body(self, url: str, limit: int) -> bytes:
        """The body of a 2xx reply, as it came over the wire; OcpError for what HTTP itself says no to."""
        for _ in range(MAX_REDIRECTS + 1):
            async with self._session.get(_requested(url), proxy=self._proxy, allow_redirects=False) as response:
                self.status = response.status
                location = response.headers.get("Location", "") if response.status // 100 == 3 else ""  # noqa: PLR2004 - any 3xx that says where to, as curl has it
                if not location:
                    return await _read(response, limit)
                url = _redirected(url, location)
        raise OcpError(OcpResult.REDIRECTS, f"more than {MAX_REDIRECTS} redirects")


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    if response.status // 100 != 2:  # noqa: PLR2004 - ODP takes any 2xx
        raise OcpError(OcpResult.HTTP_STATUS, f"HTTP status {response.status}")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise OcpError(OcpResult.TOO_LARGE, f"more than the {limit} bytes that ODP takes")
    return bytes(body)


def _requested(url: str) -> URL:
    """*url* as it stands: ODP encodes nothing."""
    try:
        return URL(parse_http_url(url), encoded=True)
    except ValueError:
        problem = "no URL that http or https could reach"
    raise OcpError(OcpResult.UNREACHABLE, problem)


def _redirected(url: str, location: str) -> str:
    try:
        return parse_http_url(urljoin(url, location))
    except ValueError:
        problem = "redirected to what is neither http nor https"
    raise OcpError(OcpResult.REDIRECTS, problem)


def _explained(error: Exception) -> tuple[OcpResult, str]:
    """What *error* means; its own text is not used because it may quote the URL or the reply."""
    result = OcpResult.UNREACHABLE
    match error:
        case aiohttp.ClientSSLError() | ssl.SSLError():
            result, detail = OcpResult.TLS, _explained_tls(error.__cause__ or error)
        case aiohttp.ClientConnectorDNSError():
            detail = "the name does not resolve"
        case aiohttp.ClientConnectorError():
            if error.errno == errno.ECONNREFUSED:
                result = OcpResult.REFUSED
            where = "the proxy" if isinstance(error, aiohttp.ClientProxyConnectionError) else "OCP"
            reason = os.strerror(error.errno).lower() if error.errno else "no address could be reached"
            detail = f"no connection to {where}: {reason}"
        case aiohttp.ClientPayloadError() | HttpProcessingError():
            detail = "the reply broke off"
        case aiohttp.ClientResponseError():
            detail = "what came is no HTTP reply"
        case aiohttp.ServerDisconnectedError():
            detail = "closed without a reply"
        case OSError(errno=int(number)):
            detail = f"the connection broke: {os.strerror(number).lower()}"
        case _:
            detail = f"no request could be made ({type(error).__name__})"
    return result, detail


def _explained_tls(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate is not trusted: {error.verify_message}"
        case ssl.SSLError(reason=str(reason)):
            return f"TLS failed: {reason.lower().replace('_', ' ')}"
        case _:
            return "TLS failed"


async def _ask_rs_lists(
    clusters: tuple[ClusterUrl, ...], questioner: _Questioner, no_more_after: float
) -> list[_Answer[tuple[ClusterServers, ...]]]:
    slots = asyncio.Semaphore(MAX_CONCURRENT)

    async def ask_one(cluster: ClusterUrl) -> _Answer[tuple[ClusterServers, ...]]:
        if not cluster.url:
            return _Answer(_not_asked("the configuration gives no URL", cluster.name), None)
        async with slots:
            if stopwatch() > no_more_after:
                return _Answer(_not_asked("OCP is slow: the time for this round is over", cluster.name), None)
            answer = await questioner.ask(
                Endpoint.RS_LIST,
                rs_list_url(cluster.url),
                MAX_RS_LIST_BYTES,
                lambda body: parse_rs_list(body, cluster.name),
            )
        return _Answer(replace(answer.seen, cluster=cluster.name), answer.reply)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask_one(cluster), name=f"rs list of {cluster.name}") for cluster in clusters]
    return [task.result() for task in tasks]


def _not_asked(why: str, cluster: str | None = None) -> EndpointObservation:
    return EndpointObservation(Endpoint.RS_LIST, OcpResult.NOT_ASKED, 0, 0.0, why, cluster)


def _noted(seen: EndpointObservation, config: ConfigReply) -> EndpointObservation:
    surplus = len(config.clusters) - MAX_CLUSTERS
    if surplus <= 0:
        return seen
    return replace(seen, detail=f"{surplus} clusters too many: RS lists of the first {MAX_CLUSTERS} only were asked")
