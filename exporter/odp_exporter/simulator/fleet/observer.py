"""A stand-in OBServer: something that accepts TCP connections at an address."""

from __future__ import annotations

import asyncio
from typing import Self


class Observer:
    """Listens at an address while its context lasts; `str()` gives the address as OCP does."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None

    def __str__(self) -> str:
        return f"{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(_close, self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None


async def _close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
