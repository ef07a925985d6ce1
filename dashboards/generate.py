"""Writes the dashboards as Grafana reads them: `python -m dashboards.generate [DIRECTORY]`."""

from __future__ import annotations

import json
import sys
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


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else DIRECTORY)
