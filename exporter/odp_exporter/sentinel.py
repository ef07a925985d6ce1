"""Signs of trouble that this host gives for free: a process that ends, clients whom nobody accepts.

They prove nothing by themselves. Each one has the ODP greeted at once, and
while clients wait, with less patience: a healthy ODP answers in a millisecond.
It holds pidfds in the event loop and signals no process.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Collection, Mapping
from typing import Self

from .observations import HostObservation, Identity

DOUBTFUL_LOOKS = 2
"""Looks in a row with clients in the accept queue; a single one is a client that has just come."""
CALM_SECONDS = 1.0
"""Between two alarms for the same queue: a busy ODP that is well is not to be greeted at every wave of clients."""


class Sentinel:
    """Watches the processes and the accept queues of this host's ODPs."""

    def __init__(self, alarm: Callable[[str], None]) -> None:
        self._alarm = alarm
        """Called with the name of an ODP that is to be greeted now."""
        self._pidfds: dict[tuple[str, Identity], int] = {}
        self._waiting: dict[str, int] = {}
        self._unheard: set[str] = set()
        """Doubted ODPs for which no alarm has been given yet."""
        self._alarmed: dict[str, float] = {}
        """When the last alarm for a queue was given."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._pidfds):
            self._let_go(key)

    def is_doubted(self, name: str) -> bool:
        """Clients wait for the ODP to accept them."""
        return self._waiting.get(name, 0) >= DOUBTFUL_LOOKS

    @property
    def is_wondering(self) -> bool:
        """Clients wait somewhere who may have just come: another look would tell."""
        return any(looks < DOUBTFUL_LOOKS for looks in self._waiting.values())

    def guard(self, seen: HostObservation) -> None:
        """From now on tell when one of the processes *seen* ends."""
        present = {(seen.target, process.identity) for process in seen.processes}
        for key in [key for key in self._pidfds if key[0] == seen.target and key not in present]:
            self._let_go(key)
        for key in present - self._pidfds.keys():
            self._hold(key)

    def keep(self, names: Collection[str]) -> None:
        """Forget all ODPs but those named."""
        for key in [key for key in self._pidfds if key[0] not in names]:
            self._let_go(key)
        self._waiting = {name: looks for name, looks in self._waiting.items() if name in names}
        self._alarmed = {name: at for name, at in self._alarmed.items() if name in names}

    def weigh(self, queues: Mapping[str, int], now: float) -> None:
        """Take in how many clients wait in each accept queue at *now*, in seconds of a clock that never steps."""
        before = self._waiting
        self._waiting = {name: before.get(name, 0) + 1 for name, waiting in queues.items() if waiting}
        self._unheard |= {name for name, looks in self._waiting.items() if looks == DOUBTFUL_LOOKS}
        self._unheard &= self._waiting.keys()
        for name in [name for name in self._unheard if now - self._alarmed.get(name, -math.inf) >= CALM_SECONDS]:
            self._unheard.discard(name)
            self._alarmed[name] = now
            self._alarm(name)

    def _hold(self, key: tuple[str, Identity]) -> None:
        # A pid that has changed hands meanwhile costs one greeting too many, later.
        try:
            fd = os.pidfd_open(key[1].pid)
        except (OSError, AttributeError):
            return  # gone already, or a kernel before 5.3: the next look at the host tells
        self._pidfds[key] = fd
        asyncio.get_running_loop().add_reader(fd, self._ended, key)

    def _ended(self, key: tuple[str, Identity]) -> None:
        self._let_go(key)
        self._alarm(key[0])

    def _let_go(self, key: tuple[str, Identity]) -> None:
        fd = self._pidfds.pop(key)
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)
