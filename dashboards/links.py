"""From a panel to a dashboard, keeping time and choices; from an alert to its runbook."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from rules import render


class Uid(StrEnum):
    """The dashboards; alerts link to them by these."""

    FLEET = "odp-fleet"
    ONE = "odp-one"
    OCP_CACHE = "odp-ocp-cache"
    REMEDIATION = "odp-remediation"


TAG = "odp-ha"
"""All dashboards have it, and each links to all that do."""
_KEPT = "${__url_time_range}&${datasource:queryparam}&${job:queryparam}"


def to(uid: Uid, title: str, **variables: str) -> builders.DashboardLink:
    """A data link to the dashboard *uid*, with some of its *variables* set."""
    chosen = "".join(f"&var-{name}={value}" for name, value in variables.items())
    return builders.DashboardLink(title).url(f"/d/{uid}?{_KEPT}{chosen}").type(models.DashboardLinkType.LINK)


def to_odp(odp: str = "${__field.labels.odp}") -> builders.DashboardLink:
    """A data link to the one ODP that a series is of."""
    return to(Uid.ONE, "This ODP", odp=odp)


def runbook(alert: str) -> builders.DashboardLink:
    """A link to what to do when *alert* fires."""
    return (
        builders.DashboardLink(f"Runbook: {alert}")
        .type(models.DashboardLinkType.LINK)
        .url(f"{runbooks()}/{alert}.md")
        .target_blank(True)  # noqa: FBT003 - the library's signature
    )


@cache
def runbooks() -> str:
    """Where the runbooks are, as the rules have it."""
    return render.load((render.RULES / "thresholds.yml").read_text(encoding="utf-8")).links["runbooks"]


def siblings() -> builders.DashboardLink:
    """The row of links to all dashboards, on top of each."""
    return (
        builders.DashboardLink("ODP dashboards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)  # noqa: FBT003 - the library's signature
        .include_vars(True)  # noqa: FBT003 - as above
        .keep_time(True)  # noqa: FBT003 - as above
    )
