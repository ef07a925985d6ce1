"""The handle of one simulated OCP."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from typing import Any

from odp_exporter.simulator.ocp.documents import World
from odp_exporter.simulator.ocp.failures import Endpoint, Failure

_TIMEOUT_SECONDS = 10.0


class Ocp:
    """A simulated OCP on this host."""

    def __init__(self, process: asyncio.subprocess.Process, host: str, ports: Mapping[str, int], world: World) -> None:
        self._process = process
        self._control = ports["control"]
        self._world = world
        self.address = (host, ports["port"])
        """Host and port of the service."""

    @classmethod
    async def start(cls, host: str, port: int, world: World, environment: Mapping[str, str]) -> Ocp:
        """Start the process, and wait until it listens."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "odp_exporter.simulator.ocp"),
            *("--host", host, "--port", str(port), "--world", json.dumps(dataclasses.asdict(world))),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None  # noqa: S101 - it was asked for above
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            line = await process.stdout.readline()
        if not line:
            message = f"OCP did not start on {host}:{port}"
            raise OSError(message)
        return cls(process, host, json.loads(line), world)

    @property
    def base(self) -> str:
        """`http://host:port`."""
        return f"http://{self.address[0]}:{self.address[1]}"

    @property
    def url(self) -> str:
        """What ODP's obproxy_config_server_url says."""
        return f"{self.base}/services?Action=GetObProxyConfig"

    @property
    def clusters(self) -> Mapping[str, Sequence[str]]:
        """The SQL addresses of each cluster that it knows."""
        return self._world.clusters

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    async def break_(self, endpoint: Endpoint | str, failure: Failure | str, value: float | None = None) -> None:
        """Answer questions to *endpoint* with *failure* until `heal`."""
        await self._command({"break": Endpoint(endpoint), "failure": Failure(failure), "value": value})

    async def break_all(self, failure: Failure | str, value: float | None = None) -> None:
        """Answer every question with *failure*."""
        for endpoint in Endpoint:
            await self.break_(endpoint, failure, value)

    async def heal(self) -> None:
        """Answer properly again, and listen again."""
        await self._command({"heal": True})

    async def refuse(self) -> None:
        """Close the service port: connections are refused."""
        await self._command({"refuse": True})

    async def set_clusters(self, clusters: Mapping[str, Sequence[str]], *, version: str | None = None) -> None:
        """Know other clusters, or other servers; without a *version* only another set of names changes it."""
        self._world = dataclasses.replace(self._world, clusters=dict(clusters), version=version)
        await self._command({"world": dataclasses.asdict(self._world)})

    async def counts(self) -> dict[str, int]:
        """Requests since its start, by endpoint; `unknown` for what ODP would not ask."""
        counts: dict[str, int] = (await self._command({}))["counts"]
        return counts

    async def requests(self) -> list[dict[str, Any]]:
        """The latest requests, oldest first: `endpoint`, `target`, `headers`."""
        requests: list[dict[str, Any]] = (await self._command({}))["requests"]
        return requests

    async def stop(self) -> None:
        """End the process."""
        if self._process.returncode is None:
            self._process.kill()
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await self._process.wait()

    async def _command(self, command: Mapping[str, object]) -> dict[str, Any]:
        return await asyncio.to_thread(_post, self.address[0], self._control, json.dumps(command))


def _post(host: str, port: int, body: str) -> dict[str, Any]:
    connection = HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("POST", "/control", body)
        reply = connection.getresponse()
        document: dict[str, Any] = json.loads(reply.read())
    finally:
        connection.close()
    if reply.status != 200:  # noqa: PLR2004 - OK
        raise ValueError(document["error"])
    return document
