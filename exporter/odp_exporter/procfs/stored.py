"""The files in which an ODP keeps its parameters, read without ever standing in its way.

ODP takes an exclusive lock on proxyconfig_v1.db when it starts, and gives up
after a second if it cannot have it (odp-facts 3.4). So the bytes are copied
with plain reads, which neither take nor respect locks, and the copy is what
sqlite opens. A copy that may be torn by a write shows in the file's stamp or
in a rollback journal beside it; it is made once more, and not trusted over an
earlier one if that does not help.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from odp_exporter import files

from . import parameters
from .parameters import ParametersUnreadable

DATABASE = "etc/proxyconfig_v1.db"
"""Since 4.3; a file of this name without global values exists since 4.2.1."""
BINARY = "etc/obproxy_config.bin"
"""Up to 4.2.3; stale or absent later, so it is never asked where the database has values."""

_ATTEMPTS = 2
_Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class _Stamps:
    """What changes when the parameters do."""

    counter: bytes
    database: _Stamp
    journal: _Stamp
    """There while a transaction is being written."""
    binary: _Stamp


@dataclass(frozen=True, slots=True)
class Stored:
    """What the files in one home say."""

    values: Mapping[str, str] | None
    """None where they could not be read."""
    source: str = ""
    """The file, for a person."""
    problem: str = ""
    """Why they could not be read, for a person."""


class StoredParameters:
    """Reads the parameter files of any number of homes, each again only when it changed."""

    def __init__(self, decode: Callable[[bytes], bytes]) -> None:
        self._decode = decode
        """Opens obproxy_config.bin's container; raises ParametersUnreadable."""
        self._cached: dict[Path, tuple[_Stamps, Stored]] = {}

    def of(self, home: Path) -> Stored:
        """The stored values of the ODP at *home*."""
        stamps = _stamps(home)
        cached = self._cached.get(home)
        if cached and cached[0] == stamps:
            return cached[1]
        for _ in range(_ATTEMPTS):
            stamps, stored = _stamps(home), self._read(home)
            if stamps.journal is None and _stamps(home) == stamps:
                self._cached[home] = (stamps, stored)
                return stored
        return cached[1] if cached else stored

    def keep(self, homes: Collection[Path]) -> None:
        """Let go of all homes but these."""
        self._cached = {home: cached for home, cached in self._cached.items() if home in homes}

    def _read(self, home: Path) -> Stored:
        try:
            if values := _content(home / DATABASE, parameters.from_database):
                return Stored(values, DATABASE)
            if values := _content(home / BINARY, lambda content: parameters.from_text(self._decode(content))):
                return Stored(values, BINARY)
        except (files.FileError, ParametersUnreadable) as error:
            return Stored(None, problem=str(error))
        if not (home / "etc").is_dir():
            return Stored(None, problem=f"{home / 'etc'}: no such directory")
        return Stored({}, "defaults")


def _content(path: Path, parse: Callable[[bytes], Mapping[str, str]]) -> Mapping[str, str]:
    try:
        return parse(files.read(path).content)
    except files.FileMissing:
        return {}
    except ParametersUnreadable as error:
        message = f"{path}: {error}"
        raise ParametersUnreadable(message) from error


def _stamps(home: Path) -> _Stamps:
    return _Stamps(
        _change_counter(home / DATABASE),
        *(_stamp(home / name) for name in (DATABASE, f"{DATABASE}-journal", BINARY)),
    )


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    # ctime moves with every write, and with a chmod that lets us in.
    return status.st_ctime_ns, status.st_size, status.st_ino


def _change_counter(path: Path) -> bytes:
    """What sqlite counts up with every transaction: two may fall into one tick of the file system's clock."""
    try:
        return files.read_from(path, 24, limit=4).content
    except files.FileError:
        return b""
