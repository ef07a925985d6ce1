"""The handle of one simulated ODP: its home, its start, its faults and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from odp_exporter.simulator.odp import faults
from odp_exporter.simulator.odp.control import SOCKET
from odp_exporter.simulator.odp.faults import AT_START, Fault
from odp_exporter.simulator.odp.server import PID_FILE, STARTS_FILE

from .processes import POLL_SECONDS, eventually, is_alive, kill, working_below

START_SECONDS = 30.0
"""How long a start may take: 15 s with OCP black-holed, and a busy machine."""
_DEADLY = frozenset({Fault.CRASH, Fault.CORE, Fault.OOM, Fault.DRAIN, Fault.FREEZE})
_CONTROL_SECONDS = 10.0


class StartFailed(Exception):
    """The ODP gave up before it listened; the message is the last of its log."""


class Odp:
    """A simulated ODP on this host."""

    def __init__(
        self, name: str, home: Path, arguments: Sequence[str], address: tuple[str, int], environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.home = home
        self.address = address
        """Host and port of the SQL port."""
        self.arguments = tuple(arguments)
        """What follows `./bin/obproxy` on its command line."""
        self.environment = dict(environment)
        """What its process is started with."""
        self._foreground: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process that listened last, alive or not; 0 before there was one."""
        try:
            return int((self.home / PID_FILE).read_text())
        except FileNotFoundError:
            return 0

    @property
    def starts(self) -> int:
        """How many processes came to listen, whoever started them."""
        try:
            return len((self.home / STARTS_FILE).read_text().split())
        except FileNotFoundError:
            return 0

    @property
    def is_running(self) -> bool:
        """The process that listened last is alive."""
        return is_alive(self.pid)

    @property
    def pids(self) -> list[int]:
        """Every living obproxy process in its home; two during a hot restart."""
        return sorted(pid for pid in working_below(self.home) if _comm(pid) == "obproxy")

    @property
    def _is_ending(self) -> bool:
        """The process that listened last has perhaps no working directory any more, but still its sockets."""
        return self.is_running and _comm(self.pid) == "obproxy"

    async def start(self, *arguments: str, waits: bool = True) -> None:
        """Start it with its own arguments, or with *arguments*; come back once it listens if it *waits*.

        A failed start of one that *waits* is StartFailed.
        """
        before = self.pid
        process = await asyncio.create_subprocess_exec(
            "./bin/obproxy",
            *(arguments or self.arguments),
            cwd=self.home,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        if "-N" in (arguments or self.arguments):
            self._foreground = process
        else:
            await process.wait()
        if waits:
            await self._await_outcome(before)

    async def wait_listening(self, *, other_than: int = 0, within_seconds: float = START_SECONDS) -> None:
        """Wait until a process listens, whoever starts it; with *other_than*, until it is another one than that."""
        await eventually(lambda: self._listens(other_than), f"{self.name} listening", within_seconds=within_seconds)

    def _listens(self, other_than: int) -> bool:
        return self.pid not in {0, other_than} and self.is_running

    async def _await_outcome(self, before: int) -> None:
        async with asyncio.timeout(START_SECONDS):
            while not self._listens(before):
                gone = not self.pids
                await asyncio.sleep(POLL_SECONDS)
                # Twice, as a launcher that becomes a daemon can slip through one look at /proc.
                if gone and not self.pids and not self._listens(before):
                    raise StartFailed(self.log()[-500:])

    async def wait_gone(self, *, within_seconds: float = 10.0) -> None:
        """Wait until no obproxy process is left in its home, and its ports are closed."""
        await eventually(
            lambda: not self.pids and not self._is_ending, f"{self.name} gone", within_seconds=within_seconds
        )
        if self._foreground is not None:
            await self._foreground.wait()

    async def exit_status(self, *, within_seconds: float = 10.0) -> int:
        """Wait for the end of a foreground process; negative for a signal."""
        assert self._foreground is not None, "only a process started with -N has an exit status for us"  # noqa: S101 - a caller's mistake
        async with asyncio.timeout(within_seconds):
            return await self._foreground.wait()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process that listened last."""
        if self.is_running:
            kill(self.pid, number)

    async def stop(self) -> None:
        """SIGTERM, and wait until it is gone."""
        self.kill(signal.SIGTERM)
        await self.wait_gone()

    async def restart(self, *arguments: str) -> None:
        """Stop it, and start it again."""
        await self.stop()
        await self.start(*arguments)

    async def fault(self, fault: Fault | str, seconds: float = 0, *, lasting: bool = False) -> None:
        """Let *fault* strike now; a *lasting* one strikes every later process too, until `clear`.

        What only a start can show awaits the next start.
        """
        fault = Fault(fault)
        if lasting or fault in AT_START:
            faults.write(self.home, {**faults.read(self.home), fault: seconds})
        if fault not in AT_START and self.is_running:
            with contextlib.suppress(ConnectionError) if fault in _DEADLY else contextlib.nullcontext():
                await self._ask({"fault": fault.value, "seconds": seconds})

    async def clear(self) -> None:
        """Undo every fault that can be undone."""
        faults.write(self.home, {})
        if self.is_running:
            await self._ask({"clear": True})

    async def connections(self) -> int:
        """Open client connections, as the process itself counts them."""
        return int(str((await self._ask({"status": True}))["connections"]))

    def log(self, name: str = "obproxy.log") -> str:
        """The text of one of its log files, empty when there is none."""
        try:
            return (self.home / "log" / name).read_text()
        except FileNotFoundError:
            return ""

    async def _ask(self, request: Mapping[str, object]) -> Mapping[str, object]:
        # A path through the descriptor, as the socket's own may be longer than a socket address can be.
        directory = os.open(self.home / SOCKET.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            async with asyncio.timeout(_CONTROL_SECONDS):
                reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{directory}/{SOCKET.name}")
                writer.write(json.dumps(request).encode() + b"\n")
                line = await reader.readline()
                writer.close()
        finally:
            os.close(directory)
        if not line:
            message = f"{self.name} closed its control socket"
            raise ConnectionResetError(message)
        reply: dict[str, object] = json.loads(line)
        if not reply["ok"]:
            raise ValueError(reply["error"])
        return reply


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
