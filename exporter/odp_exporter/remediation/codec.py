"""What the journal writes and reads: the fleet, its stages and the events, as JSON.

Pure; a text that does not mean such a value is a ValueError. Fields that a
newer release has added are ignored, those that it lacks have their defaults.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from .model import Alert, Command, Event, Fleet, Stage

T = TypeVar("T")

_FLEET: TypeAdapter[Fleet] = TypeAdapter(Fleet)
_STAGE: TypeAdapter[Stage] = TypeAdapter(Stage)
_ALERTS: TypeAdapter[tuple[Alert, ...]] = TypeAdapter(tuple[Alert, ...])
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


def dump_fleet(fleet: Fleet) -> bytes:
    """All that the remediator believes."""
    return _FLEET.dump_json(fleet)


def load_fleet(text: bytes | str) -> Fleet:
    """The fleet that was dumped."""
    return _FLEET.validate_json(text)


class FleetText:
    """Writes fleets as dump_fleet() does, one after the other, and anew only what has changed since the last one.

    An ODP costs 8 microseconds, and most of a thousand stay as they are from one event to the next.
    """

    def __init__(self) -> None:
        self._stages = _Texts[Stage](_STAGE.dump_json)
        self._alerts = _Texts[tuple[Alert, ...]](_ALERTS.dump_json)

    def __call__(self, fleet: Fleet) -> str:
        """The JSON of *fleet*."""
        rest = _FLEET.dump_json(replace(fleet, stages={}, alerts={})).decode().removeprefix(_EMPTY)
        return f'{{"stages":{self._stages(fleet.stages)},"alerts":{self._alerts(fleet.alerts)}{rest}'


_EMPTY = '{"stages":{},"alerts":{}'


class _Texts(Generic[T]):
    """The members of a mapping as texts; those of the last one are remembered."""

    def __init__(self, dump: Callable[[T], bytes]) -> None:
        self._dump = dump
        self._known: dict[str, tuple[T, str]] = {}

    def __call__(self, values: Mapping[str, T]) -> str:
        self._known = {odp: self._text(odp, value) for odp, value in values.items()}
        return f"{{{','.join(text for _, text in self._known.values())}}}"

    def _text(self, odp: str, value: T) -> tuple[T, str]:
        known = self._known.get(odp)
        # The same object, for values are frozen: no comparison costs less.
        if known and known[0] is value:
            return known
        return value, f"{json.dumps(odp)}:{self._dump(value).decode()}"


def dump_stage(stage: Stage) -> bytes:
    """One ODP's stage."""
    return _STAGE.dump_json(stage)


def load_stage(text: bytes | str) -> Stage:
    """The stage that was dumped."""
    return _STAGE.validate_json(text)


def dump_event(event: Event) -> bytes:
    """One event, evidence included."""
    return _EVENT.dump_json(event)


def whole(event: Event) -> Event:
    """*event* as it can be written; half letters, which a hostile host may put into its words, are replaced."""
    try:
        _EVENT.dump_json(event)
    except PydanticSerializationError:
        return _EVENT.validate_json(json.dumps(_mended(_EVENT.dump_python(event, mode="json"))))
    return event


def _mended(value: object) -> object:
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {str(_mended(name)): _mended(part) for name, part in value.items()}
        case list():
            return [_mended(part) for part in value]
        case _:
            return value


def load_event(text: bytes | str) -> Event:
    """The event that was dumped."""
    return _EVENT.validate_json(text)


def dump_command(command: Command) -> bytes:
    """One command."""
    return _COMMAND.dump_json(command)


def load_command(text: bytes | str) -> Command:
    """The command that was dumped."""
    return _COMMAND.validate_json(text)
