"""Remembers discovered ODPs over a restart of the exporter, in its state directory.

Without it, an exporter that is restarted while an ODP is dead would know
nothing of that ODP. If the file cannot be read or written, that is logged, and
what is lost is only the memory of what is dead right now.

For how long an ODP has been gone is among it, else one that was taken away for
good would stay a target for ever wherever the exporter is restarted now and then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import structlog
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from .files import FileError, FileMissing, read, replace
from .inventory import Discovered, Sighting
from .settings import STRICT, AbsolutePath, Duration, format_duration
from .targets import AddressField, Name, Ocp, Target

log = structlog.get_logger()

NAME = "discovered.json"


GRAIN = timedelta(minutes=10)
"""For how long something has been gone is saved in whole ones, so that not each look writes the file."""


@dataclass(frozen=True, slots=True, config=STRICT)
class _Odp:
    name: Name
    address: AddressField
    home: AbsolutePath | None = None
    gone_for: Duration = timedelta()

    def sighting(self) -> Sighting:
        return Sighting(Target(self.name, self.address, self.home), self.gone_for)


@dataclass(frozen=True, slots=True, config=STRICT)
class _Contents:
    odps: tuple[_Odp, ...] = ()
    ocps: tuple[Ocp, ...] = ()


_CONTENTS = TypeAdapter(_Contents)


def encode(discovered: Discovered) -> bytes:
    """The bytes of the file."""
    contents = {"odps": [_odp(it) for it in discovered.sightings], "ocps": [_ocp(ocp) for ocp in discovered.ocps]}
    return json.dumps(contents, indent=1).encode("ascii")


def decode(content: bytes) -> Discovered:
    """What *content* holds; a ValueError if it makes no sense."""
    contents = _CONTENTS.validate_python(json.loads(content))
    return Discovered(tuple(odp.sighting() for odp in contents.odps), contents.ocps)


def _odp(sighting: Sighting) -> Mapping[str, str]:
    target, gone_for = sighting.target, sighting.gone_for // GRAIN * GRAIN
    known = {
        "name": target.name,
        "address": str(target.address),
        "home": target.home and str(target.home),
        "gone_for": gone_for and format_duration(gone_for),
    }
    return {key: value for key, value in known.items() if value}


def _ocp(ocp: Ocp) -> Mapping[str, str]:
    known = {"name": ocp.name, "url": str(ocp.url), "http_proxy": ocp.http_proxy and str(ocp.http_proxy)}
    return {key: value for key, value in known.items() if value}


class DiscoveredFile:
    """The file, or nothing at all when there is no state directory."""

    def __init__(self, directory: Path | None) -> None:
        self._path = directory / NAME if directory else None
        self._saved = b""

    def load(self) -> Discovered:
        """What was saved last; nothing if that cannot be read."""
        if self._path is None:
            return Discovered()
        try:
            return decode(read(self._path).content)
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
