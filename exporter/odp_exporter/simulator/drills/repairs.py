"""What befalls a site, and what came of it: final state, restarts, what clients noticed, how long it took.

Each drill plays on a running site and leaves it calm. Tests hold the outcomes
to what must be; benchmarks/repairs.py writes them down.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Self

from odp_exporter.simulator.fleet import Endpoint, Failure, Fault
from odp_exporter.simulator.stack.alertmanager import Alertmanager
from odp_exporter.simulator.stack.chain import files_of
from odp_exporter.simulator.stack.haproxy import BACKEND
from odp_exporter.simulator.stack.remediator import Recorded
from odp_exporter.simulator.stack.site import Blueprint, Programs, Site, until

from . import odp as of_odp

RESTARTS = ("start", "replace")
_STEPS = frozenset({"drain", *RESTARTS, "verify", "enable"})
_STAGES = ("looking", "draining", "acting", "verifying", "enabling")
"""Of a repair, in their order."""
_AT_ONCE = 0.001
_LINGER_SECONDS = 3.0
"""For what must not happen any more to have its chance."""


class Ways(Enum):
    """How the remediator learns of an alert."""

    SCRAPED = auto()
    """From Prometheus by way of Alertmanager."""
    PUSHED = auto()
    """From the exporter by way of Alertmanager; there is no Prometheus."""
    ALL_TWICE = auto()
    """Prometheus and the exporter tell two Alertmanagers, and both of these tell the remediator."""
    LOST = auto()
    """No notification ever arrives: by asking Alertmanager."""


def blueprint(programs: Programs, checkout: Path, *, ways: Ways = Ways.SCRAPED, odps: int = 5) -> Blueprint:
    """A site of so many ODPs under the rules (profile fast), routes and HAProxy configuration of a *checkout*."""
    return Blueprint(
        programs,
        odps=[f"odp-{number}" for number in range(1, odps + 1)],
        options={**of_odp.OPTIONS, "hot_upgrade_exit_timeout": "120000000"},
        rules=files_of(checkout / "rules" / "fast") if ways is not Ways.PUSHED else (),
        routes=(checkout / "rules" / "alertmanager.yml").read_text(encoding="utf-8"),
        alertmanagers=2 if ways is Ways.ALL_TWICE else 1,
        pushes=ways in {Ways.PUSHED, Ways.ALL_TWICE},
        haproxy_sample=(checkout / "deploy" / "haproxy.cfg").read_text(encoding="utf-8"),
        loses_webhooks=ways is Ways.LOST,
        max_concurrent=2,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it, for one ODP."""

    seconds: float
    """From the fault to the end of it: back in the load balancer, or refused."""
    state: str
    """What the load balancer does with it then, and its weight."""
    restarts: int
    """By the remediator, as its history says."""
    starts: int
    """New processes that came to listen, whoever started them."""
    processes: int
    """Living at the end."""
    connections: int
    """That clients have begun meanwhile."""
    failures: int
    """Those of them that got no whole greeting."""
    late_failures: int
    """Those of them that were begun after the ODP was confirmed to be drained."""
    history: Sequence[Recorded]
    """What the remediator says of it."""

    @property
    def done(self) -> list[str]:
        """What was done, in order."""
        return [each.action for each in self.history if each.outcome == "done" and each.action in _STEPS]

    @property
    def refused(self) -> list[str]:
        """Why something was not done, in order."""
        return [each.reason for each in self.history if each.outcome == "refused"]

    @property
    def held(self) -> list[str]:
        """Why it was left to people, in order."""
        return [each.reason for each in self.history if each.action == "hold" and each.outcome == "begun"]


@dataclass(frozen=True, slots=True)
class Struck:
    """One ODP from its fault on."""

    site: Site
    odp: str
    began: float
    """Unix time."""
    starts: int
    """Processes that had come to listen until then."""
    records: int
    """Of the whole fleet, before the fault."""

    @classmethod
    async def now(cls, site: Site, odp: str) -> Self:
        """The fault comes next."""
        records = len(await site.remediator.history())
        return cls(site, odp, time.time(), site.odps[odp].starts, records)

    async def history(self) -> list[Recorded]:
        """What the remediator says of this ODP, or of all of them, since then."""
        news = (await self.site.remediator.history())[self.records :]
        return [each for each in news if each.odp == self.odp]

    async def is_repaired(self) -> bool:
        """It was restarted and enabled, takes sessions, and nothing is under way."""
        done = {each.action for each in await self.history() if each.outcome == "done"}
        is_back = (await self.site.edge.states()).get(self.odp) == "UP 1"
        return bool(done & set(RESTARTS)) and "enable" in done and is_back and await self.is_in("idle")

    async def is_in(self, *stages: str) -> bool:
        """Its repair stands at one of *stages*."""
        return await self.site.remediator.stage(self.odp) in stages

    async def is_refused(self, *reasons: str) -> bool:
        """The remediator has given one of *reasons*."""
        return any(each.reason in reasons for each in await self.history() if each.outcome == "refused")

    async def outcome(self) -> Outcome:
        """What has come of it by now."""
        seconds, history, client = time.time() - self.began, await self.history(), self.site.client
        restarts = sum(each.action in RESTARTS and each.outcome == "done" for each in history)
        starts = self.site.odps[self.odp].starts - self.starts
        drained = [each.at.timestamp() for each in history if (each.action, each.outcome) == ("drain", "done")]
        return Outcome(
            seconds,
            (await self.site.edge.states())[self.odp],
            restarts,
            starts,
            len(self.site.odps[self.odp].pids),
            client.attempted_since(self.began),
            client.failed_since(self.began),
            client.failed_since(drained[0]) if drained else 0,
            history,
        )


async def calm(site: Site) -> None:
    """Wait until nothing is left of whatever was before."""
    await until(site.is_calm)


async def killed(site: Site, odp: str) -> Outcome:
    """SIGKILL."""
    struck = await Struck.now(site, odp)
    site.odps[odp].kill()
    await until(struck.is_repaired)
    return await struck.outcome()


async def frozen(site: Site, odp: str) -> Outcome:
    """SIGSTOP: the kernel accepts for it, and it says nothing."""
    struck = await Struck.now(site, odp)
    site.odps[odp].kill(signal.SIGSTOP)
    await until(struck.is_repaired)
    return await struck.outcome()


async def watched(site: Site, odp: str) -> Outcome:
    """SIGSTOP while obproxyd.sh watches: whoever ends the old process, only one starts a new one."""
    watchdog = await site.fleet.watchdog(site.odps[odp])
    outcome = await frozen(site, odp)
    await watchdog.stop()
    return outcome


async def failed_start(site: Site, odp: str) -> tuple[Outcome, Outcome]:
    """SIGKILL, and every start fails: the outcome while it is held, and after a person has mended and started it."""
    struck, it = await Struck.now(site, odp), site.odps[odp]
    await it.fault(Fault.REFUSE_START)
    it.kill()
    await until(lambda: struck.is_in("held"))
    held = await struck.outcome()
    await it.clear()
    await it.start()
    await until(lambda: _is_let_in(struck))
    return held, await struck.outcome()


async def crash_loop(site: Site, odp: str) -> tuple[Outcome, Outcome, Outcome]:
    """It dies two seconds after every start.

    The outcome once it is held and people are told, as soon as it is well,
    resumed and back, and some seconds later.
    """
    struck, it = await Struck.now(site, odp), site.odps[odp]
    await it.fault(Fault.CRASH, 2, lasting=True)
    await until(lambda: _is_given_up(struck), seconds=90)
    held = await struck.outcome()
    await site.people.until(lambda told: (told.name, told.labels.get("odp")) == ("OdpRemediationFailed", odp))
    await it.wait_gone()
    await it.clear()
    await it.start()
    await site.remediator.resume("target", odp, "mended")
    await until(lambda: _is_let_in(struck))
    mended = await struck.outcome()
    await asyncio.sleep(_LINGER_SECONDS)
    return held, mended, await struck.outcome()


async def ocp_down_and_frozen(site: Site, odp: str) -> Outcome:
    """SIGSTOP while OCP refuses connections and the cache is of no use: it would not come back."""
    await site.ocp.refuse()
    outcome = await _unsafe_and_frozen(site, odp)
    await site.ocp.heal()
    return outcome


async def ocp_half_broken_and_frozen(site: Site, odp: str) -> Outcome:
    """SIGSTOP while OCP gives its configuration and no RS list."""
    await site.ocp.break_(Endpoint.RS_LIST, Failure.STATUS, 500)
    outcome = await _unsafe_and_frozen(site, odp)
    await site.ocp.heal()
    return outcome


async def ocp_down_and_killed(site: Site, odp: str) -> tuple[Outcome, Outcome]:
    """SIGKILL while OCP refuses connections: starting what serves nobody can only help.

    The outcome while it is held, for it has no clusters and its peers have, and after OCP has come back.
    """
    await site.ocp.refuse()
    await site.exporter.until(lambda metrics: metrics.value("odp_restart_safe", odp=odp) == 0)
    struck = await Struck.now(site, odp)
    site.odps[odp].kill()
    await until(lambda: struck.is_in("held"))
    held = await struck.outcome()
    await site.ocp.heal()
    await until(lambda: _is_let_in(struck))
    return held, await struck.outcome()


async def paused(site: Site, odp: str) -> Outcome:
    """SIGKILL of one that a person has paused."""
    await site.remediator.pause("target", odp, "a look at its memory")
    struck = await Struck.now(site, odp)
    site.odps[odp].kill()
    await until(lambda: struck.is_refused("paused"))
    outcome = await struck.outcome()
    await site.remediator.resume("target", odp, "done")
    await until(struck.is_repaired)
    return outcome


async def silenced(site: Site, odp: str) -> Outcome:
    """SIGSTOP of one that a silence in Alertmanager covers."""
    for each in _real(site):
        await each.silence("odp", odp)
    struck = await Struck.now(site, odp)
    site.odps[odp].kill(signal.SIGSTOP)
    await until(lambda: _fires(site, odp))
    await asyncio.sleep(_LINGER_SECONDS)
    outcome = await struck.outcome()
    for each in _real(site):
        await each.end_silences()
    await until(struck.is_repaired)
    return outcome


async def drained_by_operator(site: Site, odp: str) -> Outcome:
    """SIGSTOP of one that a person has drained in the load balancer, who ends that later."""
    await site.edge.ask(f"set server {BACKEND}/{odp} state drain")
    struck = await Struck.now(site, odp)
    site.odps[odp].kill(signal.SIGSTOP)
    await until(lambda: struck.is_refused("held_by_person"))
    await asyncio.sleep(_LINGER_SECONDS)
    outcome = await struck.outcome()
    site.odps[odp].kill(signal.SIGCONT)
    await site.exporter.until_state(odp, "serving")
    await site.edge.ask(f"set server {BACKEND}/{odp} state ready")
    return outcome


async def told_to_stop(site: Site, odp: str) -> Outcome:
    """SIGUSR1 while a client is connected: it looks hung from outside, and even an alert says so."""
    struck, it = await Struck.now(site, odp), site.odps[odp]
    with contextlib.ExitStack() as clients:
        await of_odp.DRILLS["drain"].strike(of_odp.Patient(site.fleet, it, site.ocp, clients))
        await site.exporter.until_state(odp, "draining")
        for each in _real(site):
            await each.push({"alertname": "OdpHung", "odp": odp, "severity": "critical", "remediation": "restart"})
        await until(lambda: struck.is_refused("draining"))
        await asyncio.sleep(_LINGER_SECONDS)
        outcome = await struck.outcome()
    await it.wait_gone()
    return outcome


async def most_killed(site: Site, odps: Sequence[str]) -> Mapping[str, Outcome]:
    """SIGKILL of most of the fleet at once: what is dead serves nobody, and is started."""
    struck = [await Struck.now(site, odp) for odp in odps]
    for odp in odps:
        site.odps[odp].kill()
    return {each.odp: await _repaired(each) for each in struck}


async def most_frozen(site: Site, odps: Sequence[str]) -> Mapping[str, Outcome]:
    """SIGSTOP of most of the fleet at once: a shared cause is likelier."""
    struck = [await Struck.now(site, odp) for odp in odps]
    for odp in odps:
        site.odps[odp].kill(signal.SIGSTOP)
    for odp in odps:
        await site.exporter.until_state(odp, "hung")
    await until(lambda: _any_refused(struck, "fleet_failing"))
    for each in struck:
        await until(lambda each=each: each.is_in("waiting"))  # type: ignore[misc] # bound at once
    await asyncio.sleep(_LINGER_SECONDS)
    outcomes = {each.odp: await each.outcome() for each in struck}
    for odp in odps:
        site.odps[odp].kill(signal.SIGCONT)
    return outcomes


async def reloaded(site: Site, odp: str, stage: str) -> Outcome:
    """It hangs, and HAProxy is reloaded while the repair stands at *stage*: the new worker knows of no drain."""
    return await _during(site, odp, stage, site.edge.reload)


async def remediator_killed(site: Site, odp: str, stage: str) -> Outcome:
    """It hangs, and the remediator is killed while the repair stands at *stage*, and started again."""

    async def kill() -> None:
        await site.remediator.kill()
        await site.remediator.start()

    return await _during(site, odp, stage, kill)


async def reloaded_while_held(site: Site, odp: str) -> tuple[Outcome, Outcome]:
    """A start fails, and HAProxy is reloaded while the ODP is held; later it is mended."""
    struck, it = await Struck.now(site, odp), site.odps[odp]
    await it.fault(Fault.REFUSE_START)
    it.kill()
    await until(lambda: struck.is_in("held"))
    await site.edge.reload()
    await asyncio.sleep(_LINGER_SECONDS)
    held = await struck.outcome()
    await it.clear()
    await it.start()
    await until(lambda: _is_let_in(struck))
    return held, await struck.outcome()


async def fired_while_away(site: Site, odp: str) -> Outcome:
    """SIGKILL of the remediator, then of an ODP; it is started again once the alert fires."""
    struck = await Struck.now(site, odp)
    await site.remediator.kill()
    site.odps[odp].kill()
    await until(lambda: _fires(site, odp))
    await site.remediator.start()
    await until(struck.is_repaired)
    return await struck.outcome()


async def alerts_of(site: Site, odp: str) -> list[int]:
    """How many alerts that ask for a repair of *odp* each Alertmanager holds."""
    held = [await each.everything() for each in _real(site)]
    return [sum(labels.get("odp") == odp and "remediation" in labels for labels in alerts) for alerts in held]


def most_under_repair(records: Sequence[Recorded]) -> int:
    """How many ODPs were under repair at a time at most, from their drain until they are enabled."""
    under_way: set[str] = set()
    most = 0
    for each in records:
        if (each.action, each.outcome) == ("drain", "begun"):
            under_way.add(each.odp)
        if (each.action, each.outcome) == ("enable", "done"):
            under_way.discard(each.odp)
        most = max(most, len(under_way))
    return most


async def _during(site: Site, odp: str, stage: str, disturb: Callable[[], Awaitable[None]]) -> Outcome:
    # A hang and not SIGSTOP: of a process that stands still no session is waited for, and its drain is over unseen.
    struck = await Struck.now(site, odp)
    await site.odps[odp].fault(Fault.HANG)
    await until(lambda: struck.is_in(*_STAGES), every=_AT_ONCE)
    # Some last a few hundredths of a second: one that is over between two looks is disturbed just after.
    await until(lambda: struck.is_in(*_STAGES[_STAGES.index(stage) :], "idle"), every=_AT_ONCE)
    await disturb()
    await until(struck.is_repaired)
    return await struck.outcome()


async def _unsafe_and_frozen(site: Site, odp: str) -> Outcome:
    await site.exporter.until(lambda metrics: metrics.value("odp_restart_safe", odp=odp) == 0)
    struck = await Struck.now(site, odp)
    site.odps[odp].kill(signal.SIGSTOP)
    await until(lambda: struck.is_refused("restart_unsafe"))
    await asyncio.sleep(_LINGER_SECONDS)
    outcome = await struck.outcome()
    site.odps[odp].kill(signal.SIGCONT)
    return outcome


async def _repaired(struck: Struck) -> Outcome:
    await until(struck.is_repaired)
    return await struck.outcome()


async def _is_given_up(struck: Struck) -> bool:
    """It is held for its crash loop, or for something else while an alert says that it crash loops."""
    status = (await struck.site.remediator.status())[struck.odp]
    is_looping = status["why"].startswith("crash_loop") or "OdpCrashLooping" in status["alerts"]
    return status["stage"] == "held" and is_looping


async def _is_let_in(struck: Struck) -> bool:
    is_up = (await struck.site.edge.states())[struck.odp] == "UP 1"
    return is_up and await struck.is_in("idle", "waiting")


async def _any_refused(struck: Sequence[Struck], reason: str) -> bool:
    return any([await each.is_refused(reason) for each in struck])


async def _fires(site: Site, odp: str) -> bool:
    return all(await alerts_of(site, odp))


def _real(site: Site) -> list[Alertmanager]:
    return [each for each in site.alertmanagers if isinstance(each, Alertmanager)]
