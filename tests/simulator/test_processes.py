from __future__ import annotations

import asyncio
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from odp_exporter.actuators.stopping import lives
from odp_exporter.observations import Identity
from odp_exporter.procfs.pidfds import Pidfds
from odp_exporter.procfs.processes import PROC, boot_id, parse_stat
from odp_exporter.simulator.fleet.processes import eventually, is_alive

SYS_EXIT = 60 if platform.machine() == "x86_64" else 93
HALF_GONE = f"""
import ctypes, os, sys, threading

def stay():
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=stay).start()
ctypes.CDLL(None).syscall({SYS_EXIT}, 0)
"""
"""Its first thread ends, and another one stays."""


def listed(pid: int) -> bool:
    """As by a kernel without pidfds."""
    return Pidfds(PROC).is_living(identity_of(pid))


def living(pid: int) -> bool:
    return lives(identity_of(pid), proc=PROC)


def identity_of(pid: int) -> Identity:
    try:
        ticks = parse_stat(Path(f"/proc/{pid}/stat").read_bytes()).start_ticks
    except FileNotFoundError:
        ticks = 0
    return Identity(boot_id(), pid, ticks, sys.executable)


@pytest.mark.parametrize("is_alive", [is_alive, listed, living])
async def test_a_zombie_of_which_a_thread_is_left_is_not_gone(is_alive: Callable[[int], bool]) -> None:
    """What it listens on is open until its last thread has ended."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HALF_GONE, stdin=asyncio.subprocess.PIPE)
    stat = Path(f"/proc/{process.pid}/stat")
    await eventually(lambda: ") Z " in stat.read_text(), "a zombie", within_seconds=20)
    was_alive = is_alive(process.pid)
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()

    assert was_alive
    assert not is_alive(process.pid)
