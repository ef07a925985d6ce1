"""Addresses, names, labels and patterns of what is probed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.targets import (
    Address,
    Ocp,
    Pool,
    Target,
    parse_address,
    parse_label_name,
    parse_name,
    parse_target_pattern,
)
from pydantic import TypeAdapter, ValidationError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.11:2883", Address("192.0.2.11", 2883)),
        ("odp-1.example:2883", Address("odp-1.example", 2883)),
        ("odp_1:1", Address("odp_1", 1)),
        ("[2001:db8::1]:2883", Address("2001:db8::1", 2883)),
        ("[fe80::1%eth0]:2883", Address("fe80::1%eth0", 2883)),
    ],
)
def test_an_address_is_written_as_it_is_read(text: str, address: Address) -> None:
    assert address == parse_address(text)
    assert text == str(address)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("ODP-1.Example:2883", "odp-1.example:2883"), ("[2001:DB8:0:0:0:0:0:1]:2883", "[2001:db8::1]:2883")],
)
def test_one_host_has_one_spelling(text: str, canonical: str) -> None:
    """Else the same ODP could be configured twice."""
    assert canonical == str(parse_address(text))


@pytest.mark.parametrize("host", ["a..example", "a" * 64, "a.."])
def test_a_host_that_no_resolver_would_be_asked_for_is_no_address(host: str) -> None:
    with pytest.raises(ValueError, match="no possible host name: "):
        parse_address(f"{host}:2883")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.0.2.11",
        ":2883",
        "192.0.2.256:2883",
        "192.0.2:2883",
        "12:30",
        "2001:db8::1:2883",
        "[192.0.2.11]:2883",
        "[::1%e th0]:2883",
        "-odp:2883",
        "odp 1:2883",
        "odp/1:2883",
        "odp\n:2883",
        "user@odp:2883",
    ],
)
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an address: .*try '192\.0\.2\.11:2883'"):
        parse_address(text)


@given(st.text())
def test_no_text_breaks_the_parser_of_addresses(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return

    assert address == parse_address(str(address))


@pytest.mark.parametrize(
    ("pattern", "text", "is_meant"),
    [
        ("192.0.2.0/24:2883", "192.0.2.11:2883", True),
        ("192.0.2.0/24:2883", "192.0.2.11:2884", False),
        ("192.0.2.0/24:2883", "192.0.3.11:2883", False),
        ("192.0.2.0/24:2883", "[2001:db8::1]:2883", False),
        ("0.0.0.0/0:2883", "localhost:2883", False),
        ("[2001:db8::/64]:2883", "[2001:db8::1]:2883", True),
        ("[::/0]:2883", "[fe80::1%eth0]:2883", True),
        ("192.0.2.11:2883", "192.0.2.11:2883", True),
        ("192.0.2.11:2883", "192.0.2.11:1", False),
        ("ODP-1.example:2883", "odp-1.EXAMPLE:2883", True),
    ],
)
def test_a_pattern_means_an_address_or_a_network(pattern: str, text: str, *, is_meant: bool) -> None:
    assert is_meant == parse_target_pattern(pattern).matches(parse_address(text))


@pytest.mark.parametrize("text", ["192.0.2.0/24:2883", "[2001:db8::/64]:2883", "odp-1.example:2883"])
def test_a_pattern_is_written_as_it_is_read(text: str) -> None:
    assert text == str(parse_target_pattern(text))


def test_a_target_without_a_name_has_its_address_for_one() -> None:
    target = TypeAdapter(Target).validate_python({"address": "192.0.2.11:2883"})

    assert Target("192.0.2.11:2883", Address("192.0.2.11", 2883)) == target


def test_targets_can_be_made_of_values_too() -> None:
    """Discovery does."""
    target = Target("odp-1", Address("192.0.2.11", 2883), home=Path("/home/admin"), labels={"idc": "hz1"})

    assert Path("/home/admin") == target.home
    assert Pool("trade") == Pool("trade", vip=None, min_serving=1)


@pytest.mark.parametrize("name", ["", " odp", "odp ", "o\tdp", "x" * 129, None, 7])
def test_a_name_fits_into_a_label_and_on_a_line(name: object) -> None:
    with pytest.raises(ValueError, match="not a name"):
        parse_name(name)


@pytest.mark.parametrize("name", ["odp", "address", "instance", "le", "__name__", "1a", "a-b", "", None])
def test_a_label_of_our_own_cannot_be_given(name: object) -> None:
    with pytest.raises(ValueError, match="label name"):
        parse_label_name(name)


def test_the_url_of_an_ocp_can_be_appended_to() -> None:
    with pytest.raises(ValidationError, match=r"has no '\?'"):
        Ocp("ocp", "http://192.0.2.10:8080/services")
