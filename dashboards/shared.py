"""Panels and expressions that more than one dashboard has."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries

from . import promql
from .board import OUR_ALERTS, Annotation
from .links import to_odp
from .palette import BALANCED, NONE_IS_GOOD, SAFETY, STAGES, STATES, Colour, Steps, Words, yes_or_no
from .panels import About, Query, by_last_digit, dots, number
from .promql import of

ONE_SECOND: Steps = ((0, Colour.GOOD), (1, Colour.BAD))
"""What an application bears without its users noticing."""
TIMEOUT: Steps = ((0, Colour.GOOD), (1, Colour.WARNING), (5, Colour.BAD))
"""Of seconds: what a probe is given by default, and what ODP gives OCP."""
NEAR_LIMIT: Steps = ((0, Colour.GOOD), (0.85, Colour.WARNING), (0.95, Colour.BAD))
"""Of a limit; the first is where alerts begin."""
ENDPOINTS: Words = yes_or_no("ok", "fails")
POOLS: Words = yes_or_no("answers", "fails")
SURVIVES: Words = yes_or_no("survives", "loses clusters", otherwise=Colour.WARNING)
SHORT_SURVIVES: Words = yes_or_no("survives", "loses", otherwise=Colour.WARNING)
RESTART_SAFE: Words = yes_or_no("safe", "unsafe", otherwise=Colour.WARNING)
VALID: Words = yes_or_no("valid", "refused")
PRESENT: Words = yes_or_no("present", "missing", otherwise=Colour.WARNING)


def state(*matchers: str) -> str:
    """The state of each ODP, as the exporter says that sees it worst."""
    return promql.coded("odp_state", STATES, *matchers, by="odp")


def stage(*matchers: str) -> str:
    """The stage of each ODP's repair."""
    return promql.coded("odp_remediation_state", STAGES, *matchers, by="odp")


def balanced(*matchers: str) -> str:
    """What load balancers do with each ODP; the worst, where there are several."""
    return promql.coded("odp_lb_backend_state", BALANCED, *matchers, by="odp", prefix="LB ")


def safety(*matchers: str) -> str:
    """Whether each ODP would come back whole, as a number of SAFETY."""
    return f"{min(SAFETY)} + min by (odp) ({of('odp_restart_safe', *matchers)})"


def survives(*matchers: str) -> str:
    """1 for each ODP that would live through an outage of OCP, 0 for others."""
    return f"min by (odp) ({of('odp_survives_ocp_outage', *matchers)})"


def under_repair(*matchers: str) -> str:
    """1 for each ODP that a repair is at work on, 0 for others."""
    stages = 'state=~"looking|waiting|draining|acting|verifying|enabling"'
    return f"sum by (odp) ({of('odp_remediation_state', stages, *matchers)})"


def held(*matchers: str) -> str:
    """1 for each ODP that is left to people, 0 for others."""
    return f"max by (odp) ({of('odp_remediation_state', *matchers, state='held')})"


def recoveries(*matchers: str) -> timeseries.Panel:
    """Each recovery by how long it took."""
    panel = dots(
        About(
            "Recoveries against the 1 s line",
            "How long was each ODP gone? Dots where an outage has ended, by the time from its first failed greeting to "
            "the next whole one; below the line, applications hardly notice. An outage that goes on has no dot yet.",
            "s",
            ONE_SECOND,
            links=(to_odp(),),
            alerts=("OdpSlowRecovery",),
            nothing="no outage has ended in this time",
        ),
        Query(promql.mean("odp_recovery_duration_seconds", *matchers, by="odp"), "{{odp}}"),
    )
    return by_last_digit(panel).min(0.1)


def held_number(each: str) -> stat.Panel:
    """How many ODPs wait for people, out of an expression that gives 1 for *each* that does."""
    return number(
        About(
            "Held",
            "How many ODPs has the remediator left to people? They stay out of the load balancer until a person acts.",
            "none",
            NONE_IS_GOOD,
            nothing="no remediator",
        ),
        f"sum({each})",
    )


def firing(*matchers: str) -> Annotation:
    """Alerts that fire."""
    selector = ", ".join(('alertstate="firing"', OUR_ALERTS, *matchers))
    return Annotation("Alerts", f"ALERTS{{{selector}}}", "{{alertname}}", "{{odp}}{{pool}}{{ocp}}", Colour.BAD)


def repairs(*matchers: str) -> Annotation:
    """Steps of repairs that changed something."""
    steps = ('action=~"drain|replace|enable|hold"', 'outcome="done"')
    taken = promql.growth("odp_remediation_actions_total", *steps, *matchers, over=promql.RATE)
    expr = f"sum by (odp, action) ({taken}) > 0"
    return Annotation("Repairs", expr, "{{action}} {{odp}}", "by the remediator", Colour.ODD)
