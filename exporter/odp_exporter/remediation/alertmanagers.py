"""Alertmanager's own API (v2), of all Alertmanagers: what fires there now, and what is silenced.

It makes up for webhooks that were lost, and is the authority for silences: a
suppressed alert means hands off (S16). It sends nothing there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp

from odp_exporter.clock import Clock
from odp_exporter.settings import redacted

from .model import Alert
from .payload import Malformed, Scope, alert_of, moment

TIMEOUT = timedelta(seconds=3)
MAX_BYTES = 64 * 1024 * 1024
_ALERTS = "api/v2/alerts"
_FILTERS = (
    ("active", "true"),
    ("silenced", "true"),
    ("inhibited", "true"),
    ("unprocessed", "true"),
    ("filter", 'remediation=~".+"'),
)


class Unanswered(Exception):
    """An Alertmanager gave no answer that we can use."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An alert that fires in an Alertmanager."""

    alert: Alert
    is_suppressed: bool
    """Silenced or inhibited."""


@dataclass(frozen=True, slots=True)
class View:
    """What the Alertmanagers say together."""

    seen: Mapping[str, Seen]
    """By key; suppressed if any of them says so, for silences spread."""
    gaps: tuple[str, ...] = ()
    """Which of them did not answer, and why."""
    answered: int = 0

    @property
    def is_complete(self) -> bool:
        """Each of them has answered, and there is at least one."""
        return not self.gaps and self.answered > 0


class Alertmanagers:
    """All Alertmanagers that the configuration names."""

    def __init__(self, urls: Sequence[str], session: aiohttp.ClientSession, scope: Scope, clock: Clock) -> None:
        self.urls = urls
        self._session = session
        self._scope = scope
        self._clock = clock

    async def view(self) -> View:
        """Ask all of them at once; never raises."""
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._answer(url), name=f"ask {redacted(url)}") for url in self.urls]
        answers = [task.result() for task in asked]
        lists = [answer for answer in answers if not isinstance(answer, str)]
        gaps = tuple(answer for answer in answers if isinstance(answer, str))
        return View(_merged(lists), gaps, len(lists))

    async def is_silenced(self, alerts: Iterable[Alert]) -> tuple[bool | None, tuple[str, ...]]:
        """Those of *alerts* that fire are suppressed; None if nobody answers. And what could not be had.

        Also None if they fire nowhere: an Alertmanager that has just started has its silences, and no alerts until
        Prometheus says them again.
        """
        keys = [alert.key for alert in alerts]
        if not self.urls or not keys:
            return False, ()
        view = await self.view()
        if not view.answered:
            return None, view.gaps
        seen = [view.seen[key] for key in keys if key in view.seen]
        if not seen:
            return None, (*view.gaps, "alertmanager: the alert fires nowhere")
        return all(one.is_suppressed for one in seen), view.gaps

    async def _answer(self, url: str) -> list[Seen] | str:
        try:
            return await self._ask(url)
        except Unanswered as error:
            return f"alertmanager {redacted(url)}: {error}"

    async def _ask(self, url: str) -> list[Seen]:
        try:
            async with (
                asyncio.timeout(TIMEOUT.total_seconds()),
                self._session.get(f"{url.rstrip('/')}/{_ALERTS}", params=_FILTERS, allow_redirects=False) as reply,
            ):
                if reply.status != 200:  # noqa: PLR2004 - HTTP's own number
                    message = f"HTTP status {reply.status}"
                    raise Unanswered(message)
                body = await read_bounded(reply.content, MAX_BYTES)
        except TimeoutError as error:
            message = f"no answer within {TIMEOUT.total_seconds():g}s"
            raise Unanswered(message) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unanswered(str(error) or type(error).__name__) from error
        return _parsed(body, self._scope, self._clock())


async def read_bounded(stream: aiohttp.StreamReader, limit: int) -> bytes:
    """All of *stream*; an Unanswered if that is more than *limit* bytes."""
    parts, size = [], 0
    async for part in stream.iter_any():
        parts.append(part)
        size += len(part)
        if size > limit:
            message = f"more than {limit} bytes"
            raise Unanswered(message)
    return b"".join(parts)


def _parsed(body: bytes, scope: Scope, now: datetime) -> list[Seen]:
    try:
        items = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unanswered("not JSON") from error
    if not isinstance(items, list):
        raise Unanswered("not a list of alerts")
    return [seen for item in items if (seen := _seen(item, scope, now))]


def _seen(item: object, scope: Scope, now: datetime) -> Seen | None:
    match item:
        case {"labels": dict(labels), "status": {"state": str(state)}, "startsAt": since}:
            texts = {name: value for name, value in labels.items() if isinstance(name, str) and isinstance(value, str)}
            try:
                alert = alert_of(texts, moment(since, now), scope)
            except Malformed as error:
                raise Unanswered(str(error)) from error
            return Seen(alert, state == "suppressed") if alert else None
        case _:
            raise Unanswered("an alert without labels, state or beginning")


def _merged(lists: Iterable[Iterable[Seen]]) -> dict[str, Seen]:
    merged: dict[str, Seen] = {}
    for seen in (one for each in lists for one in each):
        known = merged.get(seen.alert.key)
        merged[seen.alert.key] = Seen(seen.alert, seen.is_suppressed or (known is not None and known.is_suppressed))
    return merged
