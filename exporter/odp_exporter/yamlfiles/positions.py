"""YAML text as plain values, together with the line and column of each.

Nothing is guessed: every scalar stays the text that was written, so none of
YAML 1.1's traps can spring (`12:30` is not 750, `on` is not true). Left out on
purpose: anchors, aliases, tags, empty values, more than one document. The
text is read event by event, so that neither nesting nor size can hurt.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn, Protocol, TypeAlias

import yaml
from yaml.reader import ReaderError

from .problems import ConfigError, Fault, Location, Problem, where

MAX_DEPTH = 32
"""The deepest setting lies at about 6."""
MAX_VALUES = 200_000
"""About 2 s of parsing; room for some 15 000 ODPs."""

Value: TypeAlias = "str | list[Value] | dict[str, Value] | None"
"""What YAML text says; None stands for a value that was refused."""
Mark = tuple[int, int]
"""Line and column, each counted from 1."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_BARE_IPV6 = re.compile(r"(?<!['\"])\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]:")
_HINTS = {
    r"found character '\t' that cannot start any token": "a tab where YAML wants blanks",
    "mapping values are not allowed here": "an unexpected ':' (is the indentation right, is a quote missing?)",
    "could not find expected ':'": "a key without ':'",
    "expected <block end>, but found '<block mapping start>'": "the indentation is that of no line above",
    "found unexpected end of stream": "the end of the file inside quotes",
}
"""PyYAML's words for the commonest mistakes, and ours."""


class _Place(Protocol):
    """What PyYAML's two kinds of marks have in common: they count from 0."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """The one document of a YAML text, and where its parts stand."""

    name: str
    """The file, as problems name it."""
    value: Value
    keys: Mapping[Location, Mark]
    values: Mapping[Location, Mark]
    problems: tuple[Problem, ...]
    """What can be told before anything is known of the schema."""

    def problem(self, fault: Fault) -> Problem:
        """*fault* with its place; what is not in the text is placed where it would belong."""
        message = fault.message
        if fault.first is not None:
            message += f"; first at line {self._mark(fault.first, at_key=fault.at_key)[0]}"
        line, column = self._mark(fault.location, at_key=fault.at_key)
        return Problem(self.name, message, line, column, where(fault.location))

    def _mark(self, location: Location, *, at_key: bool) -> Mark:
        if at_key and location in self.keys:
            return self.keys[location]
        while location and location not in self.values:
            location = location[:-1]
        return self.values.get(location, (1, 1))


def decode(content: bytes, *, name: str) -> str:
    """The text in a file's bytes; ConfigError if it is not UTF-8."""
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        message = f"not UTF-8: byte 0x{content[error.start]:02x}"
        raise ConfigError([Problem(name, message, *_end(before))]) from error


def compose(text: str, *, name: str) -> Document:
    """The document that *text* holds; ConfigError if it is no single YAML document."""
    composer = _Composer(name)
    try:
        value = composer.document(yaml.parse(text, Loader=yaml.BaseLoader))
    except ReaderError as error:
        raise ConfigError([_unreadable(text, name, error)]) from error
    except yaml.MarkedYAMLError as error:
        # Not `from error`: it quotes the text, which may hold a secret.
        raise ConfigError([*composer.problems, _not_yaml(text, name, error)]) from None
    except (ValueError, OverflowError) as error:  # PyYAML on "\UFFFFFFFF" and on %YAML with a huge number
        problem = Problem(name, "not YAML: an impossible number from here on", *composer.position)
        raise ConfigError([*composer.problems, problem]) from error
    return Document(name, value, composer.keys, composer.values, tuple(composer.problems))


class _Composer:
    """Builds one document out of the events of PyYAML's parser."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self.keys: dict[Location, Mark] = {}
        self.values: dict[Location, Mark] = {}
        self.problems: list[Problem] = []
        self.position: Mark = (1, 1)
        """How far the text was understood."""

    def document(self, events: Iterator[yaml.Event]) -> Value:
        """The value of the only document; None if there is none."""
        self._events = events
        self._take()
        if isinstance(self._take(), yaml.StreamEndEvent):
            return None
        value = self._node(self._take(), ())
        self._take()
        if not isinstance(self._take(), yaml.StreamEndEvent):
            self._stop((), "a second document (one file, one document)")
        return value

    def _take(self) -> yaml.Event:
        event = next(self._events)
        self.position = _mark(event.start_mark)
        return event

    def _node(self, event: yaml.Event, location: Location) -> Value:
        self.values.setdefault(location, self.position)
        self._count += 1
        if len(location) > MAX_DEPTH:
            self._stop(location[:3], f"nested more than {MAX_DEPTH} deep")
        if self._count > MAX_VALUES:
            self._stop((), f"more than {MAX_VALUES} values")
        self._refuse_decoration(event, location)
        match event:
            case yaml.ScalarEvent():
                return self._scalar(event, location)
            case yaml.SequenceStartEvent():
                return self._sequence(location)
            case yaml.MappingStartEvent():
                return self._mapping(location)
            case _:
                self._report(location, "an alias (write the value out)")
                return None

    def _scalar(self, event: yaml.ScalarEvent, location: Location) -> str | None:
        if event.style is None and event.value in _NULLS:
            if location:
                self._report(location, "empty value (write one, or leave the key out)")
            return None
        if _CONTROL.search(event.value):
            self._report(location, "a control character in the text")
            return None
        return event.value

    def _sequence(self, location: Location) -> list[Value]:
        items: list[Value] = []
        while not isinstance(event := self._take(), yaml.SequenceEndEvent):
            items.append(self._node(event, (*location, len(items))))
        return items

    def _mapping(self, location: Location) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := self._take(), yaml.MappingEndEvent):
            key = self._key(event, location)
            if key is None:
                self._node(self._take(), (*location, "?"))
                continue
            here = (*location, key)
            if key in entries:
                self._report(here, f"duplicate key; first at line {lines[key]}")
            self.keys.setdefault(here, self.position)
            lines.setdefault(key, self.position[0])
            entries.setdefault(key, self._node(self._take(), here))
        return entries

    def _key(self, event: yaml.Event, location: Location) -> str | None:
        self._refuse_decoration(event, location)
        if isinstance(event, yaml.ScalarEvent):
            return event.value
        self._report(location, "a key that is no plain text")
        self._node(event, (*location, "?"))
        return None

    def _refuse_decoration(self, event: yaml.Event, location: Location) -> None:
        # Their names are not quoted: `password: !secret` is a tag to YAML.
        if getattr(event, "anchor", None) is not None and not isinstance(event, yaml.AliasEvent):
            self._report(location, "an anchor (write the value out where it is needed)")
        if getattr(event, "tag", None) is not None:
            self._report(location, "a tag (remove it; quote a text that starts with '!')")

    def _report(self, location: Location, message: str) -> None:
        self.problems.append(Problem(self._name, message, *self.position, where(location)))

    def _stop(self, location: Location, message: str) -> NoReturn:
        self._report(location, message)
        raise ConfigError(self.problems)


def _mark(mark: _Place | None) -> Mark:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _end(text: str) -> Mark:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _unreadable(text: str, name: str, error: ReaderError) -> Problem:
    message = f"not YAML: character U+{ord(text[error.position]):04X} is not allowed"
    return Problem(name, message, *_end(text[: error.position]))


def _not_yaml(text: str, name: str, error: yaml.MarkedYAMLError) -> Problem:
    line, column = _mark(error.problem_mark)
    source = text.splitlines()[line - 1 : line]
    if source and _BARE_IPV6.search(source[0]):
        return Problem(name, "not YAML: quote an IPv6 address, as in '[2001:db8::1]:2883'", line, column)
    return Problem(name, f"not YAML: {_in_our_words(error.problem or 'cannot be parsed')}", line, column)


def _in_our_words(problem: str) -> str:
    if problem.endswith("'<stream end>'"):
        return "the end of the file inside a bracket"
    # The name of a tag is not shown: `password: !secret!` has one.
    return _HINTS.get(problem) or re.sub(r"(?<=tag handle) .*", "", problem, flags=re.DOTALL)
