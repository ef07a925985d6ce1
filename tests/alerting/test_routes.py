"""The Alertmanager sample: who is told what, as amtool and a real Alertmanager see it."""

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from odp_exporter.simulator.stack.alertmanager import alertmanager
from odp_exporter.simulator.stack.chain import TOKEN
from odp_exporter.simulator.stack.receiver import Told, receiver

from .conftest import ALERTS, RULES, Labels, receivers_of

Debian = Callable[[str], str]
SAMPLE = RULES / "alertmanager.yml"
ROUTES = yaml.safe_load(SAMPLE.read_text())["route"]["routes"]
TARGET = {"odp": "odp-1", "pool": "trade", "ocp": "ocp", "instance": "192.0.2.1:9888", "job": "odp-exporter"}


@pytest.fixture
def amtool(debian: Debian) -> Callable[..., str]:
    """What amtool answers; an error is its own."""

    def run(*arguments: str) -> str:
        command = [debian("amtool"), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout.strip()  # noqa: S603 - from Debian

    return run


def routed(amtool: Callable[..., str], labels: Labels) -> list[str]:
    """Who is told of an alert, in the order of the routes."""
    pairs = [f"{label}={value}" for label, value in labels.items()]
    return amtool("config", "routes", "test", f"--config.file={SAMPLE}", *pairs).split(",")


def test_the_sample_loads(amtool: Callable[..., str]) -> None:
    assert f"{len(yaml.safe_load(SAMPLE.read_text())['receivers'])} receivers" in amtool("check-config", str(SAMPLE))


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_goes_to_exactly_its_receivers(name: str, amtool: Callable[..., str]) -> None:
    assert receivers_of(ALERTS[name]) == routed(amtool, {"alertname": name, **TARGET, **ALERTS[name]})


def test_an_alert_that_no_rule_of_ours_makes_reaches_somebody(amtool: Callable[..., str]) -> None:
    assert ["tickets"] == routed(amtool, {"alertname": "Another"})


def test_no_alert_that_repairs_can_be_muted() -> None:
    """Inhibition leaks at group_wait 0s, so repair must depend on none; and one must never hold it up."""
    muting = yaml.safe_load(SAMPLE.read_text())["inhibit_rules"]

    assert [] == [rule for rule in muting if 'remediation = ""' not in rule["target_matchers"]]


def test_the_sample_names_only_alerts_that_exist() -> None:
    matchers = [matcher for block in _blocks(yaml.safe_load(SAMPLE.read_text())) for matcher in block]
    named = {name for matcher in matchers if "alertname" in matcher for name in re.findall(r"\w+", matcher)}

    assert set() == named - {"alertname"} - set(ALERTS)


def _blocks(document: object) -> Iterator[list[str]]:
    """Every list of matchers."""
    match document:
        case dict():
            yield from (value for key, value in document.items() if key.endswith("matchers"))
            for value in document.values():
                yield from _blocks(value)
        case list():
            for value in document:
                yield from _blocks(value)


def of_ocp(name: str, ocp: str = "ocp") -> Labels:
    return {"alertname": name, "ocp": ocp}


def of_odp(name: str, odp: str = "odp-1", **more: str) -> Labels:
    return {"alertname": name, "odp": odp, **more}


def of_pool(name: str, pool: str = "trade") -> Labels:
    return {"alertname": name, "pool": pool}


@pytest.mark.parametrize(
    ("source", "muted", "told"),
    [
        (
            of_ocp("OcpDown"),
            [of_ocp("OcpBadReply"), of_ocp("OcpSlow"), of_odp("OdpWouldNotSurviveOcpOutage"), of_odp("OdpCacheStale")],
            [
                of_ocp("OcpBadReply", "another"),
                of_odp("OdpCacheMissing", "odp-3"),
                of_odp("OdpCacheOld"),
                of_odp("OdpRestartUnsafe"),
                of_odp("OdpCacheStale", "odp-2", remediation="restart"),
            ],
        ),
        (
            of_ocp("OcpHalfBroken"),
            [of_ocp("OcpBadReply")],
            [of_ocp("OcpBadReply", "another"), of_odp("OdpRestartUnsafe")],
        ),
        (
            of_odp("OdpRemediationPaused"),
            [of_odp("OdpRemediationRefused", reason="paused")],
            [of_odp("OdpRemediationRefused", reason="pool_busy")],
        ),
        (
            of_pool("OdpAvailabilityBurnFast"),
            [of_pool("OdpAvailabilityBurnSlow")],
            [of_pool("OdpAvailabilityBurnSlow", "another")],
        ),
        (
            of_odp("OdpCacheUnused"),
            [of_odp("OdpCacheStale"), of_odp("OdpCacheIncomplete"), of_odp("OdpCacheOld")],
            [of_odp("OdpCacheStale", "odp-2"), of_odp("OdpRestartUnsafe")],
        ),
        (
            of_odp("OdpRestartUnsafe"),
            [of_odp("OdpWouldNotSurviveOcpOutage")],
            [of_odp("OdpWouldNotSurviveOcpOutage", "odp-2")],
        ),
        (of_pool("OdpPoolDown"), [of_pool("OdpPoolDegraded")], [of_pool("OdpPoolDegraded", "another")]),
        (
            of_odp("OdpCrashLooping"),
            [of_odp("OdpRestarted"), of_odp("OdpSlowRecovery")],
            [of_odp("OdpRestarted", "odp-2"), of_odp("OdpCoreDumped")],
        ),
        (of_odp("OdpMemoryFrozen"), [of_odp("OdpMemoryNearLimit")], [of_odp("OdpMemoryNearLimit", "odp-2")]),
        (of_odp("OdpDown"), [], [of_odp("OdpWatchdogMissing"), of_odp("OdpRestartUnsafe")]),
    ],
    ids=lambda value: value["alertname"] if isinstance(value, dict) else "",
)
async def test_what_explains_an_alert_mutes_it_and_nothing_else(
    source: Labels, muted: list[Labels], told: list[Labels], debian: Debian, tmp_path: Path
) -> None:
    program = debian("prometheus-alertmanager")
    async with alertmanager(tmp_path, SAMPLE.read_text(), program=program) as running:
        await running.push(source)
        await running.push(*muted, *told)
        everything = await running.everything()
        # What mutes takes effect a moment after it was taken in.
        async with asyncio.timeout(20):
            while _sorted(source, *told) != _sorted(*await running.alerts()):  # noqa: ASYNC110 - another program
                await asyncio.sleep(0.1)

    assert _sorted(source, *muted, *told) == _sorted(*everything)


def _sorted(*alerts: Labels) -> list[list[tuple[str, str]]]:
    return sorted(sorted(alert.items()) for alert in alerts)


def test_the_heartbeat_comes_at_least_once_a_minute() -> None:
    """A repeat goes out with the first group_interval that ends after repeat_interval."""
    (heartbeat,) = [route for route in ROUTES if route["receiver"] == "heartbeat"]

    assert _seconds(heartbeat["repeat_interval"]) + _seconds(heartbeat["group_interval"]) <= 60


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


def named(name: str) -> Callable[[Told], bool]:
    return lambda told: told.name == name


async def test_repair_and_heartbeat_bear_the_token_and_people_get_none(debian: Debian, tmp_path: Path) -> None:
    """The sample as it is, but for where its files and its receivers are."""
    program = debian("prometheus-alertmanager")
    (tmp_path / "token").write_text(TOKEN)
    repair = {"alertname": "OdpDown", "odp": "odp-1", "severity": "critical", "remediation": "restart"}
    async with receiver(token=TOKEN) as remediator, receiver() as other:
        config = SAMPLE.read_text().replace("http://remediator.example:9889", remediator.url)
        config = re.sub(r"http://[a-z-]+\.example", other.url, config)
        config = config.replace("/etc/prometheus/odp-remediator.token", str(tmp_path / "token"))
        config = config.replace("group_wait: 30s", "group_wait: 1s")
        async with alertmanager(tmp_path, config, program=program) as running:
            await running.push(repair, {"alertname": "Watchdog", "severity": "none"})
            for name in ("OdpDown", "Watchdog"):
                await remediator.until(named(name))
                await other.until(named(name))

    assert {"v1/alertmanager"} == {told.receiver for told in remediator.told}
    assert 0 == remediator.unauthorized
    assert {None} == {notification.authorization for notification in other.notifications}
