from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.discovered_file import NAME, DiscoveredFile, decode, encode
from odp_exporter.inventory import Discovered, Sighting
from odp_exporter.targets import Address, Ocp, Target

DAY, HOUR, LOOK = timedelta(days=1), timedelta(hours=1), timedelta(seconds=5)
ODP = Target("127.0.0.1:2883", Address("127.0.0.1", 2883), home=Path("/home/admin/obproxy"))
BARE = Target("[::1]:2883", Address("::1", 2883))
OCP = Ocp("ocp", "http://user:secret@192.0.2.10/services?Action=GetObProxyConfig")
KNOWN = Discovered((Sighting(ODP), Sighting(BARE, HOUR)), (OCP,))


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    DiscoveredFile(tmp_path).save(KNOWN)

    assert KNOWN == DiscoveredFile(tmp_path).load()


def test_others_may_not_read_it(tmp_path: Path) -> None:
    """An OCP's URL may carry a password."""
    DiscoveredFile(tmp_path).save(KNOWN)

    assert 0o600 == (tmp_path / NAME).stat().st_mode & 0o777


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    file = DiscoveredFile(tmp_path)
    file.save(KNOWN)
    before = (tmp_path / NAME).stat()
    file.save(Discovered((Sighting(ODP, LOOK), Sighting(BARE, HOUR + LOOK)), (OCP,)))

    assert before.st_ino == (tmp_path / NAME).stat().st_ino


def test_what_is_gone_for_good_is_forgotten_however_often_the_exporter_is_restarted(tmp_path: Path) -> None:
    known, lives = KNOWN, 0
    while known.odps:
        DiscoveredFile(tmp_path).save(known)
        known = DiscoveredFile(tmp_path).load()
        for _ in range(6 * 60):
            known = known.after(Discovered(), elapsed=timedelta(minutes=1), forget_after=DAY)
        lives += 1

    assert 4 == lives


def test_a_file_of_a_release_that_did_not_say_how_long_is_read() -> None:
    content = b'{"odps": [{"name": "[::1]:2883", "address": "[::1]:2883"}], "ocps": []}'

    assert Discovered((Sighting(BARE),)) == decode(content)


def test_without_a_directory_nothing_is_kept() -> None:
    file = DiscoveredFile(None)
    file.save(KNOWN)

    assert Discovered() == file.load()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{", b'{"odps": [{}]}', b'{"odps": 1}', b"[" * 100_000])
def test_a_file_that_makes_no_sense_is_forgotten(content: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(content)

    assert Discovered() == DiscoveredFile(tmp_path).load()


def test_a_directory_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = DiscoveredFile(tmp_path / "file")
    file.save(KNOWN)

    assert Discovered() == file.load()


@given(st.binary(max_size=200))
def test_arbitrary_bytes_load_or_are_a_value_error(content: bytes) -> None:
    try:
        decode(content)
    except ValueError:
        return
    assert decode(encode(decode(content))) == decode(content)
