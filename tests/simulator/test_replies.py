from __future__ import annotations

import json

import pytest
from odp_exporter.simulator.ocp import documents
from odp_exporter.simulator.ocp.documents import Shape, World
from odp_exporter.simulator.ocp.failures import OF_TRANSPORT, Breakage, Failure, spoil
from odp_exporter.simulator.odp.replies import Rejected, parse_config, parse_idc_list, parse_rs_lists, parse_version

WORLD = World({"ob1": ["127.0.0.1:2881"], "ob2": ["127.0.0.2:2881"]})
BASE = "http://127.0.0.1:8080"
TEMPLATE = World(WORLD.clusters, shape=Shape.TEMPLATE)

_CONFIG_FAILURES = frozenset(Failure) - OF_TRANSPORT - {Failure.OVERSIZED, Failure.FLAPPING_VERSION}
_OF_LISTS = {Failure.CLUSTER_MISMATCH, Failure.BAD_ROLE, Failure.NO_SERVERS, Failure.HOST_NAMES}
_OF_CONFIG = {Failure.NO_VERSION, Failure.LONG_VERSION, Failure.NO_CLUSTERS, Failure.DUPLICATE_CLUSTERS}


def test_list_and_template_give_the_same_clusters() -> None:
    listed, templated = (
        parse_config(json.dumps(documents.config(world, BASE)).encode()) for world in (WORLD, TEMPLATE)
    )

    assert listed.urls == templated.urls
    assert ["ob1", "ob2"] == list(listed.urls)


@pytest.mark.parametrize("failure", sorted(_CONFIG_FAILURES - _OF_LISTS))
@pytest.mark.parametrize("world", [WORLD, TEMPLATE])
def test_odp_rejects_each_broken_configuration(failure: Failure, world: World) -> None:
    body = spoil(documents.config(world, BASE), Breakage(failure), 1)

    with pytest.raises(Rejected):
        parse_config(body)


@pytest.mark.parametrize("failure", sorted(_CONFIG_FAILURES - _OF_CONFIG - {Failure.NO_SERVERS, Failure.HOST_NAMES}))
def test_odp_rejects_each_broken_rs_list(failure: Failure) -> None:
    document = documents.rs_list(WORLD, "ob1")
    assert document is not None

    with pytest.raises(Rejected):
        parse_rs_lists(spoil(document, Breakage(failure), 1), "ob1")


@pytest.mark.parametrize("failure", [Failure.NO_SERVERS, Failure.HOST_NAMES])
def test_a_list_without_usable_servers_is_no_error(failure: Failure) -> None:
    document = documents.rs_list(WORLD, "ob1")
    assert document is not None

    (rs_list,) = parse_rs_lists(spoil(document, Breakage(failure), 1), "ob1")
    assert () == rs_list.servers


@pytest.mark.parametrize("failure", [Failure.CODE, Failure.SUCCESS_FALSE, Failure.MESSAGE])
def test_the_version_check_does_not_look_at_the_envelope(failure: Failure) -> None:
    body = spoil(documents.enveloped({"Version": "v1"}), Breakage(failure), 1)

    assert "v1" == parse_version(body)


def test_idcs_are_taken_in_lower_case() -> None:
    document = documents.idc_list("ob1")
    document["Data"]["IDCList"] = [{"idc": "Z1", "region": "R1"}]

    assert (("z1", "R1"),) == parse_idc_list(json.dumps(document).encode(), "ob1").idcs
