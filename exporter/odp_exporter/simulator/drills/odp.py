"""What can go wrong with one ODP, by name, and what people and the remediator must hear of it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field

import pymysql

from odp_exporter.simulator.fleet import Fault, Fleet, Ocp, Odp, Watchdog

CLUSTER = "trade"
"""The cluster that every ODP of a drill has in its cache."""
_PASSWORD = "root-secret"  # noqa: S105 - of a look-alike
OPTIONS = {
    "config_server_refresh_interval": "2s",
    "obproxy_sys_password": hashlib.sha1(_PASSWORD.encode(), usedforsecurity=False).hexdigest(),
}
"""What every ODP is started with."""


@dataclass(frozen=True, slots=True)
class Patient:
    """An ODP to which something is about to happen."""

    fleet: Fleet
    odp: Odp
    ocp: Ocp
    """Whom it asks."""
    clients: contextlib.ExitStack
    """Who is connected to it, until the drill is over."""
    watchdog: Watchdog | None = None

    def connect(self) -> None:
        """One more client that logs in and stays; ODP throws out who does not log in."""
        host, port = self.odp.address
        client = pymysql.connect(host=host, port=port, user="root@proxysys", password=_PASSWORD, connect_timeout=5)
        self.clients.enter_context(contextlib.closing(client))

    def set(self, parameter: str, value: str) -> None:
        """Store a *parameter* as `alter proxyconfig set` does; this look-alike goes on as it was started."""
        with contextlib.closing(sqlite3.connect(self.odp.home / "etc" / "proxyconfig_v1.db")) as database, database:
            database.execute("UPDATE proxy_config SET value = ? WHERE name = ?", (value, parameter))


Strike = Callable[[Patient], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Drill:
    """A fault, and what must come of it."""

    says: str
    """What befalls the ODP, for people."""
    strike: Strike
    expected: frozenset[str] = frozenset()
    allowed: Mapping[str, str] = field(default_factory=dict)
    """Alerts that may come besides, and why."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What the ODP is started with, besides what all are."""
    is_watched: bool = False
    """An obproxyd.sh runs beside it."""


@contextlib.asynccontextmanager
async def ward(fleet: Fleet, ocp: Ocp, drills: Mapping[str, Drill]) -> AsyncIterator[Mapping[str, Patient]]:
    """An ODP for each drill, by its name, with a cluster in its cache; it is written some two seconds later."""
    with contextlib.ExitStack() as clients:
        async with asyncio.TaskGroup() as group:
            admitted = {
                name: group.create_task(_admit(fleet, ocp, name, drill.options)) for name, drill in drills.items()
            }
        odps = {name: task.result() for name, task in admitted.items()}
        watchdogs = {name: await fleet.watchdog(odps[name]) for name, drill in drills.items() if drill.is_watched}
        yield {name: Patient(fleet, odp, ocp, clients, watchdogs.get(name)) for name, odp in odps.items()}


async def _admit(fleet: Fleet, ocp: Ocp, name: str, options: Mapping[str, str]) -> Odp:
    odp = await fleet.start_odp(name, ocp=ocp, options={**OPTIONS, **options})
    await asyncio.to_thread(_log_in, odp)
    return odp


def _log_in(odp: Odp) -> None:
    """Only then does an ODP ask for a cluster's servers, and write its cache (odp-facts 2.4)."""
    host, port = odp.address
    with contextlib.suppress(pymysql.Error):
        pymysql.connect(host=host, port=port, user=f"app@sys#{CLUSTER}", connect_timeout=5, read_timeout=5).close()


async def _nothing(_: Patient) -> None:
    """All is well."""


async def _drain(patient: Patient) -> None:
    """SIGUSR1 while a client is connected, which keeps it alive: it looks hung from outside (odp-facts 4.5)."""
    await asyncio.to_thread(patient.connect)
    await patient.odp.fault(Fault.DRAIN)


async def _duplicate(patient: Patient) -> None:
    """What obproxyd.sh makes of a hung ODP; here the second one is too slow to find that the port is taken."""
    await patient.odp.fault(Fault.SLOW_START, 120)
    await patient.odp.start(waits=False)


async def _refuse_start(patient: Patient) -> None:
    await patient.odp.fault(Fault.REFUSE_START)
    patient.odp.kill()
    await patient.odp.wait_gone()
    await patient.odp.start(waits=False)


async def _slow_start(patient: Patient) -> None:
    await patient.odp.fault(Fault.SLOW_START, 4)
    patient.odp.kill()
    await patient.odp.wait_gone()
    await patient.odp.start()


async def _late_start(patient: Patient) -> None:
    patient.odp.kill()
    await patient.odp.wait_gone()
    await asyncio.sleep(4)
    await patient.odp.start()


async def _crash_and_core(patient: Patient) -> None:
    await patient.odp.fault(Fault.CORE)
    await patient.odp.wait_gone()
    await patient.odp.start()


async def _crash_loop(patient: Patient) -> None:
    for _ in range(4):
        await patient.odp.fault(Fault.CRASH)
        await patient.odp.wait_gone()
        await patient.odp.start()
        # Long enough for its death to be seen, and counted on its own.
        await asyncio.sleep(1.5)


async def _fill_connections(patient: Patient) -> None:
    for _ in range(4):
        await asyncio.to_thread(patient.connect)


async def _use_up_descriptors(patient: Patient) -> None:
    """Lower its limit to what it has open, and a few for those who probe it."""
    pid = patient.odp.pid
    limit = len(os.listdir(f"/proc/{pid}/fd")) + 2  # noqa: PTH208 - of /proc, which waits for nobody
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))


async def _lose_watchdog(patient: Patient) -> None:
    if patient.watchdog:
        await patient.watchdog.stop()


async def _use_up_memory(patient: Patient) -> None:
    """Lower its limit to less than it has."""
    patient.set("proxy_mem_limited", "20M")


async def _move_log(patient: Patient) -> None:
    """As a logrotate that was meant for others; ODP goes on writing where nobody looks."""
    log = patient.odp.home / "log" / "obproxy.log"
    log.rename(log.with_name("moved"))


def _fault(fault: Fault, seconds: float = 0) -> Strike:
    async def strike(patient: Patient) -> None:
        await patient.odp.fault(fault, seconds)

    return strike


def _signal(number: int) -> Strike:
    async def strike(patient: Patient) -> None:
        patient.odp.kill(number)

    return strike


_DOWN = frozenset({"OdpDown"})
_HUNG = frozenset({"OdpHung"})
_UNKNOWN = frozenset({"OdpUnknown"})
_RESTARTED = frozenset({"OdpRestarted"})
_RECOVERED = _DOWN | _RESTARTED | {"OdpSlowRecovery"}
_ON_TOP = {"OdpSlowRecovery": "on a busy machine a start takes longer than a second"}
_BRIEFLY = {**_ON_TOP, "OdpDown": "a look between death and start sees it down"}

DRILLS: Mapping[str, Drill] = {
    "nothing": Drill("nothing", _nothing),
    "kill": Drill("killed (SIGKILL)", _signal(signal.SIGKILL), _DOWN),
    "crash": Drill("crashes", _fault(Fault.CRASH), _DOWN),
    # Nothing but the kernel tells an OOM kill from another SIGKILL, and not before the next start.
    "oom": Drill("killed as if for want of memory", _fault(Fault.OOM), _DOWN),
    "stop": Drill("stopped (SIGSTOP)", _signal(signal.SIGSTOP), _HUNG),
    "hang": Drill("accepts, and greets nobody", _fault(Fault.HANG), _HUNG),
    "freeze": Drill("frozen at its memory limit", _fault(Fault.FREEZE), _HUNG | {"OdpMemoryFrozen"}),
    "trickle": Drill("greets byte by byte", _fault(Fault.TRICKLE, 60), _HUNG),
    "core": Drill("crashes, leaves a core, is started", _crash_and_core, _RESTARTED | {"OdpCoreDumped"}, _BRIEFLY),
    "error-packet": Drill("greets with an error", _fault(Fault.ERROR_PACKET), _UNKNOWN),
    "close": Drill("accepts and closes", _fault(Fault.CLOSE), _UNKNOWN),
    "reset": Drill("accepts and resets", _fault(Fault.RESET), _UNKNOWN),
    "short": Drill("greets by half", _fault(Fault.SHORT), _UNKNOWN),
    "garbage": Drill("greets with garbage", _fault(Fault.GARBAGE), _UNKNOWN),
    "http": Drill("answers as a web server", _fault(Fault.HTTP), _UNKNOWN),
    "refuse-start": Drill(
        "killed, and gives up when started",
        _refuse_start,
        _DOWN,
        {"OdpRestarted": "the process that gives up may live long enough to be counted"},
    ),
    "slow-start": Drill("killed, and takes 4 s to start", _slow_start, _RECOVERED - _DOWN, _BRIEFLY),
    "late-start": Drill("killed, and started after 4 s", _late_start, _RECOVERED),
    "crash-loop": Drill("crashes four times, 2 s apart", _crash_loop, _RESTARTED | {"OdpCrashLooping"}, _BRIEFLY),
    "duplicate": Drill("a second process is started", _duplicate, frozenset({"OdpDuplicateProcess"})),
    "drain": Drill("told to stop, drains", _drain, options={"hot_upgrade_exit_timeout": "120000000"}),
    "hot-restart": Drill("restarts hot", _fault(Fault.HOT_RESTART), _RESTARTED),
    "watchdog": Drill("loses its watchdog", _lose_watchdog, frozenset({"OdpWatchdogMissing"}), is_watched=True),
    "connections": Drill(
        "clients at the limit",
        _fill_connections,
        frozenset({"OdpConnectionsNearLimit"}),
        options={"client_max_connections": "4"},
    ),
    "memory": Drill("memory near the limit", _use_up_memory, frozenset({"OdpMemoryNearLimit"})),
    "descriptors": Drill("descriptors near the limit", _use_up_descriptors, frozenset({"OdpFileDescriptorsNearLimit"})),
    "log-moved": Drill("its log is moved away", _move_log, frozenset({"OdpExporterBlind"})),
}
"""By the name of the ODP that it strikes."""
