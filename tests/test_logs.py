"""What a program looks like on standard error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import IO

import pytest

PROGRAM = """
import asyncio, logging, sys
import structlog
from odp_exporter import logs

logs.configure(logs.LogLevel(sys.argv[1]), logs.LogFormat(sys.argv[2]))
structlog.get_logger().error("ours", odp="odp-1")

async def main():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

asyncio.run(main())
logging.getLogger("aiohttp.server").error("Error handling request")
logging.getLogger("library").warning("beware of %s", "this")
logging.getLogger("library").info("all is well")
"""


def lines(level: str, log_format: str) -> list[str]:
    """What PROGRAM writes: in a process of its own, because logging is set up once."""
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", PROGRAM, level, log_format], capture_output=True, text=True, check=True, timeout=60
    )
    assert "" == done.stdout
    return done.stderr.splitlines()


def test_a_callback_of_asyncio_that_fails_is_one_line_like_ours() -> None:
    ours, failed, warned = [json.loads(line) for line in lines("info", "json")]

    assert ("ours", "error", "odp-1") == (ours["event"], ours["level"], ours["odp"])
    assert ("asyncio", "error") == (failed["logger"], failed["level"])
    assert failed["event"].startswith("Exception in callback")
    assert failed["exception"].endswith("ZeroDivisionError: division by zero")
    assert ("beware of this", "warning", "library") == (warned["event"], warned["level"], warned["logger"])
    assert {"ts", "event", "level"} <= ours.keys() & failed.keys() & warned.keys()


@pytest.mark.parametrize(("level", "count"), [("debug", 3), ("warn", 3), ("error", 2)])
def test_libraries_say_warnings_at_most_and_aiohttp_nothing(level: str, count: int) -> None:
    written = lines(level, "logfmt")

    assert count == len(written)
    assert all(line.startswith("ts=") for line in written)
    assert not [line for line in written if "handling request" in line or "well" in line]


MUCH = """
import sys
import structlog
from odp_exporter import logs

logs.configure(logs.LogLevel.INFO, logs.LogFormat.LOGFMT)
for number in range(20_000):
    structlog.get_logger().info("much", number=number)
print("done", flush=True)
"""


def written_to(stderr: IO[str] | int) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", MUCH], stdout=subprocess.PIPE, stderr=stderr, check=False, timeout=60
    )


def test_a_full_disk_costs_the_log_and_nothing_else() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device, not a path of ours
        done = written_to(full)

    assert (0, b"done\n") == (done.returncode, done.stdout)


def test_a_reader_that_stalls_costs_lines_and_no_time() -> None:
    """Nobody reads this pipe, which holds 64 KiB."""
    reading, writing = os.pipe()
    try:
        done = written_to(writing)
    finally:
        os.close(reading)
        os.close(writing)

    assert (0, b"done\n") == (done.returncode, done.stdout)
