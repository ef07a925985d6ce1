"""ODPs from target files, in the format of Prometheus' file_sd.

The same files may serve Prometheus: a list of groups, each with `targets` and
`labels`. The labels `odp`, `home` and `pool` say what the keys of the same
name say in the configuration; labels that start with `__` are Prometheus' own
and passed over. Who writes these files is a program, so a broken one costs
nothing: what it said last goes on to count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass as settings_block

from .files import FileError, FileMissing, read
from .settings import STRICT, Interval, quoted
from .targets import Target
from .yamlfiles.positions import compose, decode
from .yamlfiles.problems import ConfigError, Fault, Location, Problem
from .yamlfiles.schema import suggestion, validated

MAX_BYTES = 4 * 1024 * 1024
"""As for the configuration."""
_WILDCARDS = frozenset("*?[")
_OF_THE_TARGET = {"odp": "name", "home": "home", "pool": "pool"}
"""Labels that are settings of the target, and which."""


def parse_pattern(value: object) -> str:
    """A path whose last part may have wildcards, as Prometheus takes it."""
    if isinstance(value, str) and "\0" not in value:
        *directories, name = value.split("/")
        if name.endswith((".json", ".yml", ".yaml")) and _WILDCARDS.isdisjoint("/".join(directories)):
            return value
    message = f"not a pattern of target files: {quoted(value)} (try 'targets/*.yml'; .json, .yml or .yaml)"
    raise ValueError(message)


def parse_patterns(value: object) -> object:
    """At least one pattern: none would quietly probe nothing."""
    if isinstance(value, list | tuple) and not value:
        raise ValueError("no pattern of target files in it (try ['targets/*.yml'])")
    return value


@settings_block(frozen=True, slots=True, config=STRICT)
class FileDiscovery:
    """Where target files are, and how often they are read."""

    files: Annotated[tuple[Annotated[str, BeforeValidator(parse_pattern)], ...], BeforeValidator(parse_patterns)]
    refresh_interval: Interval = timedelta(seconds=30)

    def based_on(self, directory: Path) -> FileDiscovery:
        """The same, with relative patterns starting from *directory*."""
        return FileDiscovery(tuple(str(directory / pattern) for pattern in self.files), self.refresh_interval)


@settings_block(frozen=True, slots=True, config=STRICT)
class _Group:
    targets: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetFiles:
    """What the target files said last, and what is wrong with them now."""

    by_file: Mapping[Path, tuple[Target, ...]] = field(default_factory=dict)
    """The last good content of each file that is still there."""
    problems: tuple[Problem, ...] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """All of them, in the order of the files; whether they clash is not looked at."""
        return tuple(target for targets in self.by_file.values() for target in targets)


def load_target_files(
    patterns: Iterable[str],
    *,
    last: TargetFiles | None = None,
    pools: Collection[str] = (),
) -> TargetFiles:
    """Read all files that match; a file that is gone takes its targets along, a broken one keeps its *last*."""
    before = last.by_file if last else {}
    found = [_matching(Path(pattern), before) for pattern in patterns]
    problems = [problem for _, problems in found for problem in problems]
    by_file: dict[Path, tuple[Target, ...]] = {}
    for path in sorted({path for paths, _ in found for path in paths}):
        try:
            by_file[path] = _load(path, pools)
        except FileMissing as error:
            problems.append(_problem(path, error))
        except FileError as error:
            problems.append(_problem(path, error))
            by_file[path] = before.get(path, ())
        except ConfigError as error:
            problems.extend(error.problems)
            by_file[path] = before.get(path, ())
    return TargetFiles(by_file, tuple(problems))


def parse_targets(text: str, *, name: str, pools: Collection[str] = ()) -> tuple[Target, ...]:
    """The targets that *text* lists; ConfigError if anything is wrong with it. Reads no file."""
    document = compose(text, name=name)
    if document.value is None and not document.problems:
        raise ConfigError([Problem(name, "no list of targets in it (write [] for none)")])
    groups, faults = validated(tuple[_Group, ...], document.value)
    targets: tuple[Target, ...] | None = ()
    if groups is not None:
        targets, found = _targets(groups)
        faults = (*found, *_misplaced(groups, pools))
    if targets is None or faults or document.problems:
        raise ConfigError(dict.fromkeys([*document.problems, *map(document.problem, faults)]))
    return targets


def _load(path: Path, pools: Collection[str]) -> tuple[Target, ...]:
    text = decode(read(path, limit=MAX_BYTES).content, name=str(path))
    # JSON may be indented by tabs, YAML may not; a string of JSON holds none.
    return parse_targets(text.replace("\t", " ") if path.suffix == ".json" else text, name=str(path), pools=pools)


def _matching(pattern: Path, before: Iterable[Path]) -> tuple[list[Path], list[Problem]]:
    if _WILDCARDS.isdisjoint(pattern.name):
        return [pattern], []
    try:
        return [path for path in pattern.parent.iterdir() if _matches(path, pattern)], []
    except OSError as error:
        problem = Problem(str(pattern.parent), (error.strerror or "cannot be listed").lower())
        return [path for path in before if _matches(path, pattern)], [problem]


def _matches(path: Path, pattern: Path) -> bool:
    # Editors keep unfinished work in hidden files.
    hidden = path.name.startswith(".") and not pattern.name.startswith(".")
    return path.parent == pattern.parent and not hidden and fnmatchcase(path.name, pattern.name)


def _targets(groups: tuple[_Group, ...]) -> tuple[tuple[Target, ...] | None, tuple[Fault, ...]]:
    places = [(index, number) for index, group in enumerate(groups) for number in range(len(group.targets))]
    targets, faults = validated(tuple[Target, ...], [_plain(groups[index], number) for index, number in places])
    return targets, tuple(_moved(fault, places) for fault in faults)


def _plain(group: _Group, number: int) -> dict[str, object]:
    labels = {name: text for name, text in group.labels.items() if not name.startswith("__")}
    settings = {key: labels.pop(name) for name, key in _OF_THE_TARGET.items() if name in labels}
    return {"address": group.targets[number], **settings, "labels": labels}


def _moved(fault: Fault, places: list[tuple[int, int]]) -> Fault:
    """A *fault* of a target, at the place in the file that it comes from."""
    number, *rest = fault.location
    group, target = places[int(number)]
    labels = {key: name for name, key in _OF_THE_TARGET.items()}
    match rest:
        case ["labels", name]:
            location: Location = (group, "labels", name)
        case [str(key)] if key in labels:
            location = (group, "labels", labels[key])
        case _:
            location = (group, "targets", target)
    return Fault(location, fault.message, at_key=fault.at_key)


def _misplaced(groups: tuple[_Group, ...], pools: Collection[str]) -> Iterator[Fault]:
    for index, group in enumerate(groups):
        if "odp" in group.labels and len(group.targets) > 1:
            yield Fault((index, "labels", "odp"), "one name for several targets (give each a group of its own)")
        pool = group.labels.get("pool")
        if pool is not None and pool not in pools:
            yield Fault((index, "labels", "pool"), f"unknown pool: {quoted(pool)}; {suggestion(pool, pools)}")


def _problem(path: Path, error: FileError) -> Problem:
    return Problem(str(path), str(error).removeprefix(f"{path}: "))
