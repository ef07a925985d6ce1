"""How the programs log: events with fields, one line each, on standard error.

A thread of its own writes, so that a reader that stalls or a disk that is full
costs lines of the log and nothing else.
"""

from __future__ import annotations

import atexit
import logging
import sys
from contextlib import suppress
from enum import StrEnum
from queue import Full, Queue
from threading import Thread
from typing import TextIO

import structlog

Processors = tuple[structlog.typing.Processor, ...]


LINES_WAITING = 10_000
"""How many lines may wait to be written; further ones are lost."""
_LAST_WORDS_SECONDS = 2.0


class LogFormat(StrEnum):
    """How a line looks."""

    LOGFMT = "logfmt"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important events that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class Writer:
    """A text stream that never waits and never fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: Queue[str | None] = Queue(LINES_WAITING)
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Write *line* soon."""
        with suppress(Full):
            self._lines.put_nowait(line)

    def flush(self) -> None:
        """Each line is flushed by itself."""

    def close(self) -> None:
        """Write what waits, if that is possible at all."""
        with suppress(Full):
            self._lines.put_nowait(None)
        self._thread.join(_LAST_WORDS_SECONDS)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            # There is nobody to tell that nobody can be told.
            with suppress(OSError, ValueError):
                self._stream.write(line)
                self._stream.flush()


def configure(level: LogLevel, log_format: LogFormat) -> None:
    """Set up logging for the whole program; call it once, first."""
    named: Processors = (structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", key="ts"))
    writer = Writer(sys.stderr)
    atexit.register(writer.close)
    renderer: structlog.typing.Processor = structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"])
    if log_format is LogFormat.JSON:
        renderer = structlog.processors.JSONRenderer()
    rendered: Processors = (structlog.processors.format_exc_info, renderer)
    structlog.configure(
        processors=[*named, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(writer),  # type: ignore[arg-type]  # it only writes and flushes
    )
    _adopt_libraries(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*named, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        ),
        writer,
        logging.ERROR if level is LogLevel.ERROR else logging.WARNING,
    )


def _adopt_libraries(formatter: logging.Formatter, writer: Writer, level: int) -> None:
    """Write what libraries have to say, asyncio about a callback that failed above all, as our own lines look."""
    handler = logging.StreamHandler(writer)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level)
    # It logs requests that break its parser; they are the client's fault, not an error of ours.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
