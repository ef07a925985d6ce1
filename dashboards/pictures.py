"""Plays a bad night and takes the pictures of docs/images: `python -m dashboards.pictures [DIRECTORY]`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from .browser import Look, Theme, View, browser
from .generate import directory_asked_for
from .links import Uid
from .night.story import HANG, night

DIRECTORY = Path(__file__).parent.parent / "docs/images"
WIDTHS = (1600, 1000)
SECONDS = 90.0
"""How long the night takes."""
_FIRST_SCRAPES = 6.0
"""Seconds at its begin that are left out: not everything has been scraped yet."""
VARIABLES: Mapping[Uid, Mapping[str, str]] = {Uid.ONE: {"odp": HANG}}
"""What is chosen; All elsewhere."""


def views(prometheus: str, begin: float, end: float) -> Iterator[View]:
    """Every dashboard, in every theme and width."""
    for uid, theme, width in product(Uid, Theme, WIDTHS):
        yield View(uid, prometheus, begin, end, VARIABLES.get(uid, {}), theme, width)


def name_of(view: View) -> str:
    """The file of its picture."""
    return f"{view.dashboard}-{view.theme}-{view.width}.png"


async def take(directory: Path) -> None:
    """Take them all into *directory*."""
    with TemporaryDirectory(prefix="odp-night-") as temporary:
        async with night(Path(temporary), SECONDS) as stage, browser(Path(temporary)) as eye:
            end = time.time()
            for view in views(stage.prometheus.url, end - SECONDS + _FIRST_SCRAPES, end):
                _keep(directory / name_of(view), await eye.look(view))


def _keep(file: Path, look: Look) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(look.picture)
    print(file.name, f"{len(look.picture) // 1000} kB", *look.errors, flush=True)  # noqa: T201 - tells a person how far it is


if __name__ == "__main__":
    asyncio.run(take(directory_asked_for("Play a bad night and take pictures of all dashboards.", DIRECTORY)))
