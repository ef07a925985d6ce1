"""What is over, and when that may be said, as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from odp_exporter.notify.alerts import Alert, Outlook
from odp_exporter.notify.told import Told

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SETTLE, EXPIRY = timedelta(seconds=15), timedelta(minutes=1)
DOWN = Alert("OdpDown", "odp-1", None, NOON, "")
HUNG = Alert("OdpHung", "odp-1", None, NOON, "")


def later(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def seen(*firing: Alert) -> Outlook:
    """What fires, while it is known that nothing else does."""
    return Outlook(firing, frozenset({DOWN.key, HUNG.key} - {alert.key for alert in firing}))


def told(*looks: tuple[float, Outlook]) -> Told:
    """What was told of, after these looks after so many seconds."""
    it = Told()
    for seconds, look in looks:
        it = it.after(look, later(seconds), EXPIRY)
    return it


def test_it_is_over_once_it_has_been_quiet_for_long_enough() -> None:
    it = told((0, seen(DOWN)), (5, seen()), (10, seen()))

    assert () == it.over(later(19.9), SETTLE)
    assert (DOWN,) == it.over(later(20), SETTLE)


def test_one_that_fires_again_in_time_was_never_over() -> None:
    it = told((0, seen(DOWN)), (5, seen()), (15, seen(DOWN)), (21, seen(DOWN)))

    assert () == it.over(later(60), SETTLE)


def test_what_was_said_is_not_said_again() -> None:
    it = told((0, seen(DOWN)), (5, seen())).without((DOWN,))

    assert () == it.after(seen(), later(30), EXPIRY).over(later(30), SETTLE)


def test_what_could_not_be_said_expires_by_itself() -> None:
    it = told((0, seen(DOWN)), (5, seen()), (66, seen()))

    assert Told() == it


@pytest.mark.parametrize("quiet", [False, True])
def test_what_nobody_knows_any_more_is_not_said_to_be_over(*, quiet: bool) -> None:
    """It expires by itself, whether it fired at last or had just been quiet."""
    it = told((0, seen(DOWN)), *([(5, seen())] if quiet else []), (10, Outlook()))

    assert Told() == it
    assert () == it.after(seen(), later(30), EXPIRY).over(later(60), SETTLE)


def test_one_alert_over_and_another_firing_do_not_disturb_each_other() -> None:
    it = told((0, seen(HUNG)), (5, seen(DOWN)))

    assert (HUNG,) == it.over(later(20), SETTLE)


def test_the_next_end_is_not_slept_through() -> None:
    it = told((0, seen(DOWN)), (5, seen()))

    assert timedelta(seconds=2) == it.wait(later(18), SETTLE, timedelta(seconds=5))
    assert timedelta(seconds=5) == it.wait(later(6), SETTLE, timedelta(seconds=5))
    assert timedelta(seconds=5) == Told().wait(later(0), SETTLE, timedelta(seconds=5))
