"""What one decision costs with 1,000 ODPs in the fleet: `python -m benchmarks.decide`.

Best, median and 99th percentile of each kind of event, in microseconds. The
fleet is the worst that can be: an alert fires for every ODP, and none is idle.
Garbage is collected between the measurements only, as the remediator's event
loop would between events.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle

from odp_exporter.actuators.actuator import HostView
from odp_exporter.health import State
from odp_exporter.lb.driver import Admin, Health, Member
from odp_exporter.observations import ProbeResult
from odp_exporter.remediation.codec import FleetText, dump_fleet, dump_stage
from odp_exporter.remediation.model import (
    Action,
    Alert,
    AlertFiring,
    AlertResolved,
    Drained,
    Draining,
    Episode,
    Event,
    Evidence,
    Fleet,
    Held,
    Hold,
    Lease,
    Looked,
    Looking,
    Reason,
    Recovered,
    Refusal,
    Report,
    Stage,
    Start,
    Surveyed,
    Tick,
    Waiting,
    Wish,
)
from odp_exporter.remediation.policy import Inventory, Policy
from odp_exporter.remediation.step import step
from odp_exporter.targets import Address, Pool, Target

from benchmarks import page

ODPS = 1000
ROUNDS = 300
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ADDRESS = Address("192.0.2.1", 2883)
NAMES = [f"odp-{number}" for number in range(ODPS)]


def inventory(pools: int) -> Inventory:
    targets = {name: Target(name, ADDRESS, pool=f"pool-{index % pools}") for index, name in enumerate(NAMES)}
    return Inventory(targets, {f"pool-{index}": Pool(f"pool-{index}", lb="edge") for index in range(pools)})


def alert(odp: str, key: str = "k") -> Alert:
    return Alert(odp, "OdpDown", Wish.RESTART, key, NOW)


def episode(odp: str) -> Episode:
    return Episode("1", odp, "OdpDown", NOW)


def waiting(odp: str, until: datetime) -> Waiting:
    return Waiting(episode(odp), NOW, Refusal(Reason.FLEET_FAILING, "all of them"), until)


def busy(until: datetime) -> Fleet:
    """Every ODP has an alert; the first is looked at, the second drained, a hundred are held, the others wait."""
    lease = Lease(100, NOW)
    first, second = NAMES[:2]
    stages: dict[str, Stage] = {first: Looking(episode(first), NOW)}
    stages[second] = Draining(episode(second), NOW, Start(), lease)
    stages |= {odp: Held(episode(odp), NOW, lease, Hold.CRASH_LOOP, "", until) for odp in NAMES[2:102]}
    stages |= {odp: waiting(odp, until) for odp in NAMES[102:]}
    actions = tuple(Action(odp, NOW - timedelta(minutes=30), "start") for odp in NAMES[:9])
    released = dict.fromkeys(NAMES, NOW - timedelta(hours=2))
    return Fleet(stages, {odp: (alert(odp),) for odp in NAMES}, actions, released=released)


def evidence(known: Inventory) -> Evidence:
    pool = known.members["pool-0"]
    return Evidence(
        at=NOW,
        greetings=(ProbeResult.REFUSED, ProbeResult.REFUSED),
        peers=dict.fromkeys(pool, ProbeResult.OK),
        members={odp: Member(odp, Admin.READY, Health.UP, 100) for odp in pool},
        host=HostView(()),
        report=Report(NOW, State.DOWN, restart_safe=True),
        is_silenced=False,
    )


def survey(known: Inventory) -> Surveyed:
    members = {odp: Member(odp, Admin.READY, Health.UP, 100) for odp in known.members["pool-0"]}
    return Surveyed("pool-0", members, NOW - timedelta(minutes=1))


def measure(known: Inventory) -> Iterator[list[str]]:
    """Rows of event, best, median, 99th percentile."""
    seen = evidence(known)
    hung = replace(seen, greetings=(ProbeResult.GREETING_TIMEOUT,) * 2)
    calm, due = busy(NOW + timedelta(seconds=5)), busy(NOW)
    idle = replace(calm, stages={}, alerts={})
    for name, fleet, event in (
        ("an alert fires, for the first time", replace(calm, stages=without(calm, NAMES[500])), alert(NAMES[500])),
        ("an alert fires, once more", calm, alert(NAMES[500])),
        ("an alert fires, in a quiet fleet", idle, alert(NAMES[500])),
        ("an alert is resolved", calm, AlertResolved(NAMES[500], "k")),
        ("evidence of a dead one", calm, Looked(NAMES[0], "1", seen)),
        ("evidence of a hung one", calm, Looked(NAMES[0], "1", hung)),
        ("drained", calm, Drained(NAMES[1], "1")),
        ("a pool is surveyed", calm, survey(known)),
        ("a tick, nothing is due", calm, Tick()),
        ("a tick, everything is due", due, Tick()),
        ("a start anew", calm, Recovered()),
    ):
        yield row(name, timed(decision(fleet, AlertFiring(event) if isinstance(event, Alert) else event, known)))


def without(fleet: Fleet, odp: str) -> dict[str, Stage]:
    return {name: stage for name, stage in fleet.stages.items() if name != odp}


def decision(fleet: Fleet, event: Event, known: Inventory) -> Callable[[], object]:
    policy = Policy()
    return lambda: step(fleet, event, NOW, policy, known)


def timed(decide: Callable[[], object]) -> list[float]:
    """Microseconds of processor time of each round, so that a busy machine does not count."""
    taken = []
    gc.collect()
    gc.disable()
    for _ in range(ROUNDS):
        began = time.thread_time_ns()
        decide()
        taken.append((time.thread_time_ns() - began) / 1000)
    gc.enable()
    return taken


def row(name: str, taken: list[float]) -> list[str]:
    figures = (min(taken), statistics.median(taken), statistics.quantiles(taken, n=100)[98])
    return [name, *(f"{each:,.0f} µs" for each in figures)]


def busy_but_one(fleet: Fleet) -> Fleet:
    """*fleet* with one other stage."""
    return replace(fleet, stages={**fleet.stages, NAMES[500]: waiting(NAMES[500], NOW)})


def journal() -> Iterator[list[str]]:
    """What it takes to write a decision down, the disk apart."""
    fleet = busy(NOW)
    yield row("one stage as JSON", timed(lambda: dump_stage(fleet.stages[NAMES[1]])))
    yield row("the whole fleet as JSON", timed(lambda: dump_fleet(fleet)))
    text, fleets = FleetText(), cycle((fleet, busy_but_one(fleet)))
    yield row("the fleet after one stage has changed", timed(lambda: text(next(fleets))))


def text() -> str:
    head = ("best", "median", "99th percentile")
    fleets = (("100 pools", inventory(100)), ("one pool", inventory(1)))
    tables = [page.table((f"{ODPS:,} ODPs in {pools}", *head), [*measure(known)]) for pools, known in fleets]
    tables.append(page.table(("the journal, for comparison", *head), [*journal()]))
    return f"""\
Processor time of one decision of {ROUNDS}. The limit is 1 ms an event.

{f"{chr(10)}{chr(10)}".join(tables)}

{page.machine()}
"""


def main() -> None:
    said = text()
    print(said)
    page.write("decide", said)


if __name__ == "__main__":
    main()
