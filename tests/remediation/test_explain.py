"""What `plan` says is what would be done (S31)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from odp_exporter.health import State
from odp_exporter.remediation.explain import explain
from odp_exporter.remediation.model import Drain, Evidence, Wish

from .story import GREETED, NO_PROCESS, REFUSED, TIMED_OUT, Story

SHOWN = Story("a", "b")


def said(story: Story, evidence: Evidence) -> str:
    return explain(story.fleet, "a", evidence, story.now, story.policy, story.inventory)


def test_a_replacement_names_its_process_and_its_grounds() -> None:
    story = Story("a", "b")

    assert (
        "a: would be drained, process 4711 ended, another started, verified and put back\n"
        "  seen: greetings: greeting_timeout, greeting_timeout; processes: 4711; "
        "exporter: hung, a restart is safe; others: b ok\n"
        "  not seen: Alertmanager 192.0.2.20: no answer"
    ) == said(story, replace(story.evidence(), gaps=("Alertmanager 192.0.2.20: no answer",)))


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (
            SHOWN.evidence("a", REFUSED, NO_PROCESS, state=State.DOWN),
            "would be drained, started, verified and put back",
        ),
        (SHOWN.evidence("a", TIMED_OUT, None, state=None), "would be drained and left to people (host_gone)"),
        (SHOWN.evidence("a", GREETED), "nothing would be done (serves): it greets: the alert is stale"),
        (SHOWN.evidence(restart_safe=False), "nothing would be done (restart_unsafe): OCP"),
        (SHOWN.evidence(restart_safe=None), "exporter: hung, a restart is of unknown safety"),
        (SHOWN.evidence(host=None, state=None), "processes: not seen; exporter: not heard"),
    ],
)
def test_every_verdict_has_its_words(evidence: Evidence, expected: str) -> None:
    assert expected in said(Story("a", "b"), evidence)


@pytest.mark.parametrize("greetings", [REFUSED, GREETED, TIMED_OUT])
@pytest.mark.parametrize("wish", list(Wish))
def test_what_is_said_is_what_is_done(greetings: tuple, wish: Wish) -> None:  # type: ignore[type-arg]  # any of the three
    """The same code decides."""
    story = Story("a", "b")
    story(story.alert(wish=wish))
    evidence = story.evidence("a", greetings, NO_PROCESS, state=State.DOWN)
    words = said(story, evidence)

    assert ("nothing would be done" in words) == ([Drain] != story.does(story.looked("a", evidence)))


def test_an_audit_line_of_a_large_pool_stays_readable() -> None:
    story = Story(*(f"odp-{number:03}" for number in range(500)), "a")

    assert 400 > len(said(story, story.evidence()))
