"""The way by ssh: what it refuses, and what it makes of an end without an answer."""

from __future__ import annotations

import dataclasses
import shutil
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from odp_exporter.actuators.actuator import HostUnreachable, NotPermitted, Order, Unfinished
from odp_exporter.actuators.ssh import Ssh
from odp_exporter.simulator.fleet import Fleet
from odp_exporter.simulator.fleet.ports import free_port
from odp_exporter.targets import Address, Target

from .conftest import SshHost, identity_of, order_for, target_of

TARGET = Target(name="odp-1", address=Address("127.0.0.1", 2883))
DEAD = Order(TARGET, None)


async def test_a_host_with_another_key_is_refused(ssh_host: SshHost, fleet: Fleet) -> None:
    """Whoever answers there is not given an order."""
    odp = await fleet.start_odp("odp-1")
    odp.kill(signal.SIGSTOP)
    kind, key = ssh_host.identity_file.with_name("user.pub").read_text().split()[:2]
    ssh_host.known_hosts_file.write_text(f"[127.0.0.1]:{ssh_host.port} {kind} {key}\n")

    with pytest.raises(HostUnreachable, match=r"127.0.0.1: Host key verification failed"):
        await Ssh(ssh_host.settings("true")).restart(order_for(odp, identity_of(odp.pid)))

    assert odp.is_running


async def test_an_unknown_host_is_refused(ssh_host: SshHost) -> None:
    """And its key is not learnt."""
    ssh_host.known_hosts_file.write_text("")

    with pytest.raises(HostUnreachable, match=r"Host key verification failed"):
        await Ssh(ssh_host.settings("true")).look(TARGET)

    assert "" == ssh_host.known_hosts_file.read_text()


async def test_a_key_that_the_host_does_not_take_is_told(ssh_host: SshHost) -> None:
    settings = dataclasses.replace(ssh_host.settings("true"), identity_file=ssh_host.identity_file.with_name("host"))

    with pytest.raises(HostUnreachable, match=r"Permission denied \(publickey\)"):
        await Ssh(settings).restart(DEAD)


async def test_a_host_where_nobody_listens_is_unreachable(ssh_host: SshHost) -> None:
    settings = dataclasses.replace(ssh_host.settings("true"), port=free_port("127.0.0.1"))

    with pytest.raises(HostUnreachable, match=r"connect to host 127.0.0.1 port .*: Connection refused"):
        await Ssh(settings).restart(DEAD)


async def test_a_host_without_the_command_is_told(ssh_host: SshHost) -> None:
    with pytest.raises(NotPermitted, match=r"127.0.0.1: no-such-program cannot be run there: .*not found"):
        await Ssh(ssh_host.settings("no-such-program")).restart(DEAD)


async def test_a_remote_side_that_hangs_ends_by_the_deadline(ssh_host: SshHost) -> None:
    """(S18) What it has done by then is not known."""
    settings = dataclasses.replace(ssh_host.settings("sh", "-c", "sleep 30"), timeout=timedelta(seconds=2))

    with pytest.raises(Unfinished, match=r"ssh: not done within 2s, and killed"):
        await Ssh(settings).restart(DEAD)


async def test_an_end_without_an_answer_leaves_it_open(ssh_host: SshHost) -> None:
    """The command ran, and nobody can say how far it came."""
    with pytest.raises(Unfinished, match=r"127.0.0.1: exit status 9, and not a word"):
        await Ssh(ssh_host.settings("sh", "-c", "exit 9")).restart(DEAD)


async def test_words_arrive_as_they_are(ssh_host: SshHost, tmp_path: Path) -> None:
    """(S6) A name is data: the shell there takes no part of it for a command."""
    target = dataclasses.replace(TARGET, name=f"$(touch {tmp_path}/owned); `id` 'x' \"y\"")
    program = tmp_path / "print"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/words\nexit 3\n')
    program.chmod(0o755)

    with pytest.raises(HostUnreachable):
        await Ssh(ssh_host.settings(str(program))).look(target)

    assert ["--json", "--dry-run", f"--name={target.name}", "127.0.0.1:2883"] == (
        (tmp_path / "words").read_text().splitlines()
    )
    assert not (tmp_path / "owned").exists()


async def test_nothing_is_forwarded_and_no_configuration_counts(ssh_host: SshHost) -> None:
    argv = Ssh(ssh_host.settings("odp-remediator", "restart")).argv(TARGET, ())

    assert ("ssh", "-F", "none", "-T") == argv[:4]
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no", "ClearAllForwardings=yes"} <= {*argv}
    assert ("--", "127.0.0.1", "odp-remediator restart") == argv[-3:]


@pytest.mark.parametrize("name", ["identity_file", "known_hosts_file"])
async def test_a_missing_key_is_found_beforehand(name: str, ssh_host: SshHost, tmp_path: Path) -> None:
    settings = ssh_host.settings("true")
    settings = (
        dataclasses.replace(settings, identity_file=tmp_path / "none")
        if name == "identity_file"
        else dataclasses.replace(settings, known_hosts_file=tmp_path / "none")
    )

    with pytest.raises(NotPermitted, match=r"none: no such file"):
        await Ssh(settings).check()


async def test_only_an_order_comes_through_a_forced_command(
    ssh_host: SshHost, remediator: Path, fleet: Fleet, tmp_path: Path
) -> None:
    """As docs/actuators.md has it in authorized_keys: this key can look and restart, and nothing else."""
    odp = await fleet.start_odp("odp-1")
    forced = f"'{remediator}' restart --forced --state-directory={tmp_path}/own-state"
    keys = tmp_path / "authorized_keys"
    keys.write_text(f'restrict,command="{forced}" {keys.read_text()}')

    view = await Ssh(ssh_host.settings("odp-remediator", "restart")).look(target_of(odp))
    with pytest.raises(HostUnreachable, match=r"may be asked for here"):
        await Ssh(ssh_host.settings("odp-remediator", "restart", "--state-directory=/tmp/other")).look(target_of(odp))
    with pytest.raises(HostUnreachable, match=r"may be asked for here"):
        await Ssh(ssh_host.settings(shutil.which("true") or "true")).look(target_of(odp))

    assert identity_of(odp.pid) == view.owner
    assert (tmp_path / "own-state/launch").is_dir()
