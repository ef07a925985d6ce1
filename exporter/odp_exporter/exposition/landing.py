"""The page at `/`: what this is, what it sees, and where to look further.

Plain HTML that needs no script and nothing from elsewhere. Everything that
comes from outside is escaped, and no URL of an OCP is shown: it may carry
credentials.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape
from urllib.parse import urlencode

from odp_exporter.store import OcpRecord, OdpRecord, PoolRecord, ProbeRecord, Store

from .tables.greeting import present_state
from .tables.row import Moment

STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:70em;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border-bottom:1px solid #ccc;padding:.3em .6em;text-align:left;vertical-align:top}"
)
LINKS = (
    ("metrics", "Metrics"),
    ("-/healthy", "Healthy"),
    ("-/ready", "Ready"),
)

Row = tuple[str, str, str, str, str]
"""Cells of the table, as HTML."""


def landing_page(store: Store, version: str, moment: Moment) -> str:
    """The page as of that *moment*."""
    rows = [
        *(_odp(record, moment) for record in store.odps.values()),
        *(_pool(record, moment.now) for record in store.pools.values()),
        *(_ocp(record, moment.now) for record in store.ocps.values()),
    ]
    links = " &middot; ".join(f'<a href="{path}">{title}</a>' for path, title in LINKS)
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en"><head><meta charset="utf-8"><title>odp-exporter</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>odp-exporter</h1>\n"
        f"<p>Release {escape(version)}. It measures OceanBase Database Proxy for Prometheus.</p>\n"
        f"<p>{links}</p>\n{_table(rows)}</body></html>\n"
    )


def _table(rows: Iterable[Row]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    if not body:
        return "<p>Nothing is probed: the configuration names no target, and none was found on this host.</p>\n"
    return (
        "<table><thead><tr><th>Target</th><th>State</th><th>Last result</th><th>When</th><th>Probe now</th></tr>"
        f"</thead>\n<tbody>{body}</tbody></table>\n"
    )


def _odp(record: OdpRecord, moment: Moment) -> Row:
    target = record.target
    return (
        _named("ODP", target.name, str(target.address)),
        escape(present_state(record, moment)),
        *_last(record.probes, moment.now),
        _probe(target.name, "greeting"),
    )


def _pool(record: PoolRecord, now: datetime) -> Row:
    name, vip = record.pool.name, record.pool.vip
    if vip is None:
        return (_named("pool", name, "no address"), "", "", "", "")
    return (_named("pool", name, str(vip)), "", *_last(record.probes, now), _probe(name, "greeting"))


def _ocp(record: OcpRecord, now: datetime) -> Row:
    latest = record.latest
    if latest is None:
        return (_named("OCP", record.ocp.name, ""), "", "not probed yet", "", _probe(record.ocp.name, "ocp"))
    results = ", ".join(f"{reply.endpoint} {reply.result}" for reply in latest.endpoints)
    return (
        _named("OCP", record.ocp.name, ""),
        "",
        escape(results),
        _ago(latest.at, now),
        _probe(record.ocp.name, "ocp"),
    )


def _probe(name: str, module: str) -> str:
    query = urlencode({"target": name, "module": module, "debug": "true"})
    return f'<a href="probe?{escape(query)}">{module}</a>'


def _named(kind: str, name: str, address: str) -> str:
    suffix = f" ({escape(address)})" if address and address != name else ""
    return f"{kind} {escape(name)}{suffix}"


def _last(probes: ProbeRecord, now: datetime) -> tuple[str, str]:
    latest = probes.latest
    if latest is None:
        return "not probed yet", ""
    detail = f": {latest.detail}" if latest.detail else ""
    return escape(f"{latest.result}{detail}"), _ago(latest.at, now)


def _ago(at: datetime, now: datetime) -> str:
    return f"{max(0.0, (now - at).total_seconds()):.0f} s ago"
