"""`odp-exporter inspect`: one round of the exporter's own probes, and what they come to.

It does what `run` does, for a few seconds and without writing or serving
anything, so that both come to the same verdicts.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from . import app, dossier
from .clock import Clock, wall_clock
from .config import Config
from .dossier import Dossier, Grade
from .exporter import Exporter, load_config
from .exposition.api import odp_document
from .exposition.collector import Collector
from .exposition.tables.row import Moment
from .files import FileError
from .health import SILENT_PROBES
from .observations import Cause, ProbeResult
from .procfs import ledger_file
from .procfs.ledger_file import Ledger
from .settings import quoted
from .store import OdpRecord
from .targets import Address, parse_address
from .yamlfiles.problems import ConfigError

PATIENCE = timedelta(seconds=70)
"""How long it may take: a round of questions to a silent OCP takes a minute at most, and all the rest 3 s."""
_LOOK_AGAIN_SECONDS = 0.05
_SILENCE = frozenset({ProbeResult.GREETING_TIMEOUT, ProbeResult.CONNECT_TIMEOUT})


class InspectError(Exception):
    """There is nothing to inspect; the message says why."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found, of one ODP or of all of this host."""

    dossiers: tuple[Dossier, ...]

    @property
    def grade(self) -> Grade:
        """Of the worst one."""
        return max((it.grade for it in self.dossiers), default=Grade.BAD)

    def text(self, *, is_coloured: bool) -> str:
        """The pages for a person."""
        return "\n".join(dossier.page(it, is_coloured=is_coloured) for it in self.dossiers)

    def json(self) -> str:
        """The same for a script: an array of what /api/v1/odps gives, with `grade` and `restarts`."""
        documents = [
            odp_document(it.odp, it.appraisal, it.moment)
            | {"grade": it.grade.name.lower(), "restarts": it.restarts if isinstance(it.restarts, Mapping) else None}
            for it in self.dossiers
        ]
        return json.dumps(documents, indent=2) + "\n"


async def inspect(
    config_file: Path | None, target: str | None, *, state: Path | None, clock: Clock = wall_clock
) -> Inspection:
    """Probe everything once; an InspectError if there is no such *target*, or none at all."""
    try:
        config = load_config(config_file)
    except ConfigError as error:
        raise InspectError(str(error)) from error
    ledger = _ledger(state or config.state_directory)
    async with app.assembled(config_file, config, state=None, clock=clock) as exporter:
        await _one_round(exporter, config)
        records = _chosen(exporter, target)
        return Inspection(tuple(_dossier(record, exporter.collector, ledger) for record in records))


async def _one_round(exporter: Exporter, config: Config) -> None:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(exporter.run(), name="inspect")
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE.total_seconds()):
                while not _is_complete(exporter, config):  # noqa: ASYNC110 - many jobs, each with an end of its own
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        running.cancel()


def _is_complete(exporter: Exporter, config: Config) -> bool:
    """Everything was asked; an ODP that was silent, as often as makes a hang."""
    store = exporter.collector.store
    return (
        exporter.is_round_done
        and all(map(_is_settled, store.odps.values()))
        and (not config.servers.enabled or _servers_are_tried(exporter, config))
    )


def _is_settled(odp: OdpRecord) -> bool:
    latest = odp.probes.latest
    if latest is None or latest.result not in _SILENCE:
        return latest is not None
    return odp.health.silent_probes >= SILENT_PROBES


def _servers_are_tried(exporter: Exporter, config: Config) -> bool:
    store = exporter.collector.store
    cached = {server for odp in store.odps.values() if odp.cache for it in odp.cache.clusters for server in it.servers}
    return len(store.servers) >= min(len(cached), config.servers.max)


def _chosen(exporter: Exporter, target: str | None) -> Sequence[OdpRecord]:
    odps = exporter.collector.store.odps
    if target is not None:
        address = _address(target)
        if found := [odp for name, odp in odps.items() if name == target or odp.target.address == address]:
            return found
        message = f"no such ODP: {quoted(target)} (there are: {', '.join(sorted(odps)) or 'none'})"
        raise InspectError(message)
    here = [odp for odp in odps.values() if odp.host and odp.host.is_local]
    if not odps:
        hidden = "".join(f"\nnot seen: {reason}" for reason in exporter.unseen)
        message = f"no ODP found on this host (name one in a configuration, and give it by --config.file){hidden}"
        raise InspectError(message)
    return here or list(odps.values())


def _address(target: str) -> Address | None:
    try:
        return parse_address(target)
    except ValueError:
        return None


def _dossier(odp: OdpRecord, collector: Collector, ledger: Ledger | str) -> Dossier:
    moment = Moment(collector.clock(), collector.situation.interval)
    appraisal = collector.appraisal(odp, moment.now)
    if host := appraisal.evidence.host:
        # Said of an exporter that writes; this one reads the counts of another.
        unseen = tuple(reason for reason in host.unseen if not reason.startswith("restart counts:"))
        evidence = replace(appraisal.evidence, host=replace(host, unseen=unseen))
        appraisal = replace(appraisal, evidence=evidence)
    return Dossier(odp, appraisal, moment, _restarts(odp, ledger))


def _restarts(odp: OdpRecord, ledger: Ledger | str) -> Mapping[Cause, int] | str:
    if isinstance(ledger, str):
        return ledger
    record = ledger.odps.get(odp.target.name)
    return record.account.counts if record else "the exporter's state directory knows no ODP of this name"


def _ledger(directory: Path | None) -> Ledger | str:
    if directory is None:
        return "no state directory given (try --state-directory /var/lib/odp-exporter)"
    try:
        return ledger_file.read(directory)
    except (FileError, ValueError) as error:
        return str(error)
