"""A process that goes by ODP's name, logs as ODP does and dies as it is told; run by test_history.py."""

import ctypes
import datetime as dt
import os
import signal
import sys
from pathlib import Path

HOME = Path(sys.argv[1])
IS_HOT = "hot" in sys.argv
IS_OLD = "old" in sys.argv
PR_SET_NAME = 15


def write(name: str, text: str) -> None:
    """A line of a log, in ODP's form."""
    stamp = dt.datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f")  # noqa: DTZ005 - as ODP does
    with (HOME / "log" / name).open("a", encoding="utf-8") as log:
        log.write(f"[{stamp}] {text}\n")


def say(text: str) -> None:
    """A line of obproxy.log."""
    write("obproxy.log", f"INFO  [PROXY] start (ob_proxy_main.cpp:507) [{os.getpid()}][Y0-0] [lt=0] [dc=0] {text}")


def stop(number: int, _: object) -> None:
    """SIGTERM or SIGINT."""
    say(f"receive signal(sig={number})")
    say("graceful exit, it will cancel DEDICATED thread and exit")
    os._exit(1)


def drain(_: int, __: object) -> None:
    """SIGUSR1: mute for a while; here, until somebody sends another signal."""
    say("recv SIGUSR1 signal, will graceful exit")


def freeze(_: int, __: object) -> None:
    """Lives on without memory, or kills itself where it is old."""
    if not IS_OLD:
        say("obproxy's memory is out of limit, will disable alloc memory from the OS")
        return
    say("obproxy's memroy is out of limit, will be going to commit suicide")
    os.kill(os.getpid(), signal.SIGKILL)


def hand_over(_: int, __: object) -> None:
    """Hot restart: a child takes over."""
    os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-S", "-E", __file__, str(HOME), "hot"])  # noqa: S606 - itself


signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # ignored, where a shell runs the tests in its background
ctypes.CDLL(None).prctl(PR_SET_NAME, b"obproxy", 0, 0, 0)
for telling, handler in (
    (signal.SIGTERM, stop),
    (signal.SIGINT, stop),
    (signal.SIGUSR1, drain),
    (signal.SIGALRM, freeze),
    (signal.SIGWINCH, hand_over),
):
    signal.signal(telling, handler)
say("ObProxy-OceanBase 4.3.1.0-1.deb12-105")
say("obproxy will start by hot upgrade" if IS_HOT else "has no inherited sockets, start new obproxy((info={}))")
say("obproxy start up successful and can provide normal service")
if not IS_OLD:
    version = f"obproxy version: 4.3.1.0, revision: 81ee, pid: {os.getpid()}, ppid: {os.getppid()}"
    write("obproxy_diagnosis.log", f'[{os.getpid()}][Y0-0] [REBOOT](info="{version}, result: reboot success")')
if IS_HOT:
    os.kill(os.getppid(), signal.SIGUSR1)
print(os.getpid(), flush=True)  # noqa: T201 - it is ready
if not IS_HOT:
    signal.alarm(120)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
while True:
    signal.pause()
