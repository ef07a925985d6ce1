"""What the plain cache files have in common: a JSON array, or the beginning of one (odp-facts 2.3)."""

from __future__ import annotations

from odp_exporter.observations import CacheResult
from odp_exporter.odp_json import Json, NotJson, parse


class ContentError(Exception):
    """ODP could make nothing of this payload; the message says why."""

    def __init__(self, result: CacheResult, message: str) -> None:
        super().__init__(message)
        self.result = result
        """NOT_JSON or CONTENT."""


def elements(payload: bytes) -> list[Json]:
    """The elements of the array; ODP writes `[` alone for an empty one."""
    if payload == b"[":
        return []
    try:
        value = parse(payload)
    except NotJson as error:
        raise ContentError(CacheResult.NOT_JSON, str(error)) from error
    if not isinstance(value, list):
        raise ContentError(CacheResult.CONTENT, "not an array")
    return value
