"""The configuration: what must hold for any text, any values and any configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from ipaddress import IPv4Network
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.config import Config, Discovery, Process, Web, parse
from odp_exporter.probes.greeting import GreetingSettings
from odp_exporter.probes.ping import PingSettings
from odp_exporter.settings import format_duration
from odp_exporter.target_files import FileDiscovery
from odp_exporter.targets import Address, Ocp, Pool, Target, TargetPattern
from odp_exporter.yamlfiles.positions import Value
from odp_exporter.yamlfiles.problems import ConfigError, Location, Problem, where
from odp_exporter.yamlfiles.schema import keys_at

GOOD = sorted((Path(__file__).parent / "testdata/config/good").glob("*.yml"))


def problems_of(text: str) -> tuple[Problem, ...]:
    """All that is wrong with *text*; nothing if it loads."""
    try:
        parse(text, name="odp.yml")
    except ConfigError as error:
        return error.problems
    return ()


SCRAPS = st.sampled_from(
    [
        *"[]{}:,-&*!|>'\"%@#?\\ \n\t~",
        "\n  ",
        "- ",
        ": ",
        "odps",
        "pools",
        "address",
        "a:1",
        "<<",
        "---\n",
        "\x00",
        "\\U",
    ]
)


@given(st.text() | st.lists(SCRAPS, max_size=40).map("".join))
def test_any_text_is_a_configuration_or_has_problems(text: str) -> None:
    for problem in problems_of(text):
        assert str(problem).startswith("odp.yml:")
        assert str(problem).isprintable()


@given(
    path=st.sampled_from(GOOD),
    place=st.integers(0, 10_000),
    scrap=SCRAPS,
    cut=st.integers(0, 3),
)
def test_a_slip_of_the_finger_raises_nothing_else(path: Path, place: int, scrap: str, cut: int) -> None:
    text = path.read_bytes().decode()
    at = place % (len(text) + 1)

    for problem in problems_of(text[:at] + scrap + text[at + cut :]):
        assert problem.line is None or 1 <= problem.line <= text.count("\n") + 4


KEYS = st.sampled_from(sorted({key for block in (Config, Target, Pool, Ocp, Web) for key in keys_at(block, ())}))
JSON = st.recursive(
    st.text() | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, JSON))
def test_any_values_in_any_place_are_taken_or_refused(value: object) -> None:
    problems_of(json.dumps(value))


NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
ADDRESSES = st.builds(
    Address,
    st.sampled_from(["odp.example", "192.0.2.11", "2001:db8::1", "localhost"]),
    st.integers(1, 65535),
)
INTERVALS = st.integers(1000, 10**9).map(lambda milliseconds: timedelta(milliseconds=milliseconds))
TIMEOUTS = st.integers(1, 1000).map(lambda milliseconds: timedelta(milliseconds=milliseconds))
PATHS = NAMES.map(lambda name: Path("/" + name))
URLS = st.sampled_from(["http://192.0.2.10:8080/services?Action=GetObProxyConfig", "https://u:p@[2001:db8::1]/?a=@"])
LABELS = st.dictionaries(st.sampled_from(["idc", "zone", "_rack"]), st.text(st.characters(exclude_categories=["C"])))


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any configuration without a contradiction."""
    pools = draw(st.lists(NAMES, unique=True, max_size=3))
    addresses = draw(st.lists(ADDRESSES, unique=True, max_size=6))
    names = draw(st.lists(NAMES, unique=True, min_size=len(addresses), max_size=len(addresses)))
    homes, members = st.none() | PATHS, st.sampled_from([None, *pools])
    return Config(
        odps=tuple(
            Target(name, address, draw(homes), draw(members), draw(LABELS))
            for name, address in zip(names[2:], addresses[2:], strict=True)
        ),
        pools={
            name: Pool(name, draw(st.sampled_from([None, *addresses[:2]])), draw(st.none() | NAMES)) for name in pools
        },
        ocp=tuple(Ocp(name, draw(URLS), draw(INTERVALS)) for name in names[:2]),
        file_sd_configs=tuple(draw(st.lists(st.builds(FileDiscovery, st.just(("a/*.yml",)), INTERVALS), max_size=2))),
        discovery=draw(st.builds(Discovery, st.none() | st.booleans(), INTERVALS, INTERVALS)),
        probe=draw(st.builds(GreetingSettings, INTERVALS, TIMEOUTS, st.none() | TIMEOUTS, max_concurrent=st.just(7))),
        ping=draw(st.none() | st.builds(PingSettings, PATHS, NAMES, INTERVALS, TIMEOUTS)),
        process=draw(st.builds(Process, INTERVALS)),
        state_directory=draw(homes),
        alertmanagers=tuple(draw(st.lists(URLS, max_size=2))),
        web=Web(draw(ADDRESSES), draw(homes), (TargetPattern(2883, network=IPv4Network("192.0.2.0/24")),)),
        remediation=draw(st.none() | st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["C"])))),
    )


def plain(value: object) -> Value:
    """A configuration as its values would be written; what is None is not."""
    match value:
        case timedelta():
            return format_duration(value)
        case bool():
            return str(value).lower()
        case str() | int() | Path() | Address() | TargetPattern():
            return str(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items() if item is not None}
        case tuple():
            return [plain(item) for item in value]
        case _ if is_dataclass(value):
            return plain({item.name: getattr(value, item.name) for item in fields(value)})
    raise TypeError(type(value))


class Written:
    """YAML text in block style, and where each key of it stands."""

    def __init__(self, value: Value) -> None:
        self.lines: list[str] = []
        self.keys: dict[Location, tuple[int, int]] = {}
        self._write(value, (), 0, "")

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def _write(self, value: Value, location: Location, indent: int, lead: str) -> None:
        """Write *value* behind *lead*, which stands before its first line."""
        match value:
            case dict() if value:
                for key, item in value.items():
                    self.keys[*location, key] = (len(self.lines) + 1, indent + 1)
                    self._nested(item, (*location, key), indent, f"{lead}{json.dumps(key, ensure_ascii=False)}:")
                    lead = " " * indent
            case list() if value:
                for index, item in enumerate(value):
                    self._write(item, (*location, index), indent + 2, f"{lead}- ")
                    lead = " " * indent
            case _:
                self.lines.append(f"{lead}{json.dumps(value, ensure_ascii=False)}")

    def _nested(self, item: Value, location: Location, indent: int, lead: str) -> None:
        if isinstance(item, dict | list) and item:
            self.lines.append(lead)
            self._write(item, location, indent + 2, " " * (indent + 2))
        else:
            self._write(item, location, indent, f"{lead} ")


@given(configs())
def test_a_written_configuration_reads_as_the_same(config: Config) -> None:
    assert config == parse(Written(plain(config)).text, name="odp.yml")


@given(configs(), st.data())
def test_a_misspelt_key_is_found_wherever_it_is(config: Config, data: st.DataObject) -> None:
    written = Written(plain(config))
    locations = [location for location in written.keys if location[-1] in keys_at(Config, location[:-1])]
    location = data.draw(st.sampled_from(locations))
    line, column = written.keys[location]
    key = json.dumps(location[-1])
    lines = written.lines.copy()
    lines[line - 1] = lines[line - 1].replace(key, '"misspelt"', 1)

    found = problems_of("\n".join(lines))

    place = (line, column, where((*location[:-1], "misspelt")))
    assert [place] == [(p.line, p.column, p.where) for p in found if p.message.startswith("unknown key; ")]
