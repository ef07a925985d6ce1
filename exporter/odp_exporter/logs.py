"""How the programs log: events with fields, one line each, on standard error."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum

import structlog


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
    renderer: structlog.typing.Processor = structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"])
    if log_format is LogFormat.JSON:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", key="ts"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # aiohttp logs requests that break its parser; they are the client's fault, not an error of ours.
    logging.basicConfig(stream=sys.stderr, level=logging.CRITICAL)
