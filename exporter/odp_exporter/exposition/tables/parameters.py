"""ODP's own notation of parameter values, as far as metrics are made of them.

What is not understood is None, never a guess (odp-facts 3.2).
"""

from __future__ import annotations

import re

_SIZE = re.compile(r"([0-9]{1,15})([KMGT])B?", re.IGNORECASE)
_COUNT = re.compile(r"[0-9]{1,15}")
_POWERS = {"K": 10, "M": 20, "G": 30, "T": 40}


def size(value: str | None) -> int | None:
    """Bytes of '2G' or '256MB'; a number without a unit is not understood."""
    match = _SIZE.fullmatch(value or "")
    return int(match[1]) << _POWERS[match[2].upper()] if match else None


def count(value: str | None) -> int | None:
    """A whole number."""
    return int(value) if value and _COUNT.fullmatch(value) else None


def boolean(value: str | None) -> int | None:
    """1 of 'True', 0 of 'False', in any case of letters."""
    return {"true": 1, "false": 0}.get((value or "").lower())
