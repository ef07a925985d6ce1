"""The look-alike's own back door: `run/control.sock` in its home, one JSON object per line each way.

    {"fault": "hang", "seconds": 0}    {"ok": true}
    {"clear": true}                    {"ok": true}
    {"status": true}                   {"ok": true, "pid": 4711, "connections": 2, ...}

It is served by a thread of its own, so that a hung event loop can be let go.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from .faults import Fault

SOCKET = Path("run/control.sock")
"""Relative to the home of the ODP, as longer paths than 107 bytes cannot be bound."""

_TIMEOUT_SECONDS = 5.0

Reply = dict[str, bool | int | float | str]
"""What a request is answered with."""


class Control:
    """Serves requests until the process ends; *strike*, *clear* and *status* are called in its thread."""

    def __init__(
        self, strike: Callable[[Fault, float], None], clear: Callable[[], None], status: Callable[[], Reply]
    ) -> None:
        self._strike = strike
        self._clear = clear
        self._status = status

    def start(self, home: Path) -> None:
        """Bind the socket in *home*, which is the working directory, and serve it."""
        (home / SOCKET.parent).mkdir(exist_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        fresh = SOCKET.with_suffix(f".{os.getpid()}")
        fresh.unlink(missing_ok=True)
        listening.bind(str(fresh))
        listening.listen()
        fresh.rename(SOCKET)
        threading.Thread(target=self._serve, args=(listening,), name="control", daemon=True).start()

    def _serve(self, listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(_TIMEOUT_SECONDS)
                with connection.makefile("rw") as stream:
                    stream.write(json.dumps(self._answer(stream.readline())) + "\n")

    def _answer(self, line: str) -> Reply:
        try:
            request = json.loads(line)
            if "fault" in request:
                self._strike(Fault(request["fault"]), float(request.get("seconds", 0)))
            elif "clear" in request:
                self._clear()
            return {"ok": True, **self._status()}
        except (ValueError, TypeError) as error:
            return {"ok": False, "error": str(error)}
