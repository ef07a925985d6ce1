"""What lies beside the dashboards: files for Grafana, pictures, and the page that draws them."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest
import yaml

from dashboards import pictures
from dashboards.browser import View
from dashboards.links import Uid

DASHBOARDS = Path(pictures.__file__).parent
RENDER = DASHBOARDS / "render"
PAGE = DASHBOARDS.parent / "docs/dashboards.md"
MOST_BYTES = 330_000
"""Of a picture: docs/images is to stay small."""
_PNG = b"\x89PNG\r\n\x1a\n"


def test_grafana_is_told_of_a_data_source_that_the_dashboards_can_use() -> None:
    document = yaml.safe_load((DASHBOARDS / "provisioning/datasources/prometheus.yml").read_text(encoding="utf-8"))

    assert 1 == document["apiVersion"]
    assert [("prometheus", "5s")] == [
        (each["type"], each["jsonData"]["timeInterval"]) for each in document["datasources"]
    ]


def test_grafana_is_told_that_nobody_edits_the_dashboards() -> None:
    document = yaml.safe_load((DASHBOARDS / "provisioning/dashboards/odp.yml").read_text(encoding="utf-8"))
    (provider,) = document["providers"]

    assert ("file", False) == (provider["type"], provider["allowUiUpdates"])
    assert "path" in provider["options"]


def test_the_page_pins_all_that_it_is_built_of() -> None:
    """Grafana's packages do not fit each other but in one release."""
    package = json.loads((RENDER / "package.json").read_text(encoding="utf-8"))
    versions = [*package["dependencies"].values(), *package["devDependencies"].values(), *package["overrides"].values()]

    assert [] == [version for version in versions if not re.fullmatch(r"\d+\.\d+\.\d+", version)]


def test_the_lock_says_what_is_installed_and_not_from_where() -> None:
    lock = json.loads((RENDER / "package-lock.json").read_text(encoding="utf-8"))
    package = json.loads((RENDER / "package.json").read_text(encoding="utf-8"))
    installed = {name: each for name, each in lock["packages"].items() if name}

    assert package["dependencies"] == lock["packages"][""]["dependencies"]
    assert [] == [name for name, each in installed.items() if "resolved" in each]
    assert [] == [name for name, each in installed.items() if "integrity" not in each and not each.get("inBundle")]


@pytest.mark.parametrize("view", list(pictures.views("", 0, 0)), ids=pictures.name_of)
def test_every_picture_is_there_as_wide_as_it_says(view: View) -> None:
    picture = (pictures.DIRECTORY / pictures.name_of(view)).read_bytes()
    (width,) = struct.unpack(">I", picture[16:20])

    assert picture.startswith(_PNG)
    assert view.width == width
    assert len(picture) < MOST_BYTES


def test_no_picture_is_left_over() -> None:
    taken = {pictures.name_of(view) for view in pictures.views("", 0, 0)}

    assert taken == {path.name for path in pictures.DIRECTORY.glob("odp-*.png")}


def test_the_page_for_people_shows_every_dashboard() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert [] == [uid for uid in Uid if f"](images/{uid}-light-1600.png)" not in page]
    assert set(Uid) == set(re.findall(r"`(odp-[\w-]+)` *\|", page)) & set(Uid)
