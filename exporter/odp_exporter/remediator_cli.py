"""The command `odp-remediator`: parses arguments, calls one function, sets the exit status.

Commands for people talk to the running remediator, which the configuration
says where to find; their words come from it.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from . import __version__, logs, remediator, remediator_client
from .actuators.host_command import command as restart
from .listening import parse_listen_address
from .logs import LogFormat, LogLevel
from .remediator_client import Client, fail
from .remediator_loading import StartError, load_all
from .settings import parse_duration
from .targets import Address

CONFIG_FILE = Path("/etc/odp-remediator/odp-remediator.yml")
FILE = click.Path(path_type=Path)


def _listen_address(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[Address, ...]:
    try:
        return tuple(parse_listen_address(text) for text in texts)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _duration(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    try:
        return text if text is None or parse_duration(text) else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


config_option = click.option(
    "--config.file", "config_file", type=FILE, default=CONFIG_FILE, show_default=True, help="Configuration."
)


def client_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which every client command finds the remediator; gives it a `client`."""

    @click.option("--url", help="Where it answers, if not where the configuration says that it listens.")
    @click.option("--ca-file", type=FILE, help="Who signed its certificate, if the system does not know.")
    @config_option
    def with_client(*, config_file: Path, url: str | None, ca_file: Path | None, **arguments: object) -> None:
        command(client=remediator_client.client(config_file, url, ca_file), **arguments)

    with_client.__name__, with_client.__doc__ = command.__name__, command.__doc__
    with_client.__click_params__ = [  # type: ignore[attr-defined]  # click keeps an undecorated command's options there
        *getattr(command, "__click_params__", []),
        *getattr(with_client, "__click_params__", []),
    ]
    return with_client


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="odp-remediator")
def main() -> None:
    """Repair OceanBase Database Proxy (ODP): out of the load balancer, restarted, verified, back in."""


main.add_command(restart)


@main.command()
@config_option
@click.option(
    "--web.listen-address",
    "listen_addresses",
    multiple=True,
    callback=_listen_address,
    help="Overrides remediation.listen_address.",
)
@click.option("--dry-run", is_flag=True, help="Look, decide and tell; change nothing.")
@click.option("--log.level", "log_level", type=click.Choice(LogLevel), default=LogLevel.INFO, show_default=True)
@click.option("--log.format", "log_format", type=click.Choice(LogFormat), default=LogFormat.LOGFMT, show_default=True)
def run(
    *,
    config_file: Path,
    listen_addresses: tuple[Address, ...],
    dry_run: bool,
    log_level: LogLevel,
    log_format: LogFormat,
) -> None:
    """Run the remediator until it is told to stop."""
    logs.configure(log_level, log_format)
    try:
        asyncio.run(remediator.run(remediator.Options(config_file, listen_addresses, is_dry=dry_run)))
    except StartError as error:
        fail(str(error))


@main.command()
@click.argument("file", type=FILE)
def check(file: Path) -> None:
    """Check a configuration FILE, and all that it names; exit status 1 if anything is wrong."""
    try:
        loaded = load_all(file)
    except StartError as error:
        fail(str(error))
    click.echo(f"{file}: ok, {len(loaded.inventory.targets)} ODPs may be repaired")


@main.command()
@click.argument("odp", required=False)
@client_options
def plan(*, client: Client, odp: str | None) -> None:
    """What would be done about ODP, or each of them, were an alert to ask for it now; nothing is done."""
    names = [odp] if odp else [str(each.get("odp")) for each in _entries(client.get("/v1/status"), "odps")]
    for name in names:
        told = client.get("/v1/plan", odp=name)
        commands = ", ".join(map(str, _list(told, "commands"))) or "nothing"
        click.echo(f"{name}: {commands} ({told.get('stage')}: {told.get('why')})")
        evidence = told.get("evidence")
        if odp and isinstance(evidence, dict):
            click.echo(json.dumps(evidence, indent=2))


@main.command()
@client_options
def status(*, client: Client) -> None:
    """What the remediator believes of every ODP."""
    told = client.get("/v1/status")
    for warning in _list(told, "warnings"):
        click.echo(f"warning: {warning}")
    click.echo("active" if told.get("active") else "not active (standby, or a dry run)")
    brake = told.get("brake")
    if isinstance(brake, dict):
        click.echo(f"brake since {brake.get('since')}: {brake.get('why')} (release: odp-remediator resume --fleet)")
    for pause in _entries(told, "pauses"):
        until = f" until {pause['until']}" if pause.get("until") else ""
        whose = f"{pause.get('scope')} {pause.get('name')} since {pause.get('since')}{until}"
        click.echo(f"paused: {whose}, by {pause.get('who')}: {pause.get('why')}")
    for each in _entries(told, "odps"):
        alerts = ", ".join(map(str, _list(each, "alerts")))
        parts = (each.get("stage"), each.get("why"), alerts and f"alerts: {alerts}")
        click.echo(f"{each.get('odp')}: {'; '.join(str(part) for part in parts if part)}")


@main.command()
@click.option("--odp", default="", help="Only what concerns this ODP.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000))
@client_options
def history(*, client: Client, odp: str, limit: int) -> None:
    """What was decided and done, and why; the latest last."""
    for each in reversed(_entries(client.get("/v1/history", odp=odp, limit=str(limit)), "records")):
        parts = (each.get(key) for key in ("at", "odp", "action", "outcome", "reason", "detail"))
        click.echo("  ".join(str(part) for part in parts if part))


def _scoped(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--reason", required=True, help="For whoever finds it later."),
        click.option("--odp", "target", help="One ODP."),
        click.option("--pool", help="One pool."),
        click.option("--fleet", is_flag=True, help="Everything."),
    ):
        command = option(command)
    return command


@main.command()
@_scoped
@click.option("--for", "length", callback=_duration, help="Ends by itself after this time; otherwise by `resume`.")
@client_options
def pause(  # noqa: PLR0913 - click passes each option by its name
    *, client: Client, fleet: bool, pool: str | None, target: str | None, reason: str, length: str | None
) -> None:
    """Begin nothing new; what is under way ends safely."""
    scope = _scope(fleet=fleet, pool=pool, target=target)
    client.post("/v1/pause", {**scope, "reason": reason, "who": _who(), "for": length})
    click.echo("paused")


@main.command()
@_scoped
@client_options
def resume(*, client: Client, fleet: bool, pool: str | None, target: str | None, reason: str) -> None:
    """Take a pause back; for the fleet also the brake, for an ODP also what it is held for."""
    scope = _scope(fleet=fleet, pool=pool, target=target)
    client.post("/v1/resume", {**scope, "reason": reason, "who": _who()})
    click.echo("resumed")


def _scope(*, fleet: bool, pool: str | None, target: str | None) -> dict[str, str]:
    given = [("fleet", "")] * fleet + [("pool", pool)] * bool(pool) + [("target", target)] * bool(target)
    if len(given) != 1:
        raise click.UsageError("exactly one of --fleet, --pool and --odp is needed")
    ((scope, name),) = given
    return {"scope": scope, "name": name or ""}


def _who() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):
        return f"somebody@{socket.gethostname()}"


def _list(value: Mapping[str, object], key: str) -> list[object]:
    found = value.get(key)
    return found if isinstance(found, list) else []


def _entries(value: Mapping[str, object], key: str) -> list[dict[str, object]]:
    return [each for each in _list(value, key) if isinstance(each, dict)]


if __name__ == "__main__":
    main()
