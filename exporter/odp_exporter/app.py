"""The program: builds the parts, runs them until it is told to stop, and hands signals on.

Everything runs in one TaskGroup; if a part dies, the program does.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from .clock import Clock, wall_clock
from .config import Config, load
from .discovered_file import DiscoveredFile
from .exporter import Exporter, load_config, load_targets
from .exposition import access
from .exposition.serving import ListenError, serve
from .exposition.web import application
from .probes.host import HostProbe
from .probes.ocp import open_session
from .probing import Means
from .procfs.history import History
from .store import Store
from .target_files import TargetFiles
from .targets import Address
from .yamlfiles.problems import ConfigError, Problem

log = structlog.get_logger()

BoundCallback = Callable[[tuple[Address, ...]], None]


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
        problems = [*load_targets(config, TargetFiles()).problems, *(_web_problems(web_config) if web_config else ())]
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


async def run(options: Options, *, clock: Clock = wall_clock, on_bound: BoundCallback = lambda _: None) -> None:
    """Run until SIGTERM or SIGINT; raises a StartError instead of running half."""
    try:
        config = load_config(options.config_file)
        async with _exporter(options, config, clock) as exporter:
            await _until_told(exporter, options, on_bound)
    except* (ConfigError, ListenError) as errors:
        raise StartError("\n".join(str(error) for error in errors.exceptions)) from errors


@asynccontextmanager
async def _exporter(options: Options, config: Config, clock: Clock) -> AsyncIterator[Exporter]:
    state = options.state_directory or config.state_directory
    with closing(History(state)) as history, ThreadPoolExecutor(1, thread_name_prefix="host") as host_thread:
        async with open_session() as session:
            means = Means(
                store=Store(),
                clock=clock,
                session=session,
                host=HostProbe(history),
                host_thread=host_thread,
                slots=asyncio.Semaphore(config.probe.max_concurrent),
                host_seen=asyncio.Event(),
            )
            yield Exporter(options.config_file, config, means, DiscoveredFile(state))


async def _until_told(exporter: Exporter, options: Options, on_bound: BoundCallback) -> None:
    config, loop = exporter.config, asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGHUP, lambda: group.create_task(exporter.reload(), name="reload"))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        services = [
            group.create_task(exporter.run(), name="schedule"),
            group.create_task(
                serve(
                    application(exporter.site()),
                    options.listen_addresses or (config.web.listen_address,),
                    web_config=options.web_config_file or config.web.config_file,
                    on_bound=on_bound,
                ),
                name="web",
            ),
        ]
        await stop.wait()
        log.info("stopping")
        for service in services:
            service.cancel()
