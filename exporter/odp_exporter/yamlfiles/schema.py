"""Plain values into settings blocks, with every mistake at its location.

Pydantic checks, and its errors become Faults in the house's words. A block is
a frozen dataclass; which options there are is said elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from types import UnionType
from typing import TYPE_CHECKING, Annotated, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from odp_exporter.settings import quoted

from .problems import Fault, Location

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

T = TypeVar("T")

_SECRET = re.compile(r"pass|pwd|secret|token|credential", re.IGNORECASE)
_KEY = "[key]"
"""How pydantic ends the location of a wrong key."""
_NO_CHOICE = frozenset({"union_tag_invalid", "union_tag_not_found"})
"""What pydantic says when a key does not choose one of several blocks."""


def validated(kind: type[T], value: object) -> tuple[T | None, tuple[Fault, ...]]:
    """*value* as a *kind*, or all that keeps it from being one."""
    try:
        return TypeAdapter(kind).validate_python(value), ()
    except ValidationError as error:
        return None, tuple(_fault(kind, details) for details in error.errors(include_url=False))


def suggestion(word: str, known: Iterable[str]) -> str:
    """The way out for a *word* that is none of the *known* ones."""
    names = sorted(known)
    if close := get_close_matches(word, names, n=1):
        return f"did you mean {quoted(close[0])}?"
    return f"known here: {', '.join(map(quoted, names))}" if names else "none is known here"


def keys_at(kind: object, location: Location) -> tuple[str, ...]:
    """The keys of the block that stands at *location* in a *kind*."""
    block = _bare(_walked(kind, location)[0])
    return tuple(field.name for field in fields(block)) if isinstance(block, type) and is_dataclass(block) else ()


def _walked(kind: object, way: Location) -> tuple[object, Location]:
    """What stands at the end of pydantic's *way* through a *kind*, and the location in the file."""
    location: Location = ()
    for part in way:
        if (block := _choice(kind).get(str(part))) is not None:
            kind = block
        else:
            kind, location = _inside(_bare(kind), part), (*location, part)
    return kind, location


def _choice(kind: object) -> Mapping[str, type]:
    """The blocks among which a key of theirs chooses, by its text; pydantic puts that text into its ways."""
    if get_origin(kind) is not Annotated:
        return {}
    union, *notes = get_args(kind)
    key = next((note.discriminator for note in notes if isinstance(note, FieldInfo)), None)
    if not isinstance(key, str):
        return {}
    return {tag: block for block in get_args(union) for tag in get_args(get_type_hints(block)[key])}


def _bare(kind: object) -> object:
    while get_origin(kind) in {Annotated, Union, UnionType}:
        kind = get_args(kind)[0]
    return kind


def _inside(kind: object, part: str | int) -> object:
    if isinstance(kind, type) and is_dataclass(kind):
        return get_type_hints(kind, include_extras=True).get(str(part))
    arguments = get_args(kind)
    return arguments[0 if get_origin(kind) is tuple else -1] if arguments else None


def _fault(kind: object, details: ErrorDetails) -> Fault:
    way = details["loc"]
    there, location = _walked(kind, way)
    if details["type"] == "unexpected_keyword_argument":
        way_out = suggestion(str(way[-1]), keys_at(kind, way[:-1]))
        return Fault(location, f"unknown key; {way_out}", at_key=True)
    if location[-1:] == (_KEY,):
        return Fault(location[:-1], _message(details), at_key=True)
    if details["type"] in _NO_CHOICE:
        return _unchosen(there, location, details)
    if details["type"] != "missing" and any(_SECRET.search(str(part)) for part in location):
        return Fault(location, "wrong value (not shown, for its key looks like that of a secret)")
    return Fault(location, _message(details))


def _unchosen(kind: object, location: Location, details: ErrorDetails) -> Fault:
    key, known = details["ctx"]["discriminator"].strip("'"), _choice(kind)
    if details["type"] == "union_tag_not_found":
        return Fault((*location, key), f"missing; {suggestion('', known)}")
    given = details["input"].get(key)
    return Fault(
        (*location, key),
        f"unknown {key}: {quoted(given)}; {suggestion(given if isinstance(given, str) else '', known)}",
    )


def _message(details: ErrorDetails) -> str:
    match details["type"]:
        case "missing":
            return "missing"
        case "value_error":
            return str(details["ctx"]["error"])
        case "dataclass_type" | "dict_type" | "mapping_type" | "model_attributes_type":
            return f"not a mapping: {_kind(details['input'])}"
        case "tuple_type":
            return f"not a list: {_kind(details['input'])}"
        case "string_type":
            return f"not a text: {_kind(details['input'])}"
        case _:
            return details["msg"].lower()


def _kind(value: object) -> str:
    # The text itself is not shown: in place of a block it may be anything, even a password.
    return "a text" if isinstance(value, str) else quoted(value)
