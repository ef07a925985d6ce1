"""The program: builds the parts, runs them until it is told to stop, and hands signals on.

Everything runs in one TaskGroup; if a part dies, the program does.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from .clock import Clock, wall_clock
from .config import Config, load
from .discovered_file import DiscoveredFile
from .exchange import open_session
from .exporter import Exporter, load_config, load_targets
from .exposition.web import application
from .files import FileError, read
from .httpd import access
from .httpd.serving import ListenError, serve
from .jobs.host import look_closer
from .jobs.means import Means
from .probes.host import HostProbe
from .procfs.history import History
from .schedule import Schedule
from .sentinel import Sentinel
from .store import Store
from .target_files import TargetFiles
from .targets import Address
from .yamlfiles.problems import ConfigError, Problem

log = structlog.get_logger()

BoundCallback = Callable[[tuple[Address, ...]], None]


STOP_GRACE = timedelta(seconds=10)
"""How long requests and threads that are under way may take to end."""
PING_THREADS = 8


class StartError(Exception):
    """The exporter cannot start; each line of the message is one reason."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; it wins over the configuration."""

    config_file: Path | None = None
    listen_addresses: tuple[Address, ...] = ()
    web_config_file: Path | None = None
    state_directory: Path | None = None


def check(config_file: Path) -> None:
    """Raise a StartError with every mistake of *config_file* and of the files that it names."""
    try:
        config = load(config_file)
        web_config = config.web.config_file
        problems = [
            *load_targets(config, TargetFiles()).problems,
            *(_web_problems(web_config) if web_config else ()),
            *(_password_problems(config.ping.password_file) if config.ping else ()),
        ]
    except ConfigError as error:
        raise StartError(str(error)) from error
    if problems:
        raise StartError("\n".join(map(str, problems)))


def _web_problems(web_config: Path) -> tuple[Problem, ...]:
    try:
        access.load(web_config)
    except ConfigError as error:
        return error.problems
    return ()


def _password_problems(password_file: Path) -> tuple[Problem, ...]:
    try:
        read(password_file)
    except FileError as error:
        return (Problem(str(password_file), str(error).removeprefix(f"{password_file}: ")),)
    return ()


async def run(options: Options, *, clock: Clock = wall_clock, on_bound: BoundCallback = lambda _: None) -> None:
    """Run until SIGTERM or SIGINT; raises a StartError instead of running half."""
    reasons: list[str] = []
    try:
        config = load_config(options.config_file)
        state = options.state_directory or config.state_directory
        async with assembled(options.config_file, config, state=state, clock=clock) as exporter:
            await _until_told(exporter, options, on_bound)
    except* (ConfigError, ListenError) as errors:
        # Raised below: what is raised here, older Pythons wrap into a group.
        reasons = [str(error) for error in errors.exceptions]
    if reasons:
        raise StartError("\n".join(reasons))


@asynccontextmanager
async def assembled(
    config_file: Path | None, config: Config, *, state: Path | None, clock: Clock
) -> AsyncIterator[Exporter]:
    """An exporter with all its parts, not running yet; without a *state* directory it writes nothing."""
    store, seed = Store(), socket.gethostname()
    schedule = Schedule(store.overruns, seed)
    with (
        closing(History(state)) as history,
        ThreadPoolExecutor(1, thread_name_prefix="host") as host_thread,
        ThreadPoolExecutor(PING_THREADS, thread_name_prefix="ping") as ping_threads,
        Sentinel(functools.partial(look_closer, schedule.hurry)) as sentinel,
    ):
        async with open_session() as session:
            means = Means(
                store=store,
                clock=clock,
                session=session,
                host=HostProbe(history),
                host_thread=host_thread,
                ping_threads=ping_threads,
                hurry=schedule.hurry,
                slots=asyncio.Semaphore(config.probe.max_concurrent),
                sentinel=sentinel,
                host_seen=asyncio.Event(),
                seed=seed,
            )
            file = DiscoveredFile(state)
            yield Exporter(config_file, config, means=means, schedule=schedule, discovered_file=file)


async def _until_told(exporter: Exporter, options: Options, on_bound: BoundCallback) -> None:
    web = exporter.config.web
    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    served = serve(
        application(exporter.site()),
        options.listen_addresses or (web.listen_address,),
        web_config=options.web_config_file or web.config_file,
        on_bound=on_bound,
    )
    async with asyncio.TaskGroup() as group:
        services = [
            group.create_task(exporter.run(), name="schedule"),
            group.create_task(_reload_when_told(exporter, reload), name="reload"),
            group.create_task(served, name="web"),
        ]
        await stop.wait()
        log.info("stopping")
        _end_anyway()
        for service in services:
            service.cancel()


async def _reload_when_told(exporter: Exporter, told: asyncio.Event) -> None:
    while True:
        await told.wait()
        told.clear()
        await exporter.reload()


def _end_anyway() -> None:
    """End within the grace even if a thread hangs, in a dead mount or a mute resolver."""
    timer = threading.Timer(STOP_GRACE.total_seconds(), os._exit, [0])
    timer.daemon = True
    timer.start()
