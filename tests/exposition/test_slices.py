"""The page of a large fleet: made in slices, and no other than in one go."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from odp_exporter.exposition import collector as collecting
from odp_exporter.exposition import web
from odp_exporter.exposition.collector import OWNERS, Collector
from odp_exporter.metrics.rendering import Format, page
from odp_exporter.observations import GreetingObservation, ProbeResult
from odp_exporter.targets import Address, Target

from .conftest import NOON

FLEET = 3 * OWNERS + 1


@pytest.fixture
def fleet(collector: Collector) -> Collector:
    """Scrapes so many targets that no family is made in one go."""
    names = [f"odp-{number}" for number in range(FLEET)]
    collector.store.keep(odps=[Target(name, Address("192.0.2.1", 2883)) for name in names], pools=[], ocps=[])
    for name in names:
        collector.store.record(GreetingObservation(name, NOON, ProbeResult.OK))
    return collector


async def test_every_family_has_its_header_once_and_every_target_its_line(fleet: Collector) -> None:
    whole = b"".join(await web.rendered(fleet.blocks(), Format.TEXT)).decode()
    headers = Counter(line.split()[2] for line in whole.splitlines() if line.startswith("# TYPE "))

    assert {1} == set(headers.values())
    assert FLEET == whole.count("\nodp_up{")


@pytest.mark.parametrize("form", Format)
async def test_slices_make_the_page_that_one_go_makes(
    fleet: Collector, form: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    sliced = b"".join(await web.rendered(fleet.blocks(), form)).decode()
    monkeypatch.setattr(collecting, "OWNERS", FLEET + 1)

    assert page(fleet.blocks(), form) == sliced


async def test_probes_have_their_turn_while_a_page_is_made(fleet: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = 0

    async def probing() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(web, "SLICE_SECONDS", 0.0)
    async with asyncio.TaskGroup() as group:
        other = group.create_task(probing())
        await asyncio.sleep(0)
        before = turns
        await web.rendered(fleet.blocks(), Format.TEXT)
        meanwhile = turns - before
        other.cancel()

    assert meanwhile > FLEET / OWNERS


async def test_a_target_that_leaves_meanwhile_is_shown_to_the_end(fleet: Collector) -> None:
    """All bits are of one moment: no family has a target that another has not."""
    blocks = fleet.blocks()
    first = next(blocks)
    fleet.store.keep(odps=[], pools=[], ocps=[])
    whole = page([first, *blocks], Format.TEXT)

    assert FLEET == whole.count("\nodp_up{") == whole.count("\nodp_info{")
