"""From each fault to the webhook, in both profiles of rules: `python -m benchmarks.alert_latency docs/latency.md`.

Real exporters over simulated ODPs and OCPs, real Prometheus, real Alertmanager with the sample's routes and
times; only receivers are replaced. The faults and their alerts are those of the drills, which the tests of alerts
strike as well.

Takes about twenty minutes, nearly all of it waiting; `--profile fast --rounds 1 --only kill refuse` takes two.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from odp_exporter.simulator.stack.receiver import NotTold, Told

from benchmarks.latency_page import Sample, Silence, written
from benchmarks.latency_sites import PROFILES, Case, Profile, Site, sites


async def measured(profile: Profile, at: Site) -> list[Sample]:
    await at.chain.receiver.until(lambda told: told.name == "Watchdog", within_seconds=60)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(struck(profile, at, case)) for case in at.cases if case.expected]
    return [sample for task in tasks for sample in task.result()]


async def struck(profile: Profile, at: Site, case: Case) -> list[Sample]:
    # Once every rule has seen it well, and at no time that scrapes, probes or evaluations could be in step with.
    await asyncio.sleep(random.uniform(20, 40))  # noqa: S311 - no secret
    since = time.monotonic()
    await case.strike()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(awaited(profile, at, case, alert, since)) for alert in sorted(case.expected)]
    return [task.result() for task in tasks]


async def awaited(profile: Profile, at: Site, case: Case, alert: str, since: float) -> Sample:
    def comes(told: Told) -> bool:
        return told.name == alert and told.monotonic > since and bool(case.names & set(told.labels.values()))

    try:
        told = await at.chain.receiver.until(comes, within_seconds=profile.patience_seconds(alert))
        sample = Sample(case.drill, alert, told.receiver, told.monotonic - since)
    except NotTold:
        sample = Sample(case.drill, alert, "", await silence(at, case, alert))
    say(f"{profile.name}: {case.drill}: {alert}: {sample.outcome} {sample.receiver}")
    return sample


async def silence(at: Site, case: Case, alert: str) -> Silence:
    """Alertmanager holds what it mutes."""
    held = await at.chain.alertmanager.everything()
    is_held = any(each["alertname"] == alert and case.names & set(each.values()) for each in held)
    return Silence.MUTED if is_held else Silence.NOT_TOLD


async def run(
    profiles: Sequence[Profile], directory: Path, only: Collection[str]
) -> tuple[dict[Profile, list[Sample]], Mapping[str, str]]:
    """One round after the other: more at a time would load the machine, and show in what is measured."""
    samples = {profile: list[Sample]() for profile in profiles}
    versions: Mapping[str, str] = {}
    for profile in profiles:
        for number in range(profile.rounds):
            async with sites(profile, directory / f"{profile.name}-{number}", only) as opened:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(measured(profile, each)) for each in opened]
                versions = await opened[0].versions()
            samples[profile] += [sample for task in tasks for sample in task.result()]
    return samples, versions


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how soon alerts arrive, and write a page about it.")
    parser.add_argument("page", type=Path)
    parser.add_argument("--profile", choices=[profile.name for profile in PROFILES], help="of both, only this one")
    parser.add_argument("--rounds", type=int, help="how often each fault is struck, one time after the other")
    parser.add_argument("--only", nargs="+", default=[], metavar="DRILL", help="of all, only these")
    return parser.parse_args(words)


async def main(asked: argparse.Namespace) -> None:
    wanted = [each for each in PROFILES if asked.profile in {None, each.name}]
    profiles = [replace(each, rounds=asked.rounds or each.rounds) for each in wanted]
    began = time.monotonic()
    with TemporaryDirectory(prefix="odp-latency-") as directory:
        samples, versions = await run(profiles, Path(directory), asked.only)
    text = written(samples, versions, time.monotonic() - began)
    await asyncio.to_thread(asked.page.write_text, text, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(arguments(sys.argv[1:])))
