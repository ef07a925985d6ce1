"""Writes what Prometheus reads, and the table of docs/alerts.md, out of source/ and thresholds.yml.

Rendering is putting text in for `${name}`, so what comes out reads like what
went in, comments included. Nothing is judged here: promtool and the lint in
tests/rules do that, on what comes out.

    python rules/render.py --runbooks https://wiki.example/odp --dashboards https://grafana.example
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

RULES = Path(__file__).parent
PAGE = RULES.parent / "docs/alerts.md"
FILES = {
    "repair.yml": "They start a repair",
    "odp.yml": "ODPs and pools",
    "ocp.yml": "OCP, and what becomes of ODPs without it",
    "availability.yml": "Error budgets",
    "meta.yml": "Whether the others can be believed",
    "remediation.yml": "The remediator",
}
"""The sources in the order of reading, and what stands above their tables."""
GENERATED = "<!-- What follows is written by rules/render.py. -->\n"
_LINKS = ("runbooks", "dashboards")
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_NOTE = "# Written by rules/render.py, profile {}: change rules/source or rules/thresholds.yml instead.\n"
_PROMETHEUS_RULE = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: odp-ha
  labels:
    app.kubernetes.io/name: odp-ha
spec:
"""


class RenderError(Exception):
    """The sources and thresholds.yml do not fit each other; the message says where, and the way out."""


class Profile(StrEnum):
    """A set of numbers: how often to look, and how long to wait."""

    DEFAULT = "default"
    FAST = "fast"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number of the rules, as it is written there."""

    values: Mapping[Profile, str]
    why: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What thresholds.yml says."""

    links: Mapping[str, str]
    """Where runbooks and dashboards are, by the name of the placeholder."""
    thresholds: Mapping[str, Threshold]

    def values(self, profile: Profile) -> dict[str, str]:
        """The text for each placeholder."""
        return {name: threshold.values[profile] for name, threshold in self.thresholds.items()} | dict(self.links)


def load(text: str) -> Settings:
    """Thresholds and links out of the *text* of thresholds.yml."""
    document = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - BaseLoader makes nothing but text, lists and mappings
    thresholds = {name: _threshold(name, entry) for name, entry in document["thresholds"].items()}
    return Settings({name: document["links"][name].rstrip("/") for name in _LINKS}, thresholds)


def _threshold(name: str, entry: Mapping[str, str]) -> Threshold:
    wanted = {*Profile, "why"}
    if set(entry) != wanted or not all(entry.values()):
        message = f"thresholds.yml: {name!r} needs {', '.join(sorted(wanted))}, and nothing else"
        raise RenderError(message)
    return Threshold({profile: entry[profile] for profile in Profile}, entry["why"])


def fill(text: str, values: Mapping[str, str], *, where: str) -> str:
    """*text* with a value for each placeholder; RenderError if one has none."""
    for number, line in enumerate(text.splitlines(), start=1):
        for name in _PLACEHOLDER.findall(line):
            if name not in values:
                message = f"{where}:{number}: no value for '${{{name}}}' (add {name!r} to thresholds.yml)"
                raise RenderError(message)
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def outputs(settings: Settings, sources: Mapping[str, str]) -> dict[str, str]:
    """Every file to be written below rules/, by its path there; *sources* by their path below source/."""
    _refuse_unused(settings, sources)
    filled = {profile: _filled(settings, sources, profile) for profile in Profile}
    rules = {
        f"{profile}/{name}": _NOTE.format(profile) + filled[profile][name] for profile in Profile for name in FILES
    }
    default = filled[Profile.DEFAULT]
    groups = "groups:\n" + "".join(default[name].removeprefix("groups:\n") for name in FILES)
    note = _NOTE.format(Profile.DEFAULT)
    return rules | {
        "kubernetes/prometheusrule.yml": note + _PROMETHEUS_RULE + _indented(groups),
        "kubernetes/servicemonitor.yml": note + default["kubernetes/servicemonitor.yml"],
    }


def _filled(settings: Settings, sources: Mapping[str, str], profile: Profile) -> dict[str, str]:
    return {name: fill(text, settings.values(profile), where=f"source/{name}") for name, text in sources.items()}


def _refuse_unused(settings: Settings, sources: Mapping[str, str]) -> None:
    used = {name for text in sources.values() for name in _PLACEHOLDER.findall(text)}
    if unused := sorted(settings.thresholds.keys() - used):
        message = f"thresholds.yml: {', '.join(map(repr, unused))} is used by no rule (remove it)"
        raise RenderError(message)


def _indented(text: str) -> str:
    return "".join(f"  {line}" if line.strip() else line for line in text.splitlines(keepends=True))


def table(settings: Settings, sources: Mapping[str, str]) -> str:
    """What docs/alerts.md says of each alert."""
    return "\n".join(line for name in FILES for line in _section(settings, name, sources[name]))


def _section(settings: Settings, name: str, text: str) -> Iterator[str]:
    yield f"\n## {FILES[name]} (`{name}`)\n"
    yield "| alert | severity | repair | means | numbers: default / fast |"
    yield "|---|---|---|---|---|"
    for group in yaml.load(text, yaml.BaseLoader)["groups"]:  # noqa: S506 - as in load()
        for rule in group["rules"]:
            if "alert" in rule:
                numbers = "; ".join(_numbers(settings, f"{rule['expr']} {rule.get('for', '')}"))
                yield _row(rule["alert"], rule["labels"], rule["annotations"]["summary"], numbers)


def _row(alert: str, labels: Mapping[str, str], summary: str, numbers: str) -> str:
    link = f"[{alert}](runbooks/{alert}.md)"
    return f"| {link} | {labels['severity']} | {labels.get('remediation', '')} | {summary} | {numbers} |"


def _numbers(settings: Settings, text: str) -> Iterator[str]:
    for name in dict.fromkeys(_PLACEHOLDER.findall(text)):
        values = dict.fromkeys(settings.thresholds[name].values.values())
        if not name.endswith("_job"):
            yield f"`{name}` {' / '.join(values)}"


def read_sources() -> dict[str, str]:
    """The sources of this checkout, by their path below source/."""
    folder = RULES / "source"
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.yml"))}


def page(settings: Settings, sources: Mapping[str, str], *, present: str) -> str:
    """docs/alerts.md: what people wrote stays, the rest is made anew."""
    introduction, mark, _ = present.partition(GENERATED)
    if not mark:
        message = f"{PAGE.name}: nobody says where the tables begin (put back the line: {GENERATED.strip()})"
        raise RenderError(message)
    return introduction + mark + table(settings, sources) + "\n"


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Render the rules of both profiles.")
    parser.add_argument("--runbooks", metavar="URL", help="where the runbooks are, instead of links.runbooks")
    parser.add_argument("--dashboards", metavar="URL", help="where Grafana is, instead of links.dashboards")
    parser.add_argument("--into", metavar="DIRECTORY", type=Path, help="write there; leave this checkout alone")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> None:
    """Write all of it; RenderError before anything is written."""
    arguments = _arguments(words)
    settings, sources = load((RULES / "thresholds.yml").read_text(encoding="utf-8")), read_sources()
    given = {name: url.rstrip("/") for name in _LINKS if (url := getattr(arguments, name))}
    settings = Settings({**settings.links, **given}, settings.thresholds)
    files = {(arguments.into or RULES) / name: text for name, text in outputs(settings, sources).items()}
    if arguments.into is None:
        files[PAGE] = page(settings, sources, present=PAGE.read_text(encoding="utf-8"))
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (RenderError, yaml.YAMLError) as error:
        sys.exit(str(error))
