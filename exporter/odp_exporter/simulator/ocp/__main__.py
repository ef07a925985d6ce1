"""`python -m odp_exporter.simulator.ocp`: an OCP until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys

from odp_exporter.simulator.odp import process

from .control import Control, parse_world
from .documents import Document
from .service import Service


async def _serve(host: str, port: int, world: Document) -> None:
    control = Control(Service(parse_world(world)), host, port)
    await control.open()
    commands = await asyncio.start_server(control.serve, host, 0)
    ports = {"port": control.port, "control": commands.sockets[0].getsockname()[1]}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await commands.serve_forever()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="ocp", description="An OCP that answers ODP, badly on demand.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--world", type=json.loads, default={"clusters": {}}, help="what OCP knows, as JSON")
    arguments = parser.parse_args()
    if owner := os.environ.get("OBPROXY_SIM_OWNER"):
        process.end_with(int(owner))
    asyncio.run(_serve(arguments.host, arguments.port, arguments.world))


if __name__ == "__main__":
    main()
