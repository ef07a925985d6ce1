"""What every actuator that acts by itself must do, whichever way it goes to the host."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from pathlib import Path

import pytest
from odp_exporter.actuators.actuator import Actuator, NotIdentified, NotPermitted, StartFailed, Step
from odp_exporter.actuators.exec import ExecSettings
from odp_exporter.actuators.local import LocalSettings
from odp_exporter.actuators.types import AnySettings, actuator
from odp_exporter.simulator.fleet import Fault, Fleet
from odp_exporter.simulator.fleet.processes import eventually

from .conftest import identity_of, no_process, order_for, target_of


@pytest.fixture(params=["local", "exec", "ssh"])
def acting(request: pytest.FixtureRequest, tmp_path: Path, remediator: Path) -> Actuator:
    """Each actuator in turn, over the same state directory."""
    command = (str(remediator), "restart", f"--state-directory={tmp_path / 'state'}")
    settings: AnySettings
    match request.param:
        case "local":
            settings = LocalSettings(tmp_path / "state")
        case "exec":
            both = (*command, "{arguments}")
            settings = ExecSettings(type="exec", look=both, restart=both)
        case _:
            settings = request.getfixturevalue("ssh_host").settings(*command)
    return actuator(settings)


async def test_a_look_shows_the_process_and_changes_nothing(acting: Actuator, fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1")
    await acting.check()

    view = await acting.look(target_of(odp))

    assert (identity_of(odp.pid),) == view.processes
    assert identity_of(odp.pid) == view.owner
    assert () == view.obstacles
    assert odp.is_running


async def test_a_hung_odp_is_replaced_once(acting: Actuator, fleet: Fleet) -> None:
    """(S24) The same order again finds it done."""
    odp = await fleet.start_odp("odp-1")
    order = order_for(odp, identity_of(odp.pid))
    odp.kill(signal.SIGSTOP)

    first, second = await acting.restart(order), await acting.restart(order)

    assert [first.process.pid] == odp.pids
    assert {Step.EVIDENCE, Step.STOP, Step.START} == first.durations.keys()
    assert (False, True) == (first.was_done, second.was_done)
    assert first.process == second.process
    assert first.evidence is not None
    assert (first.evidence / "status").is_file()


async def test_a_dead_odp_is_started(acting: Actuator, fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp 'quoted' $HOME;")
    await acting.look(target_of(odp))
    await no_process(odp)

    done = await acting.restart(order_for(odp, None))

    assert [done.process.pid] == odp.pids


async def test_no_other_process_is_ended(acting: Actuator, fleet: Fleet) -> None:
    """(S20)."""
    odp = await fleet.start_odp("odp-1")
    odp.kill(signal.SIGSTOP)
    wrong = dataclasses.replace(identity_of(odp.pid), start_ticks=4711)

    with pytest.raises(NotIdentified):
        await acting.restart(order_for(odp, wrong))

    assert odp.is_running


async def test_an_obstacle_comes_before_the_kill(acting: Actuator, fleet: Fleet) -> None:
    """(S10)."""
    odp = await fleet.start_odp("odp-1")
    (odp.home / "bin/obproxy").chmod(0o644)
    odp.kill(signal.SIGSTOP)

    with pytest.raises(NotPermitted, match=r"its program is missing"):
        await acting.restart(order_for(odp, identity_of(odp.pid)))

    assert odp.is_running


async def test_a_failed_start_is_no_success(acting: Actuator, fleet: Fleet) -> None:
    odp = await fleet.start_odp("odp-1")
    order = order_for(odp, identity_of(odp.pid))
    await odp.fault(Fault.REFUSE_START)
    odp.kill(signal.SIGSTOP)

    with pytest.raises(StartFailed, match=r"gone again at once"):
        await acting.restart(order)


async def test_a_restart_that_is_given_up_leaves_a_world_that_the_next_one_finishes(
    acting: Actuator, fleet: Fleet
) -> None:
    """(S24) Cancelled while the new process starts; whichever of the two lives at the host finishes it."""
    odp = await fleet.start_odp("odp-1")
    order = order_for(odp, identity_of(odp.pid))
    await odp.fault(Fault.SLOW_START, 1.5)
    odp.kill(signal.SIGSTOP)
    first = asyncio.create_task(acting.restart(order))
    await eventually(lambda: not odp.is_running, "the end of the old process", within_seconds=20)
    first.cancel()
    await asyncio.wait([first])

    done = await acting.restart(order)

    assert [done.process.pid] == odp.pids
    assert 2 == odp.log().count("start up successful")
