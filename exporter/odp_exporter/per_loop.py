"""One of a kind for the running event loop."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(threading.local, Generic[T]):
    """Makes a new one whenever another loop runs in this thread; what was begun with the former one goes on there."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._loop: Callable[[], asyncio.AbstractEventLoop | None] = lambda: None

    def __call__(self) -> T:
        """The one of the running event loop."""
        loop = asyncio.get_running_loop()
        if self._loop() is not loop:
            self._loop, self._made = weakref.ref(loop), self._make()
        return self._made
