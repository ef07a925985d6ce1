"""The ways in which an answer of OCP can be wrong (odp-facts 1.2 to 1.6, 9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .documents import Document


class Endpoint(StrEnum):
    """What is asked for."""

    VERSION = "version"
    CONFIG = "config"
    RS_LIST = "rs_list"
    IDC_LIST = "idc_list"


class Failure(StrEnum):
    """What is wrong with the answer; *value* is the number that may come with it."""

    BLACKHOLE = "blackhole"
    """Accepts the request and never answers."""
    CLOSE = "close"
    """Closes without an answer."""
    STATUS = "status"
    """HTTP status *value* (500 without), with the right body."""
    TRICKLE = "trickle"
    """The right answer, spread over *value* seconds."""
    REDIRECT = "redirect"
    """*value* redirects before the right answer."""

    HTML = "html"
    """HTTP 200 and a page for people."""
    EMPTY = "empty"
    """HTTP 200 without a body."""
    OVERSIZED = "oversized"
    """The right answer behind *value* (600000 without) bytes of an unknown key."""

    CODE = "code"
    """`Code` is *value* (500 without), with HTTP 200."""
    SUCCESS_TEXT = "success_text"
    """`Success` is the string "true"."""
    SUCCESS_FALSE = "success_false"
    MESSAGE = "message"
    """`Message` is not `successful`."""
    NO_DATA = "no_data"
    """There is no `Data`."""

    NO_VERSION = "no_version"
    LONG_VERSION = "long_version"
    """`Version` has 33 characters."""
    FLAPPING_VERSION = "flapping_version"
    """Every answer has another `Version`, as ob-configserver may do (odp-facts 1.8)."""
    NO_CLUSTERS = "no_clusters"
    DUPLICATE_CLUSTERS = "duplicate_clusters"

    CLUSTER_MISMATCH = "cluster_mismatch"
    """The RS list is of another cluster than the one asked for."""
    BAD_ROLE = "bad_role"
    """A server is LEARNER."""
    NO_SERVERS = "no_servers"
    """`RsList` is empty."""
    HOST_NAMES = "host_names"
    """Servers are named instead of addressed, which ODP skips."""


@dataclass(frozen=True, slots=True)
class Breakage:
    """A failure, and its number if it has one."""

    failure: Failure
    value: float | None = None


OF_TRANSPORT = frozenset({Failure.BLACKHOLE, Failure.CLOSE, Failure.STATUS, Failure.TRICKLE, Failure.REDIRECT})
"""Failures that leave the body as it is."""


def spoil(document: Document, breakage: Breakage, serial: int) -> bytes:
    """The body of the *serial*-th answer, with *breakage* in it."""
    match breakage.failure:
        case Failure.HTML:
            return b"<html>not json at all</html>"
        case Failure.EMPTY:
            return b""
        case Failure.FLAPPING_VERSION:
            document["Data"]["Version"] = f"flap-{serial:027d}"
        case Failure.CODE:
            document["Code"] = int(breakage.value or 500)
        case Failure.OVERSIZED:
            document = {"Padding": "x" * int(breakage.value or 600_000), **document}
        case failure if failure in _CHANGES:
            _CHANGES[failure](document)
        case _:
            pass
    return json.dumps(document).encode()


def _rs_lists(document: Document) -> list[Document]:
    data = document["Data"]
    return data if isinstance(data, list) else [data]


def _rename_cluster(document: Document) -> None:
    for item in _rs_lists(document):
        item |= {"ObRegion": "another", "ObCluster": "another"}


def _spoil_role(document: Document) -> None:
    for item in _rs_lists(document):
        for server in item["RsList"]:
            server["role"] = "LEARNER"


def _remove_servers(document: Document) -> None:
    for item in _rs_lists(document):
        item["RsList"] = []


def _name_servers(document: Document) -> None:
    for item in _rs_lists(document):
        for server in item["RsList"]:
            server["address"] = "observer.example:2882"


def _clusters(document: Document) -> tuple[str, list[object]]:
    key = "ObRootServiceInfoUrlList" if "ObRootServiceInfoUrlList" in document["Data"] else "ObClusterList"
    return key, document["Data"].get(key, [])


def _remove_clusters(document: Document) -> None:
    key, _ = _clusters(document)
    document["Data"][key] = []


def _repeat_clusters(document: Document) -> None:
    key, clusters = _clusters(document)
    document["Data"][key] = [*clusters, *clusters[:1]]


_CHANGES: dict[Failure, Callable[[Document], object]] = {
    Failure.SUCCESS_TEXT: lambda document: document.update(Success="true"),
    Failure.SUCCESS_FALSE: lambda document: document.update(Success=False),
    Failure.MESSAGE: lambda document: document.update(Message="internal error"),
    Failure.NO_DATA: lambda document: document.pop("Data"),
    Failure.NO_VERSION: lambda document: document["Data"].pop("Version", None),
    Failure.LONG_VERSION: lambda document: document["Data"].update(Version="v" * 33),
    Failure.NO_CLUSTERS: _remove_clusters,
    Failure.DUPLICATE_CLUSTERS: _repeat_clusters,
    Failure.CLUSTER_MISMATCH: _rename_cluster,
    Failure.BAD_ROLE: _spoil_role,
    Failure.NO_SERVERS: _remove_servers,
    Failure.HOST_NAMES: _name_servers,
}
