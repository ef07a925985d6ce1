"""Writes the dashboards as Grafana reads them: `python -m dashboards.generate [DIRECTORY]`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from . import fleet, ocp_cache, one, remediation
from .board import Board

DIRECTORY = Path(__file__).with_name("json")


def boards() -> tuple[Board, ...]:
    """All dashboards."""
    return fleet.board(), one.board(), ocp_cache.board(), remediation.board()


def texts() -> Mapping[str, str]:
    """Each dashboard as JSON, by the name of its file."""
    return {
        f"{board.uid}.json": json.dumps(board.build(), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"
        for board in boards()
    }


def main(directory: Path) -> None:
    """Write them all into *directory*."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (directory / name).write_text(text, encoding="utf-8")


def directory_asked_for(what: str, default: Path) -> Path:
    """The one that the command line names, if it does."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("directory", nargs="?", type=Path, default=default, help="default: %(default)s")
    directory: Path = parser.parse_args().directory
    return directory


if __name__ == "__main__":
    main(directory_asked_for("Write the dashboards as Grafana reads them.", DIRECTORY))
