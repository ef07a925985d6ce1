"""What all dashboards have in common: variables, annotations, links, and where panels are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from . import links
from .links import Uid
from .palette import Colour
from .panels import SOURCE, Frame

WIDTH = 24
"""Grafana's grid has so many columns."""
OUR_ALERTS = 'alertname=~"(Odp|Ocp).+"'
_ALL = models.VariableOption(selected=True, text="All", value="$__all")
_REFRESH = "10s"
_PLACES = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """Panels side by side, of one height."""

    height: int
    panels: tuple[Frame, ...]
    widths: tuple[int, ...] = ()
    """Empty: all are equally wide."""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of panels under a heading."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """Instants or spans that are marked in every panel."""

    name: str
    expr: str
    title: str
    text: str
    colour: Colour


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard."""

    uid: Uid
    title: str
    description: str
    variables: tuple[builders.QueryVariable, ...]
    annotations: tuple[Annotation, ...]
    sections: tuple[Section, ...]

    def build(self) -> models.Dashboard:
        """As Grafana has it."""
        dashboard = builders.Dashboard(self.title).uid(self.uid).description(self.description).tags([links.TAG])
        dashboard.readonly().tooltip(models.DashboardCursorSync.CROSSHAIR).timezone("browser")
        dashboard.time("now-1h", "now").refresh(_REFRESH).link(links.siblings())
        dashboard.variables([_datasource(), job(), *self.variables])
        dashboard.annotations(list(map(_annotation, self.annotations)))
        built = dashboard.build()
        built.panels = list(_placed(self.sections))
        return shown(built)


def job() -> builders.QueryVariable:
    """Exporters and remediators, by the jobs under which they are scraped."""
    return _query("job", "Job", 'label_values({__name__=~"odp_exporter_build_info|odp_remediator_build_info"}, job)')


def several(name: str, label: str, query: str, *, everything: str = ".+") -> builders.QueryVariable:
    """A variable of which several values may be chosen; *everything* stands for All."""
    return _query(name, label, query, everything=everything)


def one(name: str, label: str, query: str) -> builders.QueryVariable:
    """A variable of which one value is chosen."""
    return _plain(name, label, query).multi(False).include_all(False)  # noqa: FBT003 - the library's signature


def _query(name: str, label: str, query: str, *, everything: str = ".+") -> builders.QueryVariable:
    return (
        _plain(name, label, query).multi(True).include_all(True).all_value(everything).current(_ALL)  # noqa: FBT003 - as above
    )


def _plain(name: str, label: str, query: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .query(query)
        .definition(query)
        .datasource(SOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NATURAL_ASC)
    )


def _datasource() -> builders.DatasourceVariable:
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _annotation(annotation: Annotation) -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name(annotation.name)
        .datasource(SOURCE)
        .enable(True)  # noqa: FBT003 - the library's signature
        .icon_color(annotation.colour.value)
        .expr(annotation.expr)
        .title_format(annotation.title)
        .text_format(annotation.text)
    )


def shown(dashboard: models.Dashboard) -> models.Dashboard:
    """Undo what the library adds: an enum of one value that would hide links and annotations in a menu."""
    for each in (*(dashboard.annotations.list_val or ()), *(dashboard.links or ())):
        each.placement = None
    return dashboard


def _placed(sections: tuple[Section, ...]) -> Iterator[models.Panel | models.RowPanel]:
    y = 0
    for section in sections:
        yield models.RowPanel(
            title=section.title,
            id_val=_number(f"section {section.title}"),
            grid_pos=models.GridPos(x=0, y=y, w=WIDTH, h=1),
        )
        y += 1
        for line in section.lines:
            yield from _side_by_side(line, y)
            y += line.height


def _side_by_side(line: Line, y: int) -> Iterator[models.Panel]:
    x = 0
    widths = line.widths or (WIDTH // len(line.panels),) * len(line.panels)
    for panel, width in zip(line.panels, widths, strict=True):
        built = panel.grid_pos(models.GridPos(x=x, y=y, w=width, h=line.height)).build()
        built.id_val = _number(built.title or "")
        yield built
        x += width


def _number(title: str) -> int:
    """An id that outlives a change of order, so that links to a panel do."""
    return crc32(title.encode()) % _PLACES + 1
