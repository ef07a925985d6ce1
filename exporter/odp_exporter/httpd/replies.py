"""Requests and replies in the forms that several pages share."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import hdrs, web

from odp_exporter.metrics.rendering import Format

from .negotiation import accepts_gzip, choose_format, joined


async def reply(request: web.Request, form: Format, parts: Sequence[bytes]) -> web.Response:
    """A page of metrics made of *parts*, compressed if the client takes it."""
    headers = {hdrs.CONTENT_TYPE: form.value, hdrs.VARY: "Accept, Accept-Encoding"}
    is_compressed = accepts_gzip(_joined(request, hdrs.ACCEPT_ENCODING))
    if is_compressed:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(body=await joined(parts, is_compressed=is_compressed), headers=headers)


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
