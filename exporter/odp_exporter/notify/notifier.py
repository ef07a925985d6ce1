"""One pusher per Alertmanager of the configuration in use, for as long as it is in use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp

from odp_exporter.clock import Clock
from odp_exporter.store import Store

from .alerts import Outlook, outlook
from .pusher import NotifySettings, Pusher, name_of


class Notifier:
    """Tells all Alertmanagers what fires in *store*."""

    def __init__(self, store: Store, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._store = store
        self._session = session
        self._clock = clock
        self._urls: Sequence[str] = ()
        self._settings = NotifySettings()
        self._is_new = asyncio.Event()
        self._changed: list[asyncio.Event] = []
        store.on_verdict = self._tell

    def apply(self, alertmanagers: Sequence[str], settings: NotifySettings) -> None:
        """From now on push to these *alertmanagers*."""
        if (alertmanagers, settings) == (self._urls, self._settings):
            return
        self._urls, self._settings = alertmanagers, settings
        self._store.keep_pushes(map(name_of, alertmanagers))
        self._is_new.set()

    async def run(self) -> None:
        """Push until cancelled."""
        while True:
            self._is_new.clear()
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._push(self._pusher(url)), name=f"push {name_of(url)}") for url in self._urls
                ]
                await self._is_new.wait()
                for task in tasks:
                    task.cancel()

    def _pusher(self, url: str) -> Pusher:
        return Pusher(url, self._settings, self._session, self._store.pushes[name_of(url)])

    async def _push(self, pusher: Pusher) -> None:
        changed = asyncio.Event()
        self._changed.append(changed)
        try:
            await pusher.run(self._look, changed, self._clock)
        finally:
            self._changed.remove(changed)

    def _look(self) -> Outlook:
        return outlook(self._store.odps.values(), self._clock())

    def _tell(self) -> None:
        for changed in self._changed:
            changed.set()
