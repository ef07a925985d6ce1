"""The rules of this checkout."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rules import render


@pytest.fixture(scope="session")
def settings() -> render.Settings:
    """What thresholds.yml says."""
    return render.load((render.RULES / "thresholds.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def sources() -> Mapping[str, str]:
    """The rules with their placeholders."""
    return render.read_sources()


@pytest.fixture(scope="session")
def outputs(settings: render.Settings, sources: Mapping[str, str]) -> Mapping[str, str]:
    """What rendering them gives."""
    return render.outputs(settings, sources)
