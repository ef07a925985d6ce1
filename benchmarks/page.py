"""docs/benchmarks.md: each benchmark writes the section between its own markers, and nothing is typed there by hand."""

from __future__ import annotations

import os
import platform
import re
import shutil
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_CPU = re.compile(r"^model name\s*: (.*)$", re.MULTILINE)


def write(section: str, text: str) -> None:
    """Put *text* where the page has the markers of *section*."""
    begin, end = f"<!-- {section}: generated, do not edit -->\n", f"<!-- end of {section} -->\n"
    before, found, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        message = f"{PAGE}: has no markers of {section}"
        raise SystemExit(message)
    PAGE.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}", encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column is text, the others are numbers."""
    lines = ["| " + " | ".join(each) + " |" for each in (head, *rows)]
    lines.insert(1, "|---|" + "--:|" * (len(head) - 1))
    return "\n".join(lines)


def machine(versions: Mapping[str, str] | None = None) -> str:
    """Where and when this was measured, and what else the machine had to do."""
    cpu = _CPU.search(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    told = "".join(f", {name} {version}" for name, version in (versions or {}).items())
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores ({cpu[1] if cpu else platform.machine()}), "
        f"Linux {platform.release()}, CPython {platform.python_version()}{told}; load at the end {load}."
    )


def version(program: str, *arguments: str) -> str:
    """What *program* says its version is."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") or program
    done = subprocess.run([path, *(arguments or ("--version",))], capture_output=True, text=True, check=False)  # noqa: S603 - programs that we measure
    found = re.search(r"version:? v?([0-9][0-9.]*)", done.stdout + done.stderr)
    return found[1] if found else "?"


def p95(values: Sequence[float]) -> float:
    """The 95th percentile; of few values the largest."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
