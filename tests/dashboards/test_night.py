"""A bad night, and whether the dashboards show it: every query to the real Prometheus, every panel in a real browser.

One test, as the night takes most of a minute.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from odp_exporter.simulator.stack.prometheus import Prometheus
from odp_exporter.simulator.stack.server import ServerFailed

from dashboards import browser
from dashboards.browser import Look, View
from dashboards.links import Uid
from dashboards.night.story import night
from dashboards.pictures import VARIABLES
from tests.dashboards import boards
from tests.dashboards.boards import Json, Target

SECONDS = 45.0
MAY_BE_EMPTY: Mapping[tuple[str, str], str] = {
    (Uid.ONE, "SQL requests by result"): "the look-alike passes no SQL",
}
"""What shows nothing in that night, and why."""


async def asked(prometheus: Prometheus, query: str, begin: float, end: float) -> int:
    """How many series *query* gives over the night."""
    reply = await prometheus.server.get("/api/v1/query_range", query=query, start=f"{begin}", end=f"{end}", step="1")
    return len(json.loads(reply)["data"]["result"])


async def valued(prometheus: Prometheus, target: Target, uid: str) -> int:
    """How many values a variable has."""
    parameters = {"match[]": filled(target.expr, uid)}
    return len(json.loads(await prometheus.server.get(f"/api/v1/label/{target.label}/values", **parameters))["data"])


def filled(expr: str, uid: str) -> str:
    """*expr* as Grafana would send it, with All for what is not chosen."""
    chosen = {"job": ".+", "pool": ".*", "ocp": ".+", "odp": ".+", **VARIABLES.get(Uid(uid), {})}
    for name, value in chosen.items():
        expr = expr.replace(f"${name}", value)
    return expr.replace("$__rate_interval", "4s").replace("$__range", f"{SECONDS:.0f}s")


async def silent(prometheus: Prometheus, uid: str, board: Json, begin: float, end: float) -> list[str]:
    """The queries of a dashboard that fail, or give nothing."""
    found = []
    for target in (*boards.of_panels(board), *boards.of_annotations(board)):
        try:
            count = await asked(prometheus, filled(target.expr, uid), begin, end)
        except ServerFailed as failure:
            found.append(f"{uid}: {target.where}: {failure}")
            continue
        if not count and (uid, target.where) not in MAY_BE_EMPTY:
            found.append(f"{uid}: {target.where}: gives nothing: {filled(target.expr, uid)}")
    values = {target.where: await valued(prometheus, target, uid) for target in boards.of_variables(board)}
    return [*found, *(f"{uid}: {where}: has no values" for where, count in values.items() if not count)]


def wrong(view: View, look: Look, board: Json) -> Iterator[str]:
    """What is wrong with how a dashboard looked."""
    yield from (f"{view.dashboard}: {error}" for error in look.errors)
    titles = {panel["title"] for panel in boards.panels(board)}
    yield from (f"{view.dashboard}: {title} was not drawn" for title in sorted(titles - look.drawn))
    for each in look.asked:
        if not each.count and (view.dashboard, each.who) not in MAY_BE_EMPTY:
            yield f"{view.dashboard}: {each.who}: is empty: {each.expr}"


@pytest.mark.timeout(240)
async def test_every_dashboard_shows_a_bad_night(
    debian: Callable[[str], str], committed: dict[str, Json], tmp_path: Path
) -> None:
    for tool in ("chromium", "haproxy", "prometheus", "prometheus-alertmanager"):
        debian(tool)
    if not browser.PAGE.exists():
        pytest.skip("the page is not built (try: make build/render/.built)")
    problems: list[str] = []
    async with night(tmp_path, SECONDS) as stage, browser.browser(tmp_path) as eye:
        end = time.time()
        for uid in Uid:
            board, begin = committed[f"{uid}.json"], end - SECONDS
            problems += await silent(stage.prometheus, uid, board, begin, end)
            view = View(uid, stage.prometheus.url, begin, end, VARIABLES.get(uid, {}))
            problems += wrong(view, await eye.look(view), board)

    assert [] == problems


async def test_a_page_that_fails_says_so(debian: Callable[[str], str], tmp_path: Path) -> None:
    """Nobody answers at that address, so nothing may look well."""
    debian("chromium")
    if not browser.PAGE.exists():
        pytest.skip("the page is not built (try: make build/render/.built)")
    nobody = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = nobody.sockets[0].getsockname()[1]
    async with nobody, browser.browser(tmp_path) as eye:
        look = await eye.look(View(Uid.FLEET, f"http://127.0.0.1:{port}", 0, 60, {}))

    assert [error for error in look.errors if f"http://127.0.0.1:{port} does not answer" in error]
