"""The situations in which an ODP may be restarted, and what a restart then comes to (odp-facts 2.6, 3.1).

Each row is staged (staging.py) and played by the tests with a real start of
the look-alike: which clusters take logins afterwards is compared with what
stands here, and with what the exporter said before. The table in
docs/survival.md is what `python -m odp_exporter.simulator.scenarios` prints.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

CLUSTERS = ("ob1", "ob2")


class OcpState(StrEnum):
    """What OCP does at the restart."""

    WELL = "well"
    CONFIG_FAILS = "config: HTTP 500"
    RS_LISTS_FAIL = "RS lists: HTTP 500"
    BOTH_FAIL = "config and RS lists: HTTP 500"
    VERSION_FAILS = "version: HTTP 500"
    VERSION_SAYS_500 = "version: Code 500"
    REFUSES = "refuses"
    SILENT = "accepts, says nothing"
    HTML = "a page for people"
    NO_CLUSTERS = "lists no cluster"
    DROPPED = "lists ob1 no more"
    NONE = "no URL, but rootservice_list"
    NOTHING = "no URL, no rootservice_list"


class CacheState(StrEnum):
    """What lies in etc/ and .conf/ at the restart."""

    VALID = "valid"
    NONE = "none"
    RSLIST_MISSING = "no RS lists"
    RSLIST_CORRUPT = "RS lists damaged"
    RSLIST_EMPTY = "RS lists: a lone `[`"
    CONFIG_MISSING = "no config"
    CONFIG_CORRUPT = "config damaged"
    INCOMPLETE = "ob1 only"
    STALE = "ob1: dead servers only"
    PARTLY_STALE = "ob1: one server of two dead"
    ONLY_CONF = "etc/ empty, .conf/ valid"
    ONLY_OLD = "only the .old files"
    CORRUPT_BESIDE_OLD = "RS lists damaged, .old valid"
    STRANGER_FIRST = "an unlisted cluster comes first"
    STRANGER_LAST = "an unlisted cluster comes last"
    IPV6 = "ob1: IPv6 only"
    STANDBY = "ob1: a standby only"
    PARAMETERS_LOST = "valid, but no stored parameters"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One situation, and what is left after a restart in it."""

    ocp: OcpState
    cache: CacheState
    usable: tuple[str, ...]
    """Clusters that take logins afterwards."""
    is_safe: bool
    """No cluster that the ODP had is lost."""
    ignores_local_config: bool = True
    gets_rslist_remote: bool = False
    release: str = "4.3.1"

    @property
    def name(self) -> str:
        """One line that no other scenario has."""
        flags = f"ignore={self.ignores_local_config} remote={self.gets_rslist_remote} {self.release}"
        return f"{self.ocp}; {self.cache}; {flags}"

    @property
    def options(self) -> dict[str, str]:
        """The `-o` of such an ODP; no tick comes between."""
        return {
            "ignore_local_config": str(self.ignores_local_config),
            "enable_get_rslist_remote": str(self.gets_rslist_remote),
            "config_server_refresh_interval": "1d",
        }


_BOTH, _OB1, _OB2, _NO = CLUSTERS, ("ob1",), ("ob2",), ()
_O, _C = OcpState, CacheState


def _cache_first(scenario: Scenario) -> Scenario:
    return replace(scenario, ignores_local_config=False)


def _remote(scenario: Scenario) -> Scenario:
    return replace(scenario, gets_rslist_remote=True)


def _old(scenario: Scenario, release: str = "4.2.3") -> Scenario:
    return replace(scenario, release=release)


_SAFE, _UNSAFE = True, False
SCENARIOS: tuple[Scenario, ...] = (
    Scenario(_O.WELL, _C.VALID, _BOTH, _SAFE),
    Scenario(_O.CONFIG_FAILS, _C.VALID, _BOTH, _SAFE),
    Scenario(_O.RS_LISTS_FAIL, _C.VALID, _NO, _UNSAFE),
    Scenario(_O.BOTH_FAIL, _C.VALID, _BOTH, _SAFE),
    Scenario(_O.VERSION_FAILS, _C.VALID, _BOTH, _SAFE),
    Scenario(_O.VERSION_SAYS_500, _C.VALID, _BOTH, _SAFE),
    Scenario(_O.REFUSES, _C.VALID, _BOTH, _SAFE),
    Scenario(_O.SILENT, _C.VALID, _BOTH, _SAFE),
    Scenario(_O.HTML, _C.VALID, _BOTH, _SAFE),
    Scenario(_O.NO_CLUSTERS, _C.VALID, _BOTH, _SAFE),
    Scenario(_O.DROPPED, _C.VALID, _OB2, _SAFE),
    Scenario(_O.WELL, _C.NONE, _BOTH, _SAFE),
    Scenario(_O.VERSION_FAILS, _C.NONE, _NO, _UNSAFE),
    Scenario(_O.VERSION_SAYS_500, _C.NONE, _BOTH, _SAFE),
    Scenario(_O.REFUSES, _C.NONE, _NO, _UNSAFE),
    Scenario(_O.WELL, _C.RSLIST_MISSING, _BOTH, _SAFE),
    Scenario(_O.CONFIG_FAILS, _C.RSLIST_MISSING, _BOTH, _SAFE),
    Scenario(_O.REFUSES, _C.RSLIST_MISSING, _NO, _UNSAFE),
    Scenario(_O.HTML, _C.RSLIST_MISSING, _NO, _UNSAFE),
    Scenario(_O.WELL, _C.RSLIST_CORRUPT, _BOTH, _SAFE),
    Scenario(_O.REFUSES, _C.RSLIST_CORRUPT, _NO, _UNSAFE),
    Scenario(_O.REFUSES, _C.RSLIST_EMPTY, _NO, _UNSAFE),
    Scenario(_O.CONFIG_FAILS, _C.CONFIG_MISSING, _NO, _UNSAFE),
    Scenario(_O.REFUSES, _C.CONFIG_MISSING, _NO, _UNSAFE),
    Scenario(_O.WELL, _C.CONFIG_CORRUPT, _BOTH, _SAFE),
    Scenario(_O.REFUSES, _C.CONFIG_CORRUPT, _NO, _UNSAFE),
    Scenario(_O.WELL, _C.INCOMPLETE, _BOTH, _SAFE),
    Scenario(_O.RS_LISTS_FAIL, _C.INCOMPLETE, _NO, _UNSAFE),
    Scenario(_O.REFUSES, _C.INCOMPLETE, _OB1, _SAFE),
    Scenario(_O.WELL, _C.STALE, _BOTH, _SAFE),
    Scenario(_O.REFUSES, _C.STALE, _OB2, _UNSAFE),
    Scenario(_O.REFUSES, _C.PARTLY_STALE, _BOTH, _SAFE),
    Scenario(_O.REFUSES, _C.ONLY_CONF, _BOTH, _SAFE),
    Scenario(_O.REFUSES, _C.ONLY_OLD, _BOTH, _SAFE),
    Scenario(_O.REFUSES, _C.CORRUPT_BESIDE_OLD, _NO, _UNSAFE),
    Scenario(_O.REFUSES, _C.STRANGER_FIRST, _NO, _UNSAFE),
    Scenario(_O.REFUSES, _C.STRANGER_LAST, _BOTH, _SAFE),
    Scenario(_O.REFUSES, _C.IPV6, _OB2, _UNSAFE),
    Scenario(_O.REFUSES, _C.STANDBY, _OB2, _UNSAFE),
    _cache_first(Scenario(_O.WELL, _C.VALID, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.RS_LISTS_FAIL, _C.VALID, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.BOTH_FAIL, _C.VALID, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.REFUSES, _C.VALID, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.SILENT, _C.VALID, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.NO_CLUSTERS, _C.VALID, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.DROPPED, _C.VALID, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.WELL, _C.NONE, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.REFUSES, _C.NONE, _NO, _UNSAFE)),
    _cache_first(Scenario(_O.CONFIG_FAILS, _C.RSLIST_MISSING, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.RS_LISTS_FAIL, _C.RSLIST_MISSING, _NO, _UNSAFE)),
    _cache_first(Scenario(_O.WELL, _C.RSLIST_CORRUPT, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.REFUSES, _C.RSLIST_CORRUPT, _NO, _UNSAFE)),
    _cache_first(Scenario(_O.RS_LISTS_FAIL, _C.CONFIG_MISSING, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.RS_LISTS_FAIL, _C.CONFIG_CORRUPT, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.REFUSES, _C.CONFIG_CORRUPT, _NO, _UNSAFE)),
    _cache_first(Scenario(_O.WELL, _C.STALE, _BOTH, _SAFE)),
    _cache_first(Scenario(_O.RS_LISTS_FAIL, _C.STALE, _OB2, _UNSAFE)),
    _cache_first(Scenario(_O.REFUSES, _C.INCOMPLETE, _OB1, _SAFE)),
    _cache_first(Scenario(_O.RS_LISTS_FAIL, _C.PARAMETERS_LOST, _BOTH, _SAFE)),
    _remote(Scenario(_O.WELL, _C.VALID, _BOTH, _SAFE)),
    _remote(Scenario(_O.CONFIG_FAILS, _C.VALID, _BOTH, _SAFE)),
    _remote(Scenario(_O.RS_LISTS_FAIL, _C.VALID, _NO, _UNSAFE)),
    _remote(Scenario(_O.BOTH_FAIL, _C.VALID, _NO, _UNSAFE)),
    _remote(Scenario(_O.REFUSES, _C.VALID, _NO, _UNSAFE)),
    _remote(_cache_first(Scenario(_O.WELL, _C.VALID, _BOTH, _SAFE))),
    _remote(_cache_first(Scenario(_O.RS_LISTS_FAIL, _C.VALID, _NO, _UNSAFE))),
    _remote(_cache_first(Scenario(_O.BOTH_FAIL, _C.VALID, _NO, _UNSAFE))),
    _remote(_cache_first(Scenario(_O.SILENT, _C.VALID, _NO, _UNSAFE))),
    _old(Scenario(_O.REFUSES, _C.VALID, _BOTH, _SAFE)),
    _old(Scenario(_O.RS_LISTS_FAIL, _C.VALID, _NO, _UNSAFE)),
    _old(_cache_first(Scenario(_O.RS_LISTS_FAIL, _C.VALID, _BOTH, _SAFE))),
    _old(_cache_first(Scenario(_O.RS_LISTS_FAIL, _C.PARAMETERS_LOST, _NO, _UNSAFE))),
    _old(_remote(Scenario(_O.BOTH_FAIL, _C.VALID, _NO, _UNSAFE))),
    _old(Scenario(_O.REFUSES, _C.VALID, _BOTH, _SAFE), "4.1.0"),
    _old(_cache_first(Scenario(_O.RS_LISTS_FAIL, _C.VALID, _BOTH, _SAFE)), "4.1.0"),
    Scenario(_O.NONE, _C.NONE, _BOTH, _SAFE),
    Scenario(_O.NOTHING, _C.VALID, _NO, _UNSAFE),
)


def table() -> str:
    """All scenarios in Markdown."""
    columns = (
        "OCP at the restart",
        "cache",
        "ignore_local_config",
        "enable_get_rslist_remote",
        "release",
        "usable afterwards",
        "restart safe",
    )
    rows = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    rows += [
        f"| {it.ocp} | {it.cache} | {str(it.ignores_local_config).lower()} | {str(it.gets_rslist_remote).lower()} "
        f"| {it.release} | {', '.join(it.usable) or 'none'} | {'yes' if it.is_safe else '**no**'} |"
        for it in SCENARIOS
    ]
    return "".join(f"{row}\n" for row in rows)


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201 - it is what the program is for
