"""The remediator's configuration, and all that it names: read and checked, or every mistake told at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .config import Config, load
from .exporter import load_targets
from .httpd import access
from .httpd.web_config import ClientAuth
from .inventory import Discovered, merged
from .remediation.assembly import Unsuitable, inventory_of, world_of
from .remediation.authentication import TokenError, read_token
from .remediation.checks import faults
from .remediation.policy import Inventory
from .remediation.settings import Remediation
from .remediation.world import World
from .target_files import TargetFiles
from .targets import Target
from .yamlfiles.problems import ConfigError
from .yamlfiles.schema import validated


class StartError(Exception):
    """The remediator cannot start; each line of the message is one reason."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, and what it leads to."""

    config: Config
    settings: Remediation
    world: World
    inventory: Inventory


def load_all(path: Path) -> Loaded:
    """The configuration at *path*; a StartError has every mistake of it and of what it names."""
    try:
        config = load(path, also=faults)
        settings, _ = validated(Remediation, config.remediation)
        assert settings is not None  # noqa: S101 - faults() would have said so
        settings = settings.based_on(path.parent)
        files = load_targets(config, TargetFiles())
        _check_access(settings)
        world = world_of(settings, _targets(config, files.targets), config.pools)
    except (ConfigError, Unsuitable, TokenError) as error:
        raise StartError(str(error)) from error
    if files.problems:
        raise StartError("\n".join(map(str, files.problems)))
    return Loaded(config, settings, world, inventory_of(settings, world))


def _targets(config: Config, from_files: tuple[Target, ...]) -> tuple[Target, ...]:
    return merged(
        configured=config.odps,
        from_files=from_files,
        discovered=Discovered(),
        pools=config.pools.values(),
        ocps=(),
        local=(),
    ).odps


def _check_access(settings: Remediation) -> None:
    """Nobody shall come in without having shown anything."""
    auth = None
    if settings.web_config_file:
        config = access.load(settings.web_config_file).config
        if config.basic_auth_users:
            message = f"{settings.web_config_file}: basic_auth_users: not for the remediator (use its token_file)"
            raise StartError(message)
        auth = config.tls_server_config and config.tls_server_config.client_auth_type
    if settings.token_file:
        read_token(settings.token_file)
    elif auth is not ClientAuth.REQUIRE_AND_VERIFY:
        raise StartError("remediation.token_file: missing (only where every client needs a certificate it may be)")
