"""What became of an ODP's processes: restarts by cause, orders to stop, hot restarts, cores.

Joins what is seen (processes, logs, evidence, cores) with the rules
(restarts.py, causes.py) and the ledger on disk. One thread calls it; a look
at a quiet ODP costs a few reads of small files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from odp_exporter.observations import Cause, Cores, Identity, Process

from . import restarts
from .causes import Evidence, classify
from .cores import CoreWatch
from .evidence import LifeWatch, logged_pid
from .ledger_file import LedgerFile, Record
from .logwatch import LogWatch, News
from .pidfds import Pidfds
from .processes import PROC
from .restarts import Life, Look

SETTLING = timedelta(seconds=1.5)
"""A younger process may be a launcher or a start that fails, gone after 0.1 s (odp-facts 7.1, 7.9)."""
CORE_EXPECTED = timedelta(minutes=10)
"""For so long after the end of a life its core may still be written."""
_FREEZES_EARLY = "4.2.3"
"""The release that freezes at 90 % of its memory limit (odp-facts 7.5)."""
_NO_STATUS = "exit statuses: not kept by this kernel (Linux 6.15 does), so a SIGKILL without a trace counts as a crash"
_NO_HOME = "logs: home unknown"


@dataclass(frozen=True, slots=True)
class Findings:
    """What the history of one ODP's processes shows."""

    restarts: Mapping[Cause, int]
    """Every cause, with 0 for those that never were."""
    is_told_to_stop: bool
    is_hot_restarting: bool
    is_memory_frozen: bool
    cores: Cores | None
    version: str | None
    unseen: tuple[str, ...]


@dataclass(slots=True)
class _Watch:
    """What is remembered of one ODP between looks, and could be learnt anew."""

    cores: CoreWatch
    logs: LogWatch | None = None
    life: LifeWatch | None = None
    lives: dict[Identity, Life] = field(default_factory=dict)
    """The processes of the last look, and the known life."""
    pids: dict[int, datetime] = field(default_factory=dict)
    """The pids of its lives, also of those that ended a while ago, and when they were last seen."""


class History:
    """The histories of all ODPs of this host."""

    def __init__(self, directory: Path | None, *, proc: Path = PROC) -> None:
        self._proc = proc
        self._remediation = directory / "remediation" if directory else None
        self._ledger = LedgerFile(directory)
        self._pidfds = Pidfds(proc)
        self._watches: dict[str, _Watch] = {}

    def observe(
        self, target: str, processes: Sequence[Process], home: Path | None, now: datetime, *, is_silent: bool = False
    ) -> Findings:
        """Take in the *processes* that are present, and tell what became of the earlier ones.

        *is_silent* says that the ODP did not greet: all of its log is worth searching for an order to stop.
        """
        watch = self._watches.setdefault(target, _Watch(CoreWatch(self._proc)))
        known = self._ledger.record(target)
        record = _at_home(known, home or next((process.home for process in processes if process.home), known.home))
        self._hold(watch, record, processes)
        news = _read_logs(watch, record, is_silent=is_silent)
        young = {process.identity for process in processes if timedelta() <= now - process.started < SETTLING}
        up = {start.pid for start in (*record.account.waiting, *news.starts)}
        living = self._living(watch, record, young=young, up=up)
        look = self._look(watch, record, living, news)
        record = replace(record, account=restarts.account(record.account, look), diagnosis=news.position)
        is_hot = _is_handing_over(watch, processes, living)
        record = self._bookmarked(watch, known, record, is_hot=is_hot)
        record = self._with_cores(watch, record, now)
        self._ledger.keep(target, record)
        if look.ended is Cause.REMEDIATION and watch.life:
            watch.life.forget_word()
        self._follow_life(watch, record, living)
        return self._findings(watch, record, is_hot=is_hot, is_present=bool(processes))

    def forget(self, kept: Collection[str]) -> None:
        """Watch no targets but those *kept*; what the ledger knows of the others stays."""
        self._watches = {target: watch for target, watch in self._watches.items() if target in kept}
        self._release()

    def close(self) -> None:
        """Let go of everything; the ledger is on disk already."""
        self.forget(())

    def _hold(self, watch: _Watch, record: Record, present: Sequence[Process]) -> None:
        """Know the processes that are *present*, and hold them so that their end can be told."""
        lives = {}
        for process in present:
            identity = process.identity
            self._pidfds.hold(identity)
            known = watch.lives.get(identity)
            pid = known.logged_pid if known else logged_pid(identity.pid, proc=self._proc)
            lives[identity] = Life(identity, process.parent, pid)
        if record.account.life:
            lives.setdefault(record.account.life.identity, record.account.life)
        has_changed = lives.keys() != watch.lives.keys()
        watch.lives = lives
        if has_changed:
            self._release()

    def _release(self) -> None:
        self._pidfds.release({identity for watch in self._watches.values() for identity in watch.lives})

    def _living(
        self, watch: _Watch, record: Record, *, young: Collection[Identity], up: Collection[int]
    ) -> tuple[Life, ...]:
        """The lives that count, oldest first; *young* ones only if their log says that they are *up*."""
        known = record.account.life
        proven = (life for life in watch.lives.values() if life.identity not in young or life.logged_pid in up)
        living = [life for life in proven if life is not known]
        # It lives on even where it has lost its port.
        if known and not restarts.is_living(known, living) and self._pidfds.is_living(known.identity):
            living.append(known)
        return tuple(sorted(living, key=lambda life: life.identity.start_ticks))

    def _look(self, watch: _Watch, record: Record, living: tuple[Life, ...], news: News) -> Look:
        """What this look shows; what was left behind is searched once, when a life has ended."""
        life = record.account.life
        look = Look(living, news.starts)
        if life is None or restarts.is_living(life, living) or (record.account.ended and not living):
            return look
        if watch.life is None:
            watch.life = self._watch_life(life.identity)
        if not living and watch.life.is_ending():
            return look
        endings = watch.logs.endings(record.main) if watch.logs else None
        has_core = watch.cores.shows_crash(record.cores, (life.identity.pid, life.logged_pid))
        evidence = watch.life.evidence(endings.first if endings else None, has_core=has_core)
        between = tuple(classify(Evidence(log=log)) for log in endings.between) if endings else ()
        unseen = 0 if news.is_kept else len(between)
        return Look(living, news.starts, ended=classify(evidence), between=between, unseen=unseen)

    def _watch_life(self, identity: Identity) -> LifeWatch:
        return LifeWatch(identity, proc=self._proc, pidfds=self._pidfds, remediation=self._remediation)

    def _follow_life(self, watch: _Watch, record: Record, living: Sequence[Life]) -> None:
        life = record.account.life
        if life is None:
            return
        if watch.life is None or watch.life.identity != life.identity:
            watch.life = self._watch_life(life.identity)
        if restarts.is_living(life, living):
            watch.life.notice()

    def _bookmarked(self, watch: _Watch, known: Record, record: Record, *, is_hot: bool) -> Record:
        """The record with the place in obproxy.log from which its life's end will be read."""
        if watch.logs is None:
            return record
        version = watch.logs.version or record.version
        if record.account.life is None:
            return replace(record, version=version)
        is_new = known.account.life is None or known.account.life.identity != record.account.life.identity
        if is_new:
            watch.logs.begin()
        was_hot = known.is_hot
        if was_hot and not is_hot:
            watch.logs.forget()
        # While a parent hands over, its last words must not be taken for its child's.
        main = watch.logs.end if is_new or is_hot or was_hot or record.main is None else record.main
        return replace(record, version=version, main=main, is_hot=is_hot)

    def _with_cores(self, watch: _Watch, record: Record, now: datetime) -> Record:
        living = {pid for life in watch.lives.values() for pid in (life.identity.pid, life.logged_pid)}
        seen = {pid: at for pid, at in watch.pids.items() if timedelta() <= now - at < CORE_EXPECTED}
        pids = watch.pids = seen | dict.fromkeys(living, now)
        return replace(record, cores=watch.cores.look(record.cores, home=record.home, pids=pids, now=now))

    def _findings(self, watch: _Watch, record: Record, *, is_hot: bool, is_present: bool) -> Findings:
        said = watch.logs.present if watch.logs and is_present else None
        is_early = bool(record.version) and str(record.version).startswith(_FREEZES_EARLY)
        unseen = [
            self._ledger.trouble,
            None if self._pidfds.gives_status else _NO_STATUS,
            watch.cores.unseen,
            *(watch.logs.unseen if watch.logs else (_NO_HOME,)),
        ]
        return Findings(
            restarts={cause: record.account.counts.get(cause, 0) for cause in Cause},
            is_told_to_stop=said is not None and said.is_told_to_stop,
            is_hot_restarting=is_hot,
            is_memory_frozen=said is not None and (said.is_frozen or (is_early and said.is_nearly_full)),
            cores=None if watch.cores.unseen else record.cores.cores,
            version=record.version,
            unseen=tuple(reason for reason in unseen if reason),
        )


def _at_home(record: Record, home: Path | None) -> Record:
    """The record of an ODP in *home*; of the logs of another home nothing is known."""
    return record if home == record.home else replace(record, home=home, main=None, diagnosis=None)


def _read_logs(watch: _Watch, record: Record, *, is_silent: bool) -> News:
    if record.home is None:
        watch.logs = None
        return News()
    if watch.logs is None or watch.logs.home != record.home:
        watch.logs = LogWatch(record.home)
    return watch.logs.follow(main=record.main, diagnosis=record.diagnosis, is_silent=is_silent)


def _is_handing_over(watch: _Watch, present: Sequence[Process], living: Sequence[Life]) -> bool:
    """A hot restart's child runs beside its parent, which is no launcher of 20 ms (odp-facts 7.6)."""
    parents = {life.identity.pid for life in living}
    is_child = any(process.parent in parents for process in present)
    return is_child or (len(present) > 1 and watch.logs is not None and watch.logs.present.is_hot)
