"""The expressions that recur. All are of one place; nothing here knows a panel.

Several exporters may see one ODP, so each expression says what becomes of
their views, mostly by max or min. Every selector of our own metrics has the
matcher of the variable `job`.
"""

from __future__ import annotations

from .palette import Words

RATE = "$__rate_interval"
"""Grafana makes it four scrapes at least."""
RANGE = "$__range"
"""All the time that is shown; for one number, or for a choice that is the same at every instant."""
AT_END = " @ end()"
MANY = 12
"""So many ODPs or pools a panel shows at most, out of however many there are."""
JOB = 'job=~"$job"'
POOL = 'pool=~"$pool"'
EXCEPT_PLANNED = 'cause!~"stop|hot_restart"'


def of(metric: str, *matchers: str, **labels: str) -> str:
    """The series of one of our own metrics, with just these *labels* and whatever else is to match."""
    equal = (f"{name}={quoted(value)}" for name, value in labels.items())
    return f"{metric}{{{', '.join((JOB, *matchers, *equal))}}}"


def per_second(metric: str, *matchers: str) -> str:
    """The rate of a counter."""
    return f"rate({of(metric, *matchers)}[{RATE}])"


def growth(metric: str, *matchers: str, over: str = RANGE) -> str:
    """By how much a counter has grown."""
    return f"increase({of(metric, *matchers)}[{over}])"


def busy(metric: str, *matchers: str, by: str) -> str:
    """The rate of a counter by a label, for those values at which it grew in the time that is shown."""
    grown = f"sum by ({by}) (increase({of(metric, *matchers)}[{RANGE}]{AT_END})) > 0"
    return f"sum by ({by}) ({per_second(metric, *matchers)}) and on ({by}) ({grown})"


def events(metric: str, *matchers: str, by: str) -> str:
    """How many events a counter has counted in the time that is shown; whole, as increase() extrapolates."""
    return f"round(sum by ({by}) ({growth(metric, *matchers)}))"


def coded(metric: str, words: Words, *matchers: str, by: str, prefix: str = "") -> str:
    """A state set as one number, by *words*, whose texts are its states behind a *prefix*."""
    terms = [
        f"{number} * ({of(metric, *matchers, state=word.text.removeprefix(prefix))} == 1)"
        for number, word in words.items()
    ]
    return f"max by ({by}) ({' or '.join(terms)})"


def quantile(share: float, metric: str, *matchers: str, by: str = "", over: str = RATE) -> str:
    """A quantile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, sum by ({labels}) (rate({of(f'{metric}_bucket', *matchers)}[{over}])))"


def mean(metric: str, *matchers: str, by: str, over: str = RATE) -> str:
    """The mean of what a histogram has seen; nothing while it has seen nothing."""
    total, count = (f"sum by ({by}) ({growth(f'{metric}_{end}', *matchers, over=over)})" for end in ("sum", "count"))
    return f"{total} / ({count} > 0)"


def least(metric: str, *matchers: str, by: str, **labels: str) -> str:
    """Those of which a gauge of 0 and 1 was 1 for the shortest part of the time shown; the same at every instant."""
    share = f"avg_over_time({of(metric, *matchers, **labels)}[{RANGE}]{AT_END})"
    return f"min by ({by}) ({share})"


def few(expr: str, ranking: str, *, by: str = "odp", function: str = "bottomk") -> str:
    """*expr* for those that come first in *ranking*."""
    return f"{expr} and on ({by}) {function}({MANY}, {ranking})"


def in_pool(expr: str, *, ever: bool = False) -> str:
    """Those ODPs that are in the chosen pools; with *ever*, also those that left within the time shown."""
    info = of("odp_info", POOL)
    return f"(({expr}) and on (odp) {f'last_over_time({info}[{RANGE}]{AT_END})' if ever else info})"


def quoted(text: str) -> str:
    """*text* as a string of PromQL."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'
