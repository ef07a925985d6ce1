"""Unions that keep their members apart in JSON, by a `type` beside the fields of each.

Members of a union may have the same fields (Draining and Acting), or none
(Start), so that their fields do not tell which one was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_TYPE = "type"


@dataclass(frozen=True, slots=True)
class Tagged:
    """Annotates a union of dataclasses."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The union as pydantic has to read and write it."""
        choices = {member.__name__: _member(handler.generate_schema(member)) for member in get_args(source)}
        return core_schema.tagged_union_schema(choices, _type_of)


def _member(schema: CoreSchema) -> CoreSchema:
    written = core_schema.wrap_serializer_function_ser_schema(_with_type, schema=schema)
    return core_schema.no_info_before_validator_function(_fields, schema, serialization=written)


def _type_of(value: object) -> str | None:
    name = value.get(_TYPE) if isinstance(value, Mapping) else type(value).__name__
    return name if isinstance(name, str) else None


def _fields(value: object) -> object:
    return {name: part for name, part in value.items() if name != _TYPE} if isinstance(value, Mapping) else value


def _with_type(value: object, write: core_schema.SerializerFunctionWrapHandler) -> dict[str, object]:
    return {_TYPE: type(value).__name__, **write(value)}
