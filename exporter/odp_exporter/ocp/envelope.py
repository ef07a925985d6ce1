"""The envelope around every reply of OCP, accepted as ODP accepts it (odp-facts 1.4).

Pure. It says what is wrong without quoting the reply: the configuration holds
the password of the meta database.
"""

from __future__ import annotations

from odp_exporter.observations import OcpResult
from odp_exporter.odp_json import Json, NotJson, parse

_SUCCESS_CODES = range(200, 300)


class OcpError(Exception):
    """ODP would not take this reply."""

    def __init__(self, result: OcpResult, detail: str) -> None:
        super().__init__(detail)
        self.result = result
        """Why, out of the closed set."""
        self.detail = detail
        """Why, for a person: one line, bounded, without a secret."""


class Overlooked(OcpError):
    """OCP says that it failed, and ODP, which does not look, takes the reply (odp-facts 1.3)."""


def unwrapped(body: bytes) -> Json:
    """`Data` of a reply whose `Message`, `Success` and `Code` are as they must be."""
    if not body:
        raise OcpError(OcpResult.EMPTY, "the reply has no body")
    try:
        reply = parse(body)
    except NotJson as error:
        raise OcpError(OcpResult.NOT_JSON, str(error)) from error
    if not isinstance(reply, dict):
        raise OcpError(OcpResult.NOT_JSON, "the reply is JSON, but not an object")
    if reply.get("Message") != "successful":
        raise OcpError(OcpResult.MESSAGE, _wrong(reply, "Message", "'successful'"))
    if reply.get("Success") is not True:
        raise OcpError(OcpResult.SUCCESS, _wrong(reply, "Success", "the literal true"))
    code = reply.get("Code")
    if isinstance(code, bool) or not isinstance(code, int) or code not in _SUCCESS_CODES:
        raise OcpError(OcpResult.CODE, _wrong(reply, "Code", "a number from 200 to 299"))
    if "Data" not in reply:
        raise OcpError(OcpResult.DATA, "Data is absent")
    return reply["Data"]


def _wrong(reply: dict[str, Json], key: str, expected: str) -> str:
    if key not in reply:
        return f"{key} is absent"
    match reply[key]:
        case None | bool() as literal:
            found = f"{literal}".lower().replace("none", "null")
        case int(number) if abs(number) < 1_000_000:  # noqa: PLR2004 - more digits would only flood the line
            found = str(number)
        case value:
            found = f"a {type(value).__name__}"
    return f"{key} is {found}, not {expected}"
