"""Fleets of look-alikes for tests, demo and drills.

    async with Fleet(directory) as fleet:
        observer = await fleet.start_observer()
        ocp = await fleet.start_ocp(clusters={"ob1": [str(observer)]})
        odp = await fleet.start_odp("odp-1", ocp=ocp, options={"ignore_local_config": "false"})
        await odp.fault(Fault.HANG)
        await ocp.break_(Endpoint.RS_LIST, Failure.STATUS, 503)

Everything listens on loopback and ends with the fleet, or with the process
that made it. Names of clusters, options and faults are ODP's own or stand in
odp/faults.py and ocp/failures.py.
"""

from odp_exporter.simulator.ocp.documents import Shape, World
from odp_exporter.simulator.ocp.failures import Endpoint, Failure
from odp_exporter.simulator.odp.faults import Fault

from .fleet import Fleet
from .ocp import Ocp
from .odp import Odp, StartFailed
from .processes import Timeout
from .watchdog import Watchdog

__all__ = [
    "Endpoint",
    "Failure",
    "Fault",
    "Fleet",
    "Ocp",
    "Odp",
    "Shape",
    "StartFailed",
    "Timeout",
    "Watchdog",
    "World",
]
