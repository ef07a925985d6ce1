"""What the tests of alerts share: rules that wait for nothing, under the routes of the sample, on real servers."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import ModuleType

import pytest
from odp_exporter.simulator.exporter import Exporter
from odp_exporter.simulator.fleet import Fleet
from odp_exporter.simulator.stack.chain import Chain, alerts_of, chain, hurried
from odp_exporter.simulator.stack.prometheus import Job

RULES = Path(__file__).parents[2] / "rules"
AT_ONCE = "2s"
"""Instead of minutes; long enough that a value which is gone with the next scrape is no alert."""
_AS_SHIPPED = {"slow_burn_for"}
"""With minutes of data, three days are minutes."""
ALERTS = alerts_of(RULES / "default")
"""The labels of every alert that its rule gives it."""
_OF_SEVERITY = {"critical": "pager", "warning": "tickets", "info": "journal"}
_NEEDS_A_REMEDIATOR = "remediation.yml"

Labels = Mapping[str, str]
OpenChain = Callable[..., AbstractAsyncContextManager[Chain]]


def receivers_of(labels: Labels) -> list[str]:
    """The table: who is told of an alert with these labels, in the order of the routes."""
    if labels["severity"] == "none":
        return ["heartbeat"]
    return [*(["remediator"] if "remediation" in labels else []), _OF_SEVERITY[labels["severity"]]]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """Simulated processes that end with the test."""
    async with Fleet(tmp_path / "fleet") as running:
        yield running


@pytest.fixture
def hurried_chain(debian: Callable[[str], str], tmp_path: Path) -> OpenChain:
    """Prometheus, Alertmanager and a receiver that watch exporters with rules and routes that wait for nothing."""
    for program in ("prometheus", "prometheus-alertmanager"):
        debian(program)
    rules = hurried_rules(tmp_path / "rules")

    @contextlib.asynccontextmanager
    async def opened(*exporters: Exporter) -> AsyncIterator[Chain]:
        jobs = [Job("odp-exporter", [exporter.url for exporter in exporters])]
        async with chain(tmp_path, jobs, rules, hurried((RULES / "alertmanager.yml").read_text())) as running:
            yield running

    return opened


def hurried_rules(directory: Path) -> Sequence[Path]:
    """The rules as `rules/render.py` renders them, but for how often they look and how long they wait.

    The expressions are the same; so are the counts, the ratios and the windows over which counters are compared.
    """
    render = _render()
    fast = render.load((RULES / "thresholds.yml").read_text()).values(render.Profile.FAST)
    values = {name: _hurried(name, value) for name, value in fast.items()}
    directory.mkdir()
    files = [directory / name for name in render.FILES if name != _NEEDS_A_REMEDIATOR]
    for file in files:
        file.write_text(render.fill((RULES / "source" / file.name).read_text(), values, where=file.name))
    return files


def _hurried(name: str, value: str) -> str:
    if name == "absent_for":
        return "6s"  # before the first scrape everything is absent
    if name.endswith("_for") and value != "0s" and name not in _AS_SHIPPED:
        return AT_ONCE
    if name in {"interval", "budget_interval"}:
        return "1s"
    if name == "ocp_slow_window":
        return "10s"
    return value


def _render() -> ModuleType:
    """`rules/render.py`, which is a program and no package."""
    spec = importlib.util.spec_from_file_location("rules_render", RULES / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module
