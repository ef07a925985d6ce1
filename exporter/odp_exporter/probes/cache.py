"""Reads ODP's cache files as ODP would read them at its next start (odp-facts 2.6).

Blocking: the caller runs it in a thread. It reads, and does nothing else to
ODP's directory. Whether ODP would *use* what is here is not decided here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from odp_exporter.cache import container, idc_list, rslist
from odp_exporter.cache.content import ContentError
from odp_exporter.files import FileError, FileForbidden, FileMissing, Snapshot, read_from
from odp_exporter.observations import (
    CacheFile,
    CacheFileObservation,
    CacheObservation,
    CacheResult,
    ClusterServers,
    OcpResult,
)
from odp_exporter.ocp.envelope import OcpError
from odp_exporter.ocp.replies import ConfigReply, parse_config

FILE_NAMES = {
    CacheFile.RSLIST: "obproxy_rslist_info.json",
    CacheFile.CONFIG_SERVER: "obproxy_config_server_info.json",
    CacheFile.IDC_LIST: "obproxy_idc_list_info.json",
}
"""What ODP calls them (odp-facts 2.1)."""
MAX_FILE_BYTES = container.MAX_PAYLOAD
"""Far above what ODP writes; a larger file is not judged."""
RENAME_SECONDS = 0.01
"""ODP renames X away before it renames X.tmp to X; X is missing for an instant (odp-facts 2.5)."""


def read_cache(target: str, home: Path, now: datetime) -> CacheObservation:
    """What the cache under *home* is worth."""
    rslist_file, clusters = _read_rslist(home)
    config_file, config = _read_config(home)
    return CacheObservation(
        target=target,
        at=now,
        files=(rslist_file, config_file, _read_idc_list(home)),
        clusters=clusters,
        config_version=config.version if config else None,
        config_clusters=tuple(cluster.name for cluster in config.clusters) if config else (),
        rs_urls={cluster.name: cluster.url for cluster in config.clusters if cluster.url} if config else {},
    )


def _read_rslist(home: Path) -> tuple[CacheFileObservation, tuple[ClusterServers, ...]]:
    copy = _read_copy(home, CacheFile.RSLIST)
    if copy.seen.result is not CacheResult.OK:
        return copy.seen, ()
    try:
        return copy.seen, rslist.decode(copy.payload)
    except ContentError as error:
        return _spoilt(copy, error.result, error), ()


def _read_config(home: Path) -> tuple[CacheFileObservation, ConfigReply | None]:
    copy = _read_copy(home, CacheFile.CONFIG_SERVER)
    if copy.seen.result is not CacheResult.OK:
        return copy.seen, None
    try:
        return copy.seen, parse_config(copy.payload)
    except OcpError as error:
        result = CacheResult.NOT_JSON if error.result is OcpResult.NOT_JSON else CacheResult.CONTENT
        return _spoilt(copy, result, error), None


def _read_idc_list(home: Path) -> CacheFileObservation:
    copy = _read_copy(home, CacheFile.IDC_LIST)
    if copy.seen.result is not CacheResult.OK:
        return copy.seen
    try:
        idc_list.check(copy.payload)
    except ContentError as error:
        return _spoilt(copy, error.result, error)
    return copy.seen


@dataclass(frozen=True, slots=True)
class _Copy:
    """The copy that ODP would read, and its payload if the container is whole."""

    seen: CacheFileObservation
    payload: bytes = field(default=b"", repr=False)


def _spoilt(copy: _Copy, result: CacheResult, error: Exception) -> CacheFileObservation:
    return replace(copy.seen, result=result, detail=str(error))


def _read_copy(home: Path, file: CacheFile) -> _Copy:
    """The first copy that can be read at all: a bad checksum is no reason for ODP to try the next one."""
    found = _first_readable(home, FILE_NAMES[file])
    if isinstance(found, FileError):
        return _Copy(CacheFileObservation(file, _why_not(found), detail=str(found)))
    path, snapshot = found
    seen = CacheFileObservation(file, CacheResult.OK, path, _moment(snapshot.modified), snapshot.size)
    if snapshot.size > MAX_FILE_BYTES:
        detail = f"{snapshot.size} bytes, more than the {MAX_FILE_BYTES} that are read"
        return _Copy(replace(seen, result=CacheResult.UNREADABLE, detail=detail))
    try:
        return _Copy(seen, container.decode(snapshot.content, compressed=file is CacheFile.CONFIG_SERVER))
    except container.ContainerError as error:
        return _Copy(replace(seen, result=error.result, detail=str(error)))


def _why_not(error: FileError) -> CacheResult:
    match error:
        case FileMissing():
            return CacheResult.MISSING
        case FileForbidden():
            return CacheResult.FORBIDDEN
        case _:
            return CacheResult.UNREADABLE


def _first_readable(home: Path, name: str) -> tuple[Path, Snapshot] | FileError:
    """The copy that ODP would read, or the most telling reason why there is none."""
    copies = [home / folder / f"{name}{suffix}" for suffix in ("", ".old") for folder in ("etc", ".conf")]
    found = _read_first(copies)
    if not isinstance(found, FileError) and found[0] != copies[0]:
        time.sleep(RENAME_SECONDS)
        found = _read_first(copies)
    return found


def _read_first(copies: list[Path]) -> tuple[Path, Snapshot] | FileError:
    reasons: list[FileError] = []
    for path in copies:
        try:
            return path, read_from(path, 0, limit=MAX_FILE_BYTES + 1)
        except FileForbidden as error:
            # Not passed over: what is closed to this user is most likely open to ODP.
            return error
        except FileError as error:
            reasons.append(error)
    return next((reason for reason in reasons if not isinstance(reason, FileMissing)), reasons[0])


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a file system may hold times that no calendar does
