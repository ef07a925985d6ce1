"""What an ODP's cache files are worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from odp_exporter.exposition import families
from odp_exporter.metrics.rendering import Values
from odp_exporter.observations import CacheFile, CacheFileObservation, CacheResult
from odp_exporter.survival.verdict import CacheContent

from .row import Moment, OpenRow, Row, Samples, Table

T = TypeVar("T")

MAX_CLUSTERS = 1000
"""No ODP serves more; a cache that lists more is cut here, in the order of names."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What the page says of an ODP's cache as long as that has the same content."""

    present: Values
    valid: Values
    results: Samples
    modified: tuple[datetime | None, ...]
    last_writes: Values
    clusters: Values
    cluster_servers: Samples


def worth(content: CacheContent) -> Worth:
    """What to say of this *content*."""
    modified = _of_files(content, lambda file: file.modified)
    return Worth(
        present=_of_files(content, _present),
        valid=_of_files(content, _valid),
        results=[({"file": file.file, "result": file.result}, 1) for file in content.files],
        modified=modified,
        last_writes=tuple(None if at is None else at.timestamp() for at in modified),
        clusters=_clusters(content),
        cluster_servers=_cluster_servers(content),
    )


def _of_files(content: CacheContent, take: Callable[[CacheFileObservation], T | None]) -> tuple[T | None, ...]:
    seen = {file.file: file for file in content.files}
    return tuple(take(seen[file]) if file in seen else None for file in CacheFile)


def _present(file: CacheFileObservation) -> int | None:
    return None if file.result is CacheResult.FORBIDDEN else int(file.result is not CacheResult.MISSING)


def _valid(file: CacheFileObservation) -> int | None:
    return None if file.result is CacheResult.FORBIDDEN else int(file.result is CacheResult.OK)


def _clusters(content: CacheContent) -> Values:
    known = {file.file: file.result for file in content.files}
    if known.get(CacheFile.RSLIST) is CacheResult.FORBIDDEN:
        return None
    return len({entry.cluster for entry in content.clusters})


def _cluster_servers(content: CacheContent) -> Samples:
    servers = {name: set[object]() for name in sorted({entry.cluster for entry in content.clusters})[:MAX_CLUSTERS]}
    for entry in content.clusters:
        servers.get(entry.cluster, set()).update(entry.servers)
    return [({"ob_cluster": name}, len(found)) for name, found in servers.items()]


def _ages(it: Worth, moment: Moment) -> Values:
    return tuple([None if at is None else (moment.now - at).total_seconds() for at in it.modified])


TABLE: Table[Worth] = (
    Row(families.ODP_CACHE_PRESENT, lambda it, _: it.present),
    Row(families.ODP_CACHE_VALID, lambda it, _: it.valid),
    OpenRow(families.ODP_CACHE_RESULT, lambda it, _: it.results),
    Row(families.ODP_CACHE_LAST_WRITE, lambda it, _: it.last_writes),
    Row(families.ODP_CACHE_AGE, _ages),
    Row(families.ODP_CACHE_CLUSTERS, lambda it, _: it.clusters),
    OpenRow(families.ODP_CACHE_CLUSTER_SERVERS, lambda it, _: it.cluster_servers),
)
"""What an ODP's cache files are worth."""
