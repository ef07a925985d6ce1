"""Contradictions: settings that are right by themselves and wrong beside each other.

Looks at the plain values of the file, so that they are told together with all
other mistakes; whatever is no right value by itself is passed over here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

from .notify.pusher import NotifySettings
from .probes.greeting import GreetingSettings
from .probes.ping import PingSettings
from .settings import MIN_INTERVAL, format_duration, quoted
from .targets import Address, parse_address
from .yamlfiles.positions import Value
from .yamlfiles.problems import Fault, Location
from .yamlfiles.schema import suggestion, validated

T = TypeVar("T", bound=Hashable)
Entry = tuple[Location, dict[str, Value]]


def contradictions(value: Value) -> Iterator[Fault]:
    """Everything in a configuration that contradicts something else in it."""
    if not isinstance(value, dict):
        return
    odps, pools, ocps = (list(_entries(value, section)) for section in ("odps", "pools", "ocp"))
    addresses = list(_parsed(parse_address, _texts(odps, "address")))
    yield from _duplicates("address", addresses)
    yield from _duplicates("name", _names(odps))
    yield from _duplicates("name", _texts(ocps, "name"))
    yield from _unknown_pools(odps, value.get("pools"))
    yield from _misnamed_pools(pools)
    yield from _unbalanced_pools(pools, {address: location for location, address in reversed(addresses)})
    yield from _labels_alike(odps)
    yield from _paces(value)


def _entries(value: dict[str, Value], section: str) -> Iterator[Entry]:
    match value.get(section):
        case list(items):
            pairs: Iterable[tuple[str | int, Value]] = enumerate(items)
        case dict(items):
            pairs = items.items()
        case _:
            return
    yield from (((section, key), item) for key, item in pairs if isinstance(item, dict))


def _texts(entries: Iterable[Entry], key: str) -> Iterator[tuple[Location, str]]:
    for location, entry in entries:
        if isinstance(text := entry.get(key), str):
            yield (*location, key), text


def _parsed(parse: Callable[[str], T], texts: Iterable[tuple[Location, str]]) -> Iterator[tuple[Location, T]]:
    for location, text in texts:
        try:
            yield location, parse(text)
        except ValueError:
            continue  # told by the schema


def _names(odps: Iterable[Entry]) -> Iterator[tuple[Location, str]]:
    """The name of each ODP, which is its address if none is given."""
    for odp in odps:
        yield from _texts([odp], "name" if "name" in odp[1] else "address")


def _duplicates(what: str, values: Iterable[tuple[Location, T]]) -> Iterator[Fault]:
    first: dict[T, Location] = {}
    for location, value in values:
        if value in first:
            yield Fault(location, f"duplicate {what}: {quoted(str(value))}", first=first[value])
        first.setdefault(value, location)


def _unknown_pools(odps: Iterable[Entry], pools: Value) -> Iterator[Fault]:
    known = pools if isinstance(pools, dict) else {}
    for location, pool in _texts(odps, "pool"):
        if pool not in known:
            yield Fault(location, f"unknown pool: {quoted(pool)}; {suggestion(pool, known)}")


def _misnamed_pools(pools: Iterable[Entry]) -> Iterator[Fault]:
    for location, name in _texts(pools, "name"):
        if name != location[1]:
            yield Fault(location, f"not the pool's name: {quoted(name)} (its key is its name; leave this out)")


def _unbalanced_pools(pools: Iterable[Entry], odps: Mapping[Address, Location]) -> Iterator[Fault]:
    for location, vip in _parsed(parse_address, _texts(pools, "vip")):
        if odp := odps.get(vip):
            message = f"the address of an ODP: {quoted(str(vip))} (give that of the load balancer)"
            yield Fault(location, message, first=odp)


def _labels_alike(odps: Iterable[Entry]) -> Iterator[Fault]:
    spellings: dict[str, Location] = {}
    for location, odp in odps:
        labels = odp.get("labels")
        for name in labels if isinstance(labels, dict) else ():
            here = (*location, "labels", name)
            first = spellings.setdefault(name.casefold(), here)
            if name != first[-1]:
                yield Fault(here, f"another spelling of label {quoted(str(first[-1]))}", at_key=True, first=first)


def _paces(value: dict[str, Value]) -> Iterator[Fault]:
    probe, _ = validated(GreetingSettings, value.get("probe", {}))
    if probe is not None:
        yield from _pace("probe", probe, ("timeout", "connect_timeout", "greeting_timeout"))
    ping, _ = validated(PingSettings, value.get("ping"))
    if ping is not None:
        yield from _pace("ping", ping, ("timeout",))
    notify, _ = validated(NotifySettings, value.get("notify", {}))
    if notify is not None:
        yield from _expiry(notify)


def _pace(section: str, settings: GreetingSettings | PingSettings, timeouts: Iterable[str]) -> Iterator[Fault]:
    interval = format_duration(settings.interval)
    if settings.interval < MIN_INTERVAL:
        yield Fault((section, "interval"), f"too short an interval: {quoted(interval)} (at least '100ms')")
    for key in timeouts:
        timeout = getattr(settings, key)
        if timeout is not None and timeout > settings.interval:
            message = f"longer than the interval: {quoted(format_duration(timeout))} (at most {quoted(interval)})"
            yield Fault((section, key), message)


def _expiry(notify: NotifySettings) -> Iterator[Fault]:
    """Alerts must not expire while they are being said, nor before it is said that they are over."""
    expiry = quoted(format_duration(notify.expire_after))
    for key in ("resend_interval", "end_after"):
        duration = getattr(notify, key)
        if duration >= notify.expire_after:
            message = f"not shorter than expire_after: {quoted(format_duration(duration))} (less than {expiry})"
            yield Fault(("notify", key), message)
