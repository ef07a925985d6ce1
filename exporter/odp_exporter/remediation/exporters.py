"""What the exporter beside an ODP says of it: GET /api/v1/odps/NAME."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import aiohttp

from odp_exporter.health import State
from odp_exporter.observations import Identity
from odp_exporter.settings import redacted
from odp_exporter.targets import Address, Target

from .alertmanagers import Unanswered, read_bounded
from .model import Report

TIMEOUT = timedelta(seconds=2)
MAX_BYTES = 1024 * 1024
MAX_REASONS = 20
"""It has one for each cluster and kind; more than these no person reads."""
DEFAULT_PORT = 9888


class Exporters:
    """Knows which exporter to ask about which ODP."""

    def __init__(self, urls: Mapping[str, str], session: aiohttp.ClientSession) -> None:
        self._urls = urls
        """By host, or by name of the ODP."""
        self._session = session

    def url(self, target: Target) -> str:
        """The exporter on the host of *target*, unless the configuration names another one."""
        host = target.address.host
        default = f"http://{Address(host, DEFAULT_PORT)}"
        return self._urls.get(target.name) or self._urls.get(host) or self._urls.get("default") or default

    async def report(self, target: Target) -> Report:
        """What is said of *target* now; Unanswered if nothing usable is."""
        base = self.url(target).rstrip("/")
        try:
            async with (
                asyncio.timeout(TIMEOUT.total_seconds()),
                self._session.get(f"{base}/api/v1/odps/{quote(target.name, safe='')}", allow_redirects=False) as reply,
            ):
                if reply.status != 200:  # noqa: PLR2004 - HTTP's own number
                    message = f"{redacted(base)}: HTTP status {reply.status}"
                    raise Unanswered(message)
                return parse(await read_bounded(reply.content, MAX_BYTES), target.name)
        except TimeoutError as error:
            message = f"{redacted(base)}: no answer within {TIMEOUT.total_seconds():g}s"
            raise Unanswered(message) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            message = f"{redacted(base)}: {error or type(error).__name__}"
            raise Unanswered(message) from error


def parse(body: bytes, odp: str) -> Report:
    """The report on *odp* in *body*."""
    try:
        return _report(json.loads(body), odp)
    except (ValueError, OverflowError, OSError, RecursionError) as error:
        raise Unanswered("no report that we understand") from error


def _report(value: object, odp: str) -> Report:
    match value:
        case {"name": name} if name != odp:
            raise ValueError("of another ODP")
        case {"at": int() | float() as at, "state": str(state), "restart_safe": bool() | None as safe, **rest}:
            return Report(
                datetime.fromtimestamp(at, UTC),
                State(state),
                safe,
                _reasons(rest.get("reasons")),
                rest.get("is_memory_frozen") is True,
                _processes(rest.get("processes")),
            )
        case {"at": None}:
            raise Unanswered("it has not looked yet")
        case _:
            raise ValueError("no report")


def _reasons(value: object) -> tuple[str, ...]:
    """Each once, though it may apply to many clusters."""
    return tuple(dict.fromkeys(map(_reason, value[:MAX_REASONS]))) if isinstance(value, list) else ()


def _processes(value: object) -> tuple[Identity, ...]:
    """None at all rather than some of them."""
    found = [_process(each) for each in value] if isinstance(value, list) else []
    known = tuple(each for each in found if each)
    return known if len(known) == len(found) else ()


def _process(value: object) -> Identity | None:
    match value:
        case {
            "boot_id": str(boot),
            "pid": int(pid),
            "start_ticks": int(ticks),
            "executable": str(executable),
        }:
            return Identity(boot, pid, ticks, executable)
        case _:
            return None


def _reason(value: object) -> str:
    match value:
        case {"reason": str(reason), "detail": str(detail)} if detail:
            return f"{_plain(reason)} ({_plain(detail)})"
        case {"reason": str(reason)}:
            return _plain(reason)
        case _:
            return "a reason that we do not understand"


def _plain(text: str) -> str:
    """As it may stand in a log, in one line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
