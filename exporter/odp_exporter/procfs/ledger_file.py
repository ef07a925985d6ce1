"""The ledger of restarts on disk: what must outlive the exporter.

One JSON file in the state directory, replaced as a whole and only when it
changed. A file that cannot be understood is set aside as `*.corrupt` and a
new one begun; without a directory that can be written, the ledger lives in
memory only and says so. One exporter at a time is expected to keep it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import structlog
from pydantic import TypeAdapter

from odp_exporter import files

from .cores import Tally
from .logfiles import Position
from .restarts import Account

NAME = "restarts.json"
_MAX_BYTES = 16 * 1024 * 1024
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger holds of one ODP."""

    account: Account = field(default_factory=Account)
    home: Path | None = None
    """Where its logs were; those of another home are read anew."""
    main: Position | None = None
    """Where obproxy.log ended when the present life was first seen."""
    diagnosis: Position | None = None
    """How far obproxy_diagnosis.log is read."""
    version: str | None = None
    cores: Tally = field(default_factory=Tally)
    is_hot: bool = False
    """At the last look a hot restart was under way: what its parent says is not its child's."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The whole file."""

    version: Literal[1] = 1
    """Of the file's format."""
    odps: dict[str, Record] = field(default_factory=dict)
    """By the target's name."""


_CODEC = TypeAdapter(Ledger)


def encode(ledger: Ledger) -> bytes:
    """The bytes of the file."""
    # A path may hold bytes that are no text: better a path that is not found again than a ledger that is not read.
    return json.dumps(_CODEC.dump_python(ledger, mode="json"), ensure_ascii=False).encode(errors="replace")


def decode(content: bytes) -> Ledger:
    """The ledger that *content* holds; a ValueError if it is none, or one of a newer release."""
    try:
        return _CODEC.validate_python(json.loads(content))
    except RecursionError as error:
        message = "nested too deeply"
        raise ValueError(message) from error


def read(directory: Path) -> Ledger:
    """The ledger that another process keeps in *directory*; a FileError or ValueError if it cannot be read."""
    return decode(files.read(directory / NAME, limit=_MAX_BYTES).content)


class LedgerFile:
    """The records of all ODPs that were ever watched from here."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._records: dict[str, Record] = {}
        self._is_dirty = False
        self.trouble: str | None = None
        """Why restart counts would not survive the exporter, or None if they would."""
        if directory is None:
            self.trouble = "restart counts: kept in memory only, for there is no state directory"
        else:
            self._open(directory / NAME)

    def record(self, target: str) -> Record:
        """What is known of *target*."""
        return self._records.get(target, Record())

    def keep(self, target: str, record: Record) -> None:
        """Replace what is known of *target*, on disk as well if anything changed that cannot be learnt again."""
        known = self.record(target)
        self._records[target] = record
        # How far a log was read changes all the time, and reading a part of it twice does no harm.
        if replace(record, diagnosis=known.diagnosis) != known:
            self._is_dirty = True
        if self._is_dirty and self._directory is not None:
            self._write(self._directory / NAME)

    def _open(self, path: Path) -> None:
        try:
            content = files.read(path, limit=_MAX_BYTES).content
            self._records = decode(content).odps
        except files.FileMissing:
            self._write(path)
        except (files.FileUnusable, ValueError) as error:
            self._set_aside(path, error)
        except files.FileForbidden as error:
            self._lose(path, error)
            # What may not even be read is somebody else's.
            self._directory = None
        else:
            # Found out now rather than at the first restart.
            self._write(path)

    def _set_aside(self, path: Path, error: Exception) -> None:
        aside = path.with_name(f"{NAME}.corrupt")
        reason = "not a ledger of this release" if isinstance(error, ValueError) else str(error)
        log.warning("restart ledger set aside", path=str(path), aside=str(aside), reason=reason)
        try:
            path.replace(aside)
        except OSError as refusal:
            self._lose(path, refusal)
            return
        self._write(path)

    def _write(self, path: Path) -> None:
        try:
            files.replace(path, encode(Ledger(odps=self._records)))
        except files.FileError as error:
            self._lose(path, error)
            return
        self._is_dirty = False
        if self.trouble:
            log.info("restart ledger written again", path=str(path))
        self.trouble = None

    def _lose(self, path: Path, error: Exception) -> None:
        if self.trouble is None:
            log.warning("restart ledger not written", path=str(path), reason=str(error))
        self.trouble = f"restart counts: kept in memory only ({error})"
