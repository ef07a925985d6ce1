"""What is committed is what the generator gives, and what Grafana takes."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import generate
from dashboards.board import shown
from dashboards.links import Uid
from tests.dashboards.boards import Json

ROOT = generate.DIRECTORY.parent.parent


def test_generating_changes_nothing(tmp_path: Path) -> None:
    generate.main(tmp_path)

    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert {path.name: path.read_text(encoding="utf-8") for path in generate.DIRECTORY.iterdir()} == written


def test_generating_twice_gives_the_same() -> None:
    assert generate.texts() == generate.texts()


def test_there_are_the_dashboards_that_alerts_lead_to(committed: dict[str, Json]) -> None:
    assert {"odp-fleet", "odp-one", "odp-ocp-cache", "odp-remediation"} == set(Uid)
    assert [(f"{uid}.json", uid.value) for uid in sorted(Uid)] == [
        (name, board["uid"]) for name, board in committed.items()
    ]


@pytest.mark.parametrize("uid", Uid)
def test_the_library_reads_what_it_wrote(committed: dict[str, Json], uid: Uid) -> None:
    """It drops keys that it does not know, so a misspelt one would be missed here."""
    board = committed[f"{uid}.json"]

    read = json.loads(json.dumps(shown(Dashboard.from_json(board)), cls=JSONEncoder))

    assert board == read


def test_the_library_is_the_one_for_today_s_grafana() -> None:
    """Not one with an epoch, which counts as newer and writes for Grafana 10.1."""
    pins = (ROOT / "constraints.txt").read_text(encoding="ascii").replace("_", "-").splitlines()

    assert "grafana-foundation-sdk==0.0.21" in pins
    assert "v0.0.21" == version("grafana-foundation-sdk")
    assert '"grafana-foundation-sdk==0.0.21"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
