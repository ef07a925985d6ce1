"""What the end-to-end tests share: whole sites of real programs, under the rules and samples of this repository."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from odp_exporter.simulator.drills import repairs
from odp_exporter.simulator.stack.site import Blueprint, Programs, Site
from odp_exporter.simulator.stack.site import site as whole_site

ROOT = Path(__file__).parents[2]

MOST_FAILURES = 4
"""Clients are one after the other: those that meet a dead or hung ODP until somebody takes it out, a second each."""
OpenSite = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture(scope="module")
def opened(debian: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> OpenSite:
    """Opens a site of real programs, with what a test wants to be different from `repairs.blueprint`."""
    programs = Programs(*map(debian, ("haproxy", "prometheus-alertmanager", "prometheus")))

    @contextlib.asynccontextmanager
    async def open_site(**differences: Any) -> AsyncIterator[Site]:
        blueprint: Blueprint = repairs.blueprint(programs, ROOT, **differences)
        async with whole_site(tmp_path_factory.mktemp("site"), blueprint) as running:
            yield running

    return open_site


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(opened: OpenSite) -> AsyncIterator[Site]:
    """The site of one module, as `repairs.blueprint` has it."""
    async with opened() as site:
        yield site


@pytest_asyncio.fixture(loop_scope="module")
async def site(running: Site) -> Site:
    """The same, once nothing is left of the test before."""
    await repairs.calm(running)
    return running
