"""Colours that people with any colour vision tell apart (Okabe and Ito), and the words that say the same.

Nothing is told by a colour alone: each state has its word, and red is kept for what is bad.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models


class Colour(StrEnum):
    """A colour by what it means."""

    GOOD = "#009E73"
    """Bluish green."""
    COMING = "#56B4E9"
    """Sky blue: on the way to good."""
    LEAVING = "#0072B2"
    """Blue: on the way out, as meant."""
    WARNING = "#E69F00"
    """Orange."""
    BAD = "#D55E00"
    """Vermillion, the only red."""
    ODD = "#CC79A7"
    """Reddish purple: out of the ordinary, and no worse than that."""
    UNKNOWN = "#8E8E8E"
    """Grey."""


@dataclass(frozen=True, slots=True)
class Word:
    """What is shown in place of a number."""

    text: str
    colour: Colour


Words = Mapping[int, Word]
Steps = tuple[tuple[float, Colour], ...]
"""From which value on which colour is shown; the first value stands for all below the second."""

NEUTRAL: Steps = ((0, Colour.LEAVING),)
"""A number that is neither good nor bad."""
NONE_IS_GOOD: Steps = ((0, Colour.GOOD), (1, Colour.BAD))
NONE_IS_BETTER: Steps = ((0, Colour.GOOD), (1, Colour.WARNING))
ONE_IS_GOOD: Steps = ((0, Colour.BAD), (1, Colour.GOOD))


def up_to(warning: float, bad: float) -> Steps:
    """Good at first, worse from these values on."""
    return ((0, Colour.GOOD), (warning, Colour.WARNING), (bad, Colour.BAD))


STATES: Words = {
    0: Word("unknown", Colour.UNKNOWN),
    1: Word("serving", Colour.GOOD),
    2: Word("starting", Colour.COMING),
    3: Word("draining", Colour.LEAVING),
    4: Word("hung", Colour.WARNING),
    5: Word("down", Colour.BAD),
}
"""Of an ODP, the worse the higher: where exporters differ, the highest is shown."""
BALANCED: Words = {
    10: Word("LB unknown", Colour.UNKNOWN),
    11: Word("LB up", Colour.GOOD),
    12: Word("LB drain", Colour.LEAVING),
    13: Word("LB maint", Colour.ODD),
    14: Word("LB down", Colour.BAD),
}
"""Of an ODP in its load balancer; other numbers than STATES, so that both fit in one panel."""
SHORT_BALANCED: Words = {number: Word(word.text.removeprefix("LB "), word.colour) for number, word in BALANCED.items()}
"""The same where it is clear what is spoken of."""
STAGES: Words = {
    20: Word("idle", Colour.UNKNOWN),
    21: Word("looking", Colour.COMING),
    22: Word("waiting", Colour.WARNING),
    23: Word("draining", Colour.LEAVING),
    24: Word("acting", Colour.ODD),
    25: Word("verifying", Colour.COMING),
    26: Word("enabling", Colour.GOOD),
    27: Word("held", Colour.BAD),
}
"""Of an ODP's repair."""
SAFETY: Words = {
    30: Word("restart unsafe", Colour.WARNING),
    31: Word("restart safe", Colour.GOOD),
}
"""Whether an ODP would come back whole."""


def yes_or_no(yes: str, no: str, *, otherwise: Colour = Colour.BAD) -> Words:
    """Words for 1 and 0, where 1 is good."""
    return {1: Word(yes, Colour.GOOD), 0: Word(no, otherwise)}


def code(words: Words, text: str) -> int:
    """The number that stands for a word."""
    return next(number for number, word in words.items() if word.text == text)


def thresholds(steps: Steps) -> builders.ThresholdsConfig:
    """*steps* as Grafana has them."""
    first, *others = steps
    return (
        builders.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps(
            [
                models.Threshold(value=None, color=first[1].value),
                *(models.Threshold(value=value, color=colour.value) for value, colour in others),
            ]
        )
    )


def unknown(text: str, colour: str = Colour.UNKNOWN) -> models.SpecialValueMap:
    """*text* where there is no value: what is not known is not green."""
    result = models.ValueMappingResult(text=text, color=str(colour))
    return models.SpecialValueMap(
        options=models.DashboardSpecialValueMapOptions(match=models.SpecialValueMatch.NULL_AND_NAN, result=result)
    )


def mappings(words: Words) -> list[models.ValueMapping]:
    """*words* as Grafana has them."""
    options = {
        str(number): models.ValueMappingResult(text=word.text, color=word.colour.value, index=index)
        for index, (number, word) in enumerate(words.items())
    }
    return [models.ValueMap(options=options)] if options else []
