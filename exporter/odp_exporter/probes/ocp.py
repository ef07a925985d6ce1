"""Asks OCP what ODP asks it, the way ODP asks it, and judges the replies as ODP does (odp-facts 1).

One round is the version, the configuration and the root services of every
cluster that it lists, or a share of that while all is well (ocp/rounds.py). If
the configuration does not come, the root services are asked for where the last
one said, or the caches of this host's ODPs do. The meta database's are not
asked for, because OCP need not have them (odp-facts 1.8). A round has an end,
so that a slow OCP shows as slow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import aiohttp
from aiohttp.http import HttpProcessingError

from odp_exporter.clock import Clock, stopwatch
from odp_exporter.exchange import Exchange, explained
from odp_exporter.observations import ClusterServers, Endpoint, EndpointObservation, OcpObservation, OcpResult
from odp_exporter.ocp import rounds
from odp_exporter.ocp.envelope import OcpError, Overlooked
from odp_exporter.ocp.replies import ClusterUrl, parse_config, parse_rs_list, parse_version
from odp_exporter.ocp.rounds import Known
from odp_exporter.ocp.urls import rs_list_url, version_url
from odp_exporter.targets import Ocp

TIMEOUT_SECONDS = 5.0
"""What ODP gives one request, redirects included (odp-facts 1.2)."""
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
_UNDATED = datetime.min.replace(tzinfo=UTC)


async def ask(ocp: Ocp, *, session: aiohttp.ClientSession, clock: Clock, known: Known | None = None) -> OcpObservation:
    """One round of questions to *ocp*, dated by its end; what is *known* may make it a short one."""
    known = known or Known()
    questioner = _Questioner(session, ocp.http_proxy, stopwatch() + _seconds_for_questions(ocp.interval))
    version = await questioner.ask(Endpoint.VERSION, version_url(ocp.url), MAX_CONFIG_BYTES, parse_version)
    if known.before and known.is_short(version.reply):
        seen = await _ask_share(ocp, known.before, version.seen, questioner)
        if seen is not None:
            return replace(seen, at=clock())
    return replace(await _ask_all(ocp, known, version, questioner), at=clock())


def _seconds_for_questions(interval: timedelta) -> float:
    return round_limit(interval).total_seconds() - TIMEOUT_SECONDS


async def _ask_all(ocp: Ocp, known: Known, version: _Answer[str], questioner: _Questioner) -> OcpObservation:
    config = await questioner.ask(Endpoint.CONFIG, ocp.url, MAX_CONFIG_BYTES, parse_config)
    clusters = config.reply.clusters if config.reply else tuple(ClusterUrl(*it) for it in known.rs_urls.items())
    rs_lists = await questioner.ask_rs_lists(clusters[:MAX_CLUSTERS])
    endpoints = (version.seen, _noted(config.seen, len(clusters)), *(answer.seen for answer in rs_lists))
    if not clusters:
        endpoints = (*endpoints, _not_asked("the configuration did not come"))
    return OcpObservation(
        ocp.name,
        _UNDATED,
        endpoints,
        config.reply.version if config.reply else version.reply,
        tuple(cluster.name for cluster in clusters) if config.reply else (),
        _servers(rs_lists),
        {cluster.name: cluster.url for cluster in clusters},
    )


async def _ask_share(
    ocp: Ocp, before: OcpObservation, version: EndpointObservation, questioner: _Questioner
) -> OcpObservation | None:
    """A short round; None if it shows that all must be asked."""
    replies = [version]
    if rounds.asks_for_configuration(before):
        config = await questioner.ask(Endpoint.CONFIG, ocp.url, MAX_CONFIG_BYTES, parse_config)
        urls = {cluster.name: cluster.url for cluster in config.reply.clusters} if config.reply else {}
        if urls != before.rs_urls:
            return None
        replies.append(_noted(config.seen, len(urls)))
    names = rounds.share(before, MAX_CLUSTERS)
    answers = await questioner.ask_rs_lists([ClusterUrl(name, before.rs_urls[name]) for name in names])
    replies += [answer.seen for answer in answers]
    if any(reply.result is not OcpResult.OK for reply in replies):
        return None
    return rounds.merged(before, tuple(replies), _servers(answers))


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

    def __init__(self, session: aiohttp.ClientSession, proxy: str | None, no_more_after: float) -> None:
        self._session = session
        self._proxy = proxy
        self._no_more_after = no_more_after

    async def ask(self, endpoint: Endpoint, url: str, limit: int, parse: Callable[[bytes], T]) -> _Answer[T]:
        """One request; any failure of network, OCP or proxy is a result."""
        exchange = Exchange(self._session, self._proxy)
        reply, is_overlooked = None, False
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
            result, detail = explained(error)
        seconds = stopwatch() - began
        if result is OcpResult.OK:
            try:
                reply = parse(body)
            except OcpError as error:
                result, detail, is_overlooked = error.result, error.detail, isinstance(error, Overlooked)
        seen = EndpointObservation(endpoint, result, exchange.status, seconds, detail, is_overlooked=is_overlooked)
        return _Answer(seen, reply)

    async def ask_rs_lists(self, clusters: Sequence[ClusterUrl]) -> list[_Answer[tuple[ClusterServers, ...]]]:
        """The RS lists of *clusters*, a few at a time and as long as the round lasts."""
        slots = asyncio.Semaphore(MAX_CONCURRENT)

        async def ask_one(cluster: ClusterUrl) -> _Answer[tuple[ClusterServers, ...]]:
            async with slots:
                return await self._ask_rs_list(cluster)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask_one(cluster), name=f"rs list of {cluster.name}") for cluster in clusters]
        return [task.result() for task in tasks]

    async def _ask_rs_list(self, cluster: ClusterUrl) -> _Answer[tuple[ClusterServers, ...]]:
        if not cluster.url:
            return _Answer(_not_asked("the configuration gives no URL", cluster.name), None)
        if stopwatch() > self._no_more_after:
            return _Answer(_not_asked("OCP is slow: the time for this round is over", cluster.name), None)
        url = rs_list_url(cluster.url)
        answer = await self.ask(
            Endpoint.RS_LIST, url, MAX_RS_LIST_BYTES, lambda body: parse_rs_list(body, cluster.name)
        )
        return _Answer(replace(answer.seen, cluster=cluster.name), answer.reply)


def _not_asked(why: str, cluster: str | None = None) -> EndpointObservation:
    return EndpointObservation(Endpoint.RS_LIST, OcpResult.NOT_ASKED, 0, 0.0, why, cluster)


def _noted(config: EndpointObservation, clusters: int) -> EndpointObservation:
    if config.result is not OcpResult.OK or clusters <= MAX_CLUSTERS:
        return config
    surplus = clusters - MAX_CLUSTERS
    return replace(config, detail=f"{surplus} clusters too many: RS lists of the first {MAX_CLUSTERS} only were asked")


def _servers(answers: Iterable[_Answer[tuple[ClusterServers, ...]]]) -> tuple[ClusterServers, ...]:
    return tuple(servers for answer in answers for servers in answer.reply or ())
