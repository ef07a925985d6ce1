"""The envelope that ODP wants around every reply."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.observations import OcpResult
from odp_exporter.ocp.envelope import OcpError, unwrapped
from odp_exporter.odp_json import Json

GOOD: dict[str, Json] = {"Message": "successful", "Success": True, "Code": 200, "Data": {"Version": "1"}}
RESULTS = {
    "Message": OcpResult.MESSAGE,
    "Success": OcpResult.SUCCESS,
    "Code": OcpResult.CODE,
    "Data": OcpResult.DATA,
}


def body(**changes: object) -> bytes:
    return json.dumps({key: value for key, value in {**GOOD, **changes}.items() if value is not ...}).encode()


def failure(text: bytes) -> tuple[OcpResult, str]:
    with pytest.raises(OcpError) as caught:
        unwrapped(text)
    return caught.value.result, caught.value.detail


def test_a_good_reply_gives_its_data() -> None:
    assert {"Version": "1"} == unwrapped(body(Trace="x", Cost=1))


@pytest.mark.parametrize("code", [200, 204, 299])
def test_every_code_that_begins_with_2_is_success(code: int) -> None:
    assert {"Version": "1"} == unwrapped(body(Code=code))


@pytest.mark.parametrize("key", RESULTS)
def test_without_one_of_the_four_there_is_no_reply(key: str) -> None:
    assert (RESULTS[key], f"{key} is absent") == failure(body(**{key: ...}))


@pytest.mark.parametrize(
    ("changes", "result", "detail"),
    [
        ({"Message": "Successful"}, OcpResult.MESSAGE, "Message is a str, not 'successful'"),
        ({"Message": None}, OcpResult.MESSAGE, "Message is null, not 'successful'"),
        ({"Success": "true"}, OcpResult.SUCCESS, "Success is a str, not the literal true"),
        ({"Success": 1}, OcpResult.SUCCESS, "Success is 1, not the literal true"),
        ({"Success": False}, OcpResult.SUCCESS, "Success is false, not the literal true"),
        ({"Code": 500}, OcpResult.CODE, "Code is 500, not a number from 200 to 299"),
        ({"Code": "200"}, OcpResult.CODE, "Code is a str, not a number from 200 to 299"),
        ({"Code": True}, OcpResult.CODE, "Code is true, not a number from 200 to 299"),
        ({"Code": 10**40}, OcpResult.CODE, "Code is a int, not a number from 200 to 299"),
        ({"Code": 199}, OcpResult.CODE, "Code is 199, not a number from 200 to 299"),
        ({"Code": 300}, OcpResult.CODE, "Code is 300, not a number from 200 to 299"),
        ({"Code": -200}, OcpResult.CODE, "Code is -200, not a number from 200 to 299"),
    ],
)
def test_each_mistake_has_its_result(changes: dict[str, object], result: OcpResult, detail: str) -> None:
    assert (result, detail) == failure(body(**changes))


def test_keys_are_case_sensitive() -> None:
    assert (OcpResult.MESSAGE, "Message is absent") == failure(body().replace(b"Message", b"message"))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (b"", OcpResult.EMPTY),
        (b"   ", OcpResult.NOT_JSON),
        (b"<html>not json at all</html>", OcpResult.NOT_JSON),
        (b"[]", OcpResult.NOT_JSON),
        (b"null", OcpResult.NOT_JSON),
        (body(Code=200.0), OcpResult.NOT_JSON),
    ],
)
def test_what_is_no_reply_at_all(text: bytes, result: OcpResult) -> None:
    assert result == failure(text)[0]


def test_white_space_of_every_kind_is_a_blank() -> None:
    assert {"Version": "1"} == unwrapped(body().replace(b" ", b"\r\n\t\v\f"))


@given(key=st.sampled_from(sorted(RESULTS)), value=st.none() | st.booleans() | st.integers() | st.text() | st.just([]))
def test_any_single_key_that_is_changed_gives_its_own_result(key: str, value: Json) -> None:
    changed = {**GOOD, key: value}
    try:
        data = unwrapped(json.dumps(changed).encode())
    except OcpError as error:
        assert error.result in {RESULTS[key], OcpResult.NOT_JSON}  # noqa: PT017 - some examples are good replies
        assert len(error.detail) <= 200  # noqa: PT017 - as above
    else:
        assert changed["Data"] == data or key == "Data"


@given(text=st.binary(max_size=300))
def test_arbitrary_bytes_are_no_reply(text: bytes) -> None:
    assert failure(text)[0] in {OcpResult.EMPTY, OcpResult.NOT_JSON, OcpResult.MESSAGE}
