"""Whether systemd restarts a unit, read from its files once a minute."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from odp_exporter import files

from . import watchdogs

KEEP = timedelta(minutes=1)
"""How long the reading of a unit's files holds."""


class Units:
    """Remembers the answers for a minute."""

    def __init__(self, directories: Sequence[Path] = watchdogs.UNIT_DIRECTORIES) -> None:
        self._directories = directories
        self._answers: dict[str, tuple[datetime, bool | None]] = {}

    def is_restarted(self, unit: str, now: datetime) -> bool | None:
        """None where its files could not be read."""
        asked, answer = self._answers.get(unit, (None, None))
        if asked is None or not timedelta() <= now - asked < KEEP:
            try:
                answer = watchdogs.is_restarted_by(unit, self._directories)
            except files.FileError:
                answer = None
            self._answers[unit] = (now, answer)
        return answer

    def keep(self, units: Collection[str]) -> None:
        """Let go of all units but these."""
        self._answers = {unit: answer for unit, answer in self._answers.items() if unit in units}
