"""What an ODP's cache files are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from odp_exporter.exposition import families
from odp_exporter.exposition.rendering import Values
from odp_exporter.observations import CacheFile, CacheFileObservation, CacheObservation, CacheResult

from .row import Labels, Moment, OpenRow, Row, Table

MAX_CLUSTERS = 1000
"""No ODP serves more; a cache that lists more is cut here, in the order of names."""


def _of_files(
    take: Callable[[CacheFileObservation, Moment], float | None],
) -> Callable[[CacheObservation, Moment], Values]:
    def values(cache: CacheObservation, moment: Moment) -> Values:
        seen = {file.file: file for file in cache.files}
        return tuple(take(seen[file], moment) if file in seen else None for file in CacheFile)

    return values


def _last_write(file: CacheFileObservation, _: Moment) -> float | None:
    return file.modified.timestamp() if file.modified else None


def _age(file: CacheFileObservation, moment: Moment) -> float | None:
    return (moment.now - file.modified).total_seconds() if file.modified else None


def _cache_results(cache: CacheObservation, _: Moment) -> Iterable[tuple[Labels, float]]:
    return [({"file": file.file, "result": file.result}, 1) for file in cache.files]


def _cluster_servers(cache: CacheObservation, _: Moment) -> Iterable[tuple[Labels, float]]:
    servers = {name: set[object]() for name in sorted({entry.cluster for entry in cache.clusters})[:MAX_CLUSTERS]}
    for entry in cache.clusters:
        servers.get(entry.cluster, set()).update(entry.servers)
    return [({"ob_cluster": name}, len(found)) for name, found in servers.items()]


def _present(file: CacheFileObservation, _: Moment) -> float | None:
    return None if file.result is CacheResult.FORBIDDEN else int(file.result is not CacheResult.MISSING)


def _valid(file: CacheFileObservation, _: Moment) -> float | None:
    return None if file.result is CacheResult.FORBIDDEN else int(file.result is CacheResult.OK)


def _clusters(cache: CacheObservation, _: Moment) -> Values:
    known = {file.file: file.result for file in cache.files}
    if known.get(CacheFile.RSLIST) is CacheResult.FORBIDDEN:
        return None
    return len({entry.cluster for entry in cache.clusters})


TABLE: Table[CacheObservation] = (
    Row(families.ODP_CACHE_PRESENT, _of_files(_present)),
    Row(families.ODP_CACHE_VALID, _of_files(_valid)),
    OpenRow(families.ODP_CACHE_RESULT, _cache_results),
    Row(families.ODP_CACHE_LAST_WRITE, _of_files(_last_write)),
    Row(families.ODP_CACHE_AGE, _of_files(_age)),
    Row(families.ODP_CACHE_CLUSTERS, _clusters),
    OpenRow(families.ODP_CACHE_CLUSTER_SERVERS, _cluster_servers),
)
"""What an ODP's cache files are worth."""
