"""What the process is told: its command line (odp-facts 3.3) and the simulator's environment variables."""

from __future__ import annotations

import getopt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .release import Release

_SHORT = "p:l:s:n:r:c:o:e:d:u:NVRhtPH"
_LONG = {
    "listen_port=": "-p",
    "prometheus_listen_port=": "-l",
    "rpc_listen_port=": "-s",
    "appname=": "-n",
    "rs_list=": "-r",
    "cluster_name=": "-c",
    "optstr=": "-o",
    "execute_config_sql=": "-e",
    "dump_config_sql=": "-d",
    "upgrade_ver=": "-u",
    "nodaemon": "-N",
    "version": "-V",
    "help": "-h",
}
_PARAMETERS = {
    "-p": "listen_port",
    "-l": "prometheus_listen_port",
    "-s": "rpc_listen_port",
    "-n": "app_name",
    "-r": "rootservice_list",
    "-c": "rootservice_cluster_name",
}


class BadOption(Exception):
    """ODP prints its usage, starts nothing and exits with 0."""


@dataclass(frozen=True, slots=True)
class Options:
    """A parsed command line."""

    parameters: Mapping[str, str]
    """Parameters that it sets; they win over stored ones and are stored themselves."""
    is_foreground: bool = False
    """`-N`: stay the child of whoever started it."""
    shows_version: bool = False
    """`-V`: print the release and end."""


def parse(arguments: Sequence[str]) -> Options:
    """The command line that follows `./bin/obproxy`."""
    try:
        given, rest = getopt.gnu_getopt(list(arguments), _SHORT, list(_LONG))
    except getopt.GetoptError as error:
        raise BadOption(error.msg) from error
    if rest:
        message = f"unexpected argument: {rest[0]!r}"
        raise BadOption(message)
    parameters: dict[str, str] = {}
    flags = set()
    for name, value in given:
        short = _short(name)
        flags.add(short)
        if short == "-o":
            parameters |= _optstr(value)
        elif short in _PARAMETERS:
            parameters[_PARAMETERS[short]] = value
    return Options(parameters, is_foreground="-N" in flags, shows_version="-V" in flags)


def _short(name: str) -> str:
    return next((short for long, short in _LONG.items() if name == f"--{long.rstrip('=')}"), name)


def _optstr(text: str) -> dict[str, str]:
    """`k=v,k=v`; only the first `=` of a pair separates, as URLs hold more."""
    pairs = {}
    for item in filter(None, text.split(",")):
        name, equals, value = item.partition("=")
        if not equals:
            message = f"not a parameter: {item!r} (try 'name=value')"
            raise BadOption(message)
        pairs[name.strip()] = value
    return pairs


@dataclass(frozen=True, slots=True)
class Simulation:
    """What the environment says of the look-alike itself."""

    release: Release
    owner: int | None
    """The process whose end ends this one."""
    shows_metrics_anywhere: bool
    inherited: Mapping[str, int]
    """Listening sockets handed down by a hot restart: file descriptors by role."""


INHERITED = "OBPROXY_SIM_INHERITED"
"""Names the environment variable by which a hot restart hands its sockets to the child."""


def bequest(parent: int, sockets: Mapping[str, int]) -> str:
    """The value of INHERITED: `parent/role:fd,role:fd`."""
    return f"{parent}/" + ",".join(f"{role}:{fd}" for role, fd in sockets.items())


def simulation(environment: Mapping[str, str], *, parent: int) -> Simulation:
    """Read the OBPROXY_SIM_* variables of a process whose parent is *parent*."""
    owner = environment.get("OBPROXY_SIM_OWNER", "")
    giver, _, handed = environment.get(INHERITED, "").partition("/")
    # Whoever starts it again with the same environment hands down no sockets.
    items = [item.partition(":") for item in handed.split(",")] if giver == str(parent) else []
    return Simulation(
        release=Release.parse(environment.get("OBPROXY_SIM_RELEASE", "4.3.1")),
        owner=int(owner) if owner else None,
        shows_metrics_anywhere=environment.get("OBPROXY_SIM_METRICS_ANYWHERE") == "1",
        inherited={role: int(fd) for role, _, fd in items},
    )
