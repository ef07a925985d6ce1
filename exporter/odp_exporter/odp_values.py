"""How ODP writes the values of its parameters. Pure."""

from __future__ import annotations

import functools

_SPELLINGS = 64
"""So many are remembered: the parameters of a fleet are asked for at each scrape, and are spelt in a few ways."""
_BOOLEANS = {
    **dict.fromkeys(("true", "on", "yes", "t", "1"), True),
    **dict.fromkeys(("false", "off", "no", "f", "0"), False),
}


@functools.lru_cache(_SPELLINGS)
def boolean(text: str | None) -> bool | None:
    """`True`, `on`, `1` and the other spellings that ODP takes; None for what is none of them."""
    return _BOOLEANS.get(unquoted(text or "").lower())


def unquoted(value: str) -> str:
    """The value without the quotes that obproxyd.sh passes: proxy_mem_limited='2G'."""
    return value.strip().strip("'\"")
