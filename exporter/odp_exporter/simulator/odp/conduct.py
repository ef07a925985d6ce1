"""How the look-alike behaves right now, as faults have it; shared by the event loop and the control thread."""

from __future__ import annotations

import threading

from .faults import Fault


class Conduct:
    """Blameless until a fault strikes."""

    def __init__(self) -> None:
        self.greeting: tuple[Fault, float] | None = None
        """What new clients get in place of the greeting, and its seconds."""
        self.is_frozen = False
        """The memory limit is reached: connections are accepted and nothing else."""
        self.is_draining = False
        """Told to stop by SIGUSR1: sessions go on, nothing new begins."""
        self._runs = threading.Event()
        self._runs.set()
        self._hangs = threading.Event()

    def hang(self) -> None:
        """Called in the event loop: stop it until `release`."""
        self._runs.clear()
        self._hangs.set()
        self._runs.wait()

    def await_hang(self, timeout_seconds: float) -> None:
        """Called in another thread: come back once the event loop stands still."""
        self._hangs.wait(timeout_seconds)

    def release(self) -> None:
        """Be blameless again."""
        self.greeting = None
        self.is_frozen = False
        self._hangs.clear()
        self._runs.set()
