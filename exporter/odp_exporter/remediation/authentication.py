"""Who may talk to the remediator: whoever knows the token, or has a certificate that the TLS settings verified.

The token's file is read in the background and followed, so that no request
waits for a disk and a rotated token needs no restart. While there is no usable
token, nobody is let in by one.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import stat
from datetime import timedelta
from pathlib import Path

import structlog
from aiohttp import hdrs, web

from odp_exporter import files
from odp_exporter.schedule import Pacer

log = structlog.get_logger()

MAX_TOKEN_BYTES = 4096
MIN_TOKEN_BYTES = 16
"""A shorter one can be guessed."""
CHECK_EVERY = timedelta(seconds=1)


class TokenError(Exception):
    """A token file cannot be used; the message says why, and never shows what is in it."""


def read_token(path: Path) -> bytes:
    """The token in *path*, without the blanks around it."""
    try:
        token = files.read(path, limit=MAX_TOKEN_BYTES).content.strip()
    except files.FileError as error:
        raise TokenError(str(error)) from error
    if len(token) < MIN_TOKEN_BYTES:
        message = f"{path}: {len(token)} bytes, too short for a token (try: openssl rand -hex 32)"
        raise TokenError(message)
    return token


class Authentication:
    """Weighs the credentials of requests."""

    def __init__(self, token_file: Path | None) -> None:
        self._path = token_file
        self._token: bytes | None = None
        self._problem = ""
        self._is_public = False

    async def run(self) -> None:
        """Follow the token file until cancelled."""
        if self._path is None:
            await asyncio.Event().wait()
            return
        pacer = Pacer("token", CHECK_EVERY)
        while True:
            await self.refresh()
            await pacer.next(CHECK_EVERY)

    async def refresh(self) -> None:
        """Read the token file once; what cannot be used lets nobody in."""
        if self._path is None:
            return
        try:
            self._token, problem = await asyncio.to_thread(read_token, self._path), ""
        except TokenError as error:
            self._token, problem = None, str(error)
        if problem != self._problem:
            self._problem = problem
            if problem:
                log.error("token cannot be used, nobody is let in by it", reason=problem)
            else:
                log.info("token taken up")
        if not problem:
            await self._warn(self._path)

    async def _warn(self, path: Path) -> None:
        """Whoever reads the token may stop every repair."""
        is_public = await asyncio.to_thread(_is_public, path)
        if is_public and not self._is_public:
            log.warning("token can be read by everybody", path=str(path), way_out="chmod o= on it")
        self._is_public = is_public

    def admits(self, request: web.Request) -> bool:
        """The client has shown the token, or a verified certificate."""
        if request.transport is not None and request.transport.get_extra_info("peercert"):
            return True
        offered = _offered(request.headers.get(hdrs.AUTHORIZATION, ""))
        # Compared even when there is nothing to compare with, so that time tells nothing.
        is_right = hmac.compare_digest(offered, self._token or b"\0")
        return is_right and self._token is not None


def _is_public(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False  # it has gone since, which the next turn tells


def _offered(header: str) -> bytes:
    """The token of a Bearer header, or the password of a Basic one."""
    scheme, _, rest = header.partition(" ")
    text = rest.strip().encode(errors="replace")
    match scheme.lower():
        case "bearer":
            return text
        case "basic":
            try:
                return base64.b64decode(text, validate=True).partition(b":")[2]
            except binascii.Error:
                return b""
        case _:
            return b""
