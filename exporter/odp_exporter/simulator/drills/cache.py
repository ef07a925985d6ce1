"""What can go wrong with what an ODP knows of its clusters, by name: its cache, and the OCP that fills it.

Where a drill changes the OCP, its ODP needs one of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from odp_exporter.simulator.fleet import Endpoint, Failure

from .odp import CLUSTER, Drill, Patient, Strike

RSLIST = "obproxy_rslist_info.json"
CONFIG_SERVER = "obproxy_config_server_info.json"
_LONG_AGO = 2 * 86400


def _damage(file: str) -> Strike:
    async def strike(patient: Patient) -> None:
        (patient.odp.home / "etc" / file).write_bytes(b"not a cache file")

    return strike


def _delete(file: str) -> Strike:
    """With every copy that ODP would fall back to."""

    async def strike(patient: Patient) -> None:
        for directory in ("etc", ".conf"):
            for copy in (patient.odp.home / directory).glob(f"{file}*"):
                copy.unlink()

    return strike


async def _switch_off(patient: Patient) -> None:
    patient.set("enable_get_rslist_remote", "True")


async def _grow(patient: Patient) -> None:
    known = patient.ocp.clusters
    await patient.ocp.set_clusters({**known, "new": known[CLUSTER]})


async def _move(patient: Patient) -> None:
    await patient.ocp.set_clusters({CLUSTER: [str(await patient.fleet.start_observer())]})


async def _age(patient: Patient) -> None:
    os.utime(patient.odp.home / "etc" / RSLIST, times=(time.time() - _LONG_AGO,) * 2)
    await patient.ocp.break_(Endpoint.CONFIG, Failure.STATUS, 404)


async def _lose_both(patient: Patient) -> None:
    await _damage(RSLIST)(patient)
    await patient.ocp.refuse()


_IN_DANGER = frozenset({"OdpWouldNotSurviveOcpOutage"})
_MISSING = _IN_DANGER | {"OdpCacheMissing"}
_INVALID = _IN_DANGER | {"OdpCacheInvalid"}

DRILLS: Mapping[str, Drill] = {
    "rslist-deleted": Drill("RS lists deleted", _delete(RSLIST), _MISSING),
    "rslist-damaged": Drill("RS lists damaged", _damage(RSLIST), _INVALID),
    "config-deleted": Drill("cached config deleted", _delete(CONFIG_SERVER), _MISSING),
    "config-damaged": Drill("cached config damaged", _damage(CONFIG_SERVER), _INVALID),
    "cache-unused": Drill("cache switched off", _switch_off, _IN_DANGER | {"OdpCacheUnused"}),
}
"""By the name of the ODP that it strikes; its OCP goes on."""
OF_OCP: Mapping[str, Drill] = {
    "grows": Drill("OCP learns of a cluster", _grow, _IN_DANGER | {"OdpCacheIncomplete"}),
    "moves": Drill("OCP moves a cluster to other servers", _move, frozenset({"OdpCacheStale"})),
    "ages": Drill("cache two days old, and OCP answers 404", _age, frozenset({"OdpCacheOld"})),
}
"""By the name of the ODP, whose own OCP it strikes."""
WITHOUT_OCP: Mapping[str, Drill] = {
    "loses-both": Drill("RS lists damaged, and OCP refuses connections", _lose_both, _INVALID | {"OdpRestartUnsafe"}),
}
"""As `OF_OCP`. That an OCP is down is told instead of much that is in the tables above, of any ODP."""
