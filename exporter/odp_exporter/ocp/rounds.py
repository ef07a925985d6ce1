"""What one round asks OCP, and what it takes over from the round before. Pure.

RS lists change without the Version, so an unchanged Version spares OCP most
questions but not all: while all is well, every round asks for the version and
for a share of the RS lists, and each RS list and the configuration are asked
for once in `ROUNDS` rounds. Anything out of order, and the same round asks
for everything, and so do the next ones until one of them finds all well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from odp_exporter.observations import ClusterServers, Endpoint, EndpointObservation, OcpObservation, OcpResult

ROUNDS = 5
"""Rounds in which everything is asked for at least once."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a round may rest on."""

    before: OcpObservation | None = None
    """The round before."""
    cached_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Where the caches of this host's ODPs have root services asked for, by cluster."""
    is_calm: bool = False
    """No ODP of this host is in trouble, so that nobody is about to ask for a verdict."""

    def is_short(self, version: str | None) -> bool:
        """A share of the questions will do, given this *version*."""
        before = self.before
        return self.is_calm and before is not None and before.version == version is not None and _is_well(before)

    @property
    def rs_urls(self) -> Mapping[str, str]:
        """Where to ask for root services if the configuration does not come: where ODP would."""
        return (self.before.rs_urls if self.before else {}) or self.cached_urls


def share(before: OcpObservation, limit: int) -> tuple[str, ...]:
    """The clusters whose RS lists come next after *before*, out of the first *limit*."""
    return tuple(before.rs_urls)[:limit][following(before) % ROUNDS :: ROUNDS]


def following(before: OcpObservation) -> int:
    """The number of the round after *before*, in a row of short ones."""
    return before.number + 1


def asks_for_configuration(before: OcpObservation) -> bool:
    """The configuration's turn has come."""
    return following(before) % ROUNDS == 0


def merged(
    before: OcpObservation, asked: tuple[EndpointObservation, ...], rs_lists: tuple[ClusterServers, ...]
) -> OcpObservation:
    """*before* with those answers in it that a short round *asked* for."""
    answered = {(reply.endpoint, reply.cluster): reply for reply in asked}
    names = {reply.cluster for reply in asked if reply.endpoint is Endpoint.RS_LIST}
    return replace(
        before,
        endpoints=tuple(
            answered.get((reply.endpoint, reply.cluster), replace(reply, is_carried=True)) for reply in before.endpoints
        ),
        rs_lists=(*(known for known in before.rs_lists if known.cluster not in names), *rs_lists),
        number=following(before),
    )


def _is_well(seen: OcpObservation) -> bool:
    return all(reply.result is OcpResult.OK for reply in seen.endpoints)
