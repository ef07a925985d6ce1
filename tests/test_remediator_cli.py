"""`odp-remediator` as people type it, against a running one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from odp_exporter.simulator.fleet.ports import free_port

HOST = "127.0.0.1"
COMMAND = (sys.executable, "-m", "odp_exporter.remediator_cli")


def odp_remediator(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=50, check=False)  # noqa: S603 - our own program
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The configuration of a remediator that runs as long as the tests here."""
    with remediator(configured(tmp_path_factory.mktemp("served"))) as path:
        yield path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration under which nothing runs."""
    return configured(tmp_path)


def configured(folder: Path) -> Path:
    (folder / "token").write_text("0123456789abcdef", encoding="ascii")
    path = folder / "odp.yml"
    path.write_text(
        "odps:\n"
        f"  - {{name: odp-1, address: '{HOST}:{free_port(HOST)}', pool: trade}}\n"
        f"  - {{name: odp-2, address: '{HOST}:{free_port(HOST)}', pool: trade}}\n"
        "pools: {trade: {lb: edge}}\n"
        "remediation:\n"
        f"  listen_address: {HOST}:{free_port(HOST)}\n"
        "  token_file: token\n"
        "  journal: journal.db\n"
        "  lbs: {edge: {type: none}}\n"
        "  actuators: {default: {type: local}}\n",
        encoding="ascii",
    )
    return path


@contextmanager
def remediator(config: Path) -> Iterator[Path]:
    with subprocess.Popen([*COMMAND, "run", "--config.file", config], stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "event=acting" in line:
                    break
            yield config
        finally:
            process.terminate()
            assert 0 == process.wait(20)


def test_pause_status_history_and_resume(served: Path) -> None:
    paused = odp_remediator("pause", "--config.file", served, "--odp", "odp-1", "--reason", "kernel", "--for", "1h")
    status = odp_remediator("status", "--config.file", served)
    resumed = odp_remediator("resume", "--config.file", served, "--odp", "odp-1", "--reason", "done")
    history = odp_remediator("history", "--config.file", served, "--odp", "odp-1")

    assert ((0, "paused\n", ""), (0, "resumed\n", "")) == (paused, resumed)
    assert "active\n" == status[1].splitlines(keepends=True)[0]
    assert re.search(r"^paused: target odp-1 since \S+ until \S+, by .+: kernel$", status[1], re.MULTILINE)
    assert ["pause", "resume"] == [line.split("  ")[2] for line in history[1].splitlines()]


def test_plan_tells_what_would_be_done_and_why(served: Path) -> None:
    code, out, _ = odp_remediator("plan", "--config.file", served, "odp-1")

    assert 0 == code
    assert out.startswith("odp-1: nothing (waiting: ")
    assert '"greetings": [\n    "refused"' in out


def test_an_unknown_odp_is_told(served: Path) -> None:
    assert (1, "", "no ODP of the inventory: 'odp-9'\n") == odp_remediator("plan", "--config.file", served, "odp-9")


def test_a_second_one_cannot_listen_there(served: Path) -> None:
    code, _, err = odp_remediator("run", "--config.file", served)

    assert 1 == code
    assert "address already in use" in err.splitlines()[-1]


def test_nobody_answers(config: Path) -> None:
    code, _, err = odp_remediator("status", "--config.file", config)

    assert 1 == code
    assert "Connection refused" in err
    assert "(does the remediator run? journalctl -u odp-remediator)" in err


def test_check_says_how_many_may_be_repaired(config: Path) -> None:
    assert (0, f"{config}: ok, 2 ODPs may be repaired\n", "") == odp_remediator("check", config)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pause", "--reason", "x"], "exactly one of --fleet, --pool and --odp is needed"),
        (["pause", "--fleet", "--odp", "odp-1", "--reason", "x"], "exactly one of --fleet, --pool and --odp is needed"),
        (["pause", "--fleet"], "Missing option '--reason'"),
        (["pause", "--fleet", "--reason", "x", "--for", "soon"], "not a duration: 'soon'"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(config: Path, arguments: list[str], message: str) -> None:
    code, _, err = odp_remediator(*arguments, "--config.file", config)

    assert 2 == code
    assert message in err


def test_the_host_command_is_part_of_it() -> None:
    code, out, _ = odp_remediator("restart", "--help")

    assert 0 == code
    assert "Restart the ODP at HOST:PORT" in out


def test_it_stands_by_while_the_journal_is_damaged_and_says_so(config: Path) -> None:
    """Never a traceback, never an act."""
    (config.parent / "journal.db").write_bytes(b"garbage" * 1000)
    with subprocess.Popen([*COMMAND, "run", "--config.file", config], stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "standing by" in line:
                process.terminate()
        code = process.wait(20)

    assert 0 == code
    assert "move it and its -wal file away" in "".join(lines)
    assert "Traceback" not in "".join(lines)
