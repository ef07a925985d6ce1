"""Pushes the firing alerts to every Alertmanager: at once when they change, and again while they last.

Nothing is queued: each push says all that fires at its time, so an
Alertmanager that was away misses only time. One that does not answer is tried
again, ever more rarely, and holds up no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
import structlog
from pydantic.dataclasses import dataclass

from odp_exporter.clock import Clock
from odp_exporter.settings import STRICT, Duration, Interval
from odp_exporter.store import PushTally
from odp_exporter.targets import Labels

from .alerts import Alert, Outlook
from .told import Told

log = structlog.get_logger()

FIRST_RETRY = timedelta(milliseconds=500)
_PATH = "/api/v2/alerts"


@dataclass(frozen=True, slots=True, config=STRICT)
class NotifySettings:
    """How alerts are pushed to the `alertmanagers`."""

    resend_interval: Interval = timedelta(seconds=5)
    """From one push of the same alerts to the next, and the longest pause between two tries."""
    end_after: Duration = timedelta(seconds=15)
    """From the recovery to the word that it is over. Longer than Prometheus needs to see the recovery (scrape and
    evaluation interval), or it contradicts, and one outage becomes two notifications; and shorter than the group_wait
    of people's routes, or they hear of what was over at once."""
    expire_after: Duration = timedelta(minutes=1)
    """When an alert ends of which nobody says any more that it fires or is over: the exporter has died, or does not
    know. Longer than the other two, or alerts would expire while they are said."""
    timeout: Duration = timedelta(seconds=2)
    """For one push."""
    external_labels: Labels = field(default_factory=dict)
    """Prometheus' `external_labels`, as far as its `alert_relabel_configs` let them through to Alertmanager."""


class Pusher:
    """Tells one Alertmanager."""

    def __init__(self, url: str, settings: NotifySettings, session: aiohttp.ClientSession, tally: PushTally) -> None:
        self._url = url.rstrip("/") + _PATH
        self._name = name_of(url)
        self._settings = settings
        self._session = session
        self._tally = tally
        self._failures = 0
        self._told = Told()

    async def run(self, look: Callable[[], Outlook], changed: asyncio.Event, clock: Clock) -> None:
        """Push until cancelled what fires at each *look*, and what is over; *changed* hurries."""
        while True:
            changed.clear()
            seen, moment = look(), _moment()
            self._told = self._told.after(seen, moment, self._settings.expire_after)
            over = self._told.over(moment, self._settings.end_after)
            if seen.firing or over:
                await self._tell(seen.firing, over, clock())
            else:
                self._failures = 0
            await self._pause(changed)

    async def _tell(self, firing: Iterable[Alert], over: Collection[Alert], now: datetime) -> None:
        body = [*self._body(firing, now), *self._body(over, now, is_over=True)]
        failure = await self._failure_of(body)
        if failure and not self._failures:
            log.warning("alerts not pushed", alertmanager=self._name, reason=failure, alerts=len(body))
        elif self._failures and not failure:
            log.info("alerts pushed again", alertmanager=self._name, failed=self._failures)
        self._tally.add(len(body), is_ok=not failure)
        if failure:
            self._failures += 1
        else:
            self._failures = 0
            self._told = self._told.without(over)

    async def _pause(self, changed: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(pause(self._told, _moment(), self._failures, self._settings).total_seconds()):
                await changed.wait()
        except TimeoutError:
            return  # nothing new: say it again

    async def _failure_of(self, body: Sequence[Mapping[str, object]]) -> str:
        """Why a push failed; empty when it did not."""
        try:
            async with asyncio.timeout(self._settings.timeout.total_seconds()):
                reply = await self._session.post(self._url, json=body, allow_redirects=False)
                async with reply:
                    return "" if reply.status // 100 == 2 else f"HTTP status {reply.status}"  # noqa: PLR2004 - any 2xx
        except TimeoutError:
            return "no answer in time"
        except (aiohttp.ClientError, OSError) as error:
            return f"{type(error).__name__}: {getattr(error, 'strerror', None) or 'broken connection'}".lower()
        except ValueError as error:
            # Resolving a host name that cannot be raises it; its text may quote the URL.
            return f"no request could be made ({type(error).__name__})"

    def _body(self, alerts: Iterable[Alert], now: datetime, *, is_over: bool = False) -> list[Mapping[str, object]]:
        ends = (now if is_over else now + self._settings.expire_after).isoformat()
        return [
            {
                "labels": alert.labels(self._settings.external_labels),
                "annotations": alert.annotations,
                "startsAt": min(alert.since, now).isoformat(),
                "endsAt": ends,
            }
            for alert in alerts
        ]


def pause(told: Told, now: timedelta, failures: int, settings: NotifySettings) -> timedelta:
    """How long to wait for the next push, after so many *failures* in a row."""
    if not failures:
        return told.wait(now, settings.end_after, settings.resend_interval)
    # Even if an end is due: what could not be told is due all the time.
    return min(settings.resend_interval, FIRST_RETRY * 2.0 ** min(failures - 1, 16))


def _moment() -> timedelta:
    """Now, by a clock that nobody sets."""
    return timedelta(seconds=asyncio.get_running_loop().time())


def name_of(url: str) -> str:
    """Host and port of an Alertmanager's *url*: what a metric or log may show of it."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2]
