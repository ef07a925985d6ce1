from datetime import UTC, datetime
from pathlib import Path

from odp_exporter.procfs.units import KEEP, Units

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def setting(directory: Path, restart: str) -> None:
    (directory / "odp.service").write_text(f"[Service]\nRestart={restart}\n", encoding="utf-8")


def test_a_units_files_are_read_once_a_minute(tmp_path: Path) -> None:
    units = Units([tmp_path])
    setting(tmp_path, "always")
    first = units.is_restarted("odp.service", NOON)
    setting(tmp_path, "no")

    assert (True, True, False) == (
        first,
        units.is_restarted("odp.service", NOON + KEEP / 2),
        units.is_restarted("odp.service", NOON + KEEP),
    )


def test_a_unit_without_files_is_neither_restarted_nor_not(tmp_path: Path) -> None:
    assert None is Units([tmp_path]).is_restarted("odp.service", NOON)


def test_a_unit_that_is_no_longer_watched_is_forgotten(tmp_path: Path) -> None:
    units = Units([tmp_path])
    setting(tmp_path, "always")
    units.is_restarted("odp.service", NOON)
    setting(tmp_path, "no")
    units.keep({"odp.service"})
    kept = units.is_restarted("odp.service", NOON)
    units.keep(set())

    assert (True, False) == (kept, units.is_restarted("odp.service", NOON))
