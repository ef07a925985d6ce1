"""JSON as ODP reads it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.odp_json import Json, NotJson, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'\t\n\v\f\r {"a"\n:\v1}\f', {"a": 1}),
        (b'"two\nlines"', "two lines"),
        (b'"http:\\/\\/x\\u0026"', "http:\\/\\/x\\u0026"),
        (b'"\x00\x01"', "\x00\x01"),
        (b'"\xff\xfe"', "\ufffd\ufffd"),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"-0", 0),
        (b"[true,false,null]", [True, False, None]),
    ],
)
def test_what_odp_reads(text: bytes, expected: Json) -> None:
    assert expected == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b'"a\\"b"',
        b"200.0",
        b"2e2",
        b"NaN",
        b"-Infinity",
        b"9" * 5000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xef\xbb\xbf{}",
        b"{'a':1}",
        b"{}{}",
        b"TRUE",
        b"007",
    ],
)
def test_what_it_does_not(text: bytes) -> None:
    with pytest.raises(NotJson):
        parse(text)


def test_the_error_does_not_carry_the_text() -> None:
    """A JSONDecodeError does, and a log of exceptions would show it."""
    with pytest.raises(NotJson) as caught:
        parse(b'{"Password": "hunter2"')

    assert (None, None) == (caught.value.__cause__, caught.value.__context__)
    assert "hunter2" not in str(caught.value)


whole = st.recursive(
    st.none() | st.booleans() | st.integers() | st.from_regex(r"[a-zA-Z0-9:/?&= .-]*", fullmatch=True),
    lambda inner: st.lists(inner) | st.dictionaries(st.from_regex(r"[a-zA-Z]+", fullmatch=True), inner),
    max_leaves=20,
)


@given(value=whole)
def test_plain_values_come_back(value: Json) -> None:
    assert value == parse(json.dumps(value).encode())


@given(text=st.binary(max_size=200))
def test_arbitrary_bytes_are_a_value_or_not_json(text: bytes) -> None:
    try:
        parse(text)
    except NotJson as error:
        assert "\n" not in str(error)  # noqa: PT017 - most examples raise, some do not
