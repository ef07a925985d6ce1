"""The dashboards of this checkout."""

from __future__ import annotations

import pytest
from grafana_foundation_sdk.cog.plugins import register_default_plugins

from tests.dashboards import boards
from tests.dashboards.boards import Json


@pytest.fixture(scope="session")
def committed() -> dict[str, Json]:
    """Each dashboard by the name of its file."""
    return boards.load()


@pytest.fixture(scope="session", autouse=True)
def plugins() -> None:
    """Lets the library read what it has written."""
    register_default_plugins()
