"""The payload of obproxy_idc_list_info.json: which IDC lies in which region (odp-facts 2.3).

Only its shape is judged: routing within ODP needs it, surviving an outage does
not. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from odp_exporter.observations import CacheResult
from odp_exporter.odp_json import Json

from .content import ContentError, elements


def check(payload: bytes) -> None:
    """Raise ContentError unless ODP could read *payload*."""
    for element in elements(payload):
        if not isinstance(element, dict):
            raise ContentError(CacheResult.CONTENT, "an element of the list is not an object")
        idcs = element.get("IDCList")
        if not isinstance(element.get("ObRegion"), str) or not _is_number(element.get("ObRegionId", 0)):
            raise ContentError(CacheResult.CONTENT, "ObRegion is not a string or ObRegionId not a number")
        if not isinstance(idcs, list) or not all(isinstance(idc, dict) for idc in idcs):
            raise ContentError(CacheResult.CONTENT, "IDCList is absent or not an array of objects")


@dataclass(frozen=True, slots=True)
class CachedIdcs:
    """The IDCs of one cluster id, as pairs of IDC (in lower case) and region."""

    region: str
    region_id: int
    idcs: tuple[tuple[str, str], ...]


def dump(clusters: Iterable[CachedIdcs]) -> bytes:
    """The payload that ODP writes, byte for byte."""
    text = ",".join(map(_dump_cluster, clusters))
    return f"[{text}]".encode() if text else b"["


def _dump_cluster(cluster: CachedIdcs) -> str:
    idcs = ",".join(f'{{"idc":"{idc}","region":"{region}"}}' for idc, region in cluster.idcs)
    return f'{{"ObRegion":"{cluster.region}","ObRegionId":{cluster.region_id},"IDCList":[{idcs}]}}'


def _is_number(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
