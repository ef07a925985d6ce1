"""Pure parser of the first packet that a MySQL server sends: the greeting.

It takes the bytes received so far and says what they are: a whole greeting, the
beginning of one (`Incomplete`, with how many bytes to wait for), or, as soon as
that is certain, one precise error:

    GreetingError
    |-- NotMySQL         HTTP, TLS, SSH or something else is on the port
    |-- WrongSequence    a MySQL packet that does not open a conversation
    |-- OversizedPacket  longer than any greeting
    |-- ShortPacket      ends before the fields that it must have
    |-- OldProtocol      protocol version 9, of MySQL before 3.21
    `-- ErrorPacket      the server refuses, with a code, before it greets

The layout is that of MySQL's protocol documentation ("HandshakeV10",
"ERR_Packet"); what ODP puts into it is in odp-facts 4.2. Version and salt are
never compared with anything: ODP's parameters decide them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER_BYTES = 4
MAX_PAYLOAD_BYTES = 1024
"""ODP's greeting has 74 bytes; the longest part of any is the server's version text."""

_FIXED = struct.Struct("<I8sxHBHHB10x")
"""Thread id, salt, filler, lower capabilities; character set, status, upper capabilities, length of the salt."""
_PLUGIN_AUTH = 1 << 19

_STRANGERS = (
    (b"HTTP/", "an HTTP server"),
    (b"SSH-", "an SSH server"),
    *((bytes((record, 3, minor)), "a TLS server") for record in (0x15, 0x16) for minor in (1, 2, 3)),
    (b"220", "a mail or FTP server"),
    (b"-ERR", "a Redis server"),
)
_PREFIXES = tuple(prefix for prefix, _ in _STRANGERS)


class GreetingError(Exception):
    """What came is no greeting; the message says what it is instead."""


class NotMySQL(GreetingError):
    """Another protocol is spoken on the port."""


class WrongSequence(GreetingError):
    """A greeting has sequence number 0."""


class OversizedPacket(GreetingError):
    """The packet's header announces more than a greeting can hold."""


class ShortPacket(GreetingError):
    """The packet ends inside a field."""


class OldProtocol(GreetingError):
    """Protocol version 9 has been gone since 1998."""


class ErrorPacket(GreetingError):
    """The server said no before it greeted."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"error {code}: {text}")
        self.code = code
        """MySQL's error number, such as 1129 for a blocked host."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """The fields of a greeting that say something about the server; its salt is not kept."""

    server_version: str
    thread_id: int
    capabilities: int
    character_set: int
    status: int
    auth_plugin: str


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Nothing wrong so far."""

    missing: int
    """At least so many bytes have to follow."""


def parse(received: bytes) -> Greeting | Incomplete:
    """The greeting at the start of *received*; raises a `GreetingError` once there cannot be one."""
    _refuse_strangers(received)
    if len(received) < HEADER_BYTES:
        return Incomplete(HEADER_BYTES - len(received))
    length = int.from_bytes(received[:3], "little")
    _check_header(length, received[3])
    if len(received) < HEADER_BYTES + length:
        return Incomplete(HEADER_BYTES + length - len(received))
    return _parse_payload(received[HEADER_BYTES : HEADER_BYTES + length])


def _refuse_strangers(received: bytes) -> None:
    if not received.startswith(_PREFIXES):
        return
    for prefix, name in _STRANGERS:
        if received.startswith(prefix):
            message = f"{name} is on this port: it said {received[:32]!r}"
            raise NotMySQL(message)


def _check_header(length: int, sequence: int) -> None:
    if length > MAX_PAYLOAD_BYTES:
        message = f"packet of {length} bytes announced, more than the {MAX_PAYLOAD_BYTES} of any greeting"
        raise OversizedPacket(message)
    if sequence != 0:
        message = f"packet number {sequence}, a greeting is number 0"
        raise WrongSequence(message)
    if length == 0:
        raise ShortPacket("empty packet")


def _parse_payload(payload: bytes) -> Greeting:
    match payload[0]:
        case 10:
            return _parse_version_10(payload)
        case 0xFF:
            raise _error_packet(payload)
        case 9:
            raise OldProtocol("protocol version 9, ODP speaks 10")
        case other:
            message = f"first byte {other:#04x} is no protocol version"
            raise NotMySQL(message)


def _parse_version_10(payload: bytes) -> Greeting:
    version, nul, rest = payload[1:].partition(b"\0")
    if not nul:
        raise ShortPacket("packet ends inside the server version")
    if len(rest) < _FIXED.size:
        raise ShortPacket("packet ends inside the fixed fields")
    thread_id, _, lower, charset, status, upper, salt_bytes = _FIXED.unpack_from(rest)
    capabilities = lower | upper << 16
    salt_end = _FIXED.size + max(13, salt_bytes - 8)  # its first 8 bytes are among the fixed fields
    if len(rest) < salt_end:
        raise ShortPacket("packet ends inside the salt")
    plugin = rest[salt_end:].split(b"\0", 1)[0] if capabilities & _PLUGIN_AUTH else b""
    return Greeting(_text(version), thread_id, capabilities, charset, status, _text(plugin))


def _error_packet(payload: bytes) -> ErrorPacket | ShortPacket:
    if len(payload) < 3:  # noqa: PLR2004 - marker and code
        return ShortPacket("error packet ends inside its code")
    code = int.from_bytes(payload[1:3], "little")
    text = payload[3:]
    if text.startswith(b"#"):
        text = text[6:]  # marker and SQLSTATE
    return ErrorPacket(code, _text(text))


def _text(data: bytes) -> str:
    """*data* as one printable line."""
    text = data.decode("utf-8", "replace")
    if text.isprintable():
        return text[:256]
    return "".join(char if char.isprintable() else "?" for char in text)[:256]
