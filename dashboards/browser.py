"""A headless Chromium that looks at the page of render/, asks it what it saw, and takes pictures.

It is steered by the DevTools protocol over a socket of loopback. Nothing is
judged here: what the page reports is given back as it is.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from odp_exporter.simulator import tied
from odp_exporter.simulator.stack import server

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "build/render/dist"
"""What `make build/render/.built` builds out of render/."""
JSON = ROOT / "dashboards/json"
_HOST = "127.0.0.1"
_READY_SECONDS = 30.0
_DRAWN_SECONDS = 40.0
"""How long a dashboard may take to be drawn, on a busy machine."""
_TALLEST = 4000
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
_Object = dict[str, Any]


class Theme(StrEnum):
    """How Grafana looks."""

    DARK = "dark"
    LIGHT = "light"


@dataclass(frozen=True, slots=True)
class View:
    """What is to be looked at, and how."""

    dashboard: str
    """Its uid."""
    prometheus: str
    """URL."""
    begin: float
    """Unix time."""
    end: float
    """Unix time."""
    variables: Mapping[str, str]
    theme: Theme = Theme.DARK
    width: int = 1600


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that the page has sent."""

    who: str
    """The title of the panel, or `variable`."""
    expr: str
    count: int
    """How many series or values came back."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a dashboard looked like."""

    asked: Sequence[Asked]
    errors: Sequence[str]
    """Of queries, of panels, and those that nobody caught."""
    drawn: frozenset[str]
    """Titles of the panels that were drawn with their data."""
    picture: bytes
    """PNG, as high as the dashboard is."""


class BrowserFailed(Exception):
    """Chromium ended, or does not do as it is told."""


class Browser:
    """A running Chromium with one tab."""

    def __init__(self, tab: aiohttp.ClientWebSocketResponse, pages: str) -> None:
        self._tab = tab
        self._pages = pages
        self._numbers = itertools.count(1)

    async def look(self, view: View) -> Look:
        """Draw a dashboard, wait until everything is there, and take its picture."""
        await self._size(view.width, _TALLEST)
        await self._do("Page.navigate", url=f"{self._pages}/index.html?{urlencode(_query(view))}")
        report = await self._report()
        height: int = await self._evaluate("Math.ceil(document.getElementById('root').scrollHeight)")
        await self._size(view.width, min(height, _TALLEST))
        taken = await self._do("Page.captureScreenshot", format="png")
        asked = [Asked(each["who"], each["expr"], each["count"]) for each in report["asked"]]
        picture = base64.b64decode(taken["data"])
        return Look(asked, report["errors"], frozenset(report["drawn"]), picture)

    async def _report(self) -> _Object:
        async with asyncio.timeout(_DRAWN_SECONDS):
            while True:
                report: _Object | None = await self._evaluate("window.report ? window.report() : null")
                if report and report["isDone"]:
                    return report
                await asyncio.sleep(0.1)

    async def _size(self, width: int, height: int) -> None:
        await self._do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def _evaluate(self, expression: str) -> Any:  # noqa: ANN401 - whatever the page says
        reply = await self._do("Runtime.evaluate", expression=expression, returnByValue=True)
        return reply["result"].get("value")

    async def _do(self, method: str, **parameters: str | float | bool) -> _Object:
        number = next(self._numbers)
        await self._tab.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(_READY_SECONDS):
            while True:
                reply = await self._tab.receive_json()
                if reply.get("id") == number:
                    break
        if "error" in reply:
            message = f"{method}: {reply['error']['message']}"
            raise BrowserFailed(message)
        result: _Object = reply["result"]
        return result


@contextlib.asynccontextmanager
async def browser(directory: Path, program: str = "chromium") -> AsyncIterator[Browser]:
    """Run Chromium with a profile of its own in *directory*, until the context ends."""
    profile = directory / "chromium"
    async with _pages() as pages, _chromium(profile, program) as port, aiohttp.ClientSession() as session:
        async with session.get(f"http://{_HOST}:{port}/json/list") as reply:
            tabs = [each for each in await reply.json() if each["type"] == "page"]
        async with session.ws_connect(tabs[0]["webSocketDebuggerUrl"], max_msg_size=0) as tab:
            yield Browser(tab, pages)


@contextlib.asynccontextmanager
async def _chromium(profile: Path, program: str) -> AsyncIterator[int]:
    """Gives the port at which it takes orders."""
    command = (shutil.which(program) or program, *_FLAGS, f"--user-data-dir={profile}", "about:blank")
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-IS", tied.__file__, str(os.getpid()), *command),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield await _port(process, profile)
        finally:
            await server.end(process)


async def _port(process: asyncio.subprocess.Process, profile: Path) -> int:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_READY_SECONDS):
            while process.returncode is None:
                if port := _written_port(profile):
                    return port
                await asyncio.sleep(0.05)
    message = f"it does not say where it takes orders; exit status {process.returncode}"
    raise BrowserFailed(message)


def _written_port(profile: Path) -> int:
    """The port that Chromium has written into its profile; 0 until it has."""
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        return int((profile / "DevToolsActivePort").read_text(encoding="ascii").split()[0])
    return 0


@contextlib.asynccontextmanager
async def _pages() -> AsyncIterator[str]:
    """Serve the page and the dashboards; gives the URL."""
    app = web.Application()
    app.router.add_static("/json", JSON)
    app.router.add_static("/", PAGE)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, _HOST, 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _query(view: View) -> Mapping[str, str]:
    return {
        "dashboard": f"json/{view.dashboard}.json",
        "prometheus": view.prometheus,
        "theme": view.theme,
        "from": f"{1000 * view.begin:.0f}",
        "to": f"{1000 * view.end:.0f}",
        **{f"var-{name}": value for name, value in view.variables.items()},
    }
