"""The configuration of both programs: one tree, read from one YAML file.

Every mistake of the file is told at once, with line and column; a file with
any mistake gives no configuration at all. Each part's options stand beside
the part; here are those of parts without a module of their own. What the
paths in it lead to is read by whoever uses them, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from .config_checks import contradictions
from .files import FileError, read
from .listening import ANY_HOST, parse_listen_address
from .notify.pusher import NotifySettings
from .probes.greeting import GreetingSettings
from .probes.ping import PingSettings
from .probes.servers import ServerSettings
from .settings import STRICT, Boolean, Duration, FilePath, HttpUrl, Interval
from .target_files import FileDiscovery
from .targets import Address, Ocp, PatternField, Pool, Target
from .yamlfiles.positions import Value, compose, decode
from .yamlfiles.problems import ConfigError, Fault, Problem
from .yamlfiles.schema import validated

MAX_BYTES = 4 * 1024 * 1024
"""Some 30 000 ODPs; a larger file is a mistake."""

Checks = Callable[[Value], Iterable[Fault]]
"""Finds mistakes in the plain values of a file: what one of the programs wants of its own part."""


def _nothing_more(_: Value) -> Iterable[Fault]:
    return ()


def _with_names(value: Any) -> Any:  # noqa: ANN401 - pydantic's own signature
    """Pools whose keys are their names."""
    if not isinstance(value, dict):
        return value
    return {name: {"name": name, **pool} if isinstance(pool, dict) else pool for name, pool in value.items()}


@dataclass(frozen=True, slots=True, config=STRICT)
class Discovery:
    """How the ODP processes of this host are found."""

    enabled: Boolean | None = None
    """By default only when no ODPs are configured."""
    interval: Interval = timedelta(seconds=5)
    """A look through /proc; a listening ODP is a target this much later at most."""
    forget_after: Duration = timedelta(days=1)
    """For how long a discovered ODP that is gone stays a target, and is said to be down; counted look by look."""


@dataclass(frozen=True, slots=True, config=STRICT)
class Process:
    """How ODP's processes are observed on this host."""

    interval: Interval = timedelta(seconds=1)
    """Costs ODP nothing: only /proc and the socket tables are read."""
    queue_interval: Interval = timedelta(milliseconds=250)
    """Of the looks at the accept queues alone: two in a row with clients in one have the ODP greeted at once."""


@dataclass(frozen=True, slots=True, config=STRICT)
class Cache:
    """How the cache in ODP's etc/ is observed on this host."""

    interval: Interval = timedelta(seconds=15)
    """ODP itself writes it every 30 to 60 s at most (odp-facts 2.4)."""


@dataclass(frozen=True, slots=True, config=STRICT)
class Web:
    """What the exporter serves by HTTP."""

    listen_address: Annotated[Address, BeforeValidator(parse_listen_address)] = Address(ANY_HOST, 9888)
    config_file: FilePath | None = None
    """TLS and basic auth, in exporter-toolkit's format."""
    allow_targets: tuple[PatternField, ...] = ()
    """What /probe serves besides the configured targets."""


@dataclass(frozen=True, slots=True, config=STRICT)
class Config:
    """All that an operator has decided; without any decision, this host's ODPs are discovered."""

    odps: tuple[Target, ...] = ()
    file_sd_configs: tuple[FileDiscovery, ...] = ()
    """More ODPs, from files that are read anew again and again."""
    discovery: Discovery = Discovery()
    pools: Annotated[Mapping[str, Pool], BeforeValidator(_with_names)] = field(default_factory=dict)
    ocp: tuple[Ocp, ...] = ()
    probe: GreetingSettings = GreetingSettings()
    ping: PingSettings | None = None
    """Switched off when absent."""
    process: Process = Process()
    cache: Cache = Cache()
    servers: ServerSettings = ServerSettings()
    """Of the cached servers, which answer."""
    state_directory: FilePath | None = None
    """What shall survive a restart of the exporter; a flag or the environment says it when absent."""
    alertmanagers: tuple[HttpUrl, ...] = ()
    """Told at once when an ODP of this host goes down or hangs."""
    notify: NotifySettings = NotifySettings()
    web: Web = Web()
    remediation: Mapping[str, object] | None = field(default=None, repr=False)
    """The remediator's own; the exporter checks that it is a mapping and never looks into it."""

    @property
    def is_discovering(self) -> bool:
        """The ODPs of this host are to be found."""
        if self.discovery.enabled is None:
            return not self.odps and not self.file_sd_configs
        return self.discovery.enabled


def parse(text: str, *, name: str, also: Checks = _nothing_more) -> Config:
    """The configuration that *text* means; *name* stands in the problems of a ConfigError. Reads no file."""
    document = compose(text, name=name)
    if document.value is None:
        empty = Problem(name, "no configuration in it (without a file, the ODPs of this host are discovered)")
        raise ConfigError(document.problems or [empty])
    config, faults = validated(Config, document.value)
    found = [document.problem(fault) for fault in (*faults, *contradictions(document.value), *also(document.value))]
    if config is None or document.problems or found:
        raise ConfigError(_one_for_each_place([*document.problems, *found]))
    return config


def load(path: Path, *, also: Checks = _nothing_more) -> Config:
    """The configuration in the file at *path*; paths in it start from the file's directory."""
    try:
        content = read(path, limit=MAX_BYTES).content
    except FileError as error:
        raise ConfigError([Problem(str(path), str(error).removeprefix(f"{path}: "))]) from error
    return _based_on(path.parent, parse(decode(content, name=str(path)), name=str(path), also=also))


def _one_for_each_place(problems: Iterable[Problem]) -> Iterable[Problem]:
    """The first of the *problems* of each value: what comes after follows from it."""
    first: dict[object, Problem] = {}
    for problem in problems:
        first.setdefault((problem.line, problem.column, problem.where), problem)
    return first.values()


def _based_on(directory: Path, config: Config) -> Config:
    web, ping = config.web, config.ping
    return replace(
        config,
        file_sd_configs=tuple(discovery.based_on(directory) for discovery in config.file_sd_configs),
        ping=ping and replace(ping, password_file=directory / ping.password_file),
        state_directory=config.state_directory and directory / config.state_directory,
        web=replace(web, config_file=web.config_file and directory / web.config_file),
    )
