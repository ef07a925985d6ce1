"""What the programs of the night are told: one configuration for exporter and remediator, one for Alertmanager."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from odp_exporter.simulator.fleet import Ocp, Odp
from odp_exporter.simulator.stack.haproxy import HOST, Haproxy
from odp_exporter.simulator.stack.prometheus import Job, watching

POOLS: Mapping[str, Sequence[str]] = {"trade": ("odp-1", "odp-2", "odp-3"), "pay": ("odp-4", "odp-5", "odp-6")}
"""The ODPs of each pool."""
TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of a look-alike
EXPORTER, REMEDIATOR, OWN = "odp-exporter", "odp-remediator", "odp"
"""Prometheus' jobs: ours, and ODP's own endpoint."""
_RECEIVER = "remediator"
_POLICY = {
    "cool_down": "1s",
    "look_again": "1s",
    "session_wait": "500ms",
    "verify_over": "1s",
    "verify_deadline": "10s",
    "survey_grace": "500ms",
    "hold": "5m",
    "hold_max": "10m",
}
"""As short as it takes for a night to fit in a minute."""


def shared(
    directory: Path, odps: Mapping[str, Odp], ocp: Ocp, balancers: Mapping[str, Haproxy], alertmanager: str
) -> Mapping[str, object]:
    """The part of the configuration that both programs read."""
    return {
        "odps": [
            {"name": name, "address": _at(odps[name].address), "home": str(odps[name].home), "pool": pool}
            for pool, names in POOLS.items()
            for name in names
        ],
        "pools": {
            pool: {"vip": _at((HOST, balancer.ports.sql)), "lb": f"lb-{pool}", "min_serving": 1, "max_concurrent": 1}
            for pool, balancer in balancers.items()
        },
        "ocp": [{"name": "ocp", "url": ocp.url, "interval": "1s"}],
        "probe": {"interval": "1s", "timeout": "500ms"},
        "cache": {"interval": "1s"},
        "discovery": {"enabled": False},
        "state_directory": str(directory / "state"),
        "alertmanagers": [alertmanager],
    }


def remediation(
    directory: Path, odps: Iterable[str], balancers: Mapping[str, Haproxy], exporter: str, port: int
) -> Mapping[str, object]:
    """The part that only the remediator reads."""
    return {
        "listen_address": f"{HOST}:{port}",
        "token_file": str(token_file(directory)),
        "journal": str(directory / "journal.db"),
        "receivers": [_RECEIVER],
        "survey_interval": "1s",
        "alertmanager_interval": "5s",
        "exporters": dict.fromkeys(odps, exporter),
        "policy": _POLICY,
        "actuators": {
            "default": {
                "type": "local",
                "state_directory": str(directory / "actuator"),
                "exporter_state_directory": str(directory / "state"),
            }
        },
        "lbs": {
            f"lb-{pool}": {
                "type": "haproxy",
                "sockets": [str(balancer.admin_socket)],
                "master_sockets": [str(balancer.master_socket)],
                "backend": "odp",
            }
            for pool, balancer in balancers.items()
        },
    }


def alertmanager(directory: Path, remediator: str) -> str:
    """Alerts of repairs and the heartbeat go to the *remediator*, the others to nobody."""
    webhook = {
        "url": f"{remediator}/v1/alertmanager",
        "http_config": {"authorization": {"credentials_file": str(token_file(directory))}},
    }
    told = {"receiver": _RECEIVER, "group_wait": "0s"}
    routes = [
        {"matchers": ["alertname = Watchdog"], "group_interval": "5s", "repeat_interval": "5s", **told},
        {"matchers": ['remediation != ""'], "group_interval": "1s", "repeat_interval": "10s", **told},
    ]
    return json.dumps(
        {
            "route": {"receiver": "nobody", "group_by": ["alertname", "odp", "pool"], "routes": routes},
            "receivers": [{"name": "nobody"}, {"name": _RECEIVER, "webhook_configs": [webhook]}],
        }
    )


def prometheus(
    exporter: str, remediator: str, own: Mapping[str, str], rules: Iterable[Path], alertmanagers: Iterable[str]
) -> str:
    """Scrape everything each second; *own* has ODP's own endpoints by the ODP's name."""
    jobs = (Job(EXPORTER, [exporter]), Job(REMEDIATOR, [remediator]))
    document = json.loads(watching(*jobs, rules=rules, alertmanagers=alertmanagers))
    document["scrape_configs"].append(
        {
            "job_name": OWN,
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "static_configs": [{"targets": [target], "labels": {"odp": odp}} for odp, target in own.items()],
        }
    )
    return json.dumps(document, indent=1)


def token_file(directory: Path) -> Path:
    """Where the remediator's token is."""
    return directory / "token"


def _at(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"
