"""The whole way of an alert: Prometheus with the rules, Alertmanager with the routes, whoever is told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .alertmanager import Alertmanager, alertmanager
from .prometheus import Job, Prometheus, prometheus, watching
from .receiver import Receiver, receiver

TOKEN = "not-a-secret"  # noqa: S105 - says what it is
AT_ONCE = {"group_wait": "0s", "group_interval": "1s"}
"""Times of a route that lets nobody wait."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A running one."""

    prometheus: Prometheus
    alertmanager: Alertmanager
    receiver: Receiver


@contextlib.asynccontextmanager
async def chain(
    directory: Path, jobs: Sequence[Job], rules: Iterable[Path], routes: str, *, evaluation_interval: str = "1s"
) -> AsyncIterator[Chain]:
    """Run all of it; *routes* is an Alertmanager configuration, whose receivers become one (see `rewired`)."""
    token_file = directory / "token"
    token_file.write_text(TOKEN, encoding="ascii")
    async with (
        receiver(token=TOKEN) as told,
        alertmanager(directory, rewired(routes, told.url, token_file)) as routing,
        prometheus(
            directory,
            watching(*jobs, rules=rules, alertmanagers=[routing.url], evaluation_interval=evaluation_interval),
        ) as watched,
    ):
        yield Chain(watched, routing, told)


def rewired(routes: str, url: str, token_file: Path) -> str:
    """An Alertmanager configuration whose receivers, under their names, are all paths of one receiver at *url*."""
    document = yaml.safe_load(routes)
    http_config = {"authorization": {"credentials_file": str(token_file)}}
    for each in document["receivers"]:
        webhooks = each.pop("webhook_configs")
        kept = {"send_resolved": webhooks[0].get("send_resolved", True), "http_config": http_config}
        each["webhook_configs"] = [{"url": f"{url}/{each['name']}", **kept}]
    return json.dumps(document)


def hurried(routes: str) -> str:
    """An Alertmanager configuration under which nobody waits and nothing is muted; who is told what is unchanged."""
    document = yaml.safe_load(routes)
    document.pop("inhibit_rules", None)
    for route in _routes(document["route"]):
        route.update(AT_ONCE)
    return json.dumps(document)


def _routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for child in route.get("routes", ()):
        yield from _routes(child)


def files_of(profile: Path) -> list[Path]:
    """The rule files of a profile, in order."""
    return sorted(profile.glob("*.yml"))


def alerts_of(profile: Path) -> Mapping[str, Mapping[str, str]]:
    """The static labels of every alert of a profile, by name."""
    documents = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files_of(profile)]
    rules = (rule for document in documents for group in document["groups"] for rule in group["rules"])
    return {rule["alert"]: rule.get("labels", {}) for rule in rules if "alert" in rule}
