"""What the API says, as plain values for JSON: the fleet, its history and plans. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from odp_exporter.lb.driver import Member

from .audit import Audited
from .case import pause_over
from .collector import lb_state
from .model import Evidence, Fleet, Pause
from .planning import Planned
from .policy import Inventory
from .reconciling import Survey
from .stages import stage_name, told

Json = Mapping[str, "Json"] | list["Json"] | str | float | bool | None


def status(fleet: Fleet, inventory: Inventory, surveys: Mapping[str, Survey], now: datetime) -> dict[str, Json]:
    """Everything that is believed."""
    return {
        "at": now.isoformat(),
        "brake": {"since": fleet.brake.since.isoformat(), "why": fleet.brake.why} if fleet.brake else None,
        "pauses": [_pause(pause) for pause in fleet.pauses],
        "pools": [_pool(name, inventory, surveys.get(name)) for name in inventory.pools],
        "odps": [_odp(odp, fleet, inventory, now) for odp in inventory.targets],
    }


def history(records: Iterable[Audited]) -> list[Json]:
    """Records of the audit."""
    return [
        {
            "id": each.id,
            "at": each.at.isoformat(),
            "odp": each.record.odp,
            "episode": each.record.episode,
            "action": str(each.record.action),
            "outcome": str(each.record.outcome),
            "reason": str(each.record.reason),
            "detail": each.record.detail,
        }
        for each in records
    ]


def planned(one: Planned) -> dict[str, Json]:
    """What would be done, and on what that rests."""
    return {
        "odp": one.odp,
        "stage": one.stage,
        "why": one.why,
        "commands": list(one.commands),
        "evidence": _evidence(one.evidence) if one.evidence else None,
    }


def _pause(pause: Pause) -> dict[str, Json]:
    return {
        "scope": pause.scope.value,
        "name": pause.name,
        "who": pause.who,
        "why": pause.why,
        "since": pause.since.isoformat(),
        "until": pause.until.isoformat() if pause.until else None,
    }


def _pool(name: str, inventory: Inventory, survey: Survey | None) -> dict[str, Json]:
    members = (survey.members if survey else None) or {}
    return {
        "pool": name,
        "lb": inventory.pools[name].lb,
        "read": survey.at.isoformat() if survey else None,
        "problem": survey.problem if survey else "not read yet",
        "members": {odp: _member(members.get(odp)) for odp in inventory.members[name]},
    }


def _member(member: Member | None) -> dict[str, Json]:
    if member is None:
        return {"state": "unknown"}
    return {"state": lb_state(member), "weight": member.weight, "sessions": member.sessions}


def _odp(odp: str, fleet: Fleet, inventory: Inventory, now: datetime) -> dict[str, Json]:
    stage, pause = fleet.stages.get(odp), pause_over(fleet, odp, now, inventory)
    return {
        "odp": odp,
        "pool": inventory.targets[odp].pool,
        "stage": stage_name(stage),
        "since": stage.since.isoformat() if stage else None,
        "why": told(stage),
        "paused": pause.why if pause else None,
        "alerts": [alert.name for alert in fleet.alerts.get(odp, ())],
    }


def _evidence(evidence: Evidence) -> dict[str, Json]:
    host, report = evidence.host, evidence.report
    return {
        "at": evidence.at.isoformat(),
        "greetings": [str(result) for result in evidence.greetings],
        "peers": {odp: str(result) for odp, result in evidence.peers.items()},
        "members": {odp: _member(member) for odp, member in (evidence.members or {}).items()},
        "processes": [process.pid for process in host.processes] if host else None,
        "obstacles": list(host.obstacles) if host else None,
        "restart_safe": report.restart_safe if report else None,
        "reasons": list(report.reasons) if report else None,
        "silenced": evidence.is_silenced,
        "gaps": list(evidence.gaps),
    }
