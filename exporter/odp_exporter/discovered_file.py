"""Remembers discovered ODPs over a restart of the exporter, in its state directory.

Without it, an exporter that is restarted while an ODP is dead would know
nothing of that ODP. If the file cannot be read or written, that is logged, and
what is lost is only the memory of what is dead right now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import structlog
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from .files import FileError, FileMissing, read, replace
from .inventory import Discovered, Sighting
from .settings import STRICT
from .targets import Ocp, Target

log = structlog.get_logger()

NAME = "discovered.json"


@dataclass(frozen=True, slots=True, config=STRICT)
class _Contents:
    odps: tuple[Target, ...] = ()
    ocps: tuple[Ocp, ...] = ()


_CONTENTS = TypeAdapter(_Contents)


def encode(discovered: Discovered) -> bytes:
    """The bytes of the file; when an ODP was last seen is not among them."""
    contents = {"odps": [_odp(target) for target in discovered.odps], "ocps": [_ocp(ocp) for ocp in discovered.ocps]}
    return json.dumps(contents, indent=1).encode("ascii")


def decode(content: bytes, now: datetime) -> Discovered:
    """What *content* holds, as if it had been seen *now*; a ValueError if it makes no sense."""
    contents = _CONTENTS.validate_python(json.loads(content))
    return Discovered(tuple(Sighting(target, now) for target in contents.odps), contents.ocps)


def _odp(target: Target) -> Mapping[str, str]:
    known = {"name": target.name, "address": str(target.address), "home": target.home and str(target.home)}
    return {key: value for key, value in known.items() if value}


def _ocp(ocp: Ocp) -> Mapping[str, str]:
    known = {"name": ocp.name, "url": str(ocp.url), "http_proxy": ocp.http_proxy and str(ocp.http_proxy)}
    return {key: value for key, value in known.items() if value}


class DiscoveredFile:
    """The file, or nothing at all when there is no state directory."""

    def __init__(self, directory: Path | None) -> None:
        self._path = directory / NAME if directory else None
        self._saved = b""

    def load(self, now: datetime) -> Discovered:
        """What was saved last; nothing if that cannot be read."""
        if self._path is None:
            return Discovered()
        try:
            return decode(read(self._path).content, now)
        except FileMissing:
            return Discovered()
        except (FileError, ValueError, RecursionError) as error:
            reason = "not written by this release" if isinstance(error, ValueError | RecursionError) else str(error)
            log.warning("discovered ODPs of an earlier run forgotten", file=str(self._path), reason=reason)
            return Discovered()

    def save(self, discovered: Discovered) -> None:
        """Replace the file if there is anything new in it; a failure is tried again the next time."""
        content = encode(discovered)
        if self._path is None or content == self._saved:
            return
        try:
            replace(self._path, content)
        except FileError as error:
            log.warning("discovered ODPs not saved", reason=str(error))
            return
        self._saved = content
