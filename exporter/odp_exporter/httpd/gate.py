"""Lets requests in, or not: rate limit and basic authentication, before any page.

Passwords are checked outside the event loop, one at a time, because bcrypt is
slow on purpose; who was right once is remembered, so that a scrape does not
pay for it. How long a refusal takes does not tell whether the user exists.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import bcrypt
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from odp_exporter.clock import stopwatch

from .web_config import RateLimit, WebConfig

MAX_REMEMBERED = 128
"""Credentials that were right once."""
MAX_WAITING = 16
"""Requests whose password is being checked; more would only make everybody wait."""
_MAX_PASSWORD_BYTES = 72
"""bcrypt ignores the rest, and its Python library refuses it."""


class Gate:
    """Guards an application by a web configuration, which may be replaced at any time."""

    def __init__(self, config: WebConfig) -> None:
        self._config = config
        self._bucket = _Bucket(config.rate_limit) if config.rate_limit else None
        self._passwords = _Passwords()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._passwords.close()

    def guard(self, app: web.Application) -> None:
        """Stand before every page of *app*, those that it does not have included."""

        @web.middleware
        async def pass_gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._refusal(request) or await handler(request)

        app.middlewares.insert(0, pass_gate)
        app.on_response_prepare.append(self._add_headers)

    def replace(self, config: WebConfig) -> None:
        """From now on *config* counts."""
        if config.rate_limit != self._config.rate_limit:
            self._bucket = _Bucket(config.rate_limit) if config.rate_limit else None
        self._config = config

    async def _refusal(self, request: web.Request) -> web.Response | None:
        if self._bucket and not self._bucket.take():
            return web.Response(status=429, text="too many requests\n")
        users = self._config.basic_auth_users
        if not users:
            return None
        credentials = _credentials(request.headers.get(hdrs.AUTHORIZATION, ""))
        if credentials is None:
            return _unauthorized()
        user, password = credentials
        hashed = users.get(user) or nobodys_hash(users.values())
        # First of all, so that a flood of wrong passwords does not keep out a scraper that is known.
        if self._passwords.remembers(user, password, hashed):
            return None
        if self._passwords.waiting >= MAX_WAITING:
            return web.Response(status=503, text="too many passwords to check, try again\n")
        is_right = await self._passwords.is_right(user, password, hashed)
        return None if is_right and user in users else _unauthorized()

    async def _add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self._config.http_server_config.headers)


class _Passwords:
    """Checks passwords, and remembers the right ones by a hash that is of no use elsewhere."""

    def __init__(self) -> None:
        self.waiting = 0
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bcrypt")

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def remembers(self, user: str, password: bytes, hashed: str) -> bool:
        token = self._token(user, password, hashed)
        if token not in self._right:
            return False
        self._right.move_to_end(token)
        return True

    async def is_right(self, user: str, password: bytes, hashed: str) -> bool:
        self.waiting += 1
        try:
            is_right = await asyncio.get_running_loop().run_in_executor(self._thread, _matches, password, hashed)
        finally:
            self.waiting -= 1
        if is_right:
            self._right[self._token(user, password, hashed)] = None
            if len(self._right) > MAX_REMEMBERED:
                self._right.popitem(last=False)
        return is_right

    def _token(self, user: str, password: bytes, hashed: str) -> bytes:
        digest = hashlib.blake2b(key=self._key)
        for part in (user.encode(), hashed.encode(), password):
            digest.update(hashlib.blake2b(part).digest())
        return digest.digest()


class _Bucket:
    """A token bucket: full at the beginning, one more token per interval."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._tokens = float(limit.burst)
        self._at = stopwatch()

    def take(self) -> bool:
        now = stopwatch()
        gained = (now - self._at) / self._limit.interval.total_seconds()
        self._tokens, self._at = min(self._limit.burst, self._tokens + gained), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _matches(password: bytes, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_MAX_PASSWORD_BYTES], hashed.encode())
    except ValueError:  # a NUL byte, which no password has
        return False


def nobodys_hash(hashes: Iterable[str]) -> str:
    """A hash that no password has, and that takes as long to check as the slowest of *hashes*."""
    cost = max(hashed.split("$")[2] for hashed in hashes)
    return f"$2b${cost}${'.' * 53}"


def _credentials(header: str) -> tuple[str, bytes] | None:
    """User and password of an Authorization header; None if it has none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def _unauthorized() -> web.Response:
    headers = {hdrs.WWW_AUTHENTICATE: 'Basic realm="odp-exporter", charset="UTF-8"'}
    return web.Response(status=401, text="unauthorized\n", headers=headers)
