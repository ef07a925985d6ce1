"""What makes a Python program look like obproxy to ps and /proc: command line, daemon, lifeline."""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_MM = 35
_PR_SET_MM_MAP = 14
_NO_FILE = 0xFFFFFFFF
_POLL_SECONDS = 0.001
_STAT_FIELDS = {
    "start_code": 26,
    "end_code": 27,
    "start_stack": 28,
    "start_data": 45,
    "end_data": 46,
    "start_brk": 47,
    "arg_start": 48,
    "arg_end": 49,
    "env_start": 50,
    "env_end": 51,
}
"""Fields of /proc/PID/stat, counted from 1 as proc(5) does."""


class _MemoryMap(ctypes.Structure):
    """`struct prctl_mm_map` of linux/prctl.h."""

    _fields_ = (
        *(
            (name, ctypes.c_uint64)
            for name in ("start_code", "end_code", "start_data", "end_data", "start_brk", "brk", "start_stack")
        ),
        *((name, ctypes.c_uint64) for name in ("arg_start", "arg_end", "env_start", "env_end", "auxv")),
        ("auxv_size", ctypes.c_uint32),
        ("exe_fd", ctypes.c_uint32),
    )


def rename(arguments: Sequence[str]) -> None:
    """Make /proc/PID/cmdline read *arguments*, without the interpreter that runs them.

    Where the kernel was built without CONFIG_CHECKPOINT_RESTORE, the rest of
    the area stays visible as trailing NULs.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    known = {name: int(fields[number - 3]) for name, number in _STAT_FIELDS.items()}
    start, room = known["arg_start"], known["arg_end"] - known["arg_start"]
    text = b"".join(os.fsencode(argument) + b"\0" for argument in arguments)
    if 0 < len(text) <= room:
        # In one go: whoever looks meanwhile must not see a process without words.
        ctypes.memmove(start, text.ljust(room, b"\0"), room)
        _set_memory_map(known | {"arg_end": start + len(text), "exe_fd": _NO_FILE})


def _set_memory_map(values: Mapping[str, int]) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    libc.sbrk.restype = ctypes.c_void_p
    described = _MemoryMap(**values)
    described.brk = libc.sbrk(0)
    libc.prctl(_PR_SET_MM, _PR_SET_MM_MAP, ctypes.addressof(described), ctypes.sizeof(described), 0)


def forbid_core() -> None:
    """Let no death of this process leave a real core; the fault `core` writes its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def daemonise() -> None:
    """Go on as a daemon; the launcher exits with 0 whatever becomes of the start (odp-facts 7.2)."""
    _go_on_as_orphan()
    os.setsid()
    _go_on_as_orphan()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    os.close(null)


def _go_on_as_orphan() -> None:
    """In a child, once its parent is gone: on a busy machine that would else be there beside one that serves."""
    parent = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)


def end_with(owner: int) -> None:
    """End this process as soon as *owner* is gone, hung or not."""
    threading.Thread(target=_outlive, args=(owner,), name="lifeline", daemon=True).start()


def _outlive(owner: int) -> None:
    _wait_for_end(owner)
    os.kill(os.getpid(), signal.SIGKILL)


def _wait_for_end(pid: int) -> None:
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError:
        # Kernels before 5.3 have no pidfd: look once a second instead.
        while Path(f"/proc/{pid}").exists():
            time.sleep(1)
        return
    select.select([ended], [], [])
