"""What can go wrong with an OCP, by name, and what people must hear of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from odp_exporter.simulator.fleet import Endpoint, Failure, Ocp

Strike = Callable[[Ocp], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Drill:
    """A fault, and what must come of it."""

    says: str
    """What befalls the OCP, for people."""
    strike: Strike
    expected: frozenset[str] = frozenset()
    allowed: Mapping[str, str] = field(default_factory=dict)
    """Alerts that may come besides, and why."""


async def _nothing(_: Ocp) -> None:
    """All is well."""


async def _refuse(ocp: Ocp) -> None:
    await ocp.refuse()


def _break(endpoint: Endpoint, failure: Failure, value: float | None = None) -> Strike:
    async def strike(ocp: Ocp) -> None:
        await ocp.break_(endpoint, failure, value)

    return strike


def _bad(says: str, endpoint: Endpoint, failure: Failure, value: float | None = None) -> Drill:
    return Drill(f"{endpoint}: {says}", _break(endpoint, failure, value), frozenset({"OcpBadReply"}))


def _half(says: str, failure: Failure, value: float | None = None) -> Drill:
    return Drill(f"RS list: {says}", _break(Endpoint.RS_LIST, failure, value), frozenset({"OcpHalfBroken"}))


_DOWN = frozenset({"OcpDown"})

DRILLS: Mapping[str, Drill] = {
    "nothing": Drill("nothing", _nothing),
    "refuse": Drill("refuses connections", _refuse, _DOWN),
    "config-close": Drill("config: closes", _break(Endpoint.CONFIG, Failure.CLOSE), _DOWN),
    "config-blackhole": Drill("config: accepts, says nothing", _break(Endpoint.CONFIG, Failure.BLACKHOLE), _DOWN),
    "version-status": _bad("HTTP 500", Endpoint.VERSION, Failure.STATUS, 500),
    "version-empty": _bad("empty", Endpoint.VERSION, Failure.EMPTY),
    "version-code": _bad("another Code", Endpoint.VERSION, Failure.CODE),
    "config-status": _bad("HTTP 404", Endpoint.CONFIG, Failure.STATUS, 404),
    "config-redirects": _bad("four redirects", Endpoint.CONFIG, Failure.REDIRECT, 4),
    "config-html": _bad("a page for people", Endpoint.CONFIG, Failure.HTML),
    "config-oversized": _bad("too long", Endpoint.CONFIG, Failure.OVERSIZED),
    "config-success": _bad("Success is no boolean", Endpoint.CONFIG, Failure.SUCCESS_TEXT),
    "config-no-data": _bad("no Data", Endpoint.CONFIG, Failure.NO_DATA),
    "config-version": _bad("too long a Version", Endpoint.CONFIG, Failure.LONG_VERSION),
    "config-no-clusters": _bad("no cluster", Endpoint.CONFIG, Failure.NO_CLUSTERS),
    "config-duplicate": _bad("a cluster twice", Endpoint.CONFIG, Failure.DUPLICATE_CLUSTERS),
    # The version changes with each answer, which costs ODPs work and harms nobody.
    "config-flapping": Drill("config: ever another Version", _break(Endpoint.CONFIG, Failure.FLAPPING_VERSION)),
    "config-slow": Drill("config: takes 4 s", _break(Endpoint.CONFIG, Failure.TRICKLE, 4), frozenset({"OcpSlow"})),
    "rs-list-status": _half("HTTP 503", Failure.STATUS, 503),
    "rs-list-close": _half("closes", Failure.CLOSE),
    "rs-list-oversized": _half("too long", Failure.OVERSIZED, 20_000),
    "rs-list-mismatch": _half("of another cluster", Failure.CLUSTER_MISMATCH),
    "rs-list-role": _half("an unknown role", Failure.BAD_ROLE),
    "rs-list-empty": _half("no servers", Failure.NO_SERVERS),
    "rs-list-names": _half("host names for addresses", Failure.HOST_NAMES),
}
"""By the name of the OCP that it strikes."""
