"""Who listens on this host, how full each accept queue is, how many clients are connected.

Asks the kernel's socket diagnosis (INET_DIAG over netlink, any user may), which
hands over only sockets of the wanted state and port; /proc/net/tcp would print
them all. It sees the network namespace that it runs in, opens no connection
and knows nothing of processes.

    SocketsUnavailable    the kernel does not tell: no netlink, no tcp_diag, a sandbox
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from odp_exporter.targets import Address

_SOCK_DIAG = 4  # netlink protocol
_DIAG_BY_FAMILY = 20  # message type
_DONE, _ERROR = 3, 2  # message types
_REQUEST_DUMP = 0x301
_DUMP_INTERRUPTED = 0x10
_REQ_BYTECODE = 1  # request attribute
_JUMP, _PORT_AT_LEAST, _PORT_AT_MOST = 1, 2, 3  # operations of the filter
_ESTABLISHED, _LISTEN = 1, 10  # TCP states

_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI48x")
_QUEUES_AND_OWNER = struct.Struct("=4I")
_OPERATION = struct.Struct("=BBH")
_ERROR_NUMBER = struct.Struct("=i")
_MESSAGE_BYTES = 72

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_BUFFER = 64 * 1024
"""The kernel fills at most 32 KiB at a time."""
_TIMEOUT = 2.0
"""Seconds without an answer; a dump of 8192 connections takes 6 ms."""
_ATTEMPTS = 3
_MAX_SOCKETS = 1_000_000
_MAX_FILTERED_PORTS = 1024
"""More ports than this and jumps no longer fit the filter's 16 bits."""


class SocketsUnavailable(Exception):
    """The kernel does not tell about sockets; the message says why."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening TCP socket."""

    address: Address
    inode: int
    """What `socket:[...]` in /proc/PID/fd shows for its owners."""
    uid: int
    """The user that opened it."""
    accept_queue: int
    """Connections that no process has accepted yet."""
    backlog: int
    """How many of those the kernel holds before it drops SYNs."""

    @property
    def takes_all_addresses(self) -> bool:
        """It is bound to 0.0.0.0 or ::."""
        return self.address.host in {"0.0.0.0", "::"}


def listeners(ports: Collection[int] = ()) -> tuple[Listener, ...]:
    """Every listening TCP socket, IPv4 and IPv6; only those of *ports* if any are given."""
    wanted = _only_ports(ports)
    return tuple(_listener(message) for family in _FAMILIES for message in _dump(family, _LISTEN, wanted))


def established(through: Collection[Listener]) -> Mapping[Listener, int]:
    """Established connections that came in *through* each of these listeners, accepted or not."""
    ports = {listener.address.port for listener in through}
    # An IPv6 socket may carry IPv4 clients, but never the other way round.
    families = {_family(listener) for listener in through}
    counts = Counter(
        (family, message[4:6], message[8:24])
        for family in families
        for message in _dump(family, _ESTABLISHED, _only_ports(ports))
    )
    return {listener: _count(counts, listener) for listener in through}


def _family(listener: Listener) -> int:
    return socket.AF_INET6 if ":" in listener.address.host else socket.AF_INET


def _count(counts: Mapping[tuple[int, bytes, bytes], int], listener: Listener) -> int:
    family, port = _family(listener), listener.address.port.to_bytes(2, "big")
    if listener.takes_all_addresses:
        return sum(count for (f, p, _), count in counts.items() if f == family and p == port)
    source = socket.inet_pton(family, listener.address.host).ljust(16, b"\0")
    return counts.get((family, port, source), 0)


def _listener(message: bytes) -> Listener:
    is_ipv4 = message[0] == socket.AF_INET
    host = socket.inet_ntoa(message[8:12]) if is_ipv4 else str(ipaddress.ip_address(message[8:24]))
    port = int.from_bytes(message[4:6], "big")
    queued, backlog, uid, inode = _QUEUES_AND_OWNER.unpack_from(message, 56)
    return Listener(Address(host, port), inode, uid, queued, backlog)


def _only_ports(ports: Collection[int]) -> bytes:
    """A filter program that keeps sockets whose own port is one of *ports*.

    Two range checks per port instead of one for equality, which kernels before
    4.16 refuse. A program accepts by ending exactly, and rejects by leaping
    past its end.
    """
    if not 0 < len(ports) <= _MAX_FILTERED_PORTS:
        return b""
    block, test = 5 * _OPERATION.size, 2 * _OPERATION.size
    operations: list[tuple[int, int, int]] = []
    for index, port in enumerate(ports, start=1):
        operations += [
            (_PORT_AT_LEAST, test, block),
            (0, 0, port),
            (_PORT_AT_MOST, test, block - test),
            (0, 0, port),
            (_JUMP, _OPERATION.size, (len(ports) - index) * block),
        ]
    # A hit in the last block is at the end without a jump, and a miss leaps past it.
    return b"".join(_OPERATION.pack(*operation) for operation in operations[:-1])


def _dump(family: int, state: int, bytecode: bytes = b"") -> list[bytes]:
    """The socket messages of one dump, repeated if the table changed in a way that lost some."""
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << state)
    if bytecode:
        request += struct.pack("=HH", 4 + len(bytecode), _REQ_BYTECODE) + bytecode
    message = _HEADER.pack(_HEADER.size + len(request), _DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + request
    found: list[bytes] = []
    for _ in range(_ATTEMPTS):
        found, is_interrupted = _dump_once(message)
        if not is_interrupted:
            break
    return found


def _dump_once(request: bytes) -> tuple[list[bytes], bool]:
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as netlink:
            netlink.settimeout(_TIMEOUT)
            netlink.send(request)
            return _receive(iter(lambda: netlink.recv(_BUFFER), b""))
    except OSError as error:
        message = f"the kernel's socket tables cannot be read: {(error.strerror or str(error)).lower()}"
        raise SocketsUnavailable(message) from error


def _receive(datagrams: Iterable[bytes]) -> tuple[list[bytes], bool]:
    """The messages up to the end of the dump, and whether it was interrupted."""
    found: list[bytes] = []
    is_interrupted = False
    for data in datagrams:
        offset = 0
        while offset + _HEADER.size <= len(data):
            length, kind, flags, _, _ = _HEADER.unpack_from(data, offset)
            body = data[offset + _HEADER.size : offset + _HEADER.size + _MESSAGE_BYTES]
            is_interrupted |= bool(flags & _DUMP_INTERRUPTED)
            if kind in {_DONE, _ERROR}:
                _raise_refusal(body)
                return found, is_interrupted
            if length < _HEADER.size + _MESSAGE_BYTES or len(found) >= _MAX_SOCKETS:
                break
            found.append(body)
            offset += (length + 3) & ~3
    raise SocketsUnavailable("the kernel's socket tables cannot be read: no end, or not as expected")


def _raise_refusal(body: bytes) -> None:
    number: int = _ERROR_NUMBER.unpack_from(body)[0] if len(body) >= _ERROR_NUMBER.size else 0
    if number < 0:
        raise OSError(-number, os.strerror(-number))
