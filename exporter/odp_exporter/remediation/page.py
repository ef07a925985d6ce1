"""The page at `/`: pools, states, the last actions and refusals, and a button that pauses.

Plain HTML that needs no script. Everything that comes from outside is escaped;
what changes something is a form with a secret of this process in it, so that
no other page can send it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from .views import Json

STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:70em;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border-bottom:1px solid #ccc;padding:.3em .6em;text-align:left;vertical-align:top}"
    "form{margin:1em 0}.alarm{font-weight:bold}"
)
LINKS = (("v1/status", "Status"), ("v1/history", "History"), ("metrics", "Metrics"), ("-/ready", "Ready"))


def page(
    version: str, status: Mapping[str, Json], history: Sequence[Json], warnings: Iterable[str], secret: str
) -> str:
    """The page for a *status* and a *history* as views.py gives them."""
    links = " &middot; ".join(f'<a href="{path}">{title}</a>' for path, title in LINKS)
    alarms = "".join(f'<p class="alarm">{escape(warning)}</p>\n' for warning in warnings)
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en"><head><meta charset="utf-8"><title>odp-remediator</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>odp-remediator</h1>\n"
        f"<p>Release {escape(version)}. It repairs OceanBase Database Proxy.</p>\n<p>{links}</p>\n{alarms}"
        f"{_forms(_list(status, 'pauses'), status.get('brake'), secret)}"
        f"<h2>ODPs</h2>\n{_table(('ODP', 'Pool', 'Stage', 'Why', 'Alerts', 'Since'), map(_odp, _list(status, 'odps')))}"
        f"<h2>Load balancers</h2>\n"
        f"{_table(('Pool', 'ODP', 'State', 'Sessions', 'Weight'), _pools(_list(status, 'pools')))}"
        f"<h2>Latest decisions</h2>\n"
        f"{_table(('When', 'ODP', 'Action', 'Outcome', 'Reason', 'Detail'), map(_record, history))}"
        "</body></html>\n"
    )


def _forms(pauses: Sequence[Json], brake: Json, secret: str) -> str:
    rows = [
        (_text(each, "scope"), _text(each, "name"), _text(each, "who"), _text(each, "why"), _text(each, "until"))
        for each in pauses
    ]
    paused = _table(("Paused", "Name", "By", "Why", "Until"), rows) if rows else ""
    word = "resume" if brake or any(_text(each, "scope") == "fleet" for each in pauses) else "pause"
    return (
        f'{paused}<form method="post" action="page/{word}"><input type="hidden" name="secret" value="{escape(secret)}">'
        f'<label>Reason <input name="reason" required maxlength="200" size="40"></label> '
        f"<button>{word.capitalize()} the whole fleet</button></form>\n"
    )


def _odp(each: Json) -> tuple[str, ...]:
    alerts = ", ".join(map(str, _list(each, "alerts")))
    why = " ".join(part for part in (_text(each, "why"), f"paused: {_text(each, 'paused')}") if part != "paused: ")
    return _text(each, "odp"), _text(each, "pool"), _text(each, "stage"), why, alerts, _text(each, "since")


def _pools(pools: Iterable[Json]) -> Iterable[tuple[str, ...]]:
    for pool in pools:
        name, problem = _text(pool, "pool"), _text(pool, "problem")
        if problem:
            yield name, "", problem, "", ""
        members = pool.get("members") if isinstance(pool, Mapping) else None
        for odp, member in members.items() if isinstance(members, Mapping) else ():
            yield name, odp, _text(member, "state"), _text(member, "sessions"), _text(member, "weight")


def _record(each: Json) -> tuple[str, ...]:
    return tuple(_text(each, key) for key in ("at", "odp", "action", "outcome", "reason", "detail"))


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    if not body:
        return "<p>None.</p>\n"
    head = "".join(f"<th>{escape(title)}</th>" for title in heads)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>\n"


def _text(value: Json, key: str) -> str:
    found = value.get(key) if isinstance(value, Mapping) else None
    return "" if found is None else str(found)


def _list(value: Json, key: str) -> Sequence[Json]:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, list) else []
