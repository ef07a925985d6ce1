"""What is kept of a process before it is ended: within its budgets, and without passwords."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from odp_exporter.actuators.evidence import MAX_ITEM_BYTES, Archive, Item, NotHad, gather, items
from odp_exporter.observations import Process
from odp_exporter.procfs import processes
from odp_exporter.simulator.fleet import Fleet, Odp

from .conftest import content

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECONDS = timedelta(seconds=60)


def process_of(odp: Odp) -> Process:
    process = processes.read(odp.pid)
    assert process is not None
    return process


def kept(place: Path | None) -> Mapping[str, bytes]:
    assert place is not None
    return {path.name: path.read_bytes() for path in place.iterdir()}


async def preserved(archive: Archive, odp: Odp, *, budget: timedelta = SECONDS, now: datetime = NOW) -> Path | None:
    return await archive.preserve("odp 1", process_of(odp), port=odp.address[1], budget=budget, now=now)


async def test_threads_descriptors_limits_and_logs_are_kept(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")

    place = await preserved(Archive(tmp_path / "evidence"), odp)
    found = kept(place)

    assert place is not None
    assert f"20260102T030405.000000-odp_1-{odp.pid}" == place.name
    assert {"process", "status", "limits", "threads", "fds", "sockets", "smaps_rollup", "MISSING"} <= found.keys()
    assert f"{odp.pid} [obproxy]".encode() in found["threads"]
    assert b" socket" in found["fds"]
    assert f"127.0.0.1:{odp.address[1]} inode".encode() in found["sockets"]
    assert b"waiting 0 of 1024" in found["sockets"]
    assert b"start up successful" in found["obproxy.log"]
    assert b"obproxy_error.log: " in found["MISSING"]
    assert b"no such file" in found["MISSING"]


async def test_passwords_are_cut_out(fleet: Fleet, tmp_path: Path) -> None:
    """Of the command line, and of a log that repeats it; of the environment there are names only."""
    digest = "0123456789abcdef0123456789abcdef01234567"
    odp = await fleet.start_odp("odp-1", options={"obproxy_sys_password": digest})
    odp.environment["observer_sys_password"] = digest
    await odp.restart()
    with (odp.home / "log/obproxy.log").open("a") as log:
        log.write(f"options: observer_sys_password={digest},a=b\n")

    found = kept(await preserved(Archive(tmp_path / "evidence"), odp))

    assert [] == [name for name, text in found.items() if digest.encode() in text]
    assert b"obproxy_sys_password=***" in found["process"]
    assert b"observer_sys_password=***,a=b" in found["obproxy.log"]
    assert b"observer_sys_password" in found["environment"]


async def test_what_hangs_does_not_exceed_the_budget(tmp_path: Path) -> None:
    """(S23) Items read from a FIFO that nobody writes; what comes after the first of them is still had."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    first, *others = (Item(f"hangs-{number}", lambda: content(fifo)) for number in range(5))
    wanted = [first, Item("fine", lambda: b"x"), *others, Item("late", lambda: b"y")]

    missing = await gather(wanted, tmp_path, deadline=asyncio.get_running_loop().time() + 4.5)
    await asyncio.to_thread(release, fifo)

    assert ["hangs-0: no answer within 1.0s", "late: no time left"] == [missing[0], missing[-1]]
    assert [first.name, *(item.name for item in others), "late"] == [line.partition(":")[0] for line in missing]
    assert b"x" == content(tmp_path / "fine")


async def test_an_item_is_waited_for_no_longer_than_there_is_time(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    [missing] = await gather(
        [Item("hangs", lambda: content(fifo))], tmp_path, deadline=asyncio.get_running_loop().time() + 0.3
    )
    await asyncio.to_thread(release, fifo)

    assert re.fullmatch(r"hangs: no answer within 0\.[0-3]s", missing)


def release(fifo: Path) -> None:
    """Let go the threads that read *fifo*."""
    waiting = [thread for thread in threading.enumerate() if thread.name == "aside"]
    fifo.open("wb").close()
    for thread in waiting:
        thread.join(timeout=5)


async def test_all_files_together_have_a_limit(tmp_path: Path) -> None:
    wanted = [Item(name, lambda: b"x" * 600) for name in "abc"]

    await gather(wanted, tmp_path, deadline=asyncio.get_running_loop().time() + 5, max_bytes=1000)

    assert [600, 400] == [len(content(tmp_path / name)) for name in "ab"]
    assert ["a", "b"] == sorted(os.listdir(tmp_path))  # noqa: PTH208 - names are enough


async def test_one_file_has_a_limit(tmp_path: Path) -> None:
    await gather(
        [Item("a", lambda: bytes(MAX_ITEM_BYTES + 1))], tmp_path, deadline=asyncio.get_running_loop().time() + 5
    )

    assert MAX_ITEM_BYTES == len(content(tmp_path / "a"))


async def test_an_item_that_cannot_be_had_says_why(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise NotHad("not today")

    missing = await gather([Item("a", fail)], tmp_path, deadline=asyncio.get_running_loop().time() + 5)

    assert ["a: not today"] == missing


async def test_the_newest_are_kept(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    archive = Archive(tmp_path / "evidence", keep=2)

    places = [await preserved(archive, odp, now=NOW + timedelta(minutes=minute)) for minute in range(4)]

    assert sorted(map(str, places[2:])) == sorted(map(str, (tmp_path / "evidence").iterdir()))


async def test_without_a_budget_there_is_none(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")

    assert await preserved(Archive(tmp_path / "evidence"), odp, budget=timedelta()) is None


async def test_a_process_that_is_gone_leaves_its_logs(fleet: Fleet, tmp_path: Path) -> None:
    """It died between the look and the reading."""
    odp = await fleet.start_odp("odp-1")
    process = process_of(odp)
    odp.kill()
    await odp.wait_gone()

    place = await Archive(tmp_path / "evidence").preserve(
        "odp-1", process, port=odp.address[1], budget=SECONDS, now=NOW
    )

    assert b"start up successful" in kept(place)["obproxy.log"]
    assert b"smaps_rollup: " in kept(place)["MISSING"]


async def test_evidence_that_cannot_be_kept_is_no_reason_to_fail(fleet: Fleet, tmp_path: Path) -> None:
    """(S23) A full or forbidden disk must not leave an ODP hung."""
    odp = await fleet.start_odp("odp-1")
    (tmp_path / "evidence").touch()

    assert await preserved(Archive(tmp_path / "evidence"), odp) is None


async def test_a_core_is_taken_on_request(fleet: Fleet, tmp_path: Path, debian: Callable[[str], str]) -> None:
    """By gcore, after which the process lives on."""
    debian("gcore")
    odp = await fleet.start_odp("odp-1")

    place = await preserved(Archive(tmp_path / "evidence", has_core=True), odp, budget=timedelta(seconds=30))

    assert place is not None
    assert content(place / f"core.{odp.pid}").startswith(b"\x7fELF")
    assert odp.is_running


async def test_a_core_that_takes_too_long_is_given_up(
    fleet: Fleet, tmp_path: Path, debian: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the budget, in the middle of it; the process lives on."""
    monkeypatch.setenv("PATH", f"{endless_gcore(tmp_path, debian('gcore')).parent}:{os.environ['PATH']}")
    odp = await fleet.start_odp("odp-1")
    archive = Archive(tmp_path / "evidence", has_core=True)

    found = kept(await preserved(archive, odp, budget=timedelta(seconds=4)))

    assert re.search(rb"core: .*/gcore: not done within .*, and killed", found["MISSING"])
    assert {f"core.{odp.pid}"}.isdisjoint(found)
    assert odp.is_running


def endless_gcore(directory: Path, gcore: str) -> Path:
    """One that begins its file, holds the process as gcore does, and never ends."""
    program = directory / "endless/gcore"
    program.parent.mkdir()
    gdb = Path(gcore).with_name("gdb")
    program.write_text(f'#!/bin/sh\n: > "$2.$3"\nexec {gdb} -nx -batch -p "$3" -ex "shell sleep 60"\n')
    program.chmod(0o755)
    return program


def test_evidence_of_no_home_has_no_logs() -> None:
    process = processes.read(os.getpid())
    assert process is not None
    names = {item.name for item in items(dataclasses.replace(process, home=None), port=1, proc=Path("/proc"))}

    assert "obproxy.log" not in names
