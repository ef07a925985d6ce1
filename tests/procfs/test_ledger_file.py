import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from odp_exporter.observations import Cause, Identity
from odp_exporter.procfs.cores import Tally
from odp_exporter.procfs.ledger_file import NAME, Ledger, LedgerFile, Record, decode, encode
from odp_exporter.procfs.logfiles import Position
from odp_exporter.procfs.restarts import Account, Life, Start
from structlog.testing import capture_logs

RECORD = Record(
    account=Account(
        counts={Cause.CRASH: 2, Cause.OOM: 1},
        life=Life(Identity("boot", 4711, 42, "/opt/obproxy/bin/obproxy"), 1, 7),
        ended=Cause.STOP,
        unlogged=1,
        waiting=(Start("2026-11-22 19:00:00.1", 7, 1),),
        newest=Start("2026-11-22 19:00:00.1", 7, 1),
    ),
    home=Path("/opt/obproxy"),
    main=Position(1, 2),
    diagnosis=Position(3, 4),
    version="4.3.1.0",
    cores=Tally(1, Path("/cores"), (("core.4711", 1763838000000000000),), datetime(2026, 11, 22, tzinfo=UTC)),
)


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    LedgerFile(tmp_path / "state").keep("odp-1", RECORD)

    again = LedgerFile(tmp_path / "state")

    assert RECORD == again.record("odp-1")
    assert Record() == again.record("odp-2")
    assert again.trouble is None


def test_a_path_that_is_no_text_does_not_cost_the_counts(tmp_path: Path) -> None:
    record = Record(account=RECORD.account, home=Path(os.fsdecode(b"/opt/\xff\xfe")))
    LedgerFile(tmp_path).keep("odp-1", record)

    assert RECORD.account == LedgerFile(tmp_path).record("odp-1").account


def test_it_is_written_only_when_something_changed(tmp_path: Path) -> None:
    ledger = LedgerFile(tmp_path)
    ledger.keep("odp-1", RECORD)
    inode = (tmp_path / NAME).stat().st_ino

    ledger.keep("odp-1", RECORD)
    ledger.keep(
        "odp-1", Record(**{name: getattr(RECORD, name) for name in ("account", "home", "main", "version", "cores")})
    )

    assert inode == (tmp_path / NAME).stat().st_ino
    assert [NAME] == os.listdir(tmp_path)  # noqa: PTH208 - names only


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"\xff",
        b"null",
        b"[" * 100_000,
        encode(Ledger(odps={"odp-1": RECORD}))[:-1],
        encode(Ledger(odps={"odp-1": RECORD})).replace(b'"version": 1', b'"version": 2'),
        encode(Ledger(odps={"odp-1": RECORD})).replace(b'"crash"', b'"weather"'),
        b"x" * (17 * 1024 * 1024),
    ],
    ids=["empty", "zeros", "no text", "null", "deep", "cut", "newer", "unknown cause", "huge"],
)
def test_what_is_no_ledger_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)

    with capture_logs() as logs:
        ledger = LedgerFile(tmp_path)

    assert ["restart ledger set aside"] == [entry["event"] for entry in logs]
    assert Record() == ledger.record("odp-1")
    assert ledger.trouble is None
    assert content == (tmp_path / f"{NAME}.corrupt").read_bytes()
    assert Ledger() == decode((tmp_path / NAME).read_bytes())


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_set_aside(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / NAME)

    assert LedgerFile(tmp_path).trouble is None


def test_without_a_directory_it_lives_in_memory() -> None:
    ledger = LedgerFile(None)
    ledger.keep("odp-1", RECORD)

    assert RECORD == ledger.record("odp-1")
    assert "restart counts: kept in memory only, for there is no state directory" == ledger.trouble


def test_a_directory_that_cannot_be_written_costs_the_file_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with capture_logs() as logs:
        ledger = LedgerFile(tmp_path / "file/state")
        ledger.keep("odp-1", RECORD)
        ledger.keep("odp-1", Record())

    assert ["restart ledger not written"] == [entry["event"] for entry in logs]
    assert Record() == ledger.record("odp-1")
    assert ledger.trouble is not None
    assert ledger.trouble.startswith("restart counts: kept in memory only (")


def test_what_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ledger = LedgerFile(state)
    (state / NAME).unlink()
    state.rmdir()
    state.touch()
    ledger.keep("odp-1", RECORD)
    assert ledger.trouble is not None

    state.unlink()
    ledger.keep("odp-1", RECORD)

    assert ledger.trouble is None
    assert RECORD == LedgerFile(state).record("odp-1")


@given(st.binary())
def test_any_bytes_are_a_ledger_or_a_value_error(content: bytes) -> None:
    try:
        decode(content)
    except ValueError:
        return
