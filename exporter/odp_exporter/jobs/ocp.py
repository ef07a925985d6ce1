"""Asks OCPs what ODPs would ask them."""

from __future__ import annotations

from odp_exporter import changes
from odp_exporter.health import State
from odp_exporter.observations import Endpoint, EndpointObservation, OcpObservation, OcpResult
from odp_exporter.ocp.rounds import Known
from odp_exporter.probes.ocp import ask
from odp_exporter.schedule import Job
from odp_exporter.store import Store
from odp_exporter.targets import Ocp

from .means import Means


def ocp_job(ocp: Ocp, means: Means) -> Job:
    """Ask one OCP all that an ODP would."""

    async def run() -> bool:
        await means.until_caches_seen()
        known = _known(ocp, means.store)
        changes.record(means.store, await ask(ocp, session=means.session, clock=means.clock, known=known))
        return True

    def broke() -> None:
        failed = tuple(EndpointObservation(it, OcpResult.INTERNAL_ERROR, 0, 0.0) for it in Endpoint)
        changes.record(means.store, OcpObservation(ocp.name, means.clock(), failed))

    return Job("ocp", ocp.name, ocp.interval, run, broke, ocp)


def _known(ocp: Ocp, store: Store) -> Known:
    """What a round of questions to *ocp* may rest on."""
    record, odps = store.ocps.get(ocp.name), store.odps.values()
    cached = {name: url for odp in odps if odp.cache for name, url in odp.cache.rs_urls.items()}
    is_calm = all(odp.health.state is State.SERVING for odp in odps if odp.host and odp.host.is_local)
    return Known(record.latest if record else None, cached, is_calm)
