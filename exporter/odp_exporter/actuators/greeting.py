"""Does an ODP greet? The proof that a restart worked, asked on the host itself, by one whole greeting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from odp_exporter.connecting import Connection, NotConnected, connect
from odp_exporter.mysql.greeting import HEADER_BYTES, MAX_PAYLOAD_BYTES, Greeting, GreetingError, parse
from odp_exporter.targets import Address

Greets = Callable[[Address], Awaitable[bool]]
"""Asks once whether the ODP at an address greets."""

_SECONDS = 1.0
"""For the connection, and again for the greeting; a healthy one takes 0.2 to 2 ms (odp-facts 4.5)."""
_RECEIVE_BYTES = HEADER_BYTES + MAX_PAYLOAD_BYTES


async def greets(address: Address) -> bool:
    """A whole greeting came; everything else is a no."""
    try:
        with await connect(address, _SECONDS) as connection:
            return await _is_greeted(connection)
    except (NotConnected, GreetingError, OSError):
        return False  # a TimeoutError is an OSError, too


async def _is_greeted(connection: Connection) -> bool:
    deadline, received = asyncio.get_running_loop().time() + _SECONDS, b""
    while (part := await connection.receive(_RECEIVE_BYTES, deadline)) is not None:
        received += part
        if isinstance(parse(received), Greeting):
            return True
        if not part:
            return False
    return False
