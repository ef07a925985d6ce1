"""What a person orders over HTTP, as events: pauses and their ends. Whatever is not clear is refused."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from datetime import datetime

from aiohttp import web

from odp_exporter.settings import parse_duration, quoted

from .model import Pause, Paused, Resumed, Scope
from .policy import Inventory

MAX_BYTES = 4096

Order = Mapping[str, object]


async def pause(request: web.Request, inventory: Inventory, now: datetime) -> Paused:
    """As JSON, with its scope, reason, and for how long."""
    order = await _order(request)
    scope, name = _scope(order, inventory)
    try:
        length = None if order.get("for") is None else parse_duration(order["for"])
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"for: {error}\n") from error
    return Paused(Pause(scope, name, _who(order, request), _reason(order), now, now + length if length else None))


async def resume(request: web.Request, inventory: Inventory) -> Resumed:
    """As JSON, with its scope and reason."""
    order = await _order(request)
    scope, name = _scope(order, inventory)
    return Resumed(scope, name, _who(order, request), _reason(order))


async def form_pause(request: web.Request, secret: str, now: datetime) -> Paused:
    """Of the whole fleet, by the page's form."""
    order = await _form(request, secret)
    return Paused(Pause(Scope.FLEET, "", _who(order, request), _reason(order), now))


async def form_resume(request: web.Request, secret: str) -> Resumed:
    """Of the whole fleet, by the page's form."""
    order = await _form(request, secret)
    return Resumed(Scope.FLEET, "", _who(order, request), _reason(order))


async def _order(request: web.Request) -> Order:
    # Another content type is what a browser sends anywhere without asking.
    if request.content_type != "application/json":
        raise web.HTTPBadRequest(text="not application/json\n")
    _bounded(request.content_length or 0)
    body = await request.read()
    _bounded(len(body))
    try:
        order = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(text="not JSON\n") from error
    if not isinstance(order, dict):
        raise web.HTTPBadRequest(text="not a mapping\n")
    return order


async def _form(request: web.Request, secret: str) -> Order:
    _bounded(request.content_length or 0)
    form = await request.post()
    shown = form.get("secret")
    if not isinstance(shown, str) or not hmac.compare_digest(shown.encode(errors="replace"), secret.encode()):
        raise web.HTTPForbidden(text="the form is not from this page (load the page again)\n")
    return {"reason": form.get("reason"), "who": "page"}


def _bounded(size: int) -> None:
    if size > MAX_BYTES:
        raise web.HTTPRequestEntityTooLarge(max_size=MAX_BYTES, actual_size=size)


def _scope(order: Order, inventory: Inventory) -> tuple[Scope, str]:
    try:
        scope = Scope(str(order.get("scope")))
    except ValueError as error:
        message = f"scope: none of {', '.join(Scope)}: {quoted(order.get('scope'))}\n"
        raise web.HTTPBadRequest(text=message) from error
    name = order.get("name", "")
    known: Mapping[Scope, Mapping[str, object]] = {Scope.TARGET: inventory.targets, Scope.POOL: inventory.pools}
    if not isinstance(name, str) or name not in known.get(scope, {"": None}):
        raise web.HTTPBadRequest(text=f"name: no {scope} of the inventory: {quoted(name)}\n")
    return scope, name


def _reason(order: Order) -> str:
    reason = order.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise web.HTTPBadRequest(text="reason: missing (whoever finds this at night wants to know why)\n")
    return _printable(reason)


def _who(order: Order, request: web.Request) -> str:
    who = order.get("who")
    return f"{_printable(who)} ({request.remote})" if isinstance(who, str) and who.strip() else str(request.remote)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text.strip()[:200])
