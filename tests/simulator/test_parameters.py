from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from odp_exporter.cache import container
from odp_exporter.simulator.odp.options import INHERITED, BadOption, bequest, parse, simulation
from odp_exporter.simulator.odp.parameters import BINARY, DATABASE, ParametersLocked, defaults, load
from odp_exporter.simulator.odp.release import Release

NEW, MIDDLE, OLD = (Release.parse(text) for text in ("4.3.1", "4.2.1", "4.1.0"))


def _tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        names = [
            name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        ]
        return {name: database.execute(f"PRAGMA table_info({name})").fetchall() for name in names}


def test_the_database_has_the_captured_schema(tmp_path: Path, captures: Path) -> None:
    load(tmp_path, {}, NEW)

    assert _tables(captures / DATABASE) == _tables(tmp_path / DATABASE)


def test_every_parameter_that_it_knows_is_one_of_odp(captures: Path) -> None:
    with closing(sqlite3.connect(f"file:{captures / DATABASE}?mode=ro&immutable=1", uri=True)) as database:
        known = {name for (name,) in database.execute("SELECT name FROM proxy_config")}

    assert set() == defaults(NEW).keys() - known


@pytest.mark.parametrize("release", [NEW, MIDDLE, OLD])
def test_the_command_line_wins_and_is_stored(tmp_path: Path, release: Release) -> None:
    first = load(tmp_path, {"ignore_local_config": "false"}, release)
    second = load(tmp_path, {"client_max_connections": "4"}, release)

    assert (False, 8192) == (first.flag("ignore_local_config"), first.number("client_max_connections"))
    assert (False, 4) == (second.flag("ignore_local_config"), second.number("client_max_connections"))


def test_up_to_4_2_parameters_lie_in_a_binary_file(tmp_path: Path) -> None:
    load(tmp_path, {"app_name": "trade"}, OLD)

    content = (tmp_path / BINARY).read_bytes()
    assert b"\xbc\xde\x00\x20\x00\x01" == content[:6]
    assert b"app_name=trade\n" in container.decode(content, magic=container.BCDE)
    assert not (tmp_path / DATABASE).exists()


def test_4_2_1_has_a_database_that_tells_nothing(tmp_path: Path) -> None:
    load(tmp_path, {"app_name": "trade"}, MIDDLE)

    with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
        assert (0,) == database.execute("SELECT count(*) FROM proxy_config").fetchone()


def test_a_lock_on_the_database_forbids_the_start(tmp_path: Path) -> None:
    load(tmp_path, {}, NEW)

    with closing(sqlite3.connect(tmp_path / DATABASE)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ParametersLocked, match="locked by someone else"):
            load(tmp_path, {}, NEW)


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("100ms", 0.1), ("2h", 7200), ("1m", 60), ("5", 5)])
def test_times_have_units(tmp_path: Path, text: str, seconds: float) -> None:
    parameters = load(tmp_path, {"config_server_refresh_interval": text}, NEW)

    assert seconds == parameters.seconds("config_server_refresh_interval")


def test_short_and_long_options_mean_the_same() -> None:
    short = parse(["-N", "-p", "2883", "-l", "2884", "-s", "2885", "-n", "a", "-o", "x=http://h/?a=b&c=d,y=1"])
    ports = ["--listen_port", "2883", "--prometheus_listen_port=2884", "--rpc_listen_port", "2885"]
    long = parse(["--nodaemon", *ports, "--appname", "a", "--optstr", "x=http://h/?a=b&c=d,y=1"])

    assert short == long
    assert short.is_foreground
    assert "http://h/?a=b&c=d" == short.parameters["x"]


@pytest.mark.parametrize("arguments", [["--nonsense"], ["-p"], ["rest"], ["-o", "novalue"]])
def test_bad_options_are_refused(arguments: list[str]) -> None:
    with pytest.raises(BadOption):
        parse(arguments)


def test_sockets_are_inherited_from_the_parent_alone() -> None:
    """Whoever starts a hot-restarted ODP again with its environment has no sockets to give."""
    environment = {INHERITED: bequest(4711, {"sql0": 5, "rpc0": 7}), "OBPROXY_SIM_OWNER": "12"}

    assert {"sql0": 5, "rpc0": 7} == simulation(environment, parent=4711).inherited
    assert {} == simulation(environment, parent=1).inherited
    assert 12 == simulation(environment, parent=1).owner
    assert {} == simulation({}, parent=1).inherited
