"""What Prometheus and its users expect of names."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from odp_exporter.catalogue import EXPORTER, REMEDIATOR
from odp_exporter.exposition import families
from odp_exporter.metrics.family import Family, Kind
from odp_exporter.targets import RESERVED_LABELS

EVERY = (*EXPORTER, *REMEDIATOR)
OF_ODP_ITSELF = re.compile(
    "odp_transaction_total|odp_sql_.*|odp_current_.*|odp_new_.*|odp_request_byte|odp_entry_total|odp_rpc_.*"
    "|odp_used_rpc_connections|exposer_.*"
)
"""The names on port 2884 (odp-facts 6)."""


def series(family: Family) -> Iterator[str]:
    """Names under which samples of a family appear."""
    suffixes = ("_bucket", "_count", "_sum") if family.kind is Kind.HISTOGRAM else ("",)
    return (family.name + suffix for suffix in suffixes)


def test_no_name_is_given_twice() -> None:
    names = [name for family in EVERY for name in series(family)]

    assert sorted(set(names)) == sorted(names)


def test_no_name_is_one_of_odps_own_endpoint() -> None:
    """Both endpoints are scraped side by side, and a query must not mix them."""
    assert [] == [name for family in EVERY for name in series(family) if OF_ODP_ITSELF.fullmatch(name)]


@pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)
def test_a_name_says_the_kind(family: Family) -> None:
    assert (family.kind is Kind.COUNTER) == family.name.endswith("_total")
    assert (family.kind is Kind.INFO) == family.name.endswith("_info")
    assert (family.kind is Kind.HISTOGRAM) == bool(family.bounds)


@pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)
def test_help_is_one_plain_line_that_ends_like_a_sentence(family: Family) -> None:
    assert family.help.isprintable()
    assert family.help.endswith(".")
    assert not {"\\", '"'} & set(family.help)


@pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)
def test_no_label_of_the_configuration_can_collide(family: Family) -> None:
    assert set() == set(family.labels) - RESERVED_LABELS


def test_the_help_of_the_last_write_says_what_it_is_not() -> None:
    """Nothing else is misread so often (odp-facts 2.4)."""
    assert "last write of the cache file (mtime): neither the last check nor the last success" in (
        families.ODP_CACHE_LAST_WRITE.help
    )
