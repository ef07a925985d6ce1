"""One life of an ODP: the order of its start, its signals and its end (odp-facts 7)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from . import faults
from .cache_files import CacheFiles
from .clusters import Clusters
from .conduct import Conduct
from .config_server import ConfigServer
from .control import Control, Reply
from .disaster import Disaster
from .faults import Fault
from .login import Doorkeeper
from .logs import Logs
from .metrics import Metrics
from .options import INHERITED, Options, Simulation, bequest
from .parameters import Parameters, ParametersLocked, load
from .session import Office
from .sockets import Sockets

PID_FILE = Path("run/serving.pid")
STARTS_FILE = Path("run/starts")
"""A line for each process that came to listen: its pid."""
"""Relative to the home: the process that listened last. Real ODP has no such file."""

_REVISION = "105-local-81eeae92526f5efbee516e863c7234532dfa6175"
_STOP_SECONDS = (0.03, 1.5)
"""From SIGTERM to the end of the process, as measured (odp-facts 7.4)."""
_DRAIN_SECONDS = 0.5
"""The least time that a drain takes (captured in signals-2.txt)."""
_WITHOUT_EFFECT = (signal.SIGHUP, signal.SIGUSR2, 40, 41, 42, 43, 49)
"""Signals that ODP handles and no client notices."""


class StartRefused(Exception):
    """A fault forbids this start."""


class Server:
    """The process, from its first log line to its exit."""

    def __init__(self, options: Options, simulation: Simulation, home: Path, logs: Logs) -> None:
        self._options = options
        self._simulation = simulation
        self._home = home
        self._logs = logs
        self._conduct = Conduct()
        self._sockets: Sockets | None = None
        # A daemon's parent has only adopted it, and the simulator signals no strangers.
        self._parent = os.getppid() if options.is_foreground or simulation.inherited else None

    async def run(self) -> None:
        """Start, and serve until the process ends, which it does by `os._exit`: all clients are cut."""
        async with asyncio.TaskGroup() as tasks:
            self._handle_signals(tasks)
            try:
                await self._start(tasks)
            except (StartRefused, ParametersLocked, ValueError, OSError) as error:
                self._give_up(error)
            await asyncio.Event().wait()

    async def _start(self, tasks: asyncio.TaskGroup) -> None:
        """In ODP's order: parameters, OCP, pools, and the ports last."""
        awaiting = faults.read(self._home)
        self._log_begin()
        if Fault.REFUSE_START in awaiting:
            raise StartRefused("a fault forbids this start")
        parameters = load(self._home / "etc", self._options.parameters, self._simulation.release)
        self._logs.limit_to(parameters.text("syslog_level"))
        names_real_cluster = self._simulation.release.names_real_cluster
        clusters = Clusters(CacheFiles(self._home, self._logs), names_real_cluster=names_real_cluster)
        config_server = ConfigServer(parameters, clusters, self._logs)
        if config_server.is_used:
            await config_server.start()
            tasks.create_task(config_server.poll(), name="config_server_refresh_task")
            if parameters.flag("enable_metadb_used"):
                tasks.create_task(config_server.use_meta_database(), name="meta database")
        await asyncio.sleep(awaiting.get(Fault.SLOW_START, 0))
        doorkeeper = Doorkeeper(parameters, clusters, config_server, self._logs)
        self._sockets = self._open_sockets(parameters, doorkeeper, tasks)
        self._log_success()
        self._serve_control(awaiting)
        if self._simulation.inherited and self._parent is not None:
            os.kill(self._parent, signal.SIGUSR1)

    def _open_sockets(self, parameters: Parameters, doorkeeper: Doorkeeper, tasks: asyncio.TaskGroup) -> Sockets:
        self._parameters = parameters
        metrics = Metrics(str(self._simulation.release), parameters.text("app_name"))
        office = Office(parameters, doorkeeper, self._conduct, self._logs, metrics)
        sockets = Sockets(office, self._simulation, tasks)
        sockets.open()
        return sockets

    def _serve_control(self, awaiting: Mapping[Fault, float]) -> None:
        disaster = Disaster(self._home, self._simulation.release, self._logs, self._conduct, self._hot_restart)
        Control(disaster.strike, self._conduct.release, self._status).start(self._home)
        with STARTS_FILE.open("a") as starts:
            starts.write(f"{os.getpid()}\n")
        # Last of all: whoever waits for this start waits for this file.
        temporary = PID_FILE.with_suffix(f".{os.getpid()}")
        temporary.write_text(f"{os.getpid()}\n")
        temporary.rename(PID_FILE)
        for fault in awaiting.keys() - faults.AT_START:
            disaster.strike(fault, awaiting[fault])

    def _status(self) -> Reply:
        return {"pid": os.getpid(), "connections": len(self._sockets.sessions) if self._sockets else 0}

    def _handle_signals(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGUSR1, lambda: tasks.create_task(self._drain(), name="drain"))
        for without_effect in _WITHOUT_EFFECT:
            loop.add_signal_handler(without_effect, lambda: None)
        # A shell has what runs in its background ignore this one, and all its children too.
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)

    def _stop(self, number: int) -> None:
        """SIGTERM, SIGINT: mute at once, gone at the next tick of ODP's one-second cop."""
        self._logs.error("PROXY", "sig_handler (ob_proxy_main.cpp:820)", f"receive signal(sig={number})")
        if self._sockets is not None:
            self._sockets.stop_accepting()
        asyncio.get_running_loop().call_later(random.uniform(*_STOP_SECONDS), self._leave)  # noqa: S311 - no secret

    async def _drain(self) -> None:
        """SIGUSR1: mute at once, gone when no client is left or the drain time is over."""
        self._logs.info("PROXY", "sig_handler (ob_proxy_main.cpp:850)", "recv SIGUSR1 signal, will graceful exit")
        self._conduct.is_draining = True
        if self._sockets is not None:
            self._sockets.stop_accepting()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._parameters.number("hot_upgrade_exit_timeout") / 1e6):
                    await asyncio.sleep(_DRAIN_SECONDS)
                    await self._sockets.idle.wait()
        self._leave()

    def _leave(self) -> NoReturn:
        """A clean end has status 1, and the parent is told (odp-facts 7.2, 7.4)."""
        where = "main_event (ob_unix_net.cpp:96)"
        self._logs.info("PROXY.NET", where, "graceful exit, it will cancel DEDICATED thread and exit")
        if self._parent not in {None, 1} and self._parent == os.getppid():
            os.kill(self._parent, signal.SIGUSR2)
        os._exit(1)

    def _give_up(self, error: Exception) -> NoReturn:
        """A failed start has status 0 (odp-facts 7.2)."""
        self._logs.error("PROXY", "start (ob_proxy_main.cpp:540)", f"obproxy init failed({error})")
        self._logs.error("PROXY", "main (main.cpp:54)", "obproxy start failed")
        self._log_reboot("reboot failed")
        os._exit(0)

    def _hot_restart(self) -> None:
        """Start the successor; once it listens it sends SIGUSR1, and this process drains."""
        if self._sockets is None:
            return
        handed = bequest(os.getpid(), self._sockets.hand_down())
        # Nobody waits for the child while this process lives.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        os.posix_spawn(sys.argv[0], sys.argv, {**os.environ, INHERITED: handed})

    def _log_begin(self) -> None:
        where = "start (ob_proxy_main.cpp:507)"
        version = f"ObProxy-OceanBase {self._simulation.release}-1.deb12-{_REVISION}"
        self._logs.info("PROXY", "start (ob_proxy_main.cpp:501)", version)
        if self._simulation.inherited:
            self._logs.info("PROXY", where, "obproxy will start by hot upgrade(info={is_inherited:true})")
        else:
            self._logs.info("PROXY", where, "has no inherited sockets, start new obproxy(info={is_inherited:false})")

    def _log_success(self) -> None:
        text = "obproxy start up successful and can provide normal service(cost time(us)=66000)"
        self._logs.info("PROXY", "start (ob_proxy.cpp:452)", text)
        self._log_reboot("reboot success")

    def _log_reboot(self, result: str) -> None:
        version = f"obproxy version: {self._simulation.release}, revision: {_REVISION}"
        self._logs.diagnose("REBOOT", f'info="{version}, pid: {os.getpid()}, ppid: {os.getppid()}, result: {result}"')
