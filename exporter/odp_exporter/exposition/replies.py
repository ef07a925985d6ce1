"""Requests and replies in the forms that several pages share."""

from __future__ import annotations

from aiohttp import hdrs, web

from .negotiation import accepts_gzip, choose_format, compressed
from .rendering import Format


async def reply(request: web.Request, form: Format, body: bytes) -> web.Response:
    """A page of metrics, compressed if the client takes it."""
    headers = {hdrs.CONTENT_TYPE: form.value, hdrs.VARY: "Accept, Accept-Encoding"}
    if accepts_gzip(_joined(request, hdrs.ACCEPT_ENCODING)):
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        body = await compressed(body)
    return web.Response(body=body, headers=headers)


def format_of(request: web.Request) -> Format:
    """The format that the client asks for."""
    return choose_format(_joined(request, hdrs.ACCEPT))


def _joined(request: web.Request, header: str) -> str:
    return ",".join(request.headers.getall(header, []))


def parameter(request: web.Request, name: str, default: str | None = None) -> str:
    """The only value of a query parameter."""
    values = request.query.getall(name, [] if default is None else [default])
    if len(values) != 1 or not values[0]:
        problem = "missing" if not any(values) else "given more than once"
        message = f"query parameter {name!r} {problem} (try /probe?target=192.0.2.11:2883&module=greeting)\n"
        raise web.HTTPBadRequest(text=message)
    return values[0]
