"""The remediator: builds the parts, runs them until it is told to stop.

Everything runs in one TaskGroup; if a part dies, the program does, and its
next life goes on from the journal. While another remediator has the journal,
or it cannot be used, only HTTP is served, which says so.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import structlog

from . import __version__
from .clock import Clock, wall_clock
from .httpd.serving import ListenError, serve
from .lb.agent import Agent
from .remediation.alertmanagers import Alertmanagers
from .remediation.authentication import Authentication
from .remediation.binding import core
from .remediation.collector import Sources
from .remediation.dispatch import Dispatch
from .remediation.engine import Engine
from .remediation.evidence import Observer
from .remediation.exporters import Exporters
from .remediation.journal import Journal
from .remediation.journal_opening import JournalError
from .remediation.payload import Notification, Scope
from .remediation.phases import Phases
from .remediation.planning import plan
from .remediation.reconciling import Reconciler
from .remediation.selftest import self_test
from .remediation.web import Site, application
from .remediation.webhook import Webhook
from .remediation.wishes import wishes
from .remediator_loading import Loaded, StartError, load_all
from .schedule import Pacer, Schedule
from .targets import Address
from .yamlfiles.problems import ConfigError

log = structlog.get_logger()

BoundCallback = Callable[[tuple[Address, ...]], None]

STOP_GRACE = timedelta(seconds=10)
"""How long requests and threads that are under way may take to end."""
SWITCH_SECONDS = 0.001
"""How long one thread may keep the others from running."""
TAKE_OVER = timedelta(seconds=1)
"""Between attempts to take the journal."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; it wins over the configuration."""

    config_file: Path
    listen_addresses: tuple[Address, ...] = ()
    is_dry: bool = False
    """Decide and tell, change nothing (S31)."""


async def run(options: Options, *, clock: Clock = wall_clock, on_bound: BoundCallback = lambda _: None) -> None:
    """Run until SIGTERM or SIGINT; raises a StartError instead of running half."""
    # Folding ten thousand alerts must not keep the event loop from answering.
    sys.setswitchinterval(SWITCH_SECONDS)
    loaded, reasons = await asyncio.to_thread(load_all, options.config_file), list[str]()
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, stop)
    try:
        async with parts(options, loaded, clock) as running:
            await running.run(stop, on_bound)
    except* (ConfigError, ListenError, JournalError) as errors:
        # Raised below: what is raised here, older Pythons wrap into a group.
        reasons = [str(error) for error in errors.exceptions]
    if reasons:
        raise StartError("\n".join(reasons))


@asynccontextmanager
async def parts(
    options: Options, loaded: Loaded, clock: Clock, *, journal_at: Callable[[Path], Journal] = Journal
) -> AsyncIterator[Parts]:
    """Everything that runs, ready to."""
    settings = loaded.settings
    scope = Scope(loaded.inventory.targets.keys(), frozenset(settings.receivers), frozenset(settings.volatile_labels))
    path = settings.journal.with_name(f"{settings.journal.name}.dry-run") if options.is_dry else settings.journal
    session = aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, timeout=aiohttp.ClientTimeout(total=None)
    )
    with ExitStack() as stack:
        journal = stack.enter_context(journal_at(path))
        engine = stack.enter_context(
            Engine(core(settings.policy, loaded.inventory, is_dry=options.is_dry), journal, scope, clock)
        )
        phases = Phases()

        def hear(number: int, notification: Notification) -> None:
            for said in notification.said:
                if said.is_firing and not engine.is_known(said):
                    phases.observe("detect", (clock() - said.alert.since).total_seconds())
            engine.hear(number, notification)

        webhook = stack.enter_context(Webhook(journal, scope, clock=clock, is_known=engine.is_known, tell=hear))
        async with session:
            alertmanagers = Alertmanagers(loaded.config.alertmanagers, session, scope, clock)
            observer = Observer(loaded.world, alertmanagers, Exporters(settings.exporters, session), clock)
            yield Parts(
                options=options,
                loaded=loaded,
                journal=journal,
                engine=engine,
                phases=phases,
                webhook=webhook,
                observer=observer,
                alertmanagers=alertmanagers,
                clock=clock,
            )


class Parts:
    """Everything that runs."""

    def __init__(  # noqa: PLR0913 - each is a different collaborator
        self,
        *,
        options: Options,
        loaded: Loaded,
        journal: Journal,
        engine: Engine,
        phases: Phases,
        webhook: Webhook,
        observer: Observer,
        alertmanagers: Alertmanagers,
        clock: Clock,
    ) -> None:
        self._options = options
        self._loaded = loaded
        self.journal = journal
        self.engine = engine
        self._webhook = webhook
        self._clock = clock
        self._phases = phases
        self._authentication = Authentication(loaded.settings.token_file)
        self._reconciler = Reconciler(loaded.world, alertmanagers, engine, journal, clock)
        self._observer = observer
        self._dispatch = Dispatch(
            loaded.world,
            observer,
            policy=loaded.settings.policy,
            clock=clock,
            phases=self._phases,
            fleet=lambda: engine.fleet,
            put=engine.put,
        )

    async def run(self, stop: asyncio.Event, on_bound: BoundCallback) -> None:
        """Serve and repair until *stop*."""
        settings = self._loaded.settings
        await self._authentication.refresh()
        served = serve(
            application(self._site()),
            self._options.listen_addresses or (settings.listen_address,),
            web_config=settings.web_config_file,
            on_bound=on_bound,
        )
        async with asyncio.TaskGroup() as group:
            services = [
                group.create_task(self._dispatch.run(), name="dispatch"),
                group.create_task(self._webhook.run(), name="webhook"),
                group.create_task(self._authentication.run(), name="token"),
                group.create_task(self._schedule(), name="schedule"),
                group.create_task(served, name="web"),
                group.create_task(self._repair(), name="engine"),
                group.create_task(self_test(self._loaded.world), name="self-test"),
            ]
            if settings.agent and not self._options.is_dry:
                agent = Agent(settings.agent, wishes(self.engine, self._loaded.world))
                services.append(group.create_task(agent.run(), name="agent"))
            await stop.wait()
            log.info("stopping")
            for service in services:
                service.cancel()

    async def _repair(self) -> None:
        """Take the journal, stand by until that is possible, then fold events (S33)."""
        pacer, problem = Pacer("journal", TAKE_OVER), ""
        while True:
            try:
                await self.journal.open()
                break
            except JournalError as error:
                if str(error) != problem:
                    problem = str(error)
                    log.warning("standing by, the journal cannot be taken", reason=problem)
            await pacer.next(TAKE_OVER)
        log.info("acting", dry_run=self._options.is_dry, version=__version__, odps=len(self._loaded.inventory.targets))
        await self.engine.run(self._dispatch.carry_out)

    async def _schedule(self) -> None:
        settings, schedule = self._loaded.settings, Schedule(Counter())
        schedule.apply(self._reconciler.jobs(settings.survey_interval, settings.alertmanager_interval))
        await schedule.run()

    def _site(self) -> Site:
        loaded, engine, journal = self._loaded, self.engine, self.journal
        sources = Sources(
            engine,
            loaded.inventory,
            self._reconciler.surveys,
            self._phases,
            self._webhook.results,
            lambda: self._webhook.heartbeat,
            self._is_active,
            self._clock,
        )
        return Site(
            sources,
            loaded.inventory,
            journal,
            self._webhook,
            self._authentication,
            engine.ask,
            lambda odp: plan(odp, engine.fleet, engine.core, self._observer, self._clock),
            self._warnings,
            self._clock,
        )

    def _is_active(self) -> bool:
        return self.engine.is_running and not self._options.is_dry

    def _warnings(self) -> tuple[str, ...]:
        trouble = self.journal.trouble or ("" if self.engine.is_running else "starting")
        return (trouble,) if trouble else ()


def _end(stop: asyncio.Event) -> None:
    """End, within the grace even if a thread hangs; the journal is whole at any moment."""
    stop.set()
    timer = threading.Timer(STOP_GRACE.total_seconds(), os._exit, [0])
    timer.daemon = True
    timer.start()
