"""What an address to listen on looks like in the configuration."""

from __future__ import annotations

from .settings import parse_port, quoted
from .targets import Address, parse_address

ANY_HOST = "0.0.0.0"


def parse_listen_address(value: object) -> Address:
    """A target's address, or `:9888` for all IPv4 addresses of this host; port 0 means any free one."""
    if isinstance(value, Address):
        return value
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    try:
        number = 0 if colon and port == "0" else parse_port(colon and port)
        return Address(parse_address(f"{host or ANY_HOST}:1").host, number)
    except ValueError as error:
        message = f"not an address to listen on: {quoted(value)} (try '0.0.0.0:9888', ':9888' or '[::1]:9888')"
        raise ValueError(message) from error
