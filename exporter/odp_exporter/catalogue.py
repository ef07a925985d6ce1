"""Every metric family of both programs: what rules, dashboards and docs may name."""

from __future__ import annotations

from types import ModuleType

from .exposition import families as of_exporter
from .metrics.family import Family
from .remediation import families as of_remediator


def _declared(module: ModuleType) -> tuple[Family, ...]:
    return tuple(value for value in vars(module).values() if isinstance(value, Family))


EXPORTER = _declared(of_exporter)
"""What `odp-exporter` shows, those of /probe included."""
REMEDIATOR = _declared(of_remediator)
"""What `odp-remediator` shows."""
