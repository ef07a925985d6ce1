"""The configuration: what loads, what does not, and what is said about it.

testdata/config/bad has one file per mistake, and beside it the exact message.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.config import MAX_BYTES, Config, Discovery, Web, load, parse
from odp_exporter.listening import parse_listen_address
from odp_exporter.probes.greeting import GreetingSettings
from odp_exporter.probes.ping import PingSettings
from odp_exporter.target_files import FileDiscovery
from odp_exporter.targets import Address, Ocp, Pool, Target
from odp_exporter.yamlfiles.positions import decode
from odp_exporter.yamlfiles.problems import ConfigError, Problem

TESTDATA = Path(__file__).parent / "testdata/config"
BAD = sorted((TESTDATA / "bad").glob("*.yml"))
GOOD = sorted((TESTDATA / "good").glob("*.yml"))


def problems_of(text: str) -> tuple[Problem, ...]:
    """All that is wrong with *text*; nothing if it loads."""
    try:
        parse(text, name="odp.yml")
    except ConfigError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_every_mistake_is_told_in_these_words(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(decode(path.read_bytes(), name="odp.yml"), name="odp.yml")

    assert path.with_suffix(".txt").read_text(encoding="utf-8") == f"{caught.value}\n"


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_no_message_shows_a_secret(path: Path) -> None:
    """Each secret of the test data is hunter2."""
    assert "hunter" not in path.with_suffix(".txt").read_text(encoding="utf-8")


def test_an_error_of_the_parser_does_not_carry_the_text_along() -> None:
    """A log that shows the cause of an exception would show the secret with it."""
    with pytest.raises(ConfigError) as caught:
        parse("ping:\n  password_file: 'hunter2\nprobe: {}\n", name="odp.yml")

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_loads(path: Path) -> None:
    assert isinstance(load(path), Config)


def test_the_configuration_of_the_design_means_what_it_says() -> None:
    path = TESTDATA / "good/design.yml"

    config = load(path)

    assert (Target("odp-1", Address("192.0.2.11", 2883), Path("/home/admin/obproxy"), "trade", {"idc": "hz1"}),) == (
        config.odps
    )
    assert {"trade": Pool("trade", Address("192.0.2.100", 2883), "edge")} == config.pools
    assert (Ocp("ocp", "http://192.0.2.10:8080/services?Action=GetObProxyConfig"),) == config.ocp
    assert GreetingSettings(interval=timedelta(seconds=5), timeout=timedelta(seconds=1)) == config.probe
    assert ("http://192.0.2.20:9093",) == config.alertmanagers
    assert Web(Address("0.0.0.0", 9888), path.parent / "web.yml") == config.web
    assert not config.is_discovering


def test_yaml_guesses_at_nothing() -> None:
    first, second = load(TESTDATA / "good/texts-that-yaml-would-turn-into-something-else.yml").odps

    assert ("010", "yes") == (first.name, second.name)
    assert {"rack": "12:30", "canary": "on", "zone": "1e3", "floor": "0x10", "none": "null"} == first.labels


def test_without_a_file_this_host_is_discovered() -> None:
    assert Config().is_discovering
    assert Config(discovery=Discovery(enabled=True), odps=(Target("a", Address("a", 1)),)).is_discovering
    assert not Config(discovery=Discovery(enabled=False)).is_discovering
    assert not Config(file_sd_configs=(FileDiscovery(("a.yml",)),)).is_discovering


def test_paths_start_from_the_directory_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "odp.yml"
    path.write_text(
        "state_directory: state\n"
        "ping: {password_file: inspector}\n"
        "web: {config_file: /etc/web.yml}\n"
        "file_sd_configs: [{files: ['targets/*.yml']}]\n"
    )

    config = load(path)

    assert tmp_path / "state" == config.state_directory
    assert PingSettings(tmp_path / "inspector") == config.ping
    assert Path("/etc/web.yml") == config.web.config_file
    assert (FileDiscovery((f"{tmp_path}/targets/*.yml",)),) == config.file_sd_configs


def test_a_representation_shows_no_secret() -> None:
    text = "alertmanagers: ['http://admin:hunter2@192.0.2.20:9093']\nremediation: {token: hunter2}\n"

    assert "hunter2" not in repr(parse(text, name="odp.yml"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9888", Address("0.0.0.0", 9888)),
        ("[::1]:0", Address("::1", 0)),
        ("localhost:9888", Address("localhost", 9888)),
    ],
)
def test_listening_needs_no_host_and_no_port(text: str, address: Address) -> None:
    assert address == parse_listen_address(text)


def reason_not_to_load(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path}/odp.yml: no such file or directory" == reason_not_to_load(tmp_path / "odp.yml")


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    assert f"{tmp_path}: not a regular file" == reason_not_to_load(tmp_path)


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "odp.yml")

    assert f"{tmp_path}/odp.yml: not a regular file" == reason_not_to_load(tmp_path / "odp.yml")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "odp.yml"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)

    assert f"{path}: {MAX_BYTES + 1} bytes, more than the {MAX_BYTES} that are read" == reason_not_to_load(path)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_of_somebody_else_is_told_from_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "odp.yml"
    path.write_text("{}")
    path.chmod(0)
    with as_nobody():
        reason = reason_not_to_load(path)

    assert f"{path}: permission denied" == reason


def test_bytes_that_are_no_text_are_placed(tmp_path: Path) -> None:
    path = tmp_path / "odp.yml"
    path.write_bytes(b"probe: {}\n# \xc3\xbc \xff\n")

    assert f"{path}:2:5: not UTF-8: byte 0xff" == reason_not_to_load(path)


def test_an_odd_file_name_stays_on_its_line() -> None:
    assert r"'a\nb.yml':1:1: not a mapping: a list" == str(Problem("a\nb.yml", "not a mapping: a list", 1, 1))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "remediation:\n" + "\n".join(" " * depth + "a:" for depth in range(1, 2000)),
        "remediation: [" + "a," * 210_000 + "]",
        "a: &a [x]\n" + "".join(f"a{n}: [" + "*a," * 1000 + "]\n" for n in range(10)),
        '"' + "\\n" * 500_000 + '"',
    ],
    ids=["brackets", "braces", "dashes", "keys", "steps", "values", "aliases", "escapes"],
)
def test_no_size_and_no_nesting_hurts(text: str) -> None:
    """Neither RecursionError nor a long wait; the test's own time limit sees to that."""
    assert () != problems_of(text)
