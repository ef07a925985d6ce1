from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from odp_exporter.lb.exec import Exec, ExecSettings
from odp_exporter.lb.haproxy import Haproxy, HaproxySettings
from odp_exporter.lb.none import NoLoadBalancer, NoneSettings
from odp_exporter.lb.types import DRIVERS, LbSettings, driver
from odp_exporter.settings import STRICT
from odp_exporter.targets import Address, Target
from odp_exporter.yamlfiles.positions import compose
from odp_exporter.yamlfiles.schema import validated
from pydantic.dataclasses import dataclass

HAPROXY = HaproxySettings(sockets=(Path("/run/haproxy/admin.sock"),), backend="odp")


@dataclass(frozen=True, slots=True, config=STRICT)
class Block:
    """As `remediation.lbs` has them."""

    lbs: Mapping[str, LbSettings]


def read(text: str) -> tuple[Block | None, list[str]]:
    document = compose(text, name="odp.yml")
    block, faults = validated(Block, document.value)
    return block, [str(document.problem(fault)) for fault in faults]


def targets(*names: str) -> list[Target]:
    return [Target(name, Address("192.0.2.11", 2883)) for name in names]


def test_the_settings_of_the_design_are_haproxy_s() -> None:
    block, problems = read("lbs:\n  edge: {type: haproxy, sockets: [/run/haproxy/admin.sock], backend: odp}\n")

    assert (Block({"edge": HAPROXY}), []) == (block, problems)


def test_every_type_reads_its_own_settings() -> None:
    block, problems = read(
        "lbs:\n"
        "  a:\n"
        "    type: haproxy\n"
        "    sockets: [/run/1.sock, '192.0.2.5:9999']\n"
        "    master_sockets: [/run/m1.sock, '[2001:db8::1]:9998']\n"
        "    backend: odp\n"
        "    servers: {odp-1: srv1}\n"
        "    timeout: 500ms\n"
        "  b: {type: exec, members: [/lb, list], drain: [/lb, drain, '{odp}'], enable: [/lb], counts_sessions: true}\n"
        "  c: {type: none}\n"
    )

    assert [] == problems
    assert block == Block(
        {
            "a": HaproxySettings(
                sockets=(Path("/run/1.sock"), Address("192.0.2.5", 9999)),
                master_sockets=(Path("/run/m1.sock"), Address("2001:db8::1", 9998)),
                backend="odp",
                servers={"odp-1": "srv1"},
                timeout=timedelta(milliseconds=500),
            ),
            "b": ExecSettings(
                members=("/lb", "list"), drain=("/lb", "drain", "{odp}"), enable=("/lb",), counts_sessions=True
            ),
            "c": NoneSettings(),
        }
    )


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{type: haproxi}", "2:16: lbs.edge.type: unknown type: 'haproxi'; did you mean 'haproxy'?"),
        ("{type: memory}", "2:16: lbs.edge.type: unknown type: 'memory'; known here: 'exec', 'haproxy', 'none'"),
        ("{type: [none]}", "2:16: lbs.edge.type: unknown type: a list; known here: 'exec', 'haproxy', 'none'"),
        ("{backend: odp}", "2:9: lbs.edge.type: missing; known here: 'exec', 'haproxy', 'none'"),
        ("haproxy", "2:9: lbs.edge: not a mapping: a text"),
        ("{type: none, backend: odp}", "2:22: lbs.edge.backend: unknown key; known here: 'type'"),
        ("{type: haproxy, sockets: [/a]}", "2:9: lbs.edge.backend: missing"),
        ("{type: haproxy, sockets: [], backend: b}", "2:34: lbs.edge.sockets: an empty list (name at least one)"),
        ("{type: haproxy, sockets: /a, backend: b}", "2:34: lbs.edge.sockets: not a list: a text"),
        (
            "{type: haproxy, sockets: [a.sock], backend: b}",
            (
                "2:35: lbs.edge.sockets.0: not a socket: 'a.sock' "
                "(try '/run/haproxy/admin.sock', of at most 107 bytes, or '192.0.2.5:9999')"
            ),
        ),
        (
            "{type: haproxy, sockets: [/a], backend: 'b; shutdown sessions server b/a'}",
            (
                "2:49: lbs.edge.backend: not a name of HAProxy's: 'b; shutdown sessions server b/a' "
                "(letters, digits and _ . : - only)"
            ),
        ),
        (
            "{type: haproxy, sockets: [/a], bakend: b}",
            "2:40: lbs.edge.bakend: unknown key; did you mean 'backend'?",
        ),
        (
            "{type: haproxy, sockets: [/a], backend: b, servers: {odp-1: 'a b'}}",
            "2:69: lbs.edge.servers.odp-1: not a name of HAProxy's: 'a b' (letters, digits and _ . : - only)",
        ),
        (
            "{type: haproxy, sockets: [/a], backend: b, servers: {' ': a}}",
            "2:62: lbs.edge.servers.' ': not a name: ' ' (1 to 128 printable characters, no blanks at the ends)",
        ),
        (
            "{type: haproxy, sockets: [/a], backend: b, master_sockets: [/c, /d]}",
            "2:9: lbs.edge: 1 sockets and 2 master_sockets (one each, or none)",
        ),
        (
            "{type: haproxy, sockets: [/a, /a], backend: b}",
            "2:9: lbs.edge: a socket given twice (one for each instance)",
        ),
        (
            "{type: exec, members: [lb, list], drain: [/lb], enable: [/lb]}",
            "2:31: lbs.edge.members: not the absolute path of a program: 'lb' (try '/usr/local/bin/lb')",
        ),
        (
            "{type: exec, members: [/lb], drain: [], enable: [/lb]}",
            "2:45: lbs.edge.drain: an empty command (the program, then its arguments)",
        ),
        ("{type: exec, members: [/lb], drain: [/lb], enable: /lb}", "2:60: lbs.edge.enable: not a list: a text"),
    ],
)
def test_a_mistake_is_told_where_it_stands(entry: str, problem: str) -> None:
    _, problems = read(f"lbs:\n  edge: {entry}\n")

    assert f"odp.yml:{problem}" in problems


def test_every_mistake_of_a_block_is_told() -> None:
    _, problems = read("lbs:\n  a: {type: nome}\n  b: {type: haproxy, sockets: [a], backend: '', x: y}\n")

    assert ["lbs.a.type", "lbs.b.sockets.0", "lbs.b.backend", "lbs.b.x"] == [
        problem.split(": ")[1] for problem in problems
    ]


def test_a_socket_s_path_that_the_kernel_would_refuse_is_a_mistake() -> None:
    _, problems = read(f"lbs:\n  edge: {{type: haproxy, sockets: [/{'a' * 107}], backend: b}}\n")

    assert 1 == len(problems)
    assert "of at most 107 bytes" in problems[0]


def test_the_table_and_the_union_have_the_same_types() -> None:
    union, *_ = get_args(LbSettings)

    assert set(get_args(union)) == set(DRIVERS)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (HAPROXY, Haproxy),
        (ExecSettings(members=("/a",), drain=("/b",), enable=("/c",)), Exec),
        (NoneSettings(), NoLoadBalancer),
    ],
)
def test_settings_and_members_give_a_driver(
    settings: HaproxySettings | ExecSettings | NoneSettings, kind: type
) -> None:
    assert kind is type(driver(settings, targets("odp-1")))


def test_a_member_that_cannot_be_a_server_s_name_is_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"not a name of HAProxy's: 'odp 1' .*; name the server of ODP 'odp 1' in"):
        driver(HAPROXY, targets("odp 1"))


def test_two_members_cannot_be_one_server() -> None:
    """Draining one of them would drain the other."""
    settings = HaproxySettings(sockets=(Path("/a"),), backend="odp", servers={"odp-2": "odp-1"})

    with pytest.raises(ValueError, match="ODPs 'odp-1' and 'odp-2' are the same server: 'odp-1'"):
        driver(settings, targets("odp-1", "odp-2"))
