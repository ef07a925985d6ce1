"""What every answer of both programs has in common: headers that protect, and errors without a traceback."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from odp_exporter.settings import quoted

log = structlog.get_logger()


def put_headers(app: web.Application, program: str, *, style: str, forms: str = "'none'") -> None:
    """Give every answer of *app* the name of the *program*, and what keeps browsers from mischief.

    Its pages work with their own *style*, with *forms* that send there, and with nothing else.
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    headers = {
        "Server": program,
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        f"form-action {forms}; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }

    async def put(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(headers)

    app.on_response_prepare.append(put)


def plain_errors(program: str, pages: Sequence[str]) -> Middleware:
    """Say in plain text which *pages* there are, or that the log of *program* says more."""

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPNotFound as error:
            message = f"no such page: {quoted(request.path)} (there are: {', '.join(pages)})\n"
            raise web.HTTPNotFound(text=message) from error
        except web.HTTPException:
            raise
        except Exception:  # aiohttp's own guard shows tracebacks to the client when asyncio debugs
            log.exception("request failed", path=request.path)
            return web.Response(status=500, text=f"internal error; the log of {program} says more\n")

    return answered
