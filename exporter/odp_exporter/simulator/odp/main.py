"""The program behind `bin/obproxy`: what happens before there is an event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from . import process
from .logs import Logs
from .options import BadOption, Options, Simulation, parse, simulation
from .server import Server

_DIRECTORIES = ("etc", "log", ".conf", "control-config", "sharding-config", "bin", "run")
_USAGE = "usage: obproxy [-p PORT] [-l PORT] [-s PORT] [-n NAME] [-o NAME=VALUE,...] [-r LIST] [-c NAME] [-N] [-R] [-V]"
_SCRIPT = """\
#!{interpreter} -IS
import sys
sys.path.insert(0, {root!r})
from odp_exporter.simulator.odp.main import main
main()
"""


def install(home: Path, *, interpreter: str = sys.executable) -> None:
    """Write `bin/obproxy` into *home*: a script, so that the kernel names the process `obproxy`."""
    script = home / "bin" / "obproxy"
    script.parent.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).resolve().parents[3]
    script.write_text(_SCRIPT.format(interpreter=interpreter, root=str(root)))
    script.chmod(0o755)


def main() -> None:
    """Be an ODP in `$OBPROXY_ROOT` or the working directory."""
    try:
        options = parse(sys.argv[1:])
    except BadOption as error:
        sys.stderr.write(f"{error}\n{_USAGE}\n")
        return
    said = simulation(os.environ, parent=os.getppid())
    if options.shows_version:
        sys.stdout.write(f"obproxy (OceanBase {said.release} 1.deb12)\n")
        return
    process.rename(sys.argv)
    process.forbid_core()
    _serve(options, said)


def _serve(options: Options, said: Simulation) -> None:
    is_daemon = not options.is_foreground and not said.inherited
    if is_daemon:
        process.daemonise()
    if said.owner is not None:
        process.end_with(said.owner)
    home = Path(os.environ.get("OBPROXY_ROOT", ".")).absolute()
    os.chdir(home)
    for name in _DIRECTORIES:
        (home / name).mkdir(exist_ok=True)
    logs = Logs(home, said.release)
    if is_daemon:
        logs.redirect_standard_streams()
    asyncio.run(Server(options, said, home, logs).run())
