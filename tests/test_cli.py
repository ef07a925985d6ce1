import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result
from odp_exporter import __version__
from odp_exporter.cli import main

GREETING = bytes.fromhex(
    "4a0000000a352e362e32350002000000616161616161616100dff72e00009f0015"
    "00000000000000000000626262626262626262626262006d7973716c5f6e61746976655f70617373776f726400"
)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def address(listening: socket.socket) -> str:
    return f"127.0.0.1:{listening.getsockname()[1]}"


def test_says_its_version() -> None:
    assert f"odp-exporter, version {__version__}\n" == invoke("--version").output


def test_check_is_silent_about_nothing_but_success(tmp_path: Path) -> None:
    file = tmp_path / "odp.yml"
    file.write_text("odps: [{address: '192.0.2.11:2883'}]\n")
    result = invoke("check", str(file))

    assert (0, f"{file}: ok\n") == (result.exit_code, result.output)


def test_check_names_every_mistake_and_exits_with_1(tmp_path: Path) -> None:
    file = tmp_path / "odp.yml"
    file.write_text("odps:\n  - {adress: x, address: '192.0.2.11:2883'}\nprobe: {interval: 5 parsecs}\n")
    result = invoke("check", str(file))

    assert 1 == result.exit_code
    assert [
        f"{file}:2:6: odps.0.adress: unknown key; did you mean 'address'?",
        f"{file}:3:19: probe.interval: not a duration: '5 parsecs' (try '500ms', '5s', '1m')",
    ] == result.output.splitlines()


def test_check_looks_into_the_files_that_are_named(tmp_path: Path) -> None:
    (tmp_path / "targets.yml").write_text("- {targets: ['nonsense']}\n")
    (tmp_path / "web.yml").write_text("basic_auth_users: {admin: plain}\n")
    (tmp_path / "odp.yml").write_text("file_sd_configs: [{files: [targets.yml]}]\nweb: {config_file: web.yml}\n")
    result = invoke("check", str(tmp_path / "odp.yml"))

    assert 1 == result.exit_code
    assert {"targets.yml", "web.yml"} == {Path(line.split(":")[0]).name for line in result.output.splitlines()}


def test_check_of_a_missing_file_is_no_traceback() -> None:
    result = invoke("check", "/nonexistent/odp.yml")

    assert (1, "/nonexistent/odp.yml: no such file or directory\n") == (result.exit_code, result.output)


def test_a_name_server_that_is_silent_keeps_no_command_from_ending() -> None:
    program = (
        "import socket, threading\n"
        "socket.getaddrinfo = lambda *_, **__: threading.Event().wait()\n"
        "from odp_exporter.cli import main\n"
        "main(['probe', 'mute.example:2883', '--connect-timeout', '50ms'])\n"
    )
    ended = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )

    assert (1, "") == (ended.returncode, ended.stderr)
    assert "mute.example: no answer from the resolver within 0.05s" in ended.stdout


def test_run_refuses_to_start_with_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "odp.yml"
    file.write_text("odsp: []\n")
    result = invoke("run", "--config.file", str(file))

    assert (1, f"{file}:1:1: odsp: unknown key; did you mean 'odps'?\n") == (result.exit_code, result.output)


def test_run_refuses_a_port_that_is_taken(listener: socket.socket) -> None:
    result = invoke("run", "--web.listen-address", address(listener))

    assert 1 == result.exit_code
    assert result.output.endswith(
        f"{address(listener)}: address already in use (choose another with --web.listen-address)\n"
    )


def test_run_refuses_an_address_that_is_none() -> None:
    result = invoke("run", "--web.listen-address", "nonsense")

    assert 2 == result.exit_code
    assert "not an address to listen on: 'nonsense'" in result.output


def test_probe_of_an_odp_that_greets_exits_with_0(listener: socket.socket) -> None:
    result = _probed_by(listener, GREETING)

    assert 0 == result.exit_code
    assert "server version 5.6.25" in result.output
    assert "verdict: serving" in result.output


def _probed_by(listener: socket.socket, reply: bytes) -> Result:
    """Probe a server that says *reply* to its first client."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(reply)
            connection.recv(1)

    thread = Thread(target=serve)
    thread.start()
    result = invoke("probe", address(listener), "--greeting-timeout", "20s")
    thread.join()
    return result


def test_probe_of_a_port_that_stays_silent_confirms_that_it_is_hung(listener: socket.socket) -> None:
    result = invoke("probe", address(listener), "--greeting-timeout", "100ms")

    assert 1 == result.exit_code
    assert ["probe 1: greeting_timeout", "probe 2: greeting_timeout", "verdict: hung"] == [
        line.split(" - ")[0] for line in result.output.splitlines() if line.startswith(("probe", "verdict"))
    ]


def test_probe_of_a_closed_port_says_so() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        result = invoke("probe", address(held))

    assert 1 == result.exit_code
    assert "probe 1: refused - " in result.output
    assert "verdict: down" in result.output


def test_probe_says_what_else_is_on_the_port(listener: socket.socket) -> None:
    result = _probed_by(listener, b"HTTP/1.1 400 Bad Request\r\n\r\n")

    assert 1 == result.exit_code
    assert "an HTTP server is on this port" in result.output


@pytest.mark.parametrize("text", ["2883", "host", "host:99999", "::1:2883", ""])
def test_probe_of_what_is_no_address_is_a_usage_error(text: str) -> None:
    result = invoke("probe", text)

    assert 2 == result.exit_code
    assert "Error: Invalid value" in result.output
