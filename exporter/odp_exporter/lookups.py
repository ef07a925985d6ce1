"""Blocking look-ups, such as those of names, in a few threads of their own.

However many ask for a name, it is looked up once at a time, and stands in the
queue but once. The threads come and go with what there is to look up. They are
daemons: a name server that is silent keeps no program from ending.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Generic, TypeVar

V = TypeVar("V")


class Lookup(Future[V]):
    """One look-up, for all who wait for it; none of them can cancel it."""

    is_slow = False
    """Somebody has waited for it in vain already."""


class NoLongerWanted(Exception):
    """The look-up was let go of before its turn came."""


class Lookups(Generic[V]):
    """Looks up so many names *at_a_time*; the others wait in turn."""

    def __init__(self, look_up: Callable[[str], V], *, at_a_time: int) -> None:
        self._look_up = look_up
        self._at_a_time = at_a_time
        self._lock = threading.Lock()
        self._present: dict[str, Lookup[V]] = {}
        self._queue: deque[str] = deque()
        self._threads = 0

    def of(self, name: str) -> Lookup[V]:
        """The present look-up of *name*, or else a new one."""
        with self._lock:
            lookup = self._present.get(name)
            if lookup is None:
                lookup = self._present[name] = Lookup()
                lookup.set_running_or_notify_cancel()
                self._queue.append(name)
            if self._queue and self._threads < self._at_a_time:
                threading.Thread(target=self._work, name="resolver", daemon=True).start()
                self._threads += 1
            return lookup

    def keep(self, names: Collection[str]) -> None:
        """Let go of all that wait for their turn but these."""
        with self._lock:
            dropped = [name for name in self._queue if name not in names]
            self._queue = deque(name for name in self._queue if name in names)
            lookups = [self._present.pop(name) for name in dropped]
        for lookup in lookups:
            lookup.set_exception(NoLongerWanted())

    def _work(self) -> None:
        while (name := self._next()) is not None:
            try:
                found = self._look_up(name)
            except BaseException as error:  # noqa: BLE001 - it goes to those who wait
                self._ended(name).set_exception(error)
            else:
                self._ended(name).set_result(found)

    def _next(self) -> str | None:
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            self._threads -= 1
            return None

    def _ended(self, name: str) -> Lookup[V]:
        # Whoever asks from now on gets a new one.
        with self._lock:
            return self._present.pop(name)
