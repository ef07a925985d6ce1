from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.remediation import journal_file, journal_pruning
from odp_exporter.remediation.journal_entries import Batch, Folded
from odp_exporter.remediation.journal_file import JournalFile
from odp_exporter.remediation.journal_opening import JournalTaken, JournalUnusable, JournalUnwritable
from odp_exporter.remediation.model import Outcome, Reason, Record

from .payloads import NOW, delivery

RECORD = Record("odp-1", "e1", "drain", Outcome.BEGUN, "", "hung")
REFUSED = Record("odp-1", "e1", "look", Outcome.REFUSED, "paused", "by ann")
PAUSED_TWICE = (("odp-1", Reason.PAUSED),) * 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[JournalFile]:
    with closing(JournalFile(path)) as opened:
        yield opened


def folded(*records: Record) -> Folded:
    return Folded("Looked", "odp-1", "{}", records)


@contextmanager
def disk_full(path: Path) -> Iterator[None]:
    """No file may grow beyond what the journal has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = path.with_name(f"{path.name}-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_was_stored_is_there_after_a_restart(path: Path) -> None:
    """(S1, S24): a delivery stays until it is folded, the fleet is the last one written."""
    with closing(JournalFile(path)) as first:
        one, two = first.accept(delivery(b"one")), first.accept(delivery(b"two"))
        first.commit(Batch(NOW, (folded(RECORD),), "fleet", (one,)))
    with closing(JournalFile(path)) as second:
        assert "fleet" == second.fleet()
        assert [two] == second.waiting()
        assert delivery(b"two") == second.delivery(two)


def test_counters_outlive_the_process(path: Path) -> None:
    with closing(JournalFile(path)) as first:
        first.commit(Batch(NOW, (replace(folded(RECORD, RECORD, REFUSED), refusals=PAUSED_TWICE),)))
        first.commit(Batch(NOW, (replace(folded(), refusals=PAUSED_TWICE),)))
    with closing(JournalFile(path)) as second:
        counts = second.counts()

    assert {("odp-1", "drain", "begun"): 2} == counts.actions
    assert {("odp-1", "paused"): 4} == counts.refusals


def test_history_is_the_latest_first(journal: JournalFile) -> None:
    other = Record("odp-2", "e2", "start", Outcome.DONE)
    journal.commit(Batch(NOW, (folded(RECORD), Folded("Tick", "", "{}", (other,)))))

    assert [other, RECORD] == [each.record for each in journal.history(None, 10)]
    assert [RECORD] == [each.record for each in journal.history("odp-1", 10)]
    assert [other] == [each.record for each in journal.history(None, 1)]


@pytest.mark.parametrize(
    "crime",
    [
        "UPDATE audit SET detail = 'all was well' WHERE id = 2",
        "UPDATE audit SET at = '2026-05-04T13:00:00+00:00' WHERE id = 2",
        "DELETE FROM audit WHERE id = 1",
    ],
)
def test_an_audit_that_was_changed_tells(path: Path, crime: str) -> None:
    """(S30): append-only, and who changes it all the same is found out."""
    with closing(JournalFile(path)) as journal:
        for _ in range(3):
            journal.commit(Batch(NOW, (folded(RECORD),)))
        before = journal.broken_at()
    with closing(sqlite3.connect(path)) as other:
        other.execute(crime)
        other.commit()
    with closing(JournalFile(path)) as journal:
        assert (None, 2) == (before, journal.broken_at())


def test_a_record_that_makes_no_sense_any_more_is_told(path: Path) -> None:
    with closing(JournalFile(path)) as journal:
        journal.commit(Batch(NOW, (folded(RECORD),)))
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE audit SET outcome = 'fine'")
        other.commit()
    with closing(JournalFile(path)) as journal, pytest.raises(JournalUnusable):
        journal.history(None, 10)


def test_pruning_keeps_the_chain_and_what_waits(journal: JournalFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_pruning, "KEPT_AUDIT", 2)
    monkeypatch.setattr(journal_pruning, "KEPT_EVENTS", 3)
    done, waits = journal.accept(delivery(b"done")), journal.accept(delivery(b"waits"))
    for _ in range(5):
        journal.commit(Batch(NOW, (folded(RECORD),), None, (done,)))
    journal.prune(NOW + timedelta(days=8))
    journal.commit(Batch(NOW, (folded(REFUSED),)))

    assert [REFUSED, RECORD, RECORD] == [each.record for each in journal.history(None, 10)]
    assert None is journal.broken_at()
    assert [waits] == journal.waiting()


def test_pruning_bounds_the_inbox_by_its_size(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_pruning, "KEPT_INBOX_BYTES", 40)
    with closing(JournalFile(path)) as journal:
        numbers = [journal.accept(delivery(bytes([each]) * 10)) for each in range(9)]
        journal.commit(Batch(NOW, (), None, tuple(numbers)))
        journal.prune(NOW)
    with closing(sqlite3.connect(path)) as other:
        (left, oldest) = other.execute("SELECT count(*), min(id) FROM inbox").fetchone()

    assert 0 < left < 9
    assert 9 - left + 1 == oldest


def test_pruning_by_age_forgets_old_records(journal: JournalFile) -> None:
    journal.commit(Batch(NOW - timedelta(days=500), (folded(RECORD),)))
    journal.commit(Batch(NOW, (folded(REFUSED),)))
    journal.prune(NOW)

    assert [REFUSED] == [each.record for each in journal.history(None, 10)]
    assert None is journal.broken_at()


def test_a_second_remediator_stands_by_until_the_first_is_gone(path: Path) -> None:
    """(S33): however the first one ends, here by SIGKILL."""
    program = (
        "import sys, time; from pathlib import Path; from odp_exporter.remediation.journal_file import JournalFile; "
        "held = JournalFile(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as first:  # noqa: S603 - our own program
        try:
            assert first.stdout is not None
            said = first.stdout.readline()
            with pytest.raises(JournalTaken) as caught:
                JournalFile(path)
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait(10)
    with closing(JournalFile(path)) as second:
        fleet = second.fleet()

    assert (b"held\n", "") == (said, fleet)
    assert f"{path}.lock: another remediator holds it (this one stands by)" == str(caught.value)


def test_whoever_lost_the_journal_writes_nothing_any_more(path: Path) -> None:
    """(S33): the lock's file was removed by somebody; the term in the journal still fences."""
    with closing(JournalFile(path)) as first:
        path.with_name("journal.db.lock").unlink()
        with closing(JournalFile(path)) as second:
            with pytest.raises(JournalUnusable):
                first.commit(Batch(NOW, (folded(RECORD),), "mine"))
            second.commit(Batch(NOW, (folded(REFUSED),), "ours"))

            assert "ours" == second.fleet()


def test_a_journal_that_was_replaced_is_not_written(path: Path) -> None:
    """What is written into a file that nobody finds again is not kept."""
    with closing(JournalFile(path)) as journal:
        path.rename(path.with_name("moved"))
        path.touch()
        with pytest.raises(JournalUnusable) as caught:
            journal.accept(delivery())

    assert f"{path}: was replaced, or another remediator has taken it (restart this one)" == str(caught.value)


def test_a_removed_journal_is_not_written(path: Path) -> None:
    with closing(JournalFile(path)) as journal:
        path.unlink()
        with pytest.raises(JournalUnwritable):
            journal.accept(delivery())


def test_a_full_disk_loses_nothing_and_passes(journal: JournalFile, path: Path) -> None:
    """(S1): refused while it is full, taken once it is not."""
    journal.accept(delivery(b"before"))
    with disk_full(path), pytest.raises(JournalUnwritable) as caught:
        journal.accept(delivery(bytes(range(256)) * 4096))
    journal.accept(delivery(b"after"))

    assert [b"before", b"after"] == [journal.delivery(number).body for number in journal.waiting()]
    assert "cannot be written" in str(caught.value)


@pytest.mark.parametrize("garbage", [b"not a database at all" * 500, b"\0" * 5000])
def test_something_else_in_its_place_is_refused(path: Path, garbage: bytes) -> None:
    path.write_bytes(garbage)
    with pytest.raises(JournalUnusable) as caught:
        JournalFile(path)

    assert "not a whole journal" in str(caught.value)


def test_a_damaged_journal_is_refused(path: Path) -> None:
    with closing(JournalFile(path)) as journal:
        for number in range(200):
            journal.commit(Batch(NOW, (folded(RECORD),), str(number) * 100))
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    path.write_bytes(content)
    with pytest.raises(JournalUnusable):
        JournalFile(path)


def test_a_journal_of_a_newer_release_is_refused(path: Path) -> None:
    JournalFile(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 2")
    with pytest.raises(JournalUnusable) as caught:
        JournalFile(path)

    assert f"{path}: written by another release (version 2, this one writes 1)" == str(caught.value)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalUnwritable) as caught:
        JournalFile(tmp_path / "no" / "journal.db")

    assert f"{tmp_path}/no/journal.db.lock: cannot be written: no such file or directory" in str(caught.value)


def test_a_refused_journal_is_free_again(path: Path) -> None:
    """A failed attempt does not keep the lock."""
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(JournalUnusable):
        JournalFile(path)
    path.unlink()
    with closing(JournalFile(path)) as journal:
        assert "" == journal.fleet()


def test_more_than_can_be_dealt_with_is_refused(journal: JournalFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """(S1): Alertmanager will send it again."""
    monkeypatch.setattr(journal_file, "MAX_WAITING", 2)
    journal.accept(delivery())
    journal.accept(delivery())
    with pytest.raises(JournalUnwritable):
        journal.accept(delivery())


def test_nobody_else_may_read_it(path: Path) -> None:
    JournalFile(path).close()

    assert 0o600 == path.stat().st_mode & 0o777
