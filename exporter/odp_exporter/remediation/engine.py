"""Folds events into the fleet: decided, written, believed, ordered - in this order, one batch after the other.

Folding happens in a thread of its own, for it is pure and may take long for
ten thousand alerts; what it gives is believed only once the journal has it, so
that a crash at any point leaves either the former fleet and the same input
again, or the new one and its outstanding commands (S24).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Self

import structlog

from odp_exporter.clock import Clock
from odp_exporter.schedule import Pacer

from . import payload
from .journal import Journal
from .journal_entries import Batch, Counts, Folded, tally
from .journal_opening import JournalError, JournalUnusable
from .model import Command, Decision, Event, Fleet, Outcome, Recovered, Tick
from .payload import Notification, Said, Scope

log = structlog.get_logger()

MAX_BATCH = 1000
"""Inputs that are folded and written together."""
RETRY = timedelta(seconds=1)
"""Between attempts to write what the journal did not take."""


@dataclass(frozen=True, slots=True)
class Core:
    """The pure part, with policy and inventory bound."""

    step: Callable[[Fleet, Event, datetime], Decision]
    dump: Callable[[Fleet], str]
    load: Callable[[str], Fleet]
    describe: Callable[[Event], str]
    """An event as it is kept for people: the inputs of what was decided (S30)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A delivery of the inbox."""

    number: int
    notification: Notification


@dataclass(frozen=True, slots=True)
class Asked:
    """An event whose sender waits until it is written."""

    event: Event
    done: asyncio.Future[None]


Input = Event | Heard | Asked


class InDoubt(Exception):
    """Its time was over while it was being written: whether it is, only the journal knows."""


@dataclass(frozen=True, slots=True)
class _Fold:
    fleet: Fleet
    commands: tuple[Command, ...]
    batch: Batch


class Engine:
    """Keeps the fleet, and is the only one that changes it."""

    def __init__(self, core: Core, journal: Journal, scope: Scope, clock: Clock) -> None:
        self.core = core
        self.fleet = Fleet()
        """What is believed, and in the journal."""
        self.counts = Counts({}, {})
        self.is_running = False
        self._journal = journal
        self._scope = scope
        self._clock = clock
        self._inputs: deque[Input] = deque()
        self._being_written: list[Input] = []
        self._wake = asyncio.Event()
        self._pending: dict[str, Said] = {}
        """The latest word on each alert that is stored and not folded yet."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def run(self, carry_out: Callable[[Command], None]) -> None:
        """Take up what the journal has, then fold what comes until cancelled; the journal must be open."""
        self.fleet = self._loaded(await self._journal.fleet())
        self.counts = await self._journal.counts()
        if (broken := await self._journal.broken_at()) is not None:
            log.error("audit was changed by somebody", first_record=broken)
        self._inputs.extendleft(reversed([Recovered(), *await self._recovered()]))
        self.is_running = True
        while True:
            batch = await self._next()
            for command in await self._fold(batch):
                carry_out(command)
            for asked in batch:
                if isinstance(asked, Asked) and not asked.done.done():
                    asked.done.set_result(None)

    def put(self, event: Event) -> None:
        """Fold *event* soon."""
        self._inputs.append(event)
        self._wake.set()

    async def ask(self, event: Event, within: timedelta) -> None:
        """Fold *event*, and return once that is written; after TimeoutError it never will be, after InDoubt it may."""
        asked = Asked(event, asyncio.get_running_loop().create_future())
        self._inputs.append(asked)
        self._wake.set()
        try:
            async with asyncio.timeout(within.total_seconds()):
                # Not cancelled by the timeout: what was done in the same moment is done.
                await asyncio.shield(asked.done)
        except TimeoutError:
            self._raise_late(asked)
        finally:
            self._withdraw(asked)

    def hear(self, number: int, notification: Notification) -> None:
        """Fold a delivery, which the journal has, soon."""
        self._pending.update({said.alert.key: said for said in notification.said})
        self._inputs.append(Heard(number, notification))
        self._wake.set()

    def tick(self) -> None:
        """Time has passed; one such event at a time is enough."""
        if not self._inputs:
            self.put(Tick())

    def is_known(self, said: Said) -> bool:
        """To fold *said* would change nothing (S3); nobody can say so who has not read the journal (S1)."""
        if not self.is_running:
            return False
        alert = said.alert
        if pending := self._pending.get(alert.key):
            return pending.is_firing == said.is_firing
        is_firing = any(alert.key == known.key for known in self.fleet.alerts.get(alert.odp, ()))
        return is_firing == said.is_firing

    def _raise_late(self, asked: Asked) -> None:
        """What is true of one whose time is over, unless it was written in that very moment."""
        if asked.done.done():
            return
        if any(asked is each for each in self._being_written):
            raise InDoubt
        raise TimeoutError

    def _withdraw(self, asked: Asked) -> None:
        """Whoever was told that it is not written must not be obeyed later."""
        asked.done.cancel()
        # That it is cancelled is enough; but a standby's queue is read by nobody, and would grow for months.
        with suppress(ValueError):
            self._inputs.remove(asked)

    def _loaded(self, text: str) -> Fleet:
        try:
            return self.core.load(text) if text else Fleet()
        except ValueError as error:
            message = "the journal holds no fleet that this release understands (was it written by a newer one?)"
            raise JournalUnusable(message) from error

    async def _recovered(self) -> list[Heard]:
        """What was stored before a crash and not dealt with, or while the engine was not running."""
        known = {heard.number for heard in self._inputs if isinstance(heard, Heard)}
        found = []
        for number in await self._journal.waiting():
            if number not in known:
                delivery = await self._journal.delivery(number)
                try:
                    found.append(Heard(number, payload.read(delivery.body, self._scope, delivery.received)))
                except payload.PayloadError as error:  # the configuration may have changed since it came
                    log.warning("stored notification passed over", number=number, reason=str(error))
                    found.append(Heard(number, Notification()))
        return found

    async def _next(self) -> list[Input]:
        while not self._inputs:
            self._wake.clear()
            await self._wake.wait()
        return [self._inputs.popleft() for _ in range(min(len(self._inputs), MAX_BATCH))]

    async def _fold(self, inputs: list[Input]) -> tuple[Command, ...]:
        """Decide, write, believe; gives what is to be done."""
        fold = await self._written(inputs)
        self.fleet = fold.fleet
        for folded in fold.batch.folded:
            tally(self.counts, folded)
        waiting = {
            said.alert.key for each in self._inputs if isinstance(each, Heard) for said in each.notification.said
        }
        self._pending = {key: said for key, said in self._pending.items() if key in waiting}
        for folded in fold.batch.folded:
            for record in folded.records:
                tell = log.warning if record.outcome is Outcome.FAILED else log.info
                tell("decided", **{name: str(value) for name, value in asdict(record).items() if value})
        return fold.commands

    async def _written(self, inputs: list[Input]) -> _Fold:
        pacer, problem = Pacer("journal", RETRY), ""
        while True:
            fold = await self._folded(inputs)
            self._being_written = inputs
            try:
                if fold.batch.folded or fold.batch.deliveries or fold.batch.fleet is not None:
                    await self._journal.commit(fold.batch)
            except JournalUnusable:
                raise
            except JournalError as error:
                self._being_written = []
                if str(error) != problem:
                    problem = str(error)
                    log.error("journal cannot be written, nothing is done", reason=problem)  # noqa: TRY400 - a person needs the reason, not where in our code
                await pacer.next(RETRY)
                continue
            return fold

    async def _folded(self, inputs: list[Input]) -> _Fold:
        """Of those that are still wanted when it is done."""
        while True:
            wanted = [each for each in inputs if not _is_withdrawn(each)]
            fold = await asyncio.get_running_loop().run_in_executor(
                self._thread, fold_all, self.core, self.fleet, wanted, self._clock()
            )
            if not any(_is_withdrawn(each) for each in wanted):
                return fold


def fold_all(core: Core, fleet: Fleet, inputs: Iterable[Input], now: datetime) -> _Fold:
    """Fold *inputs* into *fleet*, one after the other."""
    before, commands, folded, deliveries = fleet, list[Command](), list[Folded](), list[int]()
    for each in inputs:
        if isinstance(each, Heard):
            deliveries.append(each.number)
        for event in _events(each):
            decision = core.step(fleet, event, now)
            if decision.records or decision.refusals:
                # As text only what a record refers to: the same evidence again is large, and no news.
                body = core.describe(event) if decision.records else ""
                folded.append(Folded(type(event).__name__, subject(event), body, decision.records, decision.refusals))
            fleet = decision.fleet
            commands.extend(decision.commands)
    text = core.dump(fleet) if fleet != before else None
    return _Fold(fleet, tuple(commands), Batch(now, tuple(folded), text, tuple(deliveries)))


def subject(event: Event) -> str:
    """The ODP that *event* concerns; empty if none or several."""
    alert = getattr(event, "alert", None)
    return str(getattr(event, "odp", "") or getattr(alert, "odp", ""))


def _is_withdrawn(each: Input) -> bool:
    return isinstance(each, Asked) and each.done.cancelled()


def _events(each: Input) -> tuple[Event, ...]:
    match each:
        case Heard(_, notification):
            return tuple(said.event for said in notification.said)
        case Asked(event):
            return (event,)
        case _:
            return (each,)
