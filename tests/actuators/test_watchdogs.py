"""Through whoever watches an ODP already: obproxyd.sh, or systemd, for which a script stands in."""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
from pathlib import Path

import pytest
from odp_exporter.actuators.actuator import NotIdentified, NotPermitted, StartFailed
from odp_exporter.actuators.obproxyd import Obproxyd, ObproxydSettings
from odp_exporter.actuators.systemd import Systemd, SystemdSettings, parse_unit
from odp_exporter.simulator.fleet import Fault, Fleet, Odp

from .conftest import identity_of, no_process, order_for, settle, target_of

UNIT = "obproxy@odp-1.service"


@pytest.fixture
def obproxyd(tmp_path: Path) -> Obproxyd:
    return Obproxyd(ObproxydSettings(tmp_path / "state"))


class Manager:
    """A stand-in for systemctl: one loaded unit, whose main process stands in a file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.program = directory / "systemctl"

    def serve(self, odp: Odp, *, main: int) -> None:
        """Be the manager of *odp*."""
        self.say_main(main)
        variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in odp.environment.items())
        start = f"cd {shlex.quote(str(odp.home))} && env {variables} ./bin/obproxy {shlex.join(odp.arguments)}"
        self.program.write_text(
            f'#!/bin/sh\ncd {shlex.quote(str(self._directory))}\necho "$@" >> calls\ncase "$*" in\n'
            f'  *--property*"{UNIT}") echo LoadState=loaded; echo "MainPID=$(cat main)" ;;\n'
            "  *--property*) echo LoadState=not-found; echo MainPID=0 ;;\n"
            f'  "start --no-block {UNIT}") {start} </dev/null >/dev/null 2>&1 ;;\n'
            "esac\n"
        )
        self.program.chmod(0o755)

    def say_main(self, pid: int) -> None:
        """Have *pid* for the unit's main process."""
        (self._directory / "main").write_text(f"{pid}\n")

    def vanish_after(self, verb: str) -> None:
        """Be uninstalled after the next *verb*."""
        first, rest = self.program.read_text().split("case", 1)
        self.program.write_text(f'{first}[ "$1" = {verb} ] && rm "$0"\ncase{rest}')

    @property
    def calls(self) -> list[str]:
        """What was asked of it."""
        return (self._directory / "calls").read_text().splitlines()


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    (tmp_path / "manager").mkdir()
    return Manager(tmp_path / "manager")


@pytest.fixture
def systemd(manager: Manager, tmp_path: Path) -> Systemd:
    return Systemd(SystemdSettings(tmp_path / "state", unit="obproxy@{odp}.service", systemctl=(str(manager.program),)))


async def test_obproxyd_starts_what_was_ended(fleet: Fleet, obproxyd: Obproxyd) -> None:
    """(S22) Exactly one new process, and it is the watchdog's."""
    odp = await fleet.start_odp("odp-1")
    await fleet.watchdog(odp)
    odp.kill(signal.SIGSTOP)

    done = await obproxyd.restart(order_for(odp, identity_of(odp.pid)))
    await settle(2)

    assert "obproxyd" == done.by
    assert [done.process.pid] == odp.pids
    assert 2 == odp.log().count("has no inherited sockets, start new obproxy")


async def test_without_obproxyd_nothing_is_ended(fleet: Fleet, obproxyd: Obproxyd) -> None:
    odp = await fleet.start_odp("odp-1")
    odp.kill(signal.SIGSTOP)

    with pytest.raises(
        NotPermitted, match=r"no obproxyd\.sh watches odp-1 \(start it, or use an actuator of type local"
    ):
        await obproxyd.restart(order_for(odp, identity_of(odp.pid)))

    assert odp.is_running


async def test_an_obproxyd_of_another_odp_does_not_count(fleet: Fleet, obproxyd: Obproxyd) -> None:
    odp, other = await fleet.start_odp("odp-1"), await fleet.start_odp("odp-2")
    await fleet.watchdog(other)
    odp.kill(signal.SIGSTOP)

    with pytest.raises(NotPermitted, match=r"no obproxyd\.sh"):
        await obproxyd.restart(order_for(odp, identity_of(odp.pid)))

    assert odp.is_running


async def test_an_obproxyd_that_does_not_start_it_is_told(fleet: Fleet, obproxyd: Obproxyd) -> None:
    """It is stopped itself: nobody else starts an ODP beside it."""
    odp = await fleet.start_odp("odp-1")
    watchdog = await fleet.watchdog(odp)
    order = order_for(odp, identity_of(odp.pid), start_timeout=3)
    os.kill(watchdog.pid, signal.SIGSTOP)
    odp.kill(signal.SIGSTOP)

    with pytest.raises(StartFailed, match="obproxyd has started none within 3s"):
        await obproxyd.restart(order)

    assert [] == odp.pids


async def test_systemd_starts_what_was_ended(fleet: Fleet, systemd: Systemd, manager: Manager) -> None:
    odp = await fleet.start_odp("odp-1")
    manager.serve(odp, main=odp.pid)
    odp.kill(signal.SIGSTOP)

    await systemd.check()
    done = await systemd.restart(order_for(odp, identity_of(odp.pid)))

    assert "systemd" == done.by
    assert [done.process.pid] == odp.pids
    assert [f"reset-failed {UNIT}", f"start --no-block {UNIT}"] == manager.calls[-2:]


async def test_systemd_starts_what_is_dead(fleet: Fleet, systemd: Systemd, manager: Manager) -> None:
    """It knows how, so nothing need have been seen before."""
    odp = await fleet.start_odp("odp-1")
    manager.serve(odp, main=0)
    await no_process(odp)
    order = dataclasses.replace(order_for(odp, None), target=dataclasses.replace(target_of(odp), home=odp.home))

    done = await systemd.restart(order)

    assert [done.process.pid] == odp.pids


async def test_a_process_that_is_not_the_units_own_is_left_alone(
    fleet: Fleet, systemd: Systemd, manager: Manager
) -> None:
    """(S22) Somebody has started an ODP by hand where systemd has one, too."""
    odp = await fleet.start_odp("odp-1")
    manager.serve(odp, main=1)
    odp.kill(signal.SIGSTOP)

    with pytest.raises(NotIdentified, match=f"{UNIT}: its main process is pid 1, not {odp.pid}"):
        await systemd.restart(order_for(odp, identity_of(odp.pid)))

    assert odp.is_running


async def test_a_unit_that_does_not_exist_is_told(fleet: Fleet, systemd: Systemd, manager: Manager) -> None:
    odp = await fleet.start_odp("odp-2")
    manager.serve(odp, main=odp.pid)
    odp.kill(signal.SIGSTOP)

    with pytest.raises(NotPermitted, match=r"obproxy@odp-2\.service: not-found"):
        await systemd.restart(order_for(odp, identity_of(odp.pid)))

    assert odp.is_running


async def test_a_host_without_systemd_is_found_beforehand(tmp_path: Path) -> None:
    with pytest.raises(NotPermitted, match="no-systemctl: no such file or directory"):
        await Systemd(SystemdSettings(tmp_path, systemctl=("no-systemctl",))).check()


async def test_a_unit_whose_start_fails_is_told(fleet: Fleet, systemd: Systemd, manager: Manager) -> None:
    odp = await fleet.start_odp("odp-1")
    manager.serve(odp, main=odp.pid)
    await odp.fault(Fault.REFUSE_START)
    odp.kill(signal.SIGSTOP)

    with pytest.raises(StartFailed, match="systemd has started none within 5s"):
        await systemd.restart(order_for(odp, identity_of(odp.pid), start_timeout=5))


async def test_what_goes_wrong_after_the_kill_is_no_mere_refusal(
    fleet: Fleet, systemd: Systemd, manager: Manager
) -> None:
    """Whoever hears NotPermitted may believe that nothing was done."""
    odp = await fleet.start_odp("odp-1")
    manager.serve(odp, main=odp.pid)
    manager.vanish_after("reset-failed")
    odp.kill(signal.SIGSTOP)

    with pytest.raises(StartFailed, match=r"the old process is gone, and then: .*systemctl: no such file"):
        await systemd.restart(order_for(odp, identity_of(odp.pid)))

    assert [] == odp.pids


@pytest.mark.parametrize("name", ["", "obproxy", "-H.service", "a b.service", "../x.service", "x.timer"])
def test_what_is_no_services_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a service"):
        parse_unit(name)
