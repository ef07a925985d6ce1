"""From alerts to dashboards: every link arrives."""

from __future__ import annotations

import re

import pytest

from rules import render
from tests.dashboards.linking import alerts, unresolved

URLS = sorted(set(re.findall(r"dashboard_url: \S*?(/d/\S.*)", "".join(render.read_sources().values()))))
_TEMPLATE = re.compile(r"\{\{[^}]*\}\}")


def test_alerts_lead_to_all_dashboards() -> None:
    assert {"odp-fleet", "odp-one", "odp-ocp-cache", "odp-remediation"} == {
        url.split("?")[0].removeprefix("/d/") for url in URLS
    }


@pytest.mark.parametrize("url", URLS)
def test_what_an_alert_links_to_is_there(url: str) -> None:
    assert [] == list(unresolved(_TEMPLATE.sub("a", url)))


def test_every_alert_has_its_runbook() -> None:
    """Panels link to them by the alert's name."""
    assert [] == [name for name in alerts() if not (render.RULES.parent / f"docs/runbooks/{name}.md").exists()]
