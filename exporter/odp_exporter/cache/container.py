"""The container in which ODP keeps its cache and parameter files (odp-facts 2.2).

A 32-byte big-endian header with two checksums, then the payload, which is
compressed in one file and plain in the others. Pure: bytes in, bytes out. It
does not look into the payload.

    ContainerError            each carries the CacheResult that it stands for
    |-- TooShort              no room for the header and at least one byte
    |-- WrongMagic            another kind of file
    |-- WrongLength           truncated, something follows the payload, or a length below nothing
    |-- WrongHeaderChecksum
    |-- WrongPayloadChecksum  hand-edited, or damaged
    `-- WrongCompression      not zlib, or not of the length that the header gives
"""

from __future__ import annotations

import struct
import zlib
from functools import reduce
from operator import xor

from odp_exporter.observations import CacheResult

JC = b"JC"
"""Magic of the JSON files."""
BCDE = b"\xbc\xde"
"""Magic of obproxy_config.bin, the parameters of releases up to 4.2."""
MAX_PAYLOAD = 4 * 1024 * 1024
"""So much is never unpacked; ODP takes at most 512 KiB from OCP (odp-facts 1.2)."""

_HEADER = struct.Struct(">2shhHqiiq")
_VERSIONS = {JC: 2, BCDE: 1}
_PLAIN = 1
"""The version of a file that was never compressed."""
_POLYNOMIAL = 0x82F63B78


class ContainerError(Exception):
    """ODP would ignore this file at its next start; the message says why."""

    result = CacheResult.CONTENT


class TooShort(ContainerError):
    """The file ends before its payload begins."""

    result = CacheResult.SHORT


class WrongMagic(ContainerError):
    """The first two bytes name another kind of file."""

    result = CacheResult.MAGIC


class WrongLength(ContainerError):
    """The header and the file disagree about a length, or it is negative: the header's lengths have a sign."""

    result = CacheResult.LENGTH


class WrongHeaderChecksum(ContainerError):
    """The header is damaged."""

    result = CacheResult.HEADER_CHECKSUM


class WrongPayloadChecksum(ContainerError):
    """The payload is damaged or was edited by hand."""

    result = CacheResult.PAYLOAD_CHECKSUM


class WrongCompression(ContainerError):
    """The payload is no zlib stream of the length that the header gives."""

    result = CacheResult.COMPRESSION


def decode(data: bytes, *, compressed: bool = False, magic: bytes = JC) -> bytes:
    """The payload of the file *data*.

    Only the file's name tells whether it may be *compressed*: version 2 says so
    in the OCP configuration and says nothing in the other files.
    """
    if len(data) <= _HEADER.size:
        message = f"{len(data)} bytes, too short for a header of {_HEADER.size} and a payload"
        raise TooShort(message)
    found, header_length, version, _, timestamp, length, stored_length, checksum = _HEADER.unpack_from(data)
    if found != magic:
        message = f"begins with {found.hex()}, not {magic.hex()}"
        raise WrongMagic(message)
    stored = data[_HEADER.size :]
    if header_length != _HEADER.size or stored_length != len(stored):
        message = f"header of {header_length} and payload of {stored_length} bytes in a file of {len(data)}"
        raise WrongLength(message)
    if _header(magic, version, timestamp, length, stored_length, checksum) != data[: _HEADER.size]:
        raise WrongHeaderChecksum("header checksum does not match")
    if _crc(stored) != checksum:
        raise WrongPayloadChecksum("payload checksum does not match")
    if length < 0:
        message = f"header promises {length} bytes"
        raise WrongLength(message)
    return _decompressed(stored, length, version) if compressed else stored


def encode(payload: bytes, *, compressed: bool = False, magic: bytes = JC) -> bytes:
    """The file that ODP writes for *payload*, byte for byte."""
    stored = zlib.compress(payload) if compressed else payload
    return _header(magic, _VERSIONS[magic], 0, len(payload), len(stored), _crc(stored)) + stored


def _header(magic: bytes, version: int, timestamp: int, length: int, stored_length: int, checksum: int) -> bytes:  # noqa: PLR0913, PLR0917 - the fields of the header, in its order
    """The header of these fields; its own checksum makes the words that it sums come to zero."""
    words = (
        _sign_extended(magic),
        _HEADER.size,
        version,
        timestamp,
        *(length >> shift for shift in (0, 16)),
        *(stored_length >> shift for shift in (0, 16)),
        *(checksum >> shift for shift in (0, 16, 32, 48)),
    )
    total = reduce(xor, words) & 0xFFFF
    return _HEADER.pack(magic, _HEADER.size, version, total, timestamp, length, stored_length, checksum)


def _sign_extended(magic: bytes) -> int:
    """The four words of *magic* as a signed 64-bit number, summed: a negative one adds three of all ones."""
    word = int.from_bytes(magic, "big")
    return word ^ 0xFFFF if word & 0x8000 else word


def _decompressed(stored: bytes, length: int, version: int) -> bytes:
    if version == _PLAIN:
        return stored
    if length >= MAX_PAYLOAD:
        message = f"promises {length} bytes, more than the {MAX_PAYLOAD - 1} that are unpacked"
        raise WrongCompression(message)
    unpacker = zlib.decompressobj()
    try:
        # One byte more than promised is enough to see that a stream lies; a bomb gets no further.
        payload = unpacker.decompress(stored, length + 1)
    except zlib.error as error:
        message = f"not zlib: {str(error)[:80]}"
        raise WrongCompression(message) from error
    if version != _VERSIONS[JC] or len(payload) != length or not unpacker.eof or unpacker.unused_data:
        message = f"does not unpack to {length} bytes"
        raise WrongCompression(message)
    return payload


def _crc_table() -> tuple[int, ...]:
    table = []
    for entry in range(256):
        remainder = entry
        for _ in range(8):
            remainder = remainder >> 1 ^ (_POLYNOMIAL if remainder & 1 else 0)
        table.append(remainder)
    return tuple(table)


_CRC_TABLE = _crc_table()


def _crc(data: bytes) -> int:
    """CRC-32C from zero and without the final inversion; 512 KiB take about 30 ms."""
    table = _CRC_TABLE
    remainder = 0
    for byte in data:
        remainder = table[(remainder ^ byte) & 0xFF] ^ remainder >> 8
    return remainder
