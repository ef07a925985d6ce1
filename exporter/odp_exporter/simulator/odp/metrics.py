"""ODP's own Prometheus endpoint, in the words of its captured pages (odp-facts 6)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

_FAMILIES = (
    ("odp_new_client_connections", "The num of new client connections", "counter"),
    ("odp_sql_request_total", "The num of user request", "counter"),
    ("odp_current_session", "The num of current session", "gauge"),
    ("odp_sql_cost_total", "user cost total", "gauge"),
)
_QUANTILES = (0.5, 0.9, 0.99)
_TIMEOUT_SECONDS = 5.0


class Metrics:
    """Counts what the endpoint tells; *version* and *application* are labels of every sample."""

    def __init__(self, version: str, application: str) -> None:
        self._constant = f'ip="127.0.0.1",namespace="ODP",odpVersion="OceanBase {version}_105-local-81eeae9"'
        self._application = application
        self._latencies: list[float] = []
        self._transferred = 0
        self._logins: Counter[str] = Counter()
        self._sessions: Counter[str] = Counter()

    @contextlib.contextmanager
    def session(self, user: str) -> Iterator[None]:
        """Count the session of *user*, `user@tenant#cluster`, while it lasts; those with ODP itself do not count."""
        place = user.partition("@")[2] if "#" in user else ""
        if place:
            self._logins[place] += 1
            self._sessions[place] += 1
        try:
            yield
        finally:
            self._sessions[place] -= bool(place)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one HTTP request."""
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            began = time.perf_counter()
            is_known = head.split(b" ")[1:2] == [b"/metrics"]
            body = self.page().encode() if is_known else b""
            status = "200 OK" if is_known else "404 Not Found"
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            )
            writer.write(body)
            self.count_scrape(len(body), (time.perf_counter() - began) * 1e6)
        writer.close()

    def count_scrape(self, transferred_bytes: int, microseconds: float) -> None:
        """Take a finished scrape into account; the page shows it at the next one."""
        self._transferred += transferred_bytes
        self._latencies.append(float(int(microseconds)))

    def page(self) -> str:
        """The page as of now."""
        return "".join(f"{line}\n" for line in (*self._exposer(), *self._odp()))

    def _exposer(self) -> Iterable[str]:
        yield from _header("exposer_transferred_bytes_total", "Transferred bytes to metrics services", "counter")
        yield f"exposer_transferred_bytes_total {self._transferred:.6f}"
        yield from _header("exposer_scrapes_total", "Number of times metrics were scraped", "counter")
        yield f"exposer_scrapes_total {len(self._latencies):.6f}"
        latencies = "Latencies of serving scrape requests, in microseconds"
        yield from _header("exposer_request_latencies", latencies, "summary")
        yield f"exposer_request_latencies_count {len(self._latencies)}"
        yield f"exposer_request_latencies_sum {sum(self._latencies):.6f}"
        for quantile in _QUANTILES:
            yield f'exposer_request_latencies{{quantile="{quantile:.6f}"}} {self._quantile(quantile)}'

    def _quantile(self, quantile: float) -> str:
        if not self._latencies:
            return "Nan"
        ordered = sorted(self._latencies)
        return f"{ordered[min(int(quantile * len(ordered)), len(ordered) - 1)]:.6f}"

    def _odp(self) -> Iterable[str]:
        samples = {
            "odp_new_client_connections": ('connectionResult="success",', "", self._logins),
            "odp_current_session": ("", 'sessionType="client",', self._sessions),
        }
        for name, text, kind in _FAMILIES:
            yield from _header(name, text, kind)
            before, after, values = samples.get(name, ("", "", {}))
            yield from self._samples(name, before, after, values)

    def _samples(self, name: str, before: str, after: str, values: Mapping[str, int]) -> Iterable[str]:
        for who, value in values.items():
            tenant, _, cluster = who.partition("#")
            labels = (
                f'{self._constant},cluster="{cluster}",{before}logicSchema="",'
                f'logicTenant="{self._application}",{after}tenant="{tenant}",vip=""'
            )
            yield f"{name}{{{labels}}} {value:.6f}"


def _header(name: str, text: str, kind: str) -> Iterable[str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
