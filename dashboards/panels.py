"""The kinds of panels, with the defaults of the house.

Every panel has a title, a description that says which question it answers,
a unit, explicit thresholds and a data source that can be chosen; those
with series have a legend. Which panels there are is not said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, heatmap, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmap_kinds
from grafana_foundation_sdk.models import prometheus as prometheus_kinds

from .links import runbook
from .palette import Colour, Steps, Words, mappings, thresholds, unknown

PER_SECOND = "suffix:/s"
"""The unit of rates of what has no unit of its own."""
SOURCE = kinds.DataSourceRef(type_val="prometheus", uid="$datasource")


@dataclass(frozen=True, slots=True)
class About:
    """What a panel says of itself, and how its values are read."""

    title: str
    description: str
    """The question that it answers, and what its numbers leave out."""
    unit: str
    steps: Steps
    words: Words = field(default_factory=dict)
    decimals: int | None = None
    links: tuple[builders.DashboardLink, ...] = ()
    """Where a click on a value leads."""
    alerts: tuple[str, ...] = ()
    """Alerts whose runbooks help with what it shows."""
    nothing: str = ""
    """What it says when there is nothing to show, where that is no fault."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and the name of what it gives."""

    expr: str
    legend: str = ""


class Frame(Protocol):
    """What all builders of panels have."""

    def id(self, id_val: int) -> Self: ...
    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: kinds.DataSourceRef) -> Self: ...
    def grid_pos(self, grid_pos: models.GridPos) -> Self: ...
    def links(self, links: list[cog.Builder[models.DashboardLink]]) -> Self: ...
    def with_target(self, target: cog.Builder[variants.Dataquery]) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def decimals(self, decimals: float) -> Self: ...
    def mappings(self, mappings: list[models.ValueMapping]) -> Self: ...
    def thresholds(self, thresholds: cog.Builder[models.ThresholdsConfig]) -> Self: ...
    def data_links(self, links: list[cog.Builder[models.DashboardLink]]) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...
    def override_by_name(self, name: str, properties: list[models.DynamicConfigValue]) -> Self: ...
    def build(self) -> models.Panel: ...


F = TypeVar("F", bound=Frame)


def framed(frame: F, about: About, targets: Iterable[prometheus.Dataquery]) -> F:
    """*frame* with all that panels of any kind have."""
    frame.title(about.title).description(about.description).datasource(SOURCE)
    frame.unit(about.unit).mappings(mappings(about.words)).thresholds(thresholds(about.steps))
    frame.data_links(list(about.links)).links([runbook(alert) for alert in about.alerts])
    if about.decimals is not None:
        frame.decimals(about.decimals)
    if about.nothing:
        frame.no_value(about.nothing)
    for reference, target in zip(ascii_uppercase, targets, strict=False):  # strict: there are more letters
        frame.with_target(target.ref_id(reference).datasource(SOURCE))
    return frame


def over_time(query: Query) -> prometheus.Dataquery:
    """A query for every instant that is shown."""
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).range()


def at_end(query: Query) -> prometheus.Dataquery:
    """A query for the last instant that is shown."""
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).instant()


def number(about: About, expr: str) -> stat.Panel:
    """One number, or the word for it, on a ground of its colour."""
    panel = framed(
        stat.Panel()
        .color_mode(kinds.BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(kinds.BigValueGraphMode.NONE)
        .text_mode(kinds.BigValueTextMode.VALUE)
        .justify_mode(kinds.BigValueJustifyMode.CENTER)
        .reduce_options(_last()),
        about,
        [at_end(Query(expr, about.title))],
    )
    return panel.mappings([*mappings(about.words), unknown(about.nothing or "not known")])


def timeline(about: About, *queries: Query) -> statetimeline.Panel:
    """A bar for each thing, in words, over time."""
    panel = (
        statetimeline.Panel()
        .merge_values(True)  # noqa: FBT003 - the library's signature
        .show_value(kinds.VisibilityMode.AUTO)
        .row_height(0.85)
        .fill_opacity(85)
        .line_width(0)
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.SINGLE))
    )
    return framed(panel, about, map(over_time, queries))


def lines(
    about: About, *queries: Query, colours: Mapping[str, Colour] | None = None, from_zero: bool = True
) -> timeseries.Panel:
    """Lines over time; *colours* by the names of series, else Grafana's, by their order."""
    panel = _series(about, *queries).fill_opacity(8).line_width(2).show_points(kinds.VisibilityMode.NEVER)
    if from_zero:
        panel.axis_soft_min(0)
    return coloured(panel, colours or {})


def dots(about: About, *queries: Query, colours: Mapping[str, Colour] | None = None) -> timeseries.Panel:
    """Single events over time by their size, on a scale of powers, with the thresholds drawn in."""
    panel = _series(about, *queries).draw_style(kinds.GraphDrawStyle.POINTS)
    panel.show_points(kinds.VisibilityMode.ALWAYS).point_size(10)
    panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED))
    return logarithmic(coloured(panel, colours or {}))


def coloured(panel: timeseries.Panel, colours: Mapping[str, Colour]) -> timeseries.Panel:
    """*panel* with *colours* by the names of series."""
    for name, colour in colours.items():
        panel.override_by_name(name, [_fixed(colour)])
    return panel


def logarithmic(panel: timeseries.Panel) -> timeseries.Panel:
    """*panel* on a scale of powers of ten."""
    return panel.scale_distribution(common.ScaleDistributionConfig().type(kinds.ScaleDistribution.LOG).log(10))


def stack(about: About, *queries: Query, colours: Mapping[str, Colour] | None = None) -> timeseries.Panel:
    """Areas on top of each other, for parts of a whole."""
    panel = lines(about, *queries, colours=colours).fill_opacity(45).line_width(1)
    return panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))


def heat(about: About, expr: str) -> heatmap.Panel:
    """How many fell into each bucket of a histogram, over time."""
    panel = (
        heatmap.Panel()
        .calculate(False)  # noqa: FBT003 - the library's signature
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmap_kinds.HeatmapColorMode.SCHEME)
            .scheme("Blues")
            .scale(heatmap_kinds.HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .steps(64)
        )
        .y_axis(heatmap.YAxisConfig().unit(about.unit))
        .cell_gap(1)
        .show_legend()
        .tooltip(heatmap.HeatmapTooltip().mode(kinds.TooltipDisplayMode.SINGLE))
    )
    return framed(panel, about, [over_time(Query(expr, "{{le}}")).format(prometheus_kinds.PromQueryFormat.HEATMAP)])


def bars(about: About, *queries: Query) -> bargauge.Panel:
    """A bar for each value of the last instant, longest where most is."""
    panel = (
        bargauge.Panel()
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .name_placement(kinds.BarGaugeNamePlacement.TOP)
        .show_unfilled(True)  # noqa: FBT003 - the library's signature
        .value_mode(kinds.BarGaugeValueMode.TEXT)
        .min(0)
        .reduce_options(_last())
    )
    return framed(panel, about, map(at_end, queries))


def by_last_digit(panel: timeseries.Panel) -> timeseries.Panel:
    """*panel* with a colour for each ODP that colour-blind people tell from others, as long as names end in digits."""
    colours = (Colour.LEAVING, Colour.COMING, Colour.WARNING, Colour.ODD, Colour.GOOD)
    for digit, colour in enumerate(colours):
        panel.override_by_regexp(f"/[{digit}{digit + len(colours)}]$/", [_fixed(colour)])
    return panel


def beside(panel: timeseries.Panel) -> timeseries.Panel:
    """*panel* with its legend to the right: for many series, or long names."""
    return panel.legend(_legend("lastNotNull").placement(kinds.LegendPlacement.RIGHT))


def dashed(panel: timeseries.Panel, name: str, colour: Colour) -> timeseries.Panel:
    """The series *name* as a limit: a dashed line without an area."""
    style = {"fill": "dash", "dash": [8, 6]}
    return panel.override_by_name(
        name,
        [
            _fixed(colour),
            models.DynamicConfigValue("custom.lineStyle", style),
            models.DynamicConfigValue("custom.fillOpacity", 0),
        ],
    )


def _series(about: About, *queries: Query) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC))
        .legend(_legend("lastNotNull", "max"))
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI))
    )
    return framed(panel, about, map(over_time, queries))


def _fixed(colour: Colour) -> models.DynamicConfigValue:
    return models.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour.value})


def _legend(*calculations: str) -> common.VizLegendOptions:
    mode = kinds.LegendDisplayMode.TABLE if calculations else kinds.LegendDisplayMode.LIST
    return (
        common.VizLegendOptions()
        .show_legend(True)  # noqa: FBT003 - the library's signature
        .display_mode(mode)
        .placement(kinds.LegendPlacement.BOTTOM)
        .calcs(list(calculations))
    )


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)  # noqa: FBT003 - the library's signature
