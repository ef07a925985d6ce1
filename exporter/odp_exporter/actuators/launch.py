"""How an ODP was started, so that it can be started again: command line, directory, environment, user, limits.

Taken from the living process at every look and written down (state.py), for a
dead one can no longer be asked. The environment is written whole: ODP takes
`observer_sys_password` from it anew at each start, and without that it would
come back unable to log in to its OBServers. It lies in a file of mode 0600, and
/proc shows it to the same user anyway. Sockets of a hot restart are not handed
on: another start must open its own (odp-facts 7.6).
"""

from __future__ import annotations

import json
import marshal
import os
import re
import resource
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError

from odp_exporter import files
from odp_exporter.procfs.survey import NAME

from . import commands
from .actuator import StartFailed

_LAUNCHER = Path(__file__).with_name("launcher.py")
_WITHIN = timedelta(seconds=10)
_LIMIT = 2 * 1024 * 1024
_INHERITED = frozenset({"OBPROXY_INHERITED_FD", "OBPROXY_INHERITED_IPV6_FD"})
"""ODP takes its listening sockets from these, if they are set; they would be closed descriptors."""
_LIMITS = {
    "Max core file size": "RLIMIT_CORE",
    "Max stack size": "RLIMIT_STACK",
    "Max processes": "RLIMIT_NPROC",
    "Max open files": "RLIMIT_NOFILE",
    "Max locked memory": "RLIMIT_MEMLOCK",
}
"""Those that ODP depends on: with 1024 files it serves some hundreds of clients."""
_CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Launch:
    """What it takes to start one ODP as it was started."""

    argv: tuple[str, ...] = field(repr=False)
    cwd: str
    environment: Mapping[str, str] = field(repr=False)
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    umask: int = 0o022
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Soft and hard limit by the name of Python's resource module."""
    home: str | None = None
    executable: str | None = None
    """Where its program lay, for an argv whose first word leads nowhere."""
    cgroup: str = ""
    """/proc/PID/cgroup."""

    @property
    def program(self) -> Path | None:
        """The file to execute; None when it cannot be found."""
        named = shutil.which(self._named, path=self.environment.get("PATH") or os.defpath)
        if named:
            return Path(named)
        others = (self.executable, str(Path(self.home, "bin", NAME)) if self.home else None)
        # An interpreter's path tells nothing: only a file of ODP's name is ODP.
        found = (path for path in others if path and PurePosixPath(path).name == NAME and os.access(path, os.X_OK))
        return next(map(Path, found), None)

    @property
    def _named(self) -> str:
        return str(Path(self.cwd, self.argv[0])) if "/" in self.argv[0] else self.argv[0]


_ADAPTER = TypeAdapter(Launch)


def capture(pid: int, *, proc: Path, home: Path | None, executable: str | None) -> Launch | None:
    """How the living process *pid* was started; None where it is gone or this user may not look.

    A process that is just being executed, or has ended without being waited
    for, has no words and tells nothing.
    """
    directory = proc / str(pid)
    try:
        status = _fields(files.read(directory / "status", limit=_LIMIT).content)
        argv = _texts(files.read(directory / "cmdline", limit=_LIMIT).content.rstrip(b"\0"))
        if not argv[0]:
            return None
        return Launch(
            argv=argv,
            cwd=os.readlink(directory / "cwd"),  # noqa: PTH115 - text, which goes into JSON
            environment=_environment(_texts(files.read(directory / "environ", limit=_LIMIT).content)),
            uid=int(status["Uid"].split()[0]),
            gid=int(status["Gid"].split()[0]),
            groups=tuple(map(int, status["Groups"].split())),
            umask=int(status.get("Umask", "0022"), 8),
            limits=_limits(files.read(directory / "limits", limit=_LIMIT).content.decode()),
            home=str(home) if home else None,
            executable=executable,
            cgroup=files.read(directory / "cgroup", limit=_LIMIT).content.decode(errors="replace"),
        )
    except (files.FileError, OSError, KeyError, ValueError):
        return None


def to_json(launch: Launch) -> bytes:
    """For the file in the state directory."""
    return json.dumps(_ADAPTER.dump_python(launch, mode="python")).encode("ascii")


def from_json(content: bytes) -> Launch | None:
    """What to_json() gave; None for anything else."""
    try:
        launch = _ADAPTER.validate_python(json.loads(content))
    except (ValueError, ValidationError, RecursionError):
        return None
    return launch if launch.argv and launch.argv[0] else None


async def start(launch: Launch) -> None:
    """Start it as nobody's child, with nothing of ours; StartFailed if not even its program could be executed."""
    program = launch.program
    if program is None:
        message = f"no program to start: {launch.argv[0]!r} (is it still installed?)"
        raise StartFailed(message)
    # The same words again: a script sees the path by which it was called.
    word = launch.argv[0] if program == Path(launch.cwd, launch.argv[0]) else str(program)
    asked = {**_ADAPTER.dump_python(launch, mode="python"), "program": word, "cgroup": _members(launch.cgroup)}
    try:
        done = await commands.run(
            [sys.executable, "-I", "-S", str(_LAUNCHER)], within=_WITHIN, given=marshal.dumps(asked)
        )
    except commands.CommandError as error:
        raise StartFailed(str(error)) from error
    if done.status != 0:
        raise StartFailed(done.complaint)


def _members(cgroup: str) -> str:
    """The file by which a process joins the same cgroup (v2), if it is still there; else one that is nowhere."""
    for line in cgroup.splitlines():
        if line.startswith("0::/") and ".." not in line:
            path = _CGROUP_ROOT / line[4:] / "cgroup.procs"
            return str(path) if path.exists() and line != "0::/" else ""
    return ""


def _texts(content: bytes) -> tuple[str, ...]:
    return tuple(map(os.fsdecode, content.split(b"\0")))


def _environment(entries: tuple[str, ...]) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in entries)
    return {name: value for name, equals, value in pairs if name and equals and name not in _INHERITED}


def _fields(content: bytes) -> dict[str, str]:
    lines = content.decode(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _limits(text: str) -> dict[str, tuple[int, int]]:
    found = {}
    for title, name in _LIMITS.items():
        if match := re.search(rf"^{title} +(\S+) +(\S+)", text, re.MULTILINE):
            found[name] = (_number(match[1]), _number(match[2]))
    return found


def _number(text: str) -> int:
    return resource.RLIM_INFINITY if text == "unlimited" else int(text)
