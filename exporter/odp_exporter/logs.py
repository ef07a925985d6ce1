"""How the programs log: events with fields, one line each, on standard error."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum

import structlog

Processors = tuple[structlog.typing.Processor, ...]


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


def configure(level: LogLevel, log_format: LogFormat) -> None:
    """Set up logging for the whole program; call it once, first."""
    named: Processors = (structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", key="ts"))
    renderer: structlog.typing.Processor = structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"])
    if log_format is LogFormat.JSON:
        renderer = structlog.processors.JSONRenderer()
    rendered: Processors = (structlog.processors.format_exc_info, renderer)
    structlog.configure(
        processors=[*named, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    _adopt_libraries(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*named, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        ),
        logging.ERROR if level is LogLevel.ERROR else logging.WARNING,
    )


def _adopt_libraries(formatter: logging.Formatter, level: int) -> None:
    """Write what libraries have to say, asyncio about a callback that failed above all, as our own lines look."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level)
    # It logs requests that break its parser; they are the client's fault, not an error of ours.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
