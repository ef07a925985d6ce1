"""Faults as they strike a running process (faults.py says what each one means)."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from .conduct import Conduct
from .faults import AT_START, OF_GREETING, Fault
from .logs import Logs
from .release import Release

_HANG_TIMEOUT_SECONDS = 5.0
_SUICIDE_SECONDS = 0.1
_FAKE_CORE = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x04\x00\x3e\x00" + bytes(4076)
"""Begins as an ELF core for x86-64 does."""


class Disaster:
    """Makes things go wrong in the process of the ODP in *home*."""

    def __init__(
        self, home: Path, release: Release, logs: Logs, conduct: Conduct, hot_restart: Callable[[], None]
    ) -> None:
        self._home = home
        self._release = release
        self._logs = logs
        self._conduct = conduct
        self._hot_restart = hot_restart
        self._loop = asyncio.get_running_loop()

    def strike(self, fault: Fault, seconds: float) -> None:
        """Called in any thread: let *fault* happen, after *seconds* unless they mean something else for it."""
        if fault in AT_START:
            message = f"only a start can show {fault.value!r} (write it to run/faults.json)"
            raise ValueError(message)
        if fault in OF_GREETING:
            self._conduct.greeting = (fault, seconds)
        elif seconds:
            timer = threading.Timer(seconds, self._happen, (fault,))
            timer.daemon = True
            timer.start()
        else:
            self._happen(fault)

    def _happen(self, fault: Fault) -> None:
        match fault:
            case Fault.HANG:
                self._loop.call_soon_threadsafe(self._conduct.hang)
                self._conduct.await_hang(_HANG_TIMEOUT_SECONDS)
            case Fault.FREEZE:
                self._reach_memory_limit()
            case Fault.CRASH:
                os.kill(os.getpid(), signal.SIGSEGV)
            case Fault.CORE:
                (self._home / f"core.{os.getpid()}").write_bytes(_FAKE_CORE)
                os.kill(os.getpid(), signal.SIGABRT)
            case Fault.OOM:
                os.kill(os.getpid(), signal.SIGKILL)
            case Fault.DRAIN:
                os.kill(os.getpid(), signal.SIGUSR1)
            case _:
                self._loop.call_soon_threadsafe(self._hot_restart)

    def _reach_memory_limit(self) -> None:
        where = "check_memory (ob_proxy_main.cpp:1060)"
        if self._release.lives_on_at_memory_limit:
            text = "obproxy's memory is out of limit, will disable alloc memory from the OS"
            self._logs.error("PROXY", where, text)
            self._conduct.is_frozen = True
            return
        # ODP's own spelling (odp-facts 7.5).
        self._logs.error("PROXY", where, "obproxy's memroy is out of limit, will be going to commit suicide")
        self._logs.error("PROXY", where, "obproxy will kill itself in seconds")
        self._loop.call_soon_threadsafe(self._loop.call_later, _SUICIDE_SECONDS, os._exit, 1)
