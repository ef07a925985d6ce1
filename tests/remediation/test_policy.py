"""Numbers that people set, and mistakes that they make."""

from __future__ import annotations

from datetime import timedelta

import pytest
from odp_exporter.remediation.policy import Inventory, Policy, parse_share
from odp_exporter.targets import Address, Pool, Target
from pydantic import TypeAdapter, ValidationError

from .story import inventory

POLICY = TypeAdapter(Policy)


def test_a_policy_is_read_from_texts() -> None:
    read = POLICY.validate_python({"cool_down": "2m", "target_budget": "1", "max_failing_share": "0.25"})

    assert Policy(cool_down=timedelta(minutes=2), target_budget=1, max_failing_share=0.25) == read


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_failing_share": "50%"}, "not a share: '50%' (more than 0, at most 1: try '0.5')"),
        ({"max_failing_share": "0"}, "not a share: '0' (more than 0, at most 1: try '0.5')"),
        ({"max_failing_share": "1.01"}, "not a share: '1.01' (more than 0, at most 1: try '0.5')"),
        ({"max_failing_share": "nan"}, "not a share: 'nan' (more than 0, at most 1: try '0.5')"),
        ({"max_failing_share": True}, "not a share: a bool (more than 0, at most 1: try '0.5')"),
        ({"target_budget": "0"}, "not a positive number: '0' (at least 1)"),
        ({"session_wait": "1m"}, "session_wait must be shorter than drain_deadline"),
        ({"verify_over": "30s"}, "verify_over must be shorter than verify_deadline"),
        ({"hold": "1h"}, "hold must be shorter than hold_max"),
        ({"min_serving": "1"}, "Unexpected keyword argument"),
    ],
)
def test_a_mistake_is_told(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        POLICY.validate_python(given)

    assert [message] == [error["msg"].removeprefix("Value error, ") for error in caught.value.errors()]


def test_shares_may_be_numbers() -> None:
    assert (0.5, 1.0) == (parse_share(0.5), parse_share(1))


def test_a_lease_expires_when_all_its_stages_have() -> None:
    """(S28)."""
    assert timedelta(seconds=20 + 90 + 30 + 30) == Policy().lease_expiry


def test_only_members_of_known_pools_may_be_repaired() -> None:
    """Nobody could take the others out (S15)."""
    address = Address("192.0.2.1", 2883)
    targets = {name: Target(name, address, pool=pool) for name, pool in (("a", "p"), ("b", None), ("c", "gone"))}
    known = Inventory(targets, {"p": Pool("p"), "q": Pool("q")})

    assert ["a"] == list(known.targets)
    assert {"p": ("a",), "q": ()} == known.members
    assert [Pool("p"), None, None, None] == [known.pool_of(odp) for odp in ("a", "b", "c", "x")]


def test_an_inventory_names_the_members_of_its_pools() -> None:
    assert {"trade": ("a", "b")} == inventory("a", "b").members
