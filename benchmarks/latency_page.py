"""docs/latency.md: what `benchmarks/alert_latency.py` measured, by alert and by fault, and what to make of it."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from odp_exporter.simulator.drills import UNDRILLED

from benchmarks import page
from benchmarks.latency_sites import DRILLS, Profile


class Silence(StrEnum):
    """Why an alert was told to nobody."""

    MUTED = "muted"
    """Alertmanager held it back, for another one explains it."""
    NOT_TOLD = "not told"


@dataclass(frozen=True)
class Sample:
    """What came of one alert of one drill that was struck."""

    drill: str
    alert: str
    receiver: str
    """Who was told first; empty if nobody was."""
    outcome: float | Silence
    """Seconds from the fault to the webhook."""


Samples = Mapping[Profile, Collection[Sample]]


def by_alert(samples: Samples) -> str:
    """A row for each alert, over all faults of which it comes."""
    head = " | ".join(f"{profile.name}: median | worst | n" for profile in samples)
    lines = [f"| alert | told | {head} |", "|---|---|" + "--:|" * 3 * len(samples)]
    for alert in dict.fromkeys(alert for _, _, alert in faults()):
        every = [[it for it in each if it.alert == alert] for each in samples.values()]
        if any(every):
            told = ", ".join(sorted({it.receiver for each in every for it in each if it.receiver}))
            lines.append(
                f"| {alert} | {told} | {' | '.join(f'{median(it)} | {worst(it)} | {n(it)}' for it in every)} |"
            )
    return "\n".join(lines)


def by_fault(samples: Samples) -> str:
    """A row for each alert of each fault."""
    head = " | ".join(f"{profile.name}: median | n" for profile in samples)
    lines = [f"| fault | alert | {head} |", "|---|---|" + "--:|" * 2 * len(samples)]
    for says, drill, alert in faults():
        every = [[it for it in each if (it.drill, it.alert) == (drill, alert)] for each in samples.values()]
        if any(every):
            lines.append(f"| {says} | {alert} | {' | '.join(f'{median(it)} | {n(it)}' for it in every)} |")
    return "\n".join(lines)


def faults() -> Iterator[tuple[str, str, str]]:
    """What befalls whom, the name of its drill, and an alert that must come of it."""
    for whom, drills in DRILLS.items():
        for name, drill in drills.items():
            for alert in sorted(drill.expected):
                yield f"{whom}: {drill.says}", name, alert


def seconds(samples: Iterable[Sample]) -> list[float]:
    return [it.outcome for it in samples if not isinstance(it.outcome, Silence)]


def median(samples: Collection[Sample]) -> str:
    if told := seconds(samples):
        return f"{statistics.median(told):.1f}"
    return ", ".join(sorted({str(it.outcome) for it in samples}))


def worst(samples: Iterable[Sample]) -> str:
    told = seconds(samples)
    return f"{max(told):.1f}" if told else ""


def n(samples: Collection[Sample]) -> str:
    """How many were told; and of how many, if not all were."""
    told = len(seconds(samples))
    return f"{told}" if told == len(samples) else f"{told} of {len(samples)}"


def unmeasured(profiles: Iterable[Profile]) -> str:
    """The alerts that no drill provokes, how long they take at least, and why they are not here."""
    waits = {profile.name: profile.waits for profile in profiles}
    lines = [f"| alert | {' | '.join(f'{name}: `for`' for name in waits)} | not measured: |"]
    lines.append("|---|" + "--:|" * len(waits) + "---|")
    for alert, why in UNDRILLED.items():
        lines.append(f"| {alert} | {' | '.join(each[alert] for each in waits.values())} | {why} |")
    return "\n".join(lines)


def written(samples: Samples, versions: Mapping[str, str], elapsed_seconds: float) -> str:
    return PAGE.format(
        by_alert=by_alert(samples),
        by_fault=by_fault(samples),
        unmeasured=unmeasured(samples),
        machine=page.machine(versions),
        minutes=round(elapsed_seconds / 60),
        rounds=", ".join(f"{profile.rounds} in `{profile.name}`" for profile in samples),
        settings="; ".join(f"{profile.says} in `{profile.name}`" for profile in samples),
        intervals=", ".join(f"{profile.scrape_interval} in `{profile.name}`" for profile in samples),
        slack=", ".join(f"{profile.slack_seconds:g} s in `{profile.name}`" for profile in samples),
    )


PAGE = """\
# How soon an alert arrives

Seconds from a fault to the webhook, measured by `benchmarks/alert_latency.py`, which wrote this page. Everything
on the way is real: exporter, Prometheus with the rules of `rules/`, Alertmanager with the routes and the times of
`rules/alertmanager.yml`; ODPs and OCPs are simulated. The faults are those that the tests strike, in
`exporter/odp_exporter/simulator/drills/`. What the floor of all these numbers is, and what can be done about it,
stands [below the tables](#what-the-floor-is-made-of).

## By alert

Over all faults of which it comes; they stand one by one in the next table.

{by_alert}

*told* is who hears of it first; critical alerts that start a repair wake somebody later as well. *muted*: Alertmanager
holds it back, because another alert of the same fault says more. *not told*: over before its `for` was, or not told
within its `for` and {slack}. A fault that takes a while, as four crashes do,
counts from its beginning.

{machine}

* Rounds: {rounds}, one after the other. All faults of a round are struck side by side, within 20 s, which loads the
  machine and makes the shortest times longer; all of it took {minutes} minutes.
* Scraped every {intervals}. The exporter's settings are its own defaults, but for: {settings}.
* One thing is not as in the sample: for people each ODP is a message of its own, so that none waits for the next
  message of a group that another one opened.
* The windows of OcpSlow and of OdpAvailabilityBurnFast know nothing older than the run; after hours of health both take
  longer to fill.

## By fault

{by_fault}

## What no fault of the simulator shows

{unmeasured}

## What the floor is made of

An alert waits for one thing after the other. The exporter must notice: a death at once, by pidfd; silence after
two greetings, the second right after the first (`probe.interval`, 5 s in quiet times, and `probe.timeout` for each);
while clients wait in the accept queue, at once, both side by side and with `probe.hasty_timeout`; the cache at the next
round of `cache.interval`. Of OCP each round of `ocp.interval` asks for the version; for the configuration and for an
RS list, while all is well, only every fifth, so that what is wrong with these alone is found within five rounds: five
minutes by default. Prometheus must scrape: anything up to the scrape interval. Then comes the slot of the rule group,
which lies at a constant distance from that of the scrape, chosen by hashes of target, file and group: the same for all
alerts of a group, and another after a rename. Then `for`, rounded up to whole evaluations. Then Alertmanager's
`group_wait`: nothing on the repair route, 30 s for people, in which what explains the alert can mute it and what was
mended in time is told to nobody. The network between them is milliseconds.

## What to tune

For repair, first of all `alertmanagers` in the exporter's configuration: OdpDown, OdpHung and OdpMemoryFrozen are then
pushed and wait for none of this ([benchmarks.md](benchmarks.md) has the seconds). Next the `fast` profile: a scrape
interval of a second and its short `repair_interval` take most of what can be taken; `rules/thresholds.yml` says what
each number buys. A shorter `probe.interval` finds a hang without clients sooner and costs ODP about 5 KB of log per
probe. A failure soon after an earlier one of the same ODP finds its
group open and waits for `group_interval` of the repair route: leave that at 1s. Leave `for` of alerts for people alone:
most of their time is `for` and `group_wait`, and both are there so that nobody is woken in vain. An Alertmanager
with its cluster on and without peers adds 10 s after its start, and a lost first message costs Prometheus'
`--rules.alert.resend-delay`, a minute unless it is set.
"""
