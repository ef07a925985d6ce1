"""Gathers from the store what is recent enough to judge an ODP by. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from .observations import OcpObservation, Server, oldest
from .settings import redacted
from .store import OdpRecord, Store
from .survival.verdict import Evidence, config_server_url


class _Dated(Protocol):
    @property
    def at(self) -> datetime: ...


Seen = TypeVar("Seen", bound=_Dated)


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often each part is observed."""

    host: timedelta
    cache: timedelta
    servers: timedelta | None
    """None while cached servers are not probed."""


class Present:
    """What the store knows at one moment and is not too old to count."""

    def __init__(self, store: Store, now: datetime, intervals: Intervals) -> None:
        self._hosts_since = oldest(now, intervals.host)
        self._caches_since = oldest(now, intervals.cache)
        self._reachable = None if intervals.servers is None else _reachable(store, oldest(now, intervals.servers))
        self._rounds: dict[str, OcpObservation | None] = {}
        for it in store.ocps.values():
            self._rounds.setdefault(redacted(it.ocp.url), _since(it.latest, oldest(now, it.ocp.interval)))

    def evidence(self, odp: OdpRecord) -> Evidence:
        """What is known of *odp*."""
        url = config_server_url(odp.host.parameters) if odp.host else None
        return Evidence(
            host=_since(odp.host, self._hosts_since),
            cache=_since(odp.cache, self._caches_since),
            ocp=None if url is None else self._rounds.get(url),
            reachable=self._reachable,
        )


def _reachable(store: Store, since: datetime) -> dict[Server, bool]:
    return {server: it.is_reachable for server, it in store.servers.items() if it.at >= since}


def _since(seen: Seen | None, since: datetime) -> Seen | None:
    return seen if seen is not None and seen.at >= since else None
