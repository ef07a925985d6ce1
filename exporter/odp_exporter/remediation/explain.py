"""What was seen and what would be done, in words: for the audit, and for `odp-remediator plan`.

The same judge decides here as in the live run (S31).
"""

from __future__ import annotations

from datetime import datetime

from .judge import judge
from .model import Evidence, Fleet, Plan, Refusal, Replace, Start, TakeOut
from .policy import Inventory, Policy


def explain(  # noqa: PLR0913, PLR0917 - what judge() takes
    fleet: Fleet, odp: str, evidence: Evidence, now: datetime, policy: Policy, inventory: Inventory
) -> str:
    """What would be done about *odp* if an alert asked for it now, and on what grounds; several lines."""
    verdict = judge(fleet, odp, evidence, now, policy, inventory)
    lines = [f"{odp}: {plan_text(verdict)}", f"  seen: {summary(evidence)}"]
    return "\n".join([*lines, *(f"  not seen: {gap}" for gap in evidence.gaps)])


def plan_text(verdict: Plan | Refusal) -> str:
    """A verdict for a person, in one line."""
    match verdict:
        case Refusal(reason=reason, detail=detail):
            return f"nothing would be done ({reason}): {detail}"
        case Start():
            return "would be drained, started, verified and put back"
        case Replace(process=process):
            return f"would be drained, process {process.pid} ended, another started, verified and put back"
        case TakeOut(why=why):
            return f"would be drained and left to people ({why})"


def summary(evidence: Evidence) -> str:
    """What a decision rested on, in one line."""
    greeted = ", ".join(evidence.greetings) or "none"
    peers = ", ".join(f"{odp} {result}" for odp, result in sorted(evidence.peers.items())[:_SHOWN])
    return "; ".join([f"greetings: {greeted}", *_host(evidence), *_report(evidence), f"others: {peers or 'none'}"])


_SHOWN = 10
"""A pool may have a thousand members, and a line of the audit has a reader."""


def _host(evidence: Evidence) -> list[str]:
    if evidence.host is None:
        return ["processes: not seen"]
    pids = ", ".join(str(process.pid) for process in evidence.host.processes)
    return [f"processes: {pids or 'none'}"]


def _report(evidence: Evidence) -> list[str]:
    report = evidence.report
    if report is None:
        return ["exporter: not heard"]
    safe = {True: "safe", False: "unsafe", None: "of unknown safety"}[report.restart_safe]
    return [f"exporter: {report.state}, a restart is {safe}"]
