"""The command `odp-exporter`: parses arguments, calls one function, sets the exit status."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import click

from . import __version__, app, dossier, inspection, logs, report
from .clock import wall_clock
from .health import SILENT_PROBES
from .listening import parse_listen_address
from .logs import LogFormat, LogLevel
from .observations import GreetingObservation, ProbeResult
from .probes.greeting import Deadlines, probe
from .settings import parse_duration
from .targets import Address, parse_address


class _Parsed(click.ParamType[object]):
    """A text that one of the configuration's own parsers takes."""

    def __init__(self, name: str, parse: Callable[[object], object]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Refuse as click does what the parser refuses."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


ADDRESS = _Parsed("host:port", parse_address)
LISTEN_ADDRESS = _Parsed("host:port", parse_listen_address)
DURATION = _Parsed("duration", parse_duration)
FILE = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="odp-exporter")
def main() -> None:
    """Measure OceanBase Database Proxy (ODP) for Prometheus."""


@main.command()
@click.option("--config.file", "config_file", type=FILE, help="Configuration; without it, discover this host's ODPs.")
@click.option(
    "--web.listen-address",
    "listen_addresses",
    type=LISTEN_ADDRESS,
    multiple=True,
    help="Where to serve /metrics; may be given several times. Overrides web.listen_address.",
)
@click.option(
    "--web.config.file", "web_config_file", type=FILE, help="TLS and basic auth, in exporter-toolkit's format."
)
@click.option(
    "--state-directory",
    type=FILE,
    envvar="STATE_DIRECTORY",
    help="Where restart counts are kept. Overrides state_directory; systemd sets $STATE_DIRECTORY.",
)
@click.option("--log.level", "log_level", type=click.Choice(LogLevel), default=LogLevel.INFO, show_default=True)
@click.option("--log.format", "log_format", type=click.Choice(LogFormat), default=LogFormat.LOGFMT, show_default=True)
def run(  # noqa: PLR0913 - click passes each option by its name
    *,
    config_file: Path | None,
    listen_addresses: tuple[Address, ...],
    web_config_file: Path | None,
    state_directory: Path | None,
    log_level: LogLevel,
    log_format: LogFormat,
) -> None:
    """Run the exporter until it is told to stop."""
    logs.configure(log_level, log_format)
    options = app.Options(config_file, listen_addresses, web_config_file, state_directory)
    try:
        asyncio.run(app.run(options))
    except app.StartError as error:
        _fail(str(error))


@main.command()
@click.argument("file", type=FILE)
def check(file: Path) -> None:
    """Check a configuration FILE, and all that it names; exit status 1 if anything is wrong."""
    try:
        app.check(file)
    except app.StartError as error:
        _fail(str(error))
    click.echo(f"{file}: ok")


@main.command("probe")
@click.argument("address", metavar="HOST:PORT", type=ADDRESS)
@click.option("--connect-timeout", type=DURATION, default="1s", show_default=True)
@click.option("--greeting-timeout", type=DURATION, default="1s", show_default=True)
def probe_command(address: Address, connect_timeout: timedelta, greeting_timeout: timedelta) -> None:
    """Greet the ODP at HOST:PORT once; exit status 0 if it serves, 1 if not."""
    probes = asyncio.run(_probe(address, Deadlines(connect_timeout, greeting_timeout)))
    click.echo(f"{address}")
    for line in report.lines(probes):
        click.echo(line)
    sys.exit(0 if probes[-1].is_ok else 1)


async def _probe(address: Address, deadlines: Deadlines) -> list[GreetingObservation]:
    """One probe, and one more if it met with silence, as the exporter confirms a hang."""
    probes = []
    for _ in range(SILENT_PROBES):
        probes.append(await probe(str(address), address, deadlines=deadlines, clock=wall_clock))
        if probes[-1].result is not ProbeResult.GREETING_TIMEOUT:
            break
    return probes


@main.command()
@click.argument("target", metavar="[TARGET]", required=False)
@click.option("--config.file", "config_file", type=FILE, help="Configuration; without it, discover this host's ODPs.")
@click.option(
    "--state-directory",
    type=FILE,
    envvar="STATE_DIRECTORY",
    help="Where `odp-exporter run` keeps restart counts; they are only read.",
)
@click.option("--json", "is_json", is_flag=True, help="For scripts: what /api/v1/odps gives.")
def inspect(target: str | None, *, config_file: Path | None, state_directory: Path | None, is_json: bool) -> None:
    """Show all about the ODPs of this host, or about TARGET, a name or HOST:PORT.

    Would a restart come back, would an outage of OCP be survived, and what is to be done?
    Exit status 0: good. 1: degraded. 2: bad, or nothing to inspect.
    """
    logs.configure(LogLevel.ERROR, LogFormat.LOGFMT)
    try:
        found = asyncio.run(inspection.inspect(config_file, target, state=state_directory))
    except inspection.InspectError as error:
        _fail(str(error), dossier.Grade.BAD)
    click.echo(found.json() if is_json else found.text(is_coloured=sys.stdout.isatty()), nl=False)
    sys.exit(found.grade)


@main.command()
@click.option("--duration", type=DURATION, help="End after this time instead of at Ctrl-C.")
def demo(duration: timedelta | None) -> None:
    """Show it at work on simulated ODPs: a death and a hang that are repaired, and a repair that is refused."""
    # A program of its own: nobody who runs the exporter has a use for the simulator in memory.
    seconds = [str(duration.total_seconds())] if duration else []
    os.execv(sys.executable, [sys.executable, "-m", "odp_exporter.simulator.demo", *seconds])  # noqa: S606 - no shell wanted


def _fail(message: str, status: int = 1) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(status)
