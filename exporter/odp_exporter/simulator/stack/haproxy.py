"""A real HAProxy before simulated ODPs: master and workers, on free ports of loopback.

All of it works in one directory of its own, and ends with its context. It is
spoken to as others do: by its sockets and by signals.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from odp_exporter.simulator import tied
from odp_exporter.simulator.fleet.ports import free_port
from odp_exporter.simulator.fleet.processes import end_all_below

PATIENCE_SECONDS = 20.0
"""How long to wait for what must come; far more than it takes."""
_GRACE_SECONDS = 2.0
"""From SIGTERM to SIGKILL; a master waits for workers, and one of them may be stopped."""
HOST = "127.0.0.1"
BACKEND = "odp"

_GLOBAL = """\
global
    stats socket {directory}/admin.sock mode 600 level admin
    stats socket {directory}/operator.sock mode 600 level operator
    stats socket ipv4@{host}:{admin_port} level admin
    server-state-file {directory}/state
    log stdout format raw local0 info
defaults
    mode tcp
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    timeout check 1s
    {state}
frontend applications
    bind {host}:{port}
    default_backend {backend}
backend {backend}
    balance roundrobin
    option tcp-check
    tcp-check connect linger
    tcp-check expect rbinary ^[0-9A-F]{{8}}0A
    default-server inter 300ms fall 2 rise 2{agent}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """One ODP as HAProxy's configuration names it."""

    name: str
    port: int
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Ports:
    """Where it listens."""

    sql: int = field(default_factory=lambda: free_port(HOST))
    """Clients connect here."""
    admin: int = field(default_factory=lambda: free_port(HOST))
    """The Runtime API by TCP."""


def config(
    directory: Path,
    servers: Iterable[Server],
    ports: Ports,
    *,
    agent_port: int | None = None,
    keeps_state: bool = False,
) -> str:
    """A configuration that checks greetings, with an agent if given, and loading the state file if it *keeps_state*."""
    agent = "" if agent_port is None else f" agent-check {_agent(agent_port)}"
    text = _GLOBAL.format(
        directory=directory,
        host=HOST,
        port=ports.sql,
        admin_port=ports.admin,
        backend=BACKEND,
        state="load-server-state-from-file " + ("global" if keeps_state else "none"),
        agent=agent,
    )
    return text + "".join(_lines(servers, asks_agent=agent_port is not None))


def _lines(servers: Iterable[Server], *, asks_agent: bool) -> Iterator[str]:
    for server in servers:
        asked = f' agent-send "{server.name}\\n"' if asks_agent else ""
        yield f"    server {server.name} {HOST}:{server.port} check weight {server.weight}{asked}\n"


def sampled(sample: str, directory: Path, servers: Iterable[Server], ports: Ports, *, agent_port: int) -> str:
    """The configuration *sample* with other addresses, with *servers*, and checking more often; all else as it is."""
    text, _, _ = sample.partition("    server ")
    for old, new in (
        ("log /dev/log local0", "log stdout format raw local0"),
        ("/run/haproxy", str(directory)),
        ("bind :2883", f"bind {HOST}:{ports.sql}"),
        ("inter 2s fall 2 rise 2", "inter 300ms fall 2 rise 2"),
        ("agent-addr 192.0.2.30 agent-port 9890 agent-inter 2s", _agent(agent_port)),
    ):
        if old not in text:
            message = f"not in the sample: {old!r}"
            raise ValueError(message)
        text = text.replace(old, new)
    return text + "".join(_lines(servers, asks_agent=True))


def _agent(port: int) -> str:
    return f"agent-addr {HOST} agent-port {port} agent-inter 200ms"


class HaproxyFailed(Exception):
    """HAProxy ended, or never came to answer; the message has its log."""


class Haproxy:
    """A running HAProxy."""

    def __init__(self, program: str, directory: Path, ports: Ports) -> None:
        self._program = program
        self.directory = directory
        self.ports = ports
        self._process: asyncio.subprocess.Process | None = None

    @property
    def admin_socket(self) -> Path:
        """The Runtime API, with all rights."""
        return self.directory / "admin.sock"

    @property
    def operator_socket(self) -> Path:
        """The Runtime API, without the right to change anything."""
        return self.directory / "operator.sock"

    @property
    def master_socket(self) -> Path:
        """The master process's own."""
        return self.directory / "master.sock"

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")

    def configure(self, text: str) -> None:
        """What the next start or reload reads."""
        (self.directory / "haproxy.cfg").write_text(text, encoding="utf-8")

    async def ask(self, command: str, *, of: Path | None = None) -> str:
        """The answer of the worker that listens, or at another socket; empty while nobody listens."""
        try:
            reader, writer = await asyncio.open_unix_connection(of or self.admin_socket)
        except OSError:
            return ""
        try:
            writer.write(command.encode() + b"\n")
            writer.write_eof()
            return (await reader.read()).decode()
        except OSError:
            return ""
        finally:
            writer.transport.abort()

    async def pid(self) -> int:
        """The worker that listens; 0 while none does."""
        lines = (await self.ask("show info")).splitlines()
        return next((int(line.removeprefix("Pid: ")) for line in lines if line.startswith("Pid: ")), 0)

    async def workers(self) -> list[int]:
        """Every worker that the master has, the present one first; none while the master begins."""
        lines = (await self.ask("show proc", of=self.master_socket)).splitlines()
        return [int(line.split()[0]) for line in lines if line.split()[1:2] == ["worker"]]

    async def start(self) -> None:
        """A master and its first worker, which listens when this comes back."""
        with (self.directory / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-IS", tied.__file__, str(os.getpid()), self._program, "-W"),
                *("-S", str(self.master_socket), "-f", "haproxy.cfg"),
                cwd=self.directory,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await self._answers(other_than=0)

    async def reload(self) -> None:
        """SIGUSR2: a new worker listens when this comes back, the old one goes on with its sessions."""
        before = await self.pid()
        if self._process is not None:
            self._process.send_signal(signal.SIGUSR2)
        await self._answers(other_than=before)

    async def save_state(self) -> None:
        """Write the state file, as many reload it: `show servers state` before each reload."""
        (self.directory / "state").write_text(await self.ask("show servers state"), encoding="utf-8")

    async def stop(self) -> None:
        """End the master and every worker, whatever they do."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    await self._process.wait()
        await end_all_below(self.directory)
        if self._process is not None:
            await self._process.wait()

    async def _answers(self, *, other_than: int) -> None:
        """Wait until another worker listens, and the master says so."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (pid := await self.pid()) == other_than or pid not in await self.workers():
                    if self._process is not None and self._process.returncode is not None:
                        raise HaproxyFailed(self.log)
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise HaproxyFailed(self.log) from error


@contextlib.asynccontextmanager
async def haproxy(  # noqa: PLR0913 - each by name, each with a default
    program: str,
    directory: Path,
    servers: Iterable[Server],
    *,
    agent_port: int | None = None,
    keeps_state: bool = False,
    ports: Ports | None = None,
    text: str | None = None,
) -> AsyncIterator[Haproxy]:
    """Run *program* in a *directory* of its own, which is there and absolute, until the context ends.

    With a *text*, that is its configuration.
    """
    running = Haproxy(program, directory, ports or Ports())
    text = text or config(running.directory, servers, running.ports, agent_port=agent_port, keeps_state=keeps_state)
    running.configure(text)
    try:
        await running.start()
        yield running
    finally:
        await running.stop()
