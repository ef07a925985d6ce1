"""What the tests of the actuators share: a fleet of simulated ODPs, and actuators with short patience."""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.actuators.actuator import Actuator, HostView, Order
from odp_exporter.actuators.local import Local, LocalSettings
from odp_exporter.actuators.ssh import SshSettings
from odp_exporter.observations import Identity
from odp_exporter.procfs import processes
from odp_exporter.simulator.fleet import Fleet, Odp
from odp_exporter.simulator.fleet.ports import free_port
from odp_exporter.simulator.fleet.processes import eventually
from odp_exporter.targets import Address, Target


def target_of(odp: Odp) -> Target:
    """The ODP as the configuration would name it."""
    return Target(name=odp.name, address=Address(*odp.address))


def identity_of(pid: int) -> Identity:
    """The life that *pid* is at this moment."""
    process = processes.read(pid)
    assert process is not None
    return process.identity


def order_for(odp: Odp, kill: Identity | None, *, start_timeout: float = 20) -> Order:
    """An order of short patience."""
    return Order(
        target_of(odp),
        kill,
        evidence_budget=timedelta(seconds=20),
        stop_grace=timedelta(milliseconds=300),
        start_timeout=timedelta(seconds=start_timeout),
    )


async def no_process(odp: Odp) -> None:
    """Kill it, and wait until it is gone."""
    odp.kill()
    await odp.wait_gone()


async def alone(odp: Odp, pid: int) -> None:
    """Wait until *pid* is its one process: what found the port taken ends by itself."""
    await eventually(lambda: [pid] == odp.pids, f"{pid} alone", within_seconds=10)


async def seen(acting: Actuator, odp: Odp, what: Callable[[HostView], bool]) -> HostView:
    """The first look at *odp* that shows *what*."""
    for _ in range(200):
        view = await acting.look(target_of(odp))
        if what(view):
            return view
        await asyncio.sleep(0.05)
    raise AssertionError(view)


def content(path: Path | str) -> bytes:
    """What is in a file, /proc's included."""
    return Path(path).read_bytes()


def parent_of(pid: int) -> int:
    """Whose child *pid* is."""
    return int(content(f"/proc/{pid}/stat").rpartition(b")")[2].split()[1])


def descriptors_of(pid: int) -> dict[int, str]:
    """What each open descriptor of *pid* leads to."""
    return {int(path.name): str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}


async def settle(seconds: float) -> None:
    """Give whatever should not happen the time to happen."""
    await asyncio.sleep(seconds)


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """Simulated processes that end with the test."""
    async with Fleet(tmp_path / "fleet") as running:
        yield running


@pytest.fixture
def local(tmp_path: Path) -> Local:
    """The local actuator."""
    return Local(LocalSettings(state_directory=tmp_path / "state"))


@pytest.fixture
def remediator(tmp_path: Path) -> Path:
    """A program that does what `odp-remediator restart` does, and nothing else."""
    program = tmp_path / "odp remediator"
    program.write_text(
        f"#!{sys.executable} -I\n"
        "import sys\n"
        "from odp_exporter.actuators.host_command import command\n"
        "assert sys.argv[1] == 'restart'\n"
        "command.main(sys.argv[2:], prog_name='odp-remediator restart')\n"
    )
    program.chmod(0o755)
    return program


@dataclass(frozen=True, slots=True)
class SshHost:
    """An sshd of this machine, and what it takes to log in there."""

    port: int
    identity_file: Path
    known_hosts_file: Path

    def settings(self, *command: str) -> SshSettings:
        """An actuator that runs *command* there."""
        return SshSettings(
            type="ssh",
            user=pwd.getpwuid(os.getuid()).pw_name,
            identity_file=self.identity_file,
            known_hosts_file=self.known_hosts_file,
            port=self.port,
            command=command,
            client=("ssh",),
        )


@pytest.fixture
async def ssh_host(tmp_path: Path, debian: Callable[[str], str]) -> AsyncIterator[SshHost]:
    """A real sshd on loopback, with keys made for it."""
    debian("ssh")
    directory = tmp_path / "ssh %h"
    directory.mkdir()
    for name in ("host", "user"):
        await _run(debian("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name))
    port = free_port("127.0.0.1")
    host_key = (directory / "host.pub").read_text().split()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key[0]} {host_key[1]}\n")
    (tmp_path / "authorized_keys").write_text((directory / "user.pub").read_text())
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nAuthorizedKeysFile {tmp_path}/authorized_keys\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    )
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # noqa: PTH103 - sshd started by root wants it
    server = await asyncio.create_subprocess_exec(
        *(debian("sshd"), "-D", "-e", "-f", str(tmp_path / "sshd_config"), "-h", str(directory / "host")),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _listening(port)
        yield SshHost(port, directory / "user", directory / "known_hosts")
    finally:
        server.kill()
        await server.wait()


async def _run(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(*argv, stdin=asyncio.subprocess.DEVNULL)
    async with asyncio.timeout(20):
        assert 0 == await process.wait(), argv


async def _listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
