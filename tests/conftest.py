"""What the tests of every package share: an event loop of their own, calm Hypothesis, tools from Debian."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import hypothesis
import pytest

IN_CI = os.environ.get("CI") == "true"


def pytest_configure() -> None:
    # Otherwise pytest-asyncio's look at "the current loop" makes one that nobody closes (CPython 3.11).
    asyncio.set_event_loop(None)
    # A slow machine is no failure, and a CI run judges the change, not the dice.
    hypothesis.settings.register_profile("project", deadline=None, derandomize=IN_CI)
    hypothesis.settings.load_profile("project")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI nothing may be left out: what is skipped has failed, with its reason."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"left out, which CI=true forbids: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def debian() -> Callable[[str], str]:
    """Gives the path of a tool that tests/debian-tools lists; without the tool a test is skipped, in CI it fails."""
    return _path_of


def _path_of(tool: str) -> str:
    listed = Path(__file__).with_name("debian-tools").read_text(encoding="ascii")
    packages = dict(line.split() for line in listed.splitlines())
    if path := shutil.which(tool, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"):
        return path
    pytest.skip(f"{tool} is missing (try: apt-get install {packages[tool]})")
