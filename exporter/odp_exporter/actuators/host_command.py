"""The command `odp-remediator restart`: the procedure on this host, for people and for actuators that come by a wire.

With --json it prints one line (wire.py) whatever the outcome, and its exit
status says the same: 0 done, or was done already; 2 wrong usage; 3 to 8 as the
table below says. It takes no other configuration than its options.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import click

from odp_exporter.observations import Identity
from odp_exporter.settings import parse_absolute_path, parse_duration
from odp_exporter.targets import Address, Target, parse_name, parse_probed_address

from . import wire
from .actuator import (
    Actuator,
    ActuatorError,
    HostUnreachable,
    HostView,
    NotIdentified,
    NotPermitted,
    Order,
    Restarted,
    StartFailed,
    StopFailed,
)
from .host import STATE_DIRECTORY
from .local import Local, LocalSettings
from .stopping import is_same
from .systemd import Systemd, SystemdSettings, parse_unit

EXIT_STATUSES: dict[type[ActuatorError], int] = {
    NotIdentified: 3,
    NotPermitted: 4,
    StopFailed: 5,
    StartFailed: 6,
    HostUnreachable: 7,
    ActuatorError: 8,
}
"""Of each error; the first that fits counts."""
_FORCE = "--forced"
_BY_WIRE = frozenset(
    {
        "--dead-only",
        "--dry-run",
        "--evidence-budget",
        "--expect",
        "--home",
        "--json",
        "--name",
        "--no-evidence",
        "--start-timeout",
        "--stop-grace",
    }
)
"""What may come over a wire: nothing that names a directory of ours, or a unit."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was told."""

    target: Target
    order: Order | None
    """None: the one process that is there is to be replaced, or a dead ODP started."""
    is_dry: bool
    is_json: bool
    pace: Order
    """Budgets for an order that is still to be made; its process counts for nothing."""


async def run(actuator: Actuator, options: Options) -> HostView | Restarted:
    """Look, or carry out the order; raises an ActuatorError."""
    if options.is_dry:
        return await actuator.look(options.target)
    return await actuator.restart(options.order or await _order_for_what_is_there(actuator, options))


async def _order_for_what_is_there(actuator: Actuator, options: Options) -> Order:
    view = await actuator.look(options.target)
    if len(view.processes) > 1:
        message = f"{len(view.processes)} processes claim the port (say which one with --expect)"
        raise NotIdentified(message)
    pace = options.pace
    kill = view.processes[0] if view.processes else None
    return Order(options.target, kill, pace.evidence_budget, pace.stop_grace, pace.start_timeout)


def exit_status(error: ActuatorError) -> int:
    """What the command ends with for this error."""
    return next(status for kind, status in EXIT_STATUSES.items() if isinstance(error, kind))


def _parsed(parse: Callable[[object], object]) -> Callable[[click.Context, click.Parameter, str | None], object]:
    def callback(_context: click.Context, _parameter: click.Parameter, value: str | None) -> object:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return callback


class _Command(click.Command):
    """Takes the order of whoever comes by ssh from the environment, when it is told to."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Replace --forced by what may be taken from $SSH_ORIGINAL_COMMAND."""
        if _FORCE in args:
            args = [*(word for word in args if word != _FORCE), *_asked_for(os.environ.get("SSH_ORIGINAL_COMMAND", ""))]
        return super().parse_args(ctx, args)


def _asked_for(line: str) -> list[str]:
    """The arguments of an order for this command; whatever else was asked for is refused."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = []
    wanted = words[words.index("restart") + 1 :] if "restart" in words else None
    if wanted is None or any(word.startswith("-") and word.partition("=")[0] not in _BY_WIRE for word in wanted):
        message = "only `odp-remediator restart` with the options of one order may be asked for here"
        raise click.UsageError(message)
    return wanted


@click.command("restart", cls=_Command, context_settings={"max_content_width": 100})
@click.argument("address", metavar="HOST:PORT", callback=_parsed(parse_probed_address))
@click.option(
    _FORCE, is_flag=True, expose_value=False, help="Take the order from $SSH_ORIGINAL_COMMAND: for authorized_keys."
)
@click.option("--name", callback=_parsed(parse_name), help="The ODP's name; its address when absent.")
@click.option("--home", callback=_parsed(parse_absolute_path), help="Its home; found from the process when absent.")
@click.option(
    "--expect",
    metavar="BOOT/PID/TICKS",
    callback=_parsed(wire.parse_expectation),
    help="The one process that may be ended.",
)
@click.option("--dead-only", is_flag=True, help="End no process; only start an ODP that is dead.")
@click.option("--dry-run", is_flag=True, help="Show what would be acted on, and do nothing.")
@click.option("--json", "is_json", is_flag=True, help="Print one line of JSON.")
@click.option(
    "--state-directory",
    envvar="STATE_DIRECTORY",
    default=str(STATE_DIRECTORY),
    show_default=True,
    callback=_parsed(parse_absolute_path),
)
@click.option(
    "--exporter-state-directory", callback=_parsed(parse_absolute_path), help="Where odp-exporter keeps its own."
)
@click.option(
    "--evidence-directory", callback=_parsed(parse_absolute_path), help="`evidence` in the former when absent."
)
@click.option("--core", is_flag=True, help="Take a core by gcore as well.")
@click.option("--no-evidence", is_flag=True, help="Look at nothing before the process is ended.")
@click.option("--evidence-budget", default="5s", show_default=True, callback=_parsed(parse_duration))
@click.option("--stop-grace", default="2s", show_default=True, callback=_parsed(parse_duration))
@click.option("--start-timeout", default="45s", show_default=True, callback=_parsed(parse_duration))
@click.option("--systemd-unit", callback=_parsed(parse_unit), help="The ODP is this unit: let systemd start it.")
def command(  # noqa: PLR0913 - click passes each option by its name
    *,
    address: Address,
    name: str | None,
    home: Path | None,
    expect: Identity | None,
    dead_only: bool,
    dry_run: bool,
    is_json: bool,
    state_directory: Path,
    exporter_state_directory: Path | None,
    evidence_directory: Path | None,
    core: bool,
    no_evidence: bool,
    evidence_budget: timedelta,
    stop_grace: timedelta,
    start_timeout: timedelta,
    systemd_unit: str | None,
) -> None:
    """Restart the ODP at HOST:PORT, an address of this host: exactly its process, and no other.

    Without --expect or --dead-only, whatever process has the port is replaced, whether or not it serves.

    Exit status: 0 done, or was done already; 2 wrong usage; 3 not exactly the process that was meant; 4 not
    permitted; 5 it could not be stopped; 6 it did not come up; 7 not an address of this host; 8 anything else.
    """
    if expect and dead_only:
        message = "--expect and --dead-only contradict each other"
        raise click.UsageError(message)
    target = Target(name=name or str(address), address=address, home=home)
    budget = timedelta() if no_evidence else evidence_budget
    order = Order(target, expect, budget, stop_grace, start_timeout)
    directories = (state_directory, exporter_state_directory, evidence_directory)
    actuator = _actuator(*directories, core=core, unit=systemd_unit)
    named = order if expect or dead_only else None
    _finish(actuator, Options(target, named, is_dry=dry_run, is_json=is_json, pace=order))


def _actuator(state: Path, exporter: Path | None, evidence: Path | None, *, core: bool, unit: str | None) -> Actuator:
    if unit:
        return Systemd(SystemdSettings(state, exporter, evidence, core=core, unit=unit))
    return Local(LocalSettings(state, exporter, evidence, core=core))


def _finish(actuator: Actuator, options: Options) -> NoReturn:
    try:
        outcome = asyncio.run(run(actuator, options))
    except ActuatorError as error:
        click.echo(wire.dump(error) if options.is_json else str(error), err=not options.is_json)
        sys.exit(exit_status(error))
    lines = [wire.dump(outcome)] if options.is_json else _told(outcome)
    for line in lines:
        click.echo(line)
    sys.exit(0)


def _told(outcome: HostView | Restarted) -> Iterator[str]:
    """For a person."""
    match outcome:
        case HostView():
            for process in outcome.processes:
                is_owner = outcome.owner is not None and is_same(process, outcome.owner)
                yield f"pid {process.pid}, {'owns' if is_owner else 'claims'} the port: {wire.expectation(process)}"
            yield from ("no process",) if not outcome.processes else ()
            yield from ("hot restart under way",) if outcome.is_hot_restarting else ()
            yield from ("told to stop",) if outcome.is_told_to_stop else ()
            yield from (f"watched by {watchdog.value}" for watchdog in sorted(outcome.watchdogs))
            yield from (f"in the way of a start: {obstacle}" for obstacle in outcome.obstacles)
        case Restarted(was_done=True):
            yield f"done already: pid {outcome.process.pid} greets, started {outcome.began.isoformat()}"
        case Restarted():
            steps = ", ".join(f"{step.value} {seconds:.3f}s" for step, seconds in outcome.durations.items())
            yield f"pid {outcome.process.pid} greets, started by {outcome.by} ({steps})"
            yield from (f"evidence: {outcome.evidence}",) if outcome.evidence else ()
