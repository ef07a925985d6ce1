"""ODP's own watchdog as a process: obproxyd.sh with the behaviour and the weaknesses of odp-facts 7.9."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path

from .odp import Odp
from .processes import eventually, is_alive, kill

_NAMED_SECONDS = 10.0
_SCRIPT = """\
#!/bin/bash
# Once a second: is the port connectable? If not, start one more; an unhealthy one is not killed.
port=$4 host=$6
shift 6
first=1
while sleep 1 && kill -0 "$OBPROXY_SIM_OWNER" 2>/dev/null; do
  timeout 2 bash -c "echo hi >/dev/tcp/$host/$port" 2>/dev/null && continue
  if [ "$first" = 1 ]; then
    ./bin/obproxy "$@" >/dev/null 2>&1
    first=0
    sleep 8
  else
    # Later restarts pass fewer options; the stored ones apply.
    ./bin/obproxy -p "$port" >/dev/null 2>&1
  fi
done
"""


class Watchdog:
    """A running obproxyd.sh in the home of an ODP."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, odp: Odp, environment: Mapping[str, str]) -> Watchdog:
        """Write the script into the home of *odp* and run it, with the arguments of the real one in front."""
        script = odp.home / "bin" / "obproxyd.sh"
        script.write_text(_SCRIPT)
        script.chmod(0o755)
        host, port = odp.address
        process = await asyncio.create_subprocess_exec(
            *("./bin/obproxyd.sh", "-c", "checkalive", "-p", str(port), "--", host, *odp.arguments),
            cwd=odp.home,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        await eventually(lambda: _is_named(process.pid), "obproxyd.sh", within_seconds=_NAMED_SECONDS)
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """It watches."""
        return is_alive(self.pid)

    async def stop(self) -> None:
        """End it; the ODP that it watches goes on."""
        kill(self.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            await self._process.wait()


def _is_named(pid: int) -> bool:
    """Its command line can be read, which the kernel writes down only after the start has succeeded."""
    return b"obproxyd.sh" in Path(f"/proc/{pid}/cmdline").read_bytes()
