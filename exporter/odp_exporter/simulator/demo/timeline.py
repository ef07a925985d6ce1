"""One ODP's fault and what came of it, line by line, in the order in which it happened."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from textwrap import fill
from typing import Self

from odp_exporter.simulator.stack.site import Site

from .news import Alerts, Balancer, ExporterLog, History, News, Source
from .table import say

_LOOK_SECONDS = 0.03
_SETTLED_SECONDS = 0.5
"""So old is what is printed: a slower source may still have something to say from before."""


_WIDTH = 118
_INDENT = " " * 24


@dataclass(slots=True)
class Timeline:
    """What is said of one ODP from its fault on."""

    site: Site
    history: History
    sources: list[Source]
    began: float = 0.0
    _waiting: list[News] = field(default_factory=list)

    @classmethod
    async def of(cls, site: Site, odp: str) -> Self:
        """Nothing that was said before counts."""
        history = History(site, odp)
        it = cls(site, history, [ExporterLog(site, odp), Alerts(site, odp), history, Balancer(site, odp)])
        for source in it.sources:
            await source.news()
        return it

    @property
    def is_repaired(self) -> bool:
        """The remediator has put it back."""
        return any((each.action, each.outcome) == ("enable", "done") for each in self.history.records)

    @property
    def is_refused(self) -> bool:
        """The remediator has said why it will not."""
        return any(each.outcome == "refused" for each in self.history.records)

    def begins(self, text: str) -> None:
        """The fault was just now."""
        self.began = time.time()
        self._waiting.append(News(self.began, "", text))

    async def follow(self, is_over: Callable[[], bool], *, seconds: float) -> None:
        """Print what is said until it *is_over* and settled, or for so many *seconds*."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not is_over():
                    await self._look()
        settled = time.time() + 2 * _SETTLED_SECONDS
        while time.time() < settled:
            await self._look()
        self._print(until=time.time())
        self._summary()

    async def _look(self) -> None:
        for source in self.sources:
            self._waiting += await source.news()
        self._print(until=time.time() - _SETTLED_SECONDS)
        await asyncio.sleep(_LOOK_SECONDS)

    def _print(self, *, until: float) -> None:
        for each in sorted(each for each in self._waiting if each.at <= until):
            say(fill(f"{each.at - self.began:+7.2f} s  {each.source:13}{each.text}", _WIDTH, subsequent_indent=_INDENT))
        self._waiting = [each for each in self._waiting if each.at > until]

    def _summary(self) -> None:
        attempted, failed = self.site.client.attempted_since(self.began), self.site.client.failed_since(self.began)
        say(f"{'':11}{'clients':13}{attempted} connections through the balancer meanwhile, {failed} failed")
