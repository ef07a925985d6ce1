"""The MySQL packets that ODP sends and reads before a server comes into play (odp-facts 4.2). Pure."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass

CAPABILITIES = 0x009FF7DF
CHARSET = 46
PLUGIN = b"mysql_native_password"
CONSTANT_SALT = b"a" * 8 + b"b" * 12
"""What ODP sends while enable_proxy_scramble is off."""

_SECURE_CONNECTION = 0x8000
_PLUGIN_AUTH_LENENC = 0x200000
_LOGIN_FIXED = 32


class NotALogin(Exception):
    """The client's first packet is no login that ODP understands."""


def framed(payload: bytes, sequence: int) -> bytes:
    """A packet: three bytes of length, one of sequence, the payload."""
    return len(payload).to_bytes(3, "little") + bytes([sequence & 0xFF]) + payload


def greeting(thread_id: int, *, version: str = "5.6.25", salt: bytes = CONSTANT_SALT) -> bytes:
    """The handshake that ODP builds itself."""
    payload = b"\x0a" + version.encode() + b"\0" + struct.pack("<I", thread_id)
    payload += salt[:8] + b"\0" + struct.pack("<HBHH", CAPABILITIES & 0xFFFF, CHARSET, 0, CAPABILITIES >> 16)
    payload += bytes([len(salt) + 1]) + bytes(10) + salt[8:] + b"\0" + PLUGIN + b"\0"
    return framed(payload, 0)


def new_salt() -> bytes:
    """Twenty random printable bytes, as with enable_proxy_scramble."""
    return bytes(secrets.choice(range(0x21, 0x7F)) for _ in range(20))


def ok(sequence: int) -> bytes:
    """An OK packet, autocommit on."""
    return framed(b"\0\0\0\x02\0\0\0", sequence)


def error(sequence: int, code: int, state: str, message: str) -> bytes:
    """An ERR packet."""
    return framed(b"\xff" + struct.pack("<H", code) + b"#" + state.encode() + message.encode(), sequence)


@dataclass(frozen=True, slots=True)
class Login:
    """What a client says in its first packet."""

    user: str
    token: bytes
    """The answer to the salt; empty for an empty password."""


def parse_login(payload: bytes) -> Login:
    """Read a HandshakeResponse41."""
    if len(payload) <= _LOGIN_FIXED:
        raise NotALogin("too short")
    (capabilities,) = struct.unpack_from("<I", payload)
    user, terminator, rest = payload[_LOGIN_FIXED:].partition(b"\0")
    if not terminator:
        raise NotALogin("no end of the user name")
    if capabilities & (_SECURE_CONNECTION | _PLUGIN_AUTH_LENENC):
        token = rest[1 : 1 + rest[0]] if rest else b""
    else:
        token = rest.partition(b"\0")[0]
    return Login(user.decode(errors="replace"), token)


def proves(token: bytes, salt: bytes, stored: str) -> bool:
    """The client knows the password whose SHA1 is *stored* in hex; empty stands for no password (odp-facts 5.1)."""
    if not stored or not token:
        return not stored and not token
    try:
        once = bytes.fromhex(stored)
    except ValueError:
        return False
    mask = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()  # noqa: S324 - mysql_native_password
    expected = bytes(left ^ right for left, right in zip(once, mask, strict=False))
    return hmac.compare_digest(expected, token)
