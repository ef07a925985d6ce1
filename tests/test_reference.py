from pathlib import Path

from odp_exporter.reference import page

ROOT = Path(__file__).parents[1]


def test_the_page_of_metrics_is_what_the_families_say() -> None:
    """`make docs` writes it."""
    assert page() == (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
