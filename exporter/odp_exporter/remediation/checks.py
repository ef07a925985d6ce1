"""Mistakes of the `remediation:` block, alone and beside the rest of the file.

Looks at the plain values of the file, so that they are told together with all
other mistakes and with their lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from odp_exporter.settings import quoted
from odp_exporter.yamlfiles.positions import Value
from odp_exporter.yamlfiles.problems import Fault
from odp_exporter.yamlfiles.schema import suggestion, validated

from .settings import DEFAULT_ACTUATOR, Remediation

_HERE = "remediation"


def faults(value: Value) -> Iterator[Fault]:
    """Everything that is wrong for the remediator in a configuration."""
    if not isinstance(value, dict):
        return
    if _HERE not in value:
        yield Fault((), "no remediation block (the remediator needs one)")
        return
    _, found = validated(Remediation, value[_HERE])
    yield from (_moved(fault) for fault in found)
    own = value[_HERE]
    if isinstance(own, dict):
        pools, odps = _mapping(value.get("pools")), _odps(value.get("odps"))
        yield from _unknown_lbs(pools, _mapping(own.get("lbs")))
        yield from _unknown_actuators(_mapping(own.get("actuators")), pools, odps)
        yield from _without_actuator(_mapping(own.get("actuators")), pools, odps)
        yield from _too_few_members(pools, odps)


def _moved(fault: Fault) -> Fault:
    first = fault.first and (_HERE, *fault.first)
    return replace(fault, location=(_HERE, *fault.location), first=first)


def _unknown_lbs(pools: Mapping[str, Value], lbs: Mapping[str, Value]) -> Iterator[Fault]:
    for name, pool in pools.items():
        lb = _mapping(pool).get("lb")
        if isinstance(lb, str) and lb not in lbs:
            yield Fault(("pools", name, "lb"), f"unknown load balancer: {quoted(lb)}; {suggestion(lb, lbs)}")


def _unknown_actuators(
    actuators: Mapping[str, Value], pools: Mapping[str, Value], odps: Mapping[str, tuple[int, str]]
) -> Iterator[Fault]:
    known = {DEFAULT_ACTUATOR, *pools, *odps}
    for name in actuators:
        if name not in known:
            message = f"neither an ODP nor a pool nor 'default': {quoted(name)}; {suggestion(name, known)}"
            yield Fault((_HERE, "actuators", name), message, at_key=True)


def _without_actuator(
    actuators: Mapping[str, Value], pools: Mapping[str, Value], odps: Mapping[str, tuple[int, str]]
) -> Iterator[Fault]:
    for name, (index, pool) in odps.items():
        is_steered = "lb" in _mapping(pools.get(pool))
        if is_steered and not {name, pool, DEFAULT_ACTUATOR} & set(actuators):
            message = f"{quoted(name)} has a load balancer and no actuator (add remediation.actuators.default)"
            yield Fault(("odps", index), message)


def _too_few_members(pools: Mapping[str, Value], odps: Mapping[str, tuple[int, str]]) -> Iterator[Fault]:
    for name, pool in pools.items():
        block = _mapping(pool)
        least, members = block.get("min_serving"), sum(name == its for _, its in odps.values())
        if "lb" in block and isinstance(least, str) and least.isdecimal() and 0 < members <= int(least):
            message = f"with {members} ODPs none could ever be taken out (at most '{members - 1}')"
            yield Fault(("pools", name, "min_serving"), message)


def _odps(value: Value) -> dict[str, tuple[int, str]]:
    """Index and pool by name."""
    found = {}
    for index, odp in enumerate(value if isinstance(value, list) else []):
        block = _mapping(odp)
        name, pool = block.get("name", block.get("address")), block.get("pool", "")
        if isinstance(name, str) and isinstance(pool, str):
            found[name] = (index, pool)
    return found


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, dict) else {}
