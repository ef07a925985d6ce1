"""What stands in the IDC-list cache."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.cache import idc_list
from odp_exporter.cache.content import ContentError
from odp_exporter.observations import CacheResult


def result_of(payload: bytes) -> CacheResult:
    try:
        idc_list.check(payload)
    except ContentError as error:
        return error.result
    return CacheResult.OK


def test_the_form_in_which_odp_writes_it() -> None:
    payload = idc_list.dump([idc_list.CachedIdcs("ob1", 1, (("z1", "R1"), ("z2", "R1")))])

    assert (
        b'[{"ObRegion":"ob1","ObRegionId":1,"IDCList":[{"idc":"z1","region":"R1"},{"idc":"z2","region":"R1"}]}]'
        == payload
    )
    assert CacheResult.OK == result_of(payload)


def test_a_lone_bracket_is_an_empty_list() -> None:
    assert b"[" == idc_list.dump([])
    assert CacheResult.OK == result_of(b"[")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"nonsense", CacheResult.NOT_JSON),
        (b'{"ObRegion":"ob1"}', CacheResult.CONTENT),
        (b"[[]]", CacheResult.CONTENT),
        (b'[{"ObRegion":1,"IDCList":[]}]', CacheResult.CONTENT),
        (b'[{"ObRegion":"ob1","ObRegionId":"1","IDCList":[]}]', CacheResult.CONTENT),
        (b'[{"ObRegion":"ob1","ObRegionId":true,"IDCList":[]}]', CacheResult.CONTENT),
        (b'[{"ObRegion":"ob1"}]', CacheResult.CONTENT),
        (b'[{"ObRegion":"ob1","IDCList":[1]}]', CacheResult.CONTENT),
        (b'[{"ObRegion":"ob1","IDCList":[{}]}]', CacheResult.OK),
    ],
)
def test_what_odp_could_not_read_is_named(payload: bytes, expected: CacheResult) -> None:
    assert expected == result_of(payload)


@given(payload=st.binary(max_size=100))
def test_arbitrary_payloads_give_a_result(payload: bytes) -> None:
    assert result_of(payload) in CacheResult
