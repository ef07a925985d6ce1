"""The way by a command of one's own: no shell, a deadline, and nothing left running."""

from __future__ import annotations

import dataclasses
import os
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.actuators import commands
from odp_exporter.actuators.actuator import HostUnreachable, NotIdentified, NotPermitted, Order, Unfinished
from odp_exporter.actuators.exec import Exec, ExecSettings
from odp_exporter.observations import Identity
from odp_exporter.simulator.fleet.processes import eventually, is_alive
from odp_exporter.targets import Address, Target

TARGET = Target(name="odp-1", address=Address("127.0.0.1", 2883))
LIFE = Identity("boot", 4711, 99, "obproxy")


def doing(*argv: str) -> Exec:
    return Exec(ExecSettings(type="exec", look=argv, restart=argv))


def saying(text: str) -> Exec:
    return doing("sh", "-c", 'printf "%s\\n" "$0"', text)


async def test_values_are_filled_in_and_stay_words(tmp_path: Path) -> None:
    """(S6) A name that looks like a command, or like a placeholder, is a word like any other."""
    target = dataclasses.replace(TARGET, name="$(id) {pid}")
    script = f'printf "%s\\n" "$@" > {tmp_path}/words; exit 1'
    acting = doing("sh", "-c", script, "sh", "{odp}", "{host}:{port}", "{pid}", "{expect}")

    with pytest.raises(Unfinished):
        await acting.restart(Order(target, LIFE))

    assert ["$(id) {pid}", "127.0.0.1:2883", "4711", "boot/4711/99"] == (tmp_path / "words").read_text().splitlines()


async def test_all_arguments_are_filled_in_as_words(tmp_path: Path) -> None:
    acting = doing("sh", "-c", f'printf "%s\\n" "$@" > {tmp_path}/words; exit 1', "sh", "{arguments}")

    with pytest.raises(Unfinished):
        await acting.restart(Order(TARGET, None, evidence_budget=timedelta()))

    assert [
        "--json",
        "--name=odp-1",
        "--dead-only",
        "--no-evidence",
        "--stop-grace=2s",
        "--start-timeout=45s",
        "127.0.0.1:2883",
    ] == (tmp_path / "words").read_text().splitlines()


async def test_an_error_on_the_host_is_the_same_error_here() -> None:
    with pytest.raises(NotIdentified, match=r"^two of them$"):
        await saying('{"version": 1, "error": {"kind": "NotIdentified", "message": "two of them"}}').look(TARGET)


@pytest.mark.parametrize("text", [" ", "done", "{", '{"version": 2}', '{"version": 1, "restarted": {}}', "[" * 5000])
async def test_what_is_no_answer_leaves_the_outcome_open(text: str) -> None:
    with pytest.raises(Unfinished):
        await saying(text).restart(Order(TARGET, None))


async def test_a_look_without_an_answer_has_done_nothing() -> None:
    with pytest.raises(HostUnreachable, match=r"sh: it is raining"):
        await doing("sh", "-c", "echo it is raining >&2; exit 1").look(TARGET)


async def test_an_answer_to_another_question_is_none() -> None:
    with pytest.raises(Unfinished):
        await saying('{"version": 1, "look": {"processes": []}}').restart(Order(TARGET, None))


async def test_a_missing_program_is_found_beforehand() -> None:
    with pytest.raises(NotPermitted, match=r"no-such-program: not found"):
        await doing("no-such-program").check()
    with pytest.raises(NotPermitted, match=r"no-such-program: no such file"):
        await doing("no-such-program").look(TARGET)


async def test_a_command_that_hangs_is_killed_with_all_that_it_started(
    tmp_path: Path,
) -> None:
    """(S18) Its child ignores SIGTERM and holds the output open."""
    script = f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/child; wait"

    acting = Exec(dataclasses.replace(doing("sh", "-c", script).settings, timeout=timedelta(seconds=4)))

    with pytest.raises(Unfinished, match=r"sh: not done within 4s, and killed"):
        await acting.restart(Order(TARGET, None))

    child = int((tmp_path / "child").read_text())
    await eventually(lambda: not is_alive(child), "the end of the child", within_seconds=20)


async def test_a_talkative_command_fills_no_memory() -> None:
    done = await commands.run(
        ["head", "-c", "50000000", os.devnull.replace("null", "zero")], within=timedelta(seconds=30)
    )

    assert (0, commands.MAX_OUTPUT_BYTES) == (done.status, len(done.output))


async def test_the_last_line_of_a_complaint_is_kept_and_is_one_line() -> None:
    done = await commands.run(["sh", "-c", "printf 'one\\n\\033[31mtwo\\n' >&2; exit 4"], within=timedelta(seconds=10))

    assert (4, "[31mtwo") == (done.status, done.complaint)
