"""Actuator `ssh`: gives the order to `odp-remediator restart` on ODP's host, by OpenSSH's client.

The host's key must be known beforehand, nothing is asked of a person, no agent
and no port is forwarded, and no configuration file of the user counts. ssh
joins the words of a remote command and gives them to a shell there, so each is
quoted here.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass as settings_block

from odp_exporter import files
from odp_exporter.settings import STRICT, AbsolutePath, Duration, Port, quoted
from odp_exporter.targets import Target

from . import commands, remote, wire
from .actuator import HostUnreachable, HostView, NotPermitted, Order, Restarted, Unfinished
from .host import Argv

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_OWN_FAILURE = 255
_NO_SUCH_COMMAND = (126, 127)
_NOT_CONNECTED = re.compile(
    r"Host key verification failed|REMOTE HOST IDENTIFICATION|Permission denied \(|connect to host|Could not resolve"
    r"|kex_exchange_identification|banner exchange|Too many authentication failures|no matching|Bad configuration"
)
"""What OpenSSH says where it never came to a session, and so to no order."""


def parse_user(value: object) -> str:
    """A login name."""
    if isinstance(value, str) and _USER.fullmatch(value):
        return value
    message = f"not a user name: {quoted(value)} (try 'admin')"
    raise ValueError(message)


@settings_block(frozen=True, slots=True, config=STRICT)
class SshSettings:
    """An ODP on a host to which this one may log in."""

    type: Literal["ssh"]
    user: Annotated[str, BeforeValidator(parse_user)]
    """Whom to log in as: ODP's user."""
    identity_file: AbsolutePath
    """The private key, without a passphrase."""
    known_hosts_file: AbsolutePath
    """The keys of all ODP hosts; an unknown or changed one is refused."""
    port: Port = 22
    command: Argv = ("odp-remediator", "restart")
    """The host command there; as [sudo, -n, -u, admin, odp-remediator, restart], or with options of its own."""
    connect_timeout: Duration = timedelta(seconds=5)
    timeout: Duration | None = None
    """For a whole order, the way there included; by default what its steps may take together, and 15s."""
    client: Argv = ("ssh",)
    """OpenSSH's client here."""


@dataclass(frozen=True, slots=True)
class Ssh:
    """Acts on the ODPs of other hosts."""

    settings: SshSettings

    async def look(self, target: Target) -> HostView:
        """The processes of *target* now, as its host sees them."""
        try:
            return await remote.look(self.argv(target, wire.look_arguments(target)))
        except remote.NotAnswered as failed:
            if failed.done.status in _NO_SUCH_COMMAND:
                raise self._missing(target, failed) from failed
            raise self._unreachable(target, failed) from failed

    async def restart(self, order: Order) -> Restarted:
        """Carry out *order* on its target's host."""
        try:
            return await remote.restart(
                self.argv(order.target, wire.restart_arguments(order)), order, self.settings.timeout
            )
        except remote.NotAnswered as failed:
            if failed.done.status in _NO_SUCH_COMMAND:
                raise self._missing(order.target, failed) from failed
            said = failed.done.error.decode(errors="replace")
            if failed.done.status == _OWN_FAILURE and _NOT_CONNECTED.search(said):
                raise self._unreachable(order.target, failed) from failed
            message = f"{order.target.address.host}: {failed}"
            raise Unfinished(message) from failed

    async def check(self) -> None:
        """The client runs, and both key files can be read."""
        for path in (self.settings.identity_file, self.settings.known_hosts_file):
            try:
                files.read(path)
            except files.FileError as error:
                raise NotPermitted(str(error)) from error
        try:
            await commands.run([*self.settings.client, "-V"], within=self.settings.connect_timeout)
        except commands.CommandError as error:
            raise NotPermitted(str(error)) from error

    def argv(self, target: Target, arguments: Sequence[str]) -> tuple[str, ...]:
        """The client's argument vector for the host command with these *arguments*."""
        settings = self.settings
        options = (
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={_in_configuration(settings.known_hosts_file)}",
            "GlobalKnownHostsFile=/dev/null",
            "UpdateHostKeys=no",
            f"IdentityFile={_in_configuration(settings.identity_file)}",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "PreferredAuthentications=publickey",
            "ForwardAgent=no",
            "ClearAllForwardings=yes",
            f"ConnectTimeout={max(1, round(settings.connect_timeout.total_seconds()))}",
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
        )
        return (
            *settings.client,
            *("-F", "none", "-T"),
            *(word for option in options for word in ("-o", option)),
            *("-l", settings.user, "-p", str(settings.port), "--", target.address.host),
            shlex.join((*settings.command, *arguments)),
        )

    def _missing(self, target: Target, failed: remote.NotAnswered) -> NotPermitted:
        return NotPermitted(f"{target.address.host}: {self.settings.command[0]} cannot be run there: {failed}")

    def _unreachable(self, target: Target, failed: remote.NotAnswered) -> HostUnreachable:
        return HostUnreachable(f"{target.address.host}: {failed}")


def _in_configuration(path: Path) -> str:
    """A path as ssh_config(5) wants it: quoted, its percent signs doubled."""
    return '"{}"'.format(str(path).replace("%", "%%"))
