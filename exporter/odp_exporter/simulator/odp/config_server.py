"""How ODP asks OCP: at start, every 30 to 60 s, and for the RS list of a cluster (odp-facts 1.1 to 1.7, 3.1)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re

from . import fetch
from .clusters import Clusters
from .logs import Logs
from .parameters import Parameters
from .replies import (
    META_DATABASE,
    Rejected,
    RsServer,
    parse_config,
    parse_idc_list,
    parse_rs_lists,
    parse_version,
)

_TRIES_AT_START = 3
_IDC_TIMEOUT_SECONDS = 1.0
_META_PAUSE_SECONDS = 1.0
_CONNECT_TIMEOUT_SECONDS = 5.0

_FAILURES = (fetch.FetchFailed, Rejected)


class ConfigServer:
    """The client side of OCP in one ODP."""

    def __init__(self, parameters: Parameters, clusters: Clusters, logs: Logs) -> None:
        self._parameters = parameters
        self._clusters = clusters
        self._logs = logs
        self._url = parameters.text("obproxy_config_server_url")
        self._is_started = False

    @property
    def is_used(self) -> bool:
        """An empty URL means that there is no OCP: nothing is asked, cached or read."""
        return bool(self._url)

    async def start(self) -> None:
        """Get a configuration, from OCP or from the cache; failing is not an error, later ticks try again."""
        if self._parameters.flag("ignore_local_config") or not self._parameters.were_loaded:
            if not await self._refresh():
                where = "init (ob_config_server_processor.cpp:172)"
                text = "fail to get json config info from remote config server, try load local file"
                self._logs.failure("PROXY", where, f"{text} and schedule a timer task to update later(ret=-4216)")
                if self._clusters.load_config():
                    self._clusters.load_lists()
        else:
            if not self._clusters.load_config():
                where = "init (ob_config_server_processor.cpp:153)"
                text = "fail to load json config info from local, now try to get from remote(ret=-4009)"
                self._logs.failure("PROXY", where, text)
                await self._refresh()
            if self._clusters.config is not None:
                self._clusters.load_lists()
        self._is_started = True

    async def poll(self) -> None:
        """Tick for ever; the period is drawn once (odp-facts 1.3)."""
        longest = self._parameters.seconds("config_server_refresh_interval")
        interval = random.uniform(longest / 2, longest)  # noqa: S311 - no secret
        where = "start_refresh_task (ob_config_server_processor.cpp:2454)"
        text = f"succ to create and start config server refresh task(interval_us={int(interval * 1e6)})"
        self._logs.info("PROXY", where, text)
        while True:
            await asyncio.sleep(interval)
            await self._refresh()
            self._clusters.write_dirty()

    async def use_meta_database(self) -> None:
        """Ask for the meta database's RS list each second until one of its servers answers."""
        while not await self.reachable(self._clusters.servers(META_DATABASE)):
            if self._clusters.config is not None:
                await self.fetch_rs_list(META_DATABASE)
            await asyncio.sleep(_META_PAUSE_SECONDS)

    async def fetch_rs_list(self, cluster: str) -> bool:
        """Ask OCP for the RS list of *cluster* and keep it."""
        url = self._clusters.url(cluster)
        try:
            body = await self._fetch(_with_query(url or "", "version=2"), fetch.LIST_LIMIT)
            self._clusters.set_rs_lists(cluster, parse_rs_lists(body, cluster))
        except _FAILURES as failure:
            self._log_failure("fetch_rs_list_from_url (ob_config_server_processor.cpp:1987)", failure)
            return False
        return True

    async def fetch_idc_list(self, cluster: str) -> None:
        """Ask OCP for the IDC list of *cluster*; without one all goes on."""
        rs_url = self._clusters.url(cluster) or ""
        url = re.sub("ObRootServiceInfo", "ObIDCRegionInfo", rs_url, flags=re.IGNORECASE)
        url = url if url != rs_url else rs_url + "_idc_list"
        try:
            body = await fetch.get(url, limit=fetch.LIST_LIMIT, timeout_seconds=_IDC_TIMEOUT_SECONDS)
            self._clusters.set_idc_list(parse_idc_list(body, cluster))
        except _FAILURES as failure:
            self._log_failure("fetch_idc_list (ob_config_server_processor.cpp:600)", failure)

    @staticmethod
    async def reachable(servers: tuple[RsServer, ...]) -> bool:
        """One of *servers* accepts a TCP connection."""
        for server in servers:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_TIMEOUT_SECONDS):
                    _, writer = await asyncio.open_connection(server.ip, server.sql_port)
                writer.transport.abort()
                return True
        return False

    async def _refresh(self) -> bool:
        """One version check and, if the version is another one, the full configuration."""
        known = self._clusters.config
        try:
            version = parse_version(await self._fetch(self._url + "&VersionOnly=true", fetch.CONFIG_LIMIT))
            if known is None or version != known.version:
                self._clusters.replace_config(parse_config(await self._fetch(self._url, fetch.CONFIG_LIMIT)))
        except _FAILURES as failure:
            self._log_failure("refresh_json_config_info (ob_config_server_processor.cpp:1821)", failure)
            where = "refresh_config_server (ob_config_server_processor.cpp:2545)"
            self._logs.failure("PROXY", where, "fail to do refresh json config info(force_refresh=false, ret=-4216)")
            return False
        return True

    async def _fetch(self, url: str, limit: int) -> bytes:
        """As many tries as ODP makes: three without a pause at start, one later (odp-facts 1.2)."""
        for attempt in range(1 if self._is_started else _TRIES_AT_START):
            try:
                return await fetch.get(url, limit=limit)
            except fetch.FetchFailed as failure:
                last = failure
                self._logs.failure("PROXY", "fetch_by_curl (ob_config_server_processor.cpp:2327)", str(failure))
                where = "do_fetch_json_info (ob_config_server_processor.cpp:2108)"
                text = f'fail to fetch json info(try attempts:={attempt}, url="{url}", data=NULL, ret=-4216)'
                self._logs.failure("PROXY", where, text)
        raise last

    def _log_failure(self, where: str, failure: Exception) -> None:
        """A rejected reply is told here; what went wrong with a fetch has been."""
        text = str(failure) if isinstance(failure, Rejected) else "fail to fetch json info(ret=-4216)"
        self._logs.failure("PROXY", where, text)


def _with_query(url: str, item: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{item}"
