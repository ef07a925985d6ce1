"""What is written to the journal is what is read from it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.remediation import codec
from odp_exporter.remediation.model import (
    Acting,
    Command,
    Drain,
    Draining,
    Enable,
    Enabling,
    Episode,
    Event,
    Fleet,
    Held,
    Hold,
    Lease,
    Look,
    Looking,
    Reason,
    Refusal,
    Replace,
    Restart,
    Scope,
    Stage,
    Start,
    TakeOut,
    Verify,
    Verifying,
    Waiting,
)

from .story import FAILED, NEW, NOON, OLD, Story, drained

EPISODE = Episode("1", "a", "OdpDown", NOON)
LEASE = Lease(None, NOON)
HELD = Held(EPISODE, NOON, LEASE, Hold.PAUSED, "by ann", NOON)
STAGES: list[Stage] = [
    Looking(EPISODE, NOON),
    Looking(EPISODE, NOON, Reason.SERVES, HELD),
    Waiting(EPISODE, NOON, Refusal(Reason.UNCLEAR, "x"), NOON),
    Draining(EPISODE, NOON, Start(), LEASE),
    Draining(EPISODE, NOON, Replace(OLD), LEASE),
    Draining(EPISODE, NOON, TakeOut(Hold.HOST_GONE), LEASE),
    Acting(EPISODE, NOON, Start(), Lease(0, NOON)),
    Acting(EPISODE, NOON, Replace(OLD), LEASE),
    Verifying(EPISODE, NOON, LEASE),
    Verifying(EPISODE, NOON, LEASE, NOON, Hold.CRASH_LOOP),
    Enabling(EPISODE, NOON, LEASE),
    HELD,
]
COMMANDS: list[Command] = [
    Look("a", "1"),
    Drain("a", "1", timedelta(milliseconds=1500)),
    Restart("a", "1", OLD),
    Restart("a", "1", None),
    Verify("a", "1", NOON),
    Enable("a", "1", None),
]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: type(stage).__name__)
def test_every_stage_comes_back_as_it_was(stage: Stage) -> None:
    """Also those that have the same fields as another, or plans that have none (S24)."""
    assert stage == codec.load_stage(codec.dump_stage(stage))
    assert type(stage) is type(codec.load_stage(codec.dump_stage(stage)))
    assert Fleet({"a": stage}) == codec.load_fleet(codec.dump_fleet(Fleet({"a": stage})))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_every_command_comes_back_as_it_was(command: Command) -> None:
    assert command == codec.load_command(codec.dump_command(command))


def test_every_event_comes_back_as_it_was() -> None:
    """With all that was seen."""
    story = Story("a", "b").until("acting")
    events: list[Event] = [
        story.alert(),
        story.resolved(),
        story.dead(),
        story.looked(),
        story.drained("a", FAILED),
        story.restarted(),
        story.restarted("a", FAILED),
        story.verified(),
        story.enabled(),
        story.surveyed(drained("a")),
        story.surveyed(lb_started=None),
        story.paused(Scope.POOL, "trade", seconds=5),
        story.resumed(Scope.FLEET),
    ]

    assert events == [codec.load_event(codec.dump_event(event)) for event in events]


def test_no_kind_of_stage_or_command_is_left_out_here() -> None:
    assert set(get_args(get_args(Stage)[0])) == {type(stage) for stage in STAGES}
    assert set(get_args(get_args(Command)[0])) == {type(command) for command in COMMANDS}


def test_a_stage_says_what_it_is() -> None:
    """A person may have to read the journal at night."""
    written = json.loads(codec.dump_stage(Acting(EPISODE, NOON, Replace(NEW), LEASE)))

    assert ("Acting", "Replace", 4712) == (written["type"], written["plan"]["type"], written["plan"]["process"]["pid"])


def test_what_a_newer_release_has_added_is_ignored() -> None:
    """So that one may go back to the older one."""
    written = json.loads(codec.dump_fleet(Fleet({"a": HELD})))
    written["later"] = written["stages"]["a"]["later"] = 1

    assert Fleet({"a": HELD}) == codec.load_fleet(json.dumps(written))


@pytest.mark.parametrize("text", ["", "null", "[]", '{"stages": {"a": {}}}', '{"stages": {"a": {"type": "Hacking"}}}'])
def test_what_is_no_fleet_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"validation error"):
        codec.load_fleet(text)


@given(st.datetimes(timezones=st.just(UTC)), st.text())
def test_moments_and_texts_are_not_changed(moment: datetime, text: str) -> None:
    """To the microsecond, and whatever a person wrote."""
    held = replace(HELD, since=moment, detail=text)

    assert held == codec.load_stage(codec.dump_stage(held))


def test_a_fleet_that_is_written_piece_by_piece_is_the_same_fleet() -> None:
    """Of which only what changed is written anew; names need not be ASCII."""
    text = codec.FleetText()
    odd = "odp-é:1"
    story = Story("a", "b", odd)
    for event in (
        story.alert(odd),
        story.paused(Scope.FLEET),
        story.resumed(Scope.FLEET),
        story.alert("a"),
        story.resolved(odd),
    ):
        story(event)
        assert story.fleet == codec.load_fleet(text(story.fleet))
    story.until("verifying", "a")
    assert story.fleet == codec.load_fleet(text(story.fleet))
    story(story.resolved("a"))

    assert story.fleet == codec.load_fleet(text(story.fleet))
    assert Fleet() == codec.load_fleet(text(Fleet()))
