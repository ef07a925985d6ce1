"""The value types of the configuration: what a duration, a size or a port is.

Every value arrives as the text that stands in the file (YAML's own guesses are
switched off, see config.py), so each type here says exactly which texts it
takes, and a refusal quotes the text and shows a right one. It reads no file
and knows no option by name.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, PlainValidator

STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
"""How every settings block is validated: an unknown key is a mistake."""

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>[0-9]{{1,11}}){unit})?" for unit in _UNITS))
_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_INTEGER = re.compile(r"0|[1-9][0-9]{0,17}")
_URL = re.compile(r"[\x21-\x7e]+")
_PASSWORD = re.compile(r"((?:pass|pwd|secret|token)\w{0,64}=)[^&\s]*", re.IGNORECASE)
_QUOTED_LENGTH = 76
_READ_LENGTH = 4096
"""How much of a text is searched for passwords before it is cut; more could take for ever."""
MAX_DURATION = timedelta(days=365)
"""Longer than anything here may last."""
MAX_LABEL = 63
"""Characters of one part of a host name, as DNS has it."""
MIN_INTERVAL = timedelta(milliseconds=100)
"""What is done more often than this disturbs what it measures."""


def parse_duration(value: object) -> timedelta:
    """Prometheus' notation: `500ms`, `5s`, `1m30s`."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        message = f"not a duration: {quoted(value)} (try '500ms', '5s', '1m')"
        raise ValueError(message)
    if (plain := _LEADING_ZEROS.sub("", match[0])) != match[0]:
        message = f"not a duration: {quoted(value)} (no leading zeros: try {quoted(plain)})"
        raise ValueError(message)
    try:
        duration = timedelta(**{_UNITS[unit]: int(number) for unit, number in match.groupdict("0").items()})
    except OverflowError:
        duration = timedelta.max
    if not timedelta() < duration <= MAX_DURATION:
        message = f"out of range: {quoted(value)} (more than 0s, at most 365d)"
        raise ValueError(message)
    return duration


def format_duration(duration: timedelta) -> str:
    """*duration* in the notation that parse_duration takes, to the millisecond."""
    parts = []
    for unit, name in _UNITS.items():
        number, duration = divmod(duration, timedelta(**{name: 1}))
        parts.append(f"{number}{unit}" if number else "")
    return "".join(parts) or "0s"


def parse_interval(value: object, *, at_least: timedelta = MIN_INTERVAL) -> timedelta:
    """How often something is done: a duration of some length *at_least*."""
    interval = parse_duration(value)
    if interval < at_least:
        message = f"too short an interval: {quoted(value)} (at least '{format_duration(at_least)}')"
        raise ValueError(message)
    return interval


def parse_boolean(value: object) -> bool:
    """`true` or `false`, and none of YAML 1.1's other spellings."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    message = f"not a boolean: {quoted(value)} (write true or false)"
    raise ValueError(message)


def parse_count(value: object) -> int:
    """A whole decimal number that no reader could take for an octal one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    message = f"not a whole number: {quoted(value)} (digits only, no leading zero)"
    raise ValueError(message)


def parse_positive_count(value: object) -> int:
    """A count of at least one."""
    count = parse_count(value)
    if count < 1:
        message = f"not a positive number: {quoted(value)} (at least 1)"
        raise ValueError(message)
    return count


def parse_port(value: object) -> int:
    """A TCP port, 1 to 65535."""
    port = int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:  # noqa: PLR2004 - the range of a TCP port
        message = f"not a port: {quoted(value)} (1 to 65535)"
        raise ValueError(message)
    return port


class Url(str):
    """A URL whose repr keeps the password in it to itself; a log gets redacted(url)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(redacted(self))


def parse_http_url(value: object) -> str:
    """An absolute http or https URL; credentials in it are never shown."""
    if isinstance(value, str) and _URL.fullmatch(value):
        try:
            parts = urlsplit(value)
            host = parts.hostname if parts.scheme in {"http", "https"} and parts.port != 0 else None
        except ValueError:
            host = None  # an impossible port or bracket
        if host:
            refuse_impossible_labels(host, value)
            return Url(value)
    message = f"not an http URL: {quoted(value)} (try 'http://192.0.2.10:8080/path')"
    raise ValueError(message)


def refuse_impossible_labels(host: str, value: str) -> None:
    """A ValueError where no resolver would even be asked for the *host* that *value* names."""
    if not all(0 < len(label) <= MAX_LABEL for label in host.removesuffix(".").split(".")):
        message = f"no possible host name: {quoted(value)} (each part between its dots has 1 to {MAX_LABEL} characters)"
        raise ValueError(message)


def parse_path(value: object) -> Path:
    """The path of a file or directory; whether it exists is seen when it is used."""
    if isinstance(value, Path):
        return value
    if isinstance(value, str) and value and "\0" not in value:
        return Path(value)
    message = f"not a path: {quoted(value)}"
    raise ValueError(message)


def parse_absolute_path(value: object) -> Path:
    """A path that means the same whatever directory it is read from."""
    path = parse_path(value)
    if not path.is_absolute():
        message = f"not an absolute path: {quoted(str(path))} (try '/home/admin/obproxy')"
        raise ValueError(message)
    return path


def quoted(value: object) -> str:
    """*value* as an error message shows it: one line, of bounded length, no password."""
    if not isinstance(value, str):
        return f"a {_kind(value)}"
    # Before it is cut, for half a password is one too; and with a wide net,
    # for what is quoted is most often what could not be understood.
    _, at, rest = value.rpartition("@")
    text = _PASSWORD.sub(r"\1***", f"***@{rest[:_READ_LENGTH]}" if at else value[:_READ_LENGTH])
    return repr(text if len(text) <= _QUOTED_LENGTH else text[:_QUOTED_LENGTH] + "...")


def redacted(url: str) -> str:
    """*url* without the password that may stand in front of its host."""
    return re.sub(r"(?<=//)[^/?#]*@", "***@", url, count=1)


def _kind(value: object) -> str:
    match value:
        case dict():
            return "mapping"
        case list() | tuple():
            return "list"
        case None:
            return "empty value"
        case _:
            return type(value).__name__


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Interval = Annotated[timedelta, BeforeValidator(parse_interval)]
Boolean = Annotated[bool, BeforeValidator(parse_boolean)]
Count = Annotated[int, BeforeValidator(parse_count)]
PositiveCount = Annotated[int, BeforeValidator(parse_positive_count)]
Port = Annotated[int, BeforeValidator(parse_port)]
HttpUrl = Annotated[str, PlainValidator(parse_http_url)]
FilePath = Annotated[Path, BeforeValidator(parse_path)]
AbsolutePath = Annotated[Path, BeforeValidator(parse_absolute_path)]
