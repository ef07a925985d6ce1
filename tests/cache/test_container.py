"""The container of ODP's cache files, against vectors that ODP itself wrote."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.cache import container
from odp_exporter.observations import CacheResult

TESTDATA = Path(__file__).parents[1] / "testdata/cache"
EXAMPLE = (
    b'[{"ObRegion":"obcluster","ObRegionId":1,"Type":"PRIMARY","ObRealClusterName":"obcluster","RsList":['
    b'{"address":"192.0.2.11:2881","role":"LEADER","sql_port":2881},'
    b'{"address":"192.0.2.12:2881","role":"FOLLOWER","sql_port":2881},'
    b'{"address":"192.0.2.13:2881","role":"FOLLOWER","sql_port":2881}]}]'
)
WHOLE = container.encode(EXAMPLE)
BOMB = zlib.compress(bytes(8 * container.MAX_PAYLOAD))
BITS_NOBODY_SUMS = range(8 * 8, 14 * 8)
"""The upper 48 bits of the timestamp: ODP's own checksum leaves them out."""


def result_of(data: bytes, *, compressed: bool = False) -> CacheResult:
    try:
        container.decode(data, compressed=compressed)
    except container.ContainerError as error:
        return error.result
    return CacheResult.OK


def flipped(data: bytes, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def with_header(payload: bytes, *, version: int = 2, length: int | None = None) -> bytes:
    """A file of valid checksums with a header that ODP would not have written."""
    found = bytearray(container.encode(payload))
    struct.pack_into(">h", found, 4, version)
    struct.pack_into(">i", found, 16, len(payload) if length is None else length)
    found[6:8] = b"\0\0"
    words = struct.unpack(">16H", found[:32])
    total = 0
    for word in (*words[:4], *words[7:]):
        total ^= word
    struct.pack_into(">H", found, 6, total)
    return bytes(found)


def test_the_header_of_the_first_vector() -> None:
    assert "4a4300200002d8ab00000000000000000000012300000123000000003bd9a913" == WHOLE[:32].hex()


def test_the_second_vector_is_a_lone_bracket() -> None:
    assert "4a4300200002f3250000000000000000000000010000000100000000c8ac71e85b" == container.encode(b"[").hex()


@pytest.mark.parametrize(("file", "compressed"), [("rslist", False), ("config_server", True)])
def test_files_of_a_real_odp_decode_and_encode_byte_for_byte(file: str, *, compressed: bool) -> None:
    data = (TESTDATA / f"obproxy_{file}_info.json").read_bytes()

    payload = container.decode(data, compressed=compressed)

    assert payload[:1] in b"[{"
    assert data == container.encode(payload, compressed=compressed)


def test_the_parameters_of_older_releases_have_a_negative_magic() -> None:
    data = container.encode(b"listen_port=2883\n", magic=container.BCDE)

    assert "bcde00200001" == data[:6].hex()
    assert b"listen_port=2883\n" == container.decode(data, magic=container.BCDE)


def test_a_negative_magic_is_sign_extended_before_it_is_summed() -> None:
    """0xBCDE as 64 bits is FFFF FFFF FFFF BCDE: all its words and those of the rest come to zero."""
    words = struct.unpack(">16H", container.encode(b"a=b\n", magic=container.BCDE)[:32])

    total = 0xFFFF
    for word in words:
        total ^= word

    assert 0 == total


@given(payload=st.binary(min_size=1, max_size=2000), compressed=st.booleans())
def test_what_was_encoded_decodes(payload: bytes, *, compressed: bool) -> None:
    assert payload == container.decode(container.encode(payload, compressed=compressed), compressed=compressed)


@given(bit=st.integers(0, len(WHOLE) * 8 - 1).filter(lambda bit: bit not in BITS_NOBODY_SUMS))
def test_a_single_flipped_bit_is_found_and_named(bit: int) -> None:
    expected = {
        0: CacheResult.MAGIC,
        1: CacheResult.MAGIC,
        **dict.fromkeys((2, 3, *range(20, 24)), CacheResult.LENGTH),
    }.get(bit // 8, CacheResult.HEADER_CHECKSUM if bit < 32 * 8 else CacheResult.PAYLOAD_CHECKSUM)

    assert expected == result_of(flipped(WHOLE, bit))


@pytest.mark.parametrize("bit", BITS_NOBODY_SUMS)
def test_the_upper_bits_of_the_timestamp_do_not_matter_to_odp_either(bit: int) -> None:
    assert CacheResult.OK == result_of(flipped(WHOLE, bit))


@given(data=st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: WHOLE[:32] + tail))
def test_arbitrary_bytes_give_a_payload_or_a_container_error(data: bytes) -> None:
    assert result_of(data, compressed=True) in CacheResult


@given(size=st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_short_by_a_power_loss_is_short_or_of_wrong_length(size: int) -> None:
    assert (CacheResult.SHORT if size <= 32 else CacheResult.LENGTH) == result_of(WHOLE[:size])


def test_text_that_somebody_put_there_has_the_wrong_magic() -> None:
    assert CacheResult.MAGIC == result_of(EXAMPLE)


def test_bytes_behind_the_payload_are_a_wrong_length() -> None:
    assert CacheResult.LENGTH == result_of(WHOLE + b"\n")


@pytest.mark.parametrize(
    ("stored", "length"),
    [
        (b"no zlib at all", 14),
        (zlib.compress(b"x" * 100), 99),
        (zlib.compress(b"x" * 100), 101),
        (zlib.compress(b"x" * 100)[:-1], 100),
        (zlib.compress(b"x" * 100) + b"\0", 100),
        (zlib.compress(b""), 0),
        (zlib.compress(bytes(8 * 1024 * 1024)), 8 * 1024 * 1024),
    ],
    ids=["no zlib", "longer", "shorter", "cut", "surplus", "empty", "bomb"],
)
def test_a_stream_that_does_not_keep_its_promise_is_a_wrong_compression(stored: bytes, length: int) -> None:
    expected = CacheResult.COMPRESSION if length else CacheResult.OK

    assert expected == result_of(with_header(stored, length=length), compressed=True)


@pytest.mark.parametrize("length", [-1, -2, -(2**31)])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_negative_length_is_a_wrong_length(length: int, *, compressed: bool) -> None:
    """To zlib 0 means without a limit, and what is below it is a ValueError."""
    assert CacheResult.LENGTH == result_of(with_header(BOMB, length=length), compressed=compressed)


@given(
    version=st.integers(-(2**15), 2**15 - 1),
    length=st.integers(-(2**31), 2**31 - 1) | st.integers(-3, 3) | st.just(len(WHOLE)),
    kind=st.sampled_from(["bomb", "stream", "plain"]),
)
def test_whatever_the_header_says_a_bomb_is_never_unpacked(version: int, length: int, kind: str) -> None:
    stored = {"bomb": BOMB, "stream": zlib.compress(WHOLE), "plain": WHOLE}[kind]
    data = with_header(stored, version=version, length=length)
    tracemalloc.start()
    try:
        result = result_of(data, compressed=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert result in {CacheResult.OK, CacheResult.LENGTH, CacheResult.COMPRESSION}
    assert peak < 3 * container.MAX_PAYLOAD  # zlib joins its blocks, which takes twice their size


def test_version_1_was_never_compressed() -> None:
    """Releases that wrote the configuration in plain said so in the version."""
    assert EXAMPLE == container.decode(with_header(EXAMPLE, version=1), compressed=True)


def test_an_unknown_version_is_refused_where_it_decides_about_compression() -> None:
    data = with_header(zlib.compress(EXAMPLE), version=3, length=len(EXAMPLE))

    assert CacheResult.COMPRESSION == result_of(data, compressed=True)
