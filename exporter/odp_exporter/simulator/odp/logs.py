"""ODP's log files: their line format, levels and files (odp-facts 7.8)."""

from __future__ import annotations

import os
import threading
from datetime import datetime
from pathlib import Path

from .release import Release

_LEVELS = ("ERROR", "WARN", "INFO", "EDIAG", "WDIAG", "TRACE", "DEBUG")


class Logs:
    """obproxy.log and obproxy_diagnosis.log under *home*."""

    def __init__(self, home: Path, release: Release) -> None:
        self._release = release
        self._main = _appended(home / "log" / "obproxy.log")
        self._diagnosis = _appended(home / "log" / "obproxy_diagnosis.log") if release.has_diagnosis_log else None
        self._level = "WDIAG"

    def limit_to(self, level: str) -> None:
        """Write nothing more verbose than *level* from now on (parameter syslog_level)."""
        self._level = level.upper() if level.upper() in _LEVELS else self._level

    def redirect_standard_streams(self) -> None:
        """Let stdout and stderr of a daemon end in obproxy.log."""
        os.dup2(self._main, 1)
        os.dup2(self._main, 2)

    def info(self, module: str, where: str, text: str) -> None:
        """A line of level INFO; *where* is `function (file:line)`."""
        self.write("INFO", module, where, text)

    def failure(self, module: str, where: str, text: str) -> None:
        """A line of level WDIAG, which releases before 4.2.3 call WARN."""
        self.write("WDIAG" if self._release.has_diagnosis_log else "WARN", module, where, text)

    def error(self, module: str, where: str, text: str) -> None:
        """A line of level ERROR."""
        self.write("ERROR", module, where, text)

    def write(self, level: str, module: str, where: str, text: str) -> None:
        """A line of obproxy.log, unless its level is more verbose than syslog_level."""
        if _LEVELS.index(level) <= _LEVELS.index(self._level):
            line = f"[{_now()}] {level:<5} [{module}] {where} {_thread()} [lt=0] [dc=0] {text}\n"
            os.write(self._main, line.encode())

    def diagnose(self, kind: str, text: str) -> None:
        """A line of obproxy_diagnosis.log, where the release has one."""
        if self._diagnosis is not None:
            os.write(self._diagnosis, f"[{_now()}] {_thread()} [{kind}]({text})\n".encode())


def _appended(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def _now() -> str:
    # ODP writes local time without a zone.
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f")  # noqa: DTZ005 - see above


def _thread() -> str:
    return f"[{threading.get_native_id()}][Y0-0000000000000000]"
