"""What repairs come to, fault by fault: `python -m benchmarks.repairs docs/remediation-results.md`.

The drills are those of tests/e2e, on the same sites: real Prometheus, Alertmanager, HAProxy, exporter and
remediator around simulated ODPs, and a client that keeps connecting. Takes a few minutes.
"""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from odp_exporter import __version__
from odp_exporter.simulator.drills import repairs
from odp_exporter.simulator.drills.repairs import Outcome, Ways
from odp_exporter.simulator.stack.site import HURRIED, Programs, Site, site

ROOT = Path(__file__).parents[1]
MOST = ("odp-1", "odp-2", "odp-3")
Play = Callable[[Site], Awaitable[Sequence[tuple[str, Outcome]]]]


@dataclass(frozen=True)
class Course:
    """Drills that share a site, one after the other."""

    plays: Sequence[Play]
    ways: Ways = Ways.SCRAPED
    odps: int = 5


def one(says: str, drill: Callable[[Site, str], Awaitable[Outcome]], odp: str) -> Play:
    async def play(at: Site) -> Sequence[tuple[str, Outcome]]:
        return [(says, await drill(at, odp))]

    return play


def mended(says: str, drill: Callable[[Site, str], Awaitable[tuple[Outcome, Outcome]]], odp: str) -> Play:
    async def play(at: Site) -> Sequence[tuple[str, Outcome]]:
        held, after = await drill(at, odp)
        return [(says, held), (f"{says}; then mended by a person", after)]

    return play


async def crash_loop(at: Site) -> Sequence[tuple[str, Outcome]]:
    says = "dies 2 s after every start"
    held, after, later = await repairs.crash_loop(at, "odp-5")
    return [(says, held), (f"{says}; then mended and resumed by a person", after), (f"{says}; 3 s later", later)]


def several(says: str, drill: Callable[..., Awaitable[Mapping[str, Outcome]]]) -> Play:
    async def play(at: Site) -> Sequence[tuple[str, Outcome]]:
        outcomes = await drill(at, MOST)
        return [(f"{says}: {odp}", outcome) for odp, outcome in outcomes.items()]

    return play


def during(what: str, drill: Callable[[Site, str, str], Awaitable[Outcome]], stages: Sequence[str]) -> list[Play]:
    return [
        one(f"hang; {what} while {stage}", partial(_at, drill, stage), f"odp-{number}")
        for number, stage in enumerate(stages, 1)
    ]


async def _at(drill: Callable[[Site, str, str], Awaitable[Outcome]], stage: str, at: Site, odp: str) -> Outcome:
    return await drill(at, odp, stage)


PHASES = ("draining", "acting", "verifying", "enabling")
COURSES = (
    Course(
        [
            one("SIGKILL", repairs.killed, "odp-1"),
            one("SIGSTOP", repairs.frozen, "odp-2"),
            one("SIGSTOP, obproxyd.sh running", repairs.watched, "odp-3"),
            mended("SIGKILL, every start fails", repairs.failed_start, "odp-4"),
            crash_loop,
        ]
    ),
    Course(
        [
            one("OCP refuses, no cache; SIGSTOP", repairs.ocp_down_and_frozen, "odp-1"),
            mended("OCP refuses, no cache; SIGKILL", repairs.ocp_down_and_killed, "odp-2"),
            one("OCP gives no RS list; SIGSTOP", repairs.ocp_half_broken_and_frozen, "odp-1"),
            one("SIGKILL, paused by a person", repairs.paused, "odp-3"),
            one("SIGSTOP, silenced in Alertmanager", repairs.silenced, "odp-4"),
            one("SIGSTOP, drained by a person", repairs.drained_by_operator, "odp-5"),
            one("SIGUSR1 with a session open", repairs.told_to_stop, "odp-1"),
        ]
    ),
    Course([several("3 of 5 SIGKILL", repairs.most_killed), several("3 of 5 SIGSTOP", repairs.most_frozen)]),
    Course(
        [
            *during("HAProxy reloaded", repairs.reloaded, PHASES),
            mended("SIGKILL, every start fails; HAProxy reloaded while held", repairs.reloaded_while_held, "odp-5"),
        ]
    ),
    Course(during("remediator killed", repairs.remediator_killed, ("looking", *PHASES))),
    Course([one("SIGKILL, told by the exporter's push alone", repairs.killed, "odp-1")], Ways.PUSHED, 2),
    Course([one("SIGKILL, told twice by each of two Alertmanagers", repairs.killed, "odp-1")], Ways.ALL_TWICE, 2),
    Course([one("SIGKILL, remediator away, webhook lost", repairs.fired_while_away, "odp-1")], Ways.LOST, 2),
)


async def results(programs: Programs) -> list[tuple[str, Outcome]]:
    rows: list[tuple[str, Outcome]] = []
    for course in COURSES:
        blueprint = repairs.blueprint(programs, ROOT, ways=course.ways, odps=course.odps)
        with TemporaryDirectory(prefix="repairs-") as directory:
            async with site(Path(directory), blueprint) as running:
                for play in course.plays:
                    await repairs.calm(running)
                    played = await play(running)
                    rows += played
                    print("\n".join(says for says, _ in played), file=sys.stderr)
    return rows


def page(rows: Iterable[tuple[str, Outcome]], programs: Programs) -> str:
    return "".join(f"{line}\n" for line in _lines(rows, programs))


def _lines(rows: Iterable[tuple[str, Outcome]], programs: Programs) -> Iterator[str]:
    yield "# What repairs come to"
    yield ""
    yield f"Written by `python -m benchmarks.repairs`: {', '.join(_machine(programs))}."
    yield ""
    yield "Rules of the profile `fast` (scrapes each second), routes of `rules/alertmanager.yml`, `deploy/haproxy.cfg`"
    yield f"with checks each 300 ms, and the remediator's policy hurried: `{HURRIED}`."
    yield "Seconds run from the fault to the ODP back in the load balancer, held, or, where nothing may be done, to"
    yield "some seconds after the refusal. A client connects through HAProxy 20 ms after its last connection ended; one"
    yield "fails if there is no whole greeting within a second. *After the drain* counts those that were begun after"
    yield "the ODP was confirmed to be out. The last word says what HAProxy does with the ODP at the end."
    yield ""
    yield "| fault | what was done | restarts | new processes | failed connections | after the drain | of | seconds |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for says, it in rows:
        numbers = (it.restarts, it.starts, it.failures, it.late_failures, it.connections, f"{it.seconds:.1f}")
        yield f"| {says} | {_did(it)} | {' | '.join(map(str, numbers))} |"


def _did(it: Outcome) -> str:
    refused = dict.fromkeys(it.refused)  # each reason once
    steps = [*it.done, *(f"**held: {why}**" for why in it.held), *(f"**refused: {why}**" for why in refused)]
    return f"{', '.join(steps) or 'nothing'}; {it.state.split()[0]}"


def _machine(programs: Programs) -> Iterator[str]:
    yield f"odp-remediator {__version__}"
    yield f"Python {platform.python_version()}"
    yield f"{os.cpu_count()} processors, load {os.getloadavg()[2]:.1f}"
    for program, flag in (
        (programs.haproxy, "-v"),
        (programs.alertmanager, "--version"),
        (programs.prometheus, "--version"),
    ):
        said = subprocess.run([program or "", flag], capture_output=True, text=True, check=True)  # noqa: S603 - found by us
        words = (said.stdout or said.stderr).split()
        yield f"{Path(program or '').name} {words[words.index('version') + 1]}"


def main() -> None:
    programs = Programs.found()
    if None in {programs.haproxy, programs.alertmanager, programs.prometheus}:
        sys.exit("needs haproxy, prometheus-alertmanager and prometheus (try: apt-get install with these names)")
    path = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs/remediation-results.md"
    path.write_text(page(asyncio.run(results(programs)), programs), encoding="utf-8")


if __name__ == "__main__":
    main()
