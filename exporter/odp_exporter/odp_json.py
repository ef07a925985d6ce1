"""JSON as ODP reads it (odp-facts 1.2, 1.4), for OCP's replies and for the cache alike.

ODP's own parser differs from the rest of the world, and what ODP cannot read
is of no use to it: a backslash in a string stands for itself, a number is
whole, every kind of white space is a blank, text is bytes. Of a key that is
given twice the last value counts, as with most parsers. What ODP merely
forgives (`TRUE`, `007`, a missing comma, text behind the end) is refused here.
"""

from __future__ import annotations

import json
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"
"""A value as it came; nothing is known of its shape."""

_BLANKS = bytes.maketrans(b"\t\n\v\f\r", b"     ")


class NotJson(ValueError):
    """ODP could not read this text; the message says why and quotes nothing of it."""


def parse(text: bytes) -> Json:
    """The value that *text* stands for."""
    literal = text.translate(_BLANKS).decode(errors="replace").replace("\\", "\\\\")
    try:
        value: Json = _DECODER.decode(literal)
    except json.JSONDecodeError as error:
        problem = f"not JSON: {error.msg[0].lower()}{error.msg[1:]} at character {error.pos}"
    except ValueError:
        problem = "not JSON for ODP: a number that is not whole, or endless"
    except RecursionError:
        problem = "not JSON: nested too deeply"
    else:
        return value
    # Raised out here because a JSONDecodeError carries the whole text, passwords included.
    raise NotJson(problem)


def _refuse_number(_: str) -> Json:
    raise ValueError


_DECODER = json.JSONDecoder(strict=False, parse_float=_refuse_number, parse_constant=_refuse_number)
