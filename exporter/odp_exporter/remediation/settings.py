"""The `remediation:` block of the configuration. The exporter never imports this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from odp_exporter.actuators.types import ActuatorSettings
from odp_exporter.lb.agent import AgentSettings
from odp_exporter.lb.types import LbSettings
from odp_exporter.listening import parse_listen_address
from odp_exporter.settings import STRICT, FilePath, HttpUrl, Interval
from odp_exporter.targets import Address, Name, Target

from .policy import Policy

DEFAULT_ACTUATOR = "default"
PORT = 9889


@dataclass(frozen=True, slots=True, config=STRICT)
class Remediation:
    """How ODPs are repaired, through what, and who may ask for it."""

    lbs: Mapping[Name, LbSettings] = field(default_factory=dict)
    """By the name that a pool's `lb` gives."""
    actuators: Mapping[Name, ActuatorSettings] = field(default_factory=dict)
    """By the name of an ODP or of a pool; `default` acts for all others."""
    policy: Policy = field(default_factory=Policy)
    listen_address: Annotated[Address, BeforeValidator(parse_listen_address)] = Address("0.0.0.0", PORT)
    token_file: FilePath | None = None
    """Whoever shows what is in it is let in; needed unless every client must have a certificate."""
    web_config_file: FilePath | None = None
    """TLS and client certificates, in exporter-toolkit's format."""
    journal: FilePath = Path("/var/lib/odp-remediator/journal.db")
    receivers: tuple[str, ...] = ("remediator", "heartbeat")
    """Names that Alertmanager may give us; what was meant for another receiver moves nothing."""
    volatile_labels: tuple[str, ...] = ("prometheus", "replica")
    """Labels that differ between replicas of the same alert."""
    exporters: Mapping[str, HttpUrl] = field(default_factory=dict)
    """Where the exporter answers that watches an ODP, by the ODP's name or host; `http://HOST:9888` for others."""
    survey_interval: Interval = timedelta(seconds=3)
    """Each load balancer is read so often."""
    alertmanager_interval: Interval = timedelta(seconds=30)
    """What fires is asked so often; a lost webhook costs as much."""
    agent: AgentSettings | None = None
    """Where HAProxy's agent checks are answered; not at all when absent."""

    def actuator_of(self, target: Target) -> str | None:
        """Name of the actuator that acts on *target*: its own, its pool's, or the default one."""
        names = (target.name, target.pool or "", DEFAULT_ACTUATOR)
        return next((name for name in names if name in self.actuators), None)

    def based_on(self, directory: Path) -> Remediation:
        """The same with all paths starting from *directory*."""
        return replace(
            self,
            token_file=self.token_file and directory / self.token_file,
            web_config_file=self.web_config_file and directory / self.web_config_file,
            journal=directory / self.journal,
        )
