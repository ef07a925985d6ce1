"""The push beside Prometheus' way, on the real servers: one alert, told once when it fires and once when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from odp_exporter.simulator.exporter import Exporter, exporter, naming
from odp_exporter.simulator.fleet import Fleet, Odp
from odp_exporter.simulator.stack.alertmanager import Alertmanager, alertmanager
from odp_exporter.simulator.stack.chain import TOKEN, rewired
from odp_exporter.simulator.stack.prometheus import Job, prometheus, watching
from odp_exporter.simulator.stack.receiver import Receiver, receiver

RULES = Path(__file__).parents[2] / "rules"
ENDS = 6.0
"""Seconds from the recovery to the word that it is over; Prometheus needs less than two to see it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """An ODP, its exporter, and an Alertmanager that both ways lead to."""

    odp: Odp
    exporter: Exporter
    alertmanager: Alertmanager
    receiver: Receiver
    directory: Path

    async def until(self, status: str) -> None:
        await self.receiver.until(lambda told: told.receiver == "remediator" and told.status == status)

    async def settled(self) -> list[str]:
        """What the remediator was told, once nothing more can follow."""
        await asyncio.sleep(ENDS + 3)
        return [told.status for told in self.receiver.told if told.receiver == "remediator"]

    def push(self, *, on: bool) -> None:
        """Have the exporter push, or not."""
        (self.directory / "odp.yml").write_text(_config(self.odp, self.alertmanager.url if on else ""))
        self.exporter.process.send_signal(signal.SIGHUP)

    @contextlib.asynccontextmanager
    async def prometheus(self) -> AsyncIterator[None]:
        """Prometheus with the repair rules of the fast profile."""
        job = Job("odp-exporter", [self.exporter.url])
        rules, told = [RULES / "fast/repair.yml"], [self.alertmanager.url]
        async with prometheus(self.directory, watching(job, rules=rules, alertmanagers=told)) as it:
            async with asyncio.timeout(20):
                while not await it.query("odp_up == 1"):  # noqa: ASYNC110 - a database sets no event
                    await asyncio.sleep(0.1)
            yield


def _config(odp: Odp, alertmanager_url: str) -> str:
    push = f"alertmanagers: ['{alertmanager_url}']\n" if alertmanager_url else ""
    # Patient, or an ODP that a busy machine delays would be an episode, too.
    often = "probe: {interval: 2s, timeout: 2s, hasty_timeout: 2s}\n"
    often += f"notify: {{resend_interval: 1s, end_after: {ENDS:g}s, expire_after: 20s}}\n"
    return naming(odp, more=push + often)


@pytest.fixture
async def scene(fleet: Fleet, debian: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Scene]:
    for program in ("prometheus", "prometheus-alertmanager"):
        debian(program)
    (tmp_path / "token").write_text(TOKEN, encoding="ascii")
    routes = (RULES / "alertmanager.yml").read_text(encoding="utf-8")
    odp = await fleet.start_odp("odp-1")
    async with (
        receiver(token=TOKEN) as told,
        alertmanager(tmp_path, rewired(routes, told.url, tmp_path / "token")) as routing,
        exporter(tmp_path, _config(odp, routing.url)) as it,
    ):
        await it.until_state("odp-1", "serving")
        yield Scene(odp, it, routing, told, tmp_path)


async def test_the_push_comes_first_and_prometheus_says_the_same(scene: Scene) -> None:
    async with scene.prometheus():
        scene.odp.kill()
        await scene.until("firing")
        await asyncio.sleep(4)  # Prometheus has long said so, too
        await scene.odp.start()
        await scene.until("resolved")

        assert ["firing", "resolved"] == await scene.settled()


async def test_prometheus_comes_first_and_the_push_says_the_same(scene: Scene) -> None:
    scene.push(on=False)
    async with scene.prometheus():
        scene.odp.kill()
        await scene.until("firing")
        scene.push(on=True)
        await scene.exporter.until(lambda metrics: bool(metrics.by("alertmanager", _SENT)))
        await scene.odp.start()
        await scene.until("resolved")

        assert ["firing", "resolved"] == await scene.settled()


async def test_an_outage_between_two_scrapes_is_one_episode_too(scene: Scene) -> None:
    async with scene.prometheus():
        scene.odp.kill()
        await scene.until("firing")
        await scene.odp.start()
        await scene.until("resolved")

        assert ["firing", "resolved"] == await scene.settled()


async def test_without_prometheus_the_push_alone_does_the_whole_episode(scene: Scene) -> None:
    scene.odp.kill()
    await scene.until("firing")
    await scene.odp.start()
    await scene.until("resolved")

    assert ["firing", "resolved"] == await scene.settled()


async def test_a_hang_is_pushed_as_what_the_rule_calls_it(scene: Scene) -> None:
    async with scene.prometheus():
        scene.odp.kill(signal.SIGSTOP)
        await scene.until("firing")
        await asyncio.sleep(3)
        names = {alert["alertname"] for alert in await scene.alertmanager.everything()}
        scene.odp.kill(signal.SIGCONT)
        await scene.until("resolved")

        assert ["firing", "resolved"] == await scene.settled()
    assert {"OdpHung"} == names


_SENT = "odp_exporter_notifications_sent_total"
