"""The series that dashboards may name: ours, Prometheus' own of alerts, and those of ODP's endpoint on port 2884."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from tests.rules.vocabulary import OF_TARGETS, Labels, Series, known_series

_OF_ALERTS: Labels = dict.fromkeys(
    ("alertname", "alertstate", "severity", "remediation", "odp", "pool", "ocp", "job", "instance")
)
_COMMON = ("odp", "ip", "namespace", "odpVersion", "logicTenant", "logicSchema", "cluster", "tenant")
"""Labels of all that ODP exports (odp-facts 6), and `odp`, which the scrape configuration gives."""


def _own(*labels: str, is_counter: bool) -> Series:
    return Series({**OF_TARGETS, **dict.fromkeys((*_COMMON, *labels))}, is_counter)


OWN: Mapping[str, Series] = {
    "odp_transaction_total": _own("schema", is_counter=True),
    "odp_sql_request_total": _own("schema", "sqlType", "slowQuery", "sqlResult", "partitionHit", is_counter=True),
    "odp_sql_cost_total": _own("schema", "sqlType", "timeType", is_counter=True),
    "odp_current_session": _own("sessionType", "vip", is_counter=False),
    "odp_new_client_connections": _own("vip", "connectionResult", is_counter=True),
}
"""ODP's own (odp-facts 6); those that need enable_extra_prometheus_metric are left out."""


@cache
def known() -> dict[str, Series]:
    """Every series that a dashboard may name."""
    alerts = {name: Series(_OF_ALERTS) for name in ("ALERTS", "ALERTS_FOR_STATE")}
    return {**OWN, **known_series(), **alerts}
