"""What each value type takes, and how it refuses the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from odp_exporter import settings

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("100ms", timedelta(milliseconds=100)),
        ("5s", timedelta(seconds=5)),
        ("1m30s", timedelta(seconds=90)),
        ("1w2d3h4m5s6ms", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5, milliseconds=6)),
        ("365d", timedelta(days=365)),
    ],
)
def test_durations_are_written_as_in_prometheus(text: str, duration: timedelta) -> None:
    assert duration == settings.parse_duration(text)


@pytest.mark.parametrize(
    "text", ["", "5", "5 s", "s", "-5s", "5S", "1.5s", "12:30", "1s1m", "1s1s", "\u0665s", "1e3s", "5s\n"]
)
def test_what_only_resembles_a_duration_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration: .*try '500ms', '5s', '1m'"):
        settings.parse_duration(text)


@pytest.mark.parametrize(("text", "plain"), [("010s", "10s"), ("1m05s", "1m5s"), ("007ms", "7ms"), ("00s", "0s")])
def test_a_duration_that_looks_octal_is_none(text: str, plain: str) -> None:
    """In YAML 1.1, 010 is 8."""
    with pytest.raises(ValueError, match=rf"not a duration: '{text}' \(no leading zeros: try '{plain}'\)"):
        settings.parse_duration(text)


@pytest.mark.parametrize("text", ["0s", "0w0ms", "366d", "99999999999w"])
def test_a_duration_is_more_than_nothing_and_at_most_a_year(text: str) -> None:
    with pytest.raises(ValueError, match=r"out of range: .*more than 0s, at most 365d"):
        settings.parse_duration(text)


@given(st.timedeltas(timedelta(milliseconds=1), settings.MAX_DURATION))
def test_a_formatted_duration_reads_as_the_same(duration: timedelta) -> None:
    milliseconds = duration - duration % timedelta(milliseconds=1)

    assert milliseconds == settings.parse_duration(settings.format_duration(duration))


def test_an_interval_is_no_shorter_than_100_ms() -> None:
    assert timedelta(milliseconds=100) == settings.parse_interval("100ms")
    with pytest.raises(ValueError, match="too short an interval: '99ms'"):
        settings.parse_interval("99ms")


def test_booleans_have_two_spellings() -> None:
    """YAML 1.1 has twenty-two."""
    assert [True, False, True] == [settings.parse_boolean(value) for value in ("true", "false", True)]
    for text in ("True", "on", "off", "yes", "no", "y", "1", "0", ""):
        with pytest.raises(ValueError, match=f"not a boolean: '{text}'"):
            settings.parse_boolean(text)


@pytest.mark.parametrize("text", ["010", "0x10", "1e3", "1_000", "+1", "-1", " 1", "1.0", "", "9" * 5000, "\u0661"])
def test_a_count_is_plain_digits(text: str) -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        settings.parse_count(text)


def test_ports_start_at_1_and_end_at_65535() -> None:
    assert [1, 65535, 2883] == [settings.parse_port(value) for value in ("1", "65535", 2883)]
    for value in ("0", "65536", "", "mysql", True, None):
        with pytest.raises(ValueError, match=r"not a port: .* \(1 to 65535\)"):
            settings.parse_port(value)


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.10:8080/services?Action=GetObProxyConfig", "https://[2001:db8::1]/", "http://ocp.example"],
)
def test_an_http_url_stays_as_it_is_written(url: str) -> None:
    assert url == settings.parse_http_url(url)


@pytest.mark.parametrize(
    "url",
    ["", "ocp.example", "ftp://ocp.example", "http://", "http://a:0", "http://a:99999", "http://[::1", "http://a b"],
)
def test_what_no_client_could_fetch_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match="not an http URL"):
        settings.parse_http_url(url)


@pytest.mark.parametrize("host", ["a..example", ".example", ".", "a" * 64, f"a.{'b' * 64}.example", "a.."])
def test_a_host_that_no_resolver_would_be_asked_for_is_no_host(host: str) -> None:
    """Python's own resolver call breaks on it with another error than on a name that does not exist."""
    with pytest.raises(ValueError, match="no possible host name: "):
        settings.parse_http_url(f"http://{host}:9093")


@pytest.mark.parametrize("host", ["a" * 63, f"{'b' * 63}.example.", "[2001:db8::1]", "192.0.2.10", "am_1"])
def test_a_host_that_may_be_is_taken(host: str) -> None:
    assert f"http://{host}/" == settings.parse_http_url(f"http://{host}/")


def test_a_url_keeps_its_password_to_itself() -> None:
    url = settings.parse_http_url("http://admin:hunter2@192.0.2.20:9093/")

    assert "'http://***@192.0.2.20:9093/'" == repr(url)
    assert "http://***@192.0.2.20:9093/" == settings.redacted(url)


@pytest.mark.parametrize(
    "text",
    [
        "http://admin:hunter2@192.0.2.20",
        "http://admin:/hunter2@192.0.2.20",
        "admin:hunter2@192.0.2.20:2883",
        "x" * 200 + ":hunter2@192.0.2.20",
        "http://a:hunter2@" + "x" * 200,
        "http://a/?token=hunter2&b=c",
        "obproxy_sys_password=hunter2",
        "a\nb:hunter2@c",
    ],
)
def test_a_quoted_value_shows_no_password(text: str) -> None:
    assert "hunter2" not in settings.quoted(text)


@given(ANYTHING)
def test_a_quoted_value_is_a_short_line(value: object) -> None:
    shown = settings.quoted(value)

    assert shown.isprintable()
    assert len(shown) < 1000


@given(ANYTHING)
@hypothesis_settings(max_examples=30)
@pytest.mark.parametrize(
    "parse",
    [
        settings.parse_absolute_path,
        settings.parse_boolean,
        settings.parse_count,
        settings.parse_duration,
        settings.parse_http_url,
        settings.parse_interval,
        settings.parse_path,
        settings.parse_port,
        settings.parse_positive_count,
    ],
)
def test_whatever_is_given_a_parser_takes_it_or_says_why_not(parse: Callable[[object], object], value: object) -> None:
    try:
        parse(value)
    except ValueError as error:
        message = str(error)
    else:
        return

    assert message.isprintable()
    assert "(" in message or message.startswith("not a path")


def test_a_home_is_absolute_and_a_file_need_not_be() -> None:
    assert Path("web.yml") == settings.parse_path("web.yml")
    assert Path("/home/admin") == settings.parse_absolute_path("/home/admin")
    with pytest.raises(ValueError, match="not an absolute path: 'obproxy'"):
        settings.parse_absolute_path("obproxy")


@pytest.mark.parametrize("text", ["a" * 4_000_000, "pass" * 1_000_000, "//" * 1_000_000, "@" * 1_000_000])
def test_quoting_and_redacting_the_longest_text_ends_soon(text: str) -> None:
    """Ten seconds are an age; a regular expression that looks back would need hours."""
    began = time.monotonic()
    settings.quoted(text)
    settings.redacted(text)

    assert time.monotonic() - began < 10
