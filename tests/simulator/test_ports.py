from __future__ import annotations

import subprocess
import sys

from odp_exporter.simulator.fleet.ports import free_port

COUNT = 200
ANOTHER = f"""
from odp_exporter.simulator.fleet.ports import free_port
print(*(free_port("127.0.0.1") for _ in range({COUNT})))
"""


def test_no_port_is_given_twice_here_or_to_another_process() -> None:
    ours = {free_port("127.0.0.1") for _ in range(COUNT)}
    done = subprocess.run([sys.executable, "-c", ANOTHER], capture_output=True, check=True, timeout=50)  # noqa: S603 - our own code
    theirs = {int(port) for port in done.stdout.split()}

    assert (COUNT, COUNT, set()) == (len(ours), len(theirs), ours & theirs)
