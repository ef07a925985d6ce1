"""Where `benchmarks/alert_latency.py` strikes: every drill of the simulator in one of two sites, and who is told.

What OcpDown is told instead of has a site without such an OCP; else two sites of many exporters are enough,
for alerts of one ODP, one OCP or one pool hold nothing against the others.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol, TypeVar

import yaml
from odp_exporter.settings import parse_duration
from odp_exporter.simulator.drills import cache as of_cache
from odp_exporter.simulator.drills import ocp as of_ocp
from odp_exporter.simulator.drills import odp as of_odp
from odp_exporter.simulator.drills import watch as of_watch
from odp_exporter.simulator.exporter import Exporter, exporter, naming
from odp_exporter.simulator.fleet import Fleet, Ocp
from odp_exporter.simulator.stack.chain import Chain, chain, files_of
from odp_exporter.simulator.stack.prometheus import Job

RULES = Path(__file__).parents[1] / "rules"
_WITHOUT = "remediation.yml"
"""There is no remediator here, and its absence would be one more alert."""
_AT_ONCE = "0s"


class Drill(Protocol):
    """What all drills have in common."""

    @property
    def says(self) -> str: ...
    @property
    def expected(self) -> frozenset[str]: ...


_Drill = TypeVar("_Drill", bound=Drill)

DRILLS: Mapping[str, Mapping[str, Drill]] = {
    "ODP": of_odp.DRILLS,
    "cache": {**of_cache.DRILLS, **of_cache.OF_OCP, **of_cache.WITHOUT_OCP},
    "OCP": of_ocp.DRILLS,
    "pool": of_watch.OF_POOL,
    "exporter": of_watch.OF_EXPORTER,
}
"""All of them, by what they strike."""


@dataclass(frozen=True)
class Profile:
    """A set of rules, and what goes with it."""

    name: str
    rounds: int
    """How often all is built and struck anew: each time scrapes and evaluations have other phases."""
    says: str
    """How its exporters are set up, for people."""
    ocp_interval: str
    more: str
    slack_seconds: float
    """What may pass besides `for` until an alert counts as not told."""

    @property
    def scrape_interval(self) -> str:
        thresholds = yaml.safe_load((RULES / "thresholds.yml").read_text())["thresholds"]
        return str(thresholds["scrape_interval"][self.name])

    @cached_property
    def waits(self) -> Mapping[str, str]:
        """The `for` of every alert."""
        documents = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in files_of(RULES / self.name))
        rules = (rule for document in documents for group in document["groups"] for rule in group["rules"])
        return {rule["alert"]: rule.get("for", _AT_ONCE) for rule in rules if "alert" in rule}

    def patience_seconds(self, alert: str) -> float:
        wait = self.waits[alert]
        return self.slack_seconds + (0 if wait == _AT_ONCE else parse_duration(wait).total_seconds())


PROFILES = (
    Profile("fast", 3, "ocp.interval: 5s, cache.interval: 1s", "5s", "cache: {interval: 1s}\n", 120),
    Profile("default", 1, "nothing", "1m", "", 400),
)


@dataclass(frozen=True)
class Case:
    """One drill, ready to be struck."""

    drill: str
    expected: frozenset[str]
    names: frozenset[str]
    """The values of labels that say that an alert is about it."""
    strike: Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Site:
    """All that one Prometheus and one Alertmanager watch."""

    cases: Collection[Case]
    chain: Chain

    async def versions(self) -> Mapping[str, str]:
        prometheus = json.loads(await self.chain.prometheus.server.get("/api/v1/status/buildinfo"))["data"]["version"]
        alertmanager = json.loads(await self.chain.alertmanager.server.get("/api/v2/status"))["versionInfo"]["version"]
        return {"Prometheus": prometheus, "Alertmanager": alertmanager}


@dataclass
class _Site:
    """One in the making."""

    profile: Profile
    only: Collection[str]
    directory: Path
    fleet: Fleet
    opened: AsyncExitStack
    exporters: list[Exporter] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)

    def wanted(self, drills: Mapping[str, _Drill]) -> dict[str, _Drill]:
        return {name: it for name, it in drills.items() if it.expected and (not self.only or name in self.only)}

    async def start_ocp(self) -> Ocp:
        return await self.fleet.start_ocp({of_odp.CLUSTER: [str(await self.fleet.start_observer())]})

    async def odps(self, drills: Mapping[str, of_odp.Drill]) -> None:
        """ODPs that share an OCP to which nothing happens."""
        if wanted := self.wanted(drills):
            patients = await self.ward(await self.start_ocp(), wanted)
            self.exporters.append(await self.watch("odps", patients, {}))

    async def odps_and_ocps(self, drills: Mapping[str, of_odp.Drill]) -> None:
        """ODPs that have each an OCP of its own."""
        ocps = {name: await self.start_ocp() for name in self.wanted(drills)}
        patients: dict[str, of_odp.Patient] = {}
        for name, ocp in ocps.items():
            patients |= await self.ward(ocp, {name: drills[name]})
        if ocps:
            self.exporters.append(await self.watch("odps-and-ocps", patients, ocps))

    async def ocps(self, drills: Mapping[str, of_ocp.Drill]) -> None:
        """OCPs beside an ODP to which nothing happens."""
        ocps = {name: await self.start_ocp() for name in self.wanted(drills)}
        self.cases += (
            Case(name, drills[name].expected, frozenset({name}), partial(drills[name].strike, ocp))
            for name, ocp in ocps.items()
        )
        if ocps:
            well = {"nothing": of_odp.DRILLS["nothing"]}
            self.exporters.append(await self.watch("ocps", await self.ward(await self.start_ocp(), well), ocps))

    async def pools(self, drills: Mapping[str, of_watch.Drill]) -> None:
        """Pools, each with an exporter of its own."""
        for name, drill in self.wanted(drills).items():
            watching = of_watch.watched(self.fleet, self.directory / name, name, self.profile.more)
            watched = await self.opened.enter_async_context(watching)
            self.cases.append(Case(name, drill.expected, watched.names, partial(drill.strike, watched)))
            self.exporters.append(watched.exporter)

    async def ward(self, ocp: Ocp, drills: Mapping[str, of_odp.Drill]) -> Mapping[str, of_odp.Patient]:
        patients = await self.opened.enter_async_context(of_odp.ward(self.fleet, ocp, drills))
        self.cases += (
            Case(name, drills[name].expected, frozenset({name}), partial(drills[name].strike, patient))
            for name, patient in patients.items()
        )
        return patients

    async def watch(self, name: str, patients: Mapping[str, of_odp.Patient], ocps: Mapping[str, Ocp]) -> Exporter:
        """An exporter for them, which sees all of them well."""
        directory, interval = self.directory / name, self.profile.ocp_interval
        await asyncio.to_thread(directory.mkdir)
        asked = "".join(f"  - {{name: {name}, url: '{ocp.url}', interval: {interval}}}\n" for name, ocp in ocps.items())
        odps = naming(*(patient.odp for patient in patients.values()), more=asked and f"ocp:\n{asked}")
        config = f"{odps}{self.profile.more}state_directory: {directory / 'state'}\n"
        it = await self.opened.enter_async_context(exporter(directory, config))
        await it.until(lambda metrics: metrics.by("ocp", "ocp_up", endpoint="rs_list") == dict.fromkeys(ocps, 1))
        await it.until(lambda metrics: all(metrics.state(name) == "serving" for name in patients))
        return it


@asynccontextmanager
async def sites(profile: Profile, directory: Path, only: Collection[str]) -> AsyncIterator[list[Site]]:
    """All that have drills."""
    async with AsyncExitStack() as opened:
        await asyncio.to_thread(directory.mkdir)
        made = []
        for fill in (_of_odps, _of_others):
            place = directory / fill.__name__
            fleet = await opened.enter_async_context(Fleet(place / "fleet"))
            making = _Site(profile, only, place, fleet, opened)
            await fill(making)
            if making.cases:
                made.append(Site(making.cases, await _chain(making)))
        yield made


async def _of_odps(site: _Site) -> None:
    await site.odps({**of_odp.DRILLS, **of_cache.DRILLS})
    await site.odps_and_ocps(of_cache.OF_OCP)


async def _of_others(site: _Site) -> None:
    await site.odps_and_ocps(of_cache.WITHOUT_OCP)
    await site.ocps(of_ocp.DRILLS)
    await site.pools(of_watch.DRILLS)


async def _chain(site: _Site) -> Chain:
    jobs = [Job("odp-exporter", [each.url for each in site.exporters], site.profile.scrape_interval)]
    rules = [file for file in files_of(RULES / site.profile.name) if file.name != _WITHOUT]
    return await site.opened.enter_async_context(chain(site.directory, jobs, rules, _routes()))


def _routes() -> str:
    """Those of the sample, but that each ODP is a message of its own: the first of a group waits for no other."""
    document = yaml.safe_load((RULES / "alertmanager.yml").read_text(encoding="utf-8"))
    document["route"]["group_by"].append("odp")
    return json.dumps(document)
