"""What restarts a dead ODP on this host without our doing.

Whoever restarts ODP must know them: two restarters race (odp-facts 7.9).
Decisions are made on values (a script's arguments, a cgroup, the text of unit
files); the reader at the end only finds unit files. It asks no service manager
and stops nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from odp_exporter import files
from odp_exporter.observations import Watchdog

from .survey import WATCHDOG_SCRIPT, Script

UNIT_DIRECTORIES = tuple(
    Path(directory)
    for directory in (
        "/etc/systemd/system.control",
        "/run/systemd/system.control",
        "/run/systemd/transient",
        "/etc/systemd/system",
        "/run/systemd/system",
        "/run/systemd/generator",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
    )
)
"""Where system units live; a file in an earlier directory hides its namesakes in later ones."""

_LAUNCHERS = frozenset(
    {
        "atd.service",
        "containerd.service",
        "cron.service",
        "crond.service",
        "docker.service",
        "rc-local.service",
        "ssh.service",
        "sshd.service",
        "sshd@.service",
        "supervisor.service",
        "supervisord.service",
    }
)
"""Units in which processes that somebody else started may find themselves; they restart their own daemon only."""

_SERVICE = re.compile(r"[A-Za-z0-9:_.\\@-]+\.service")
_INSTANCE = re.compile(r"@.*\.service")
_MAX_UNIT_BYTES = 256 * 1024
_MAX_DROP_INS = 100
_OBD_ARGUMENTS = 5
"""script, home, address, port, `daemon`."""


def watching(script: Script, *, home: Path | None, port: int) -> Watchdog | None:
    """The kind of watchdog that *script* is to the ODP at *home* and *port*, if it watches that one.

    obd runs `obproxyd.sh HOME IP PORT daemon`, one per ODP; the script that ODP
    ships runs as `obproxyd.sh -c checkalive -p PORT ...` in ODP's home (odp-facts
    7.9, 8). The same file in any other role (start, stop, status) ends by itself.
    """
    words = _own_arguments(script.arguments)
    if len(words) == _OBD_ARGUMENTS and words[4] == "daemon":
        return Watchdog.OBD if words[3] == str(port) and _same(Path(words[1]), home) else None
    if "checkalive" not in words:
        return None
    watched = _port_option(words)
    if watched is not None and watched != str(port):
        return None
    return Watchdog.OBPROXYD if _same(_shipped_home(script, words[0]), home) else None


def unit_of(cgroup: str) -> str | None:
    """The systemd service whose main work a process in *cgroup* may be, if any."""
    for line in cgroup.splitlines():
        hierarchy, controllers, path = (*line.split(":", 2), "", "")[:3]
        if (hierarchy == "0" and not controllers) or controllers == "name=systemd":
            names = PurePosixPath(path).parts
            if names and _is_own_unit(names):
                return names[-1]
    return None


def restarts(unit_texts: Iterable[str]) -> bool:
    """The Restart= of a unit, given its file and then its drop-ins in order, is other than no."""
    setting = "no"
    for text in unit_texts:
        for value in _restart_settings(text):
            setting = value or "no"
    return setting != "no"


def is_restarted_by(unit: str, directories: Sequence[Path] = UNIT_DIRECTORIES) -> bool:
    """The unit files say that *unit* is started again when it dies; a FileError when they cannot be read."""
    names = tuple(dict.fromkeys((unit, _INSTANCE.sub("@.service", unit))))
    for name in names:
        for directory in directories:
            try:
                text = _text(directory / name)
            except files.FileMissing:
                continue
            return restarts((text, *map(_text, _drop_ins(names, directories))))
    message = f"{unit}: no such unit file"
    raise files.FileMissing(message)


def _own_arguments(arguments: Sequence[str]) -> Sequence[str]:
    """The script's path and its arguments, without the shell in front."""
    for index, argument in enumerate(arguments):
        if PurePosixPath(argument).name == WATCHDOG_SCRIPT:
            return arguments[index:]
    return ("",)


def _port_option(words: Sequence[str]) -> str | None:
    for option, value in zip(words, (*words[1:], ""), strict=True):
        if option.startswith("-p"):
            return option[2:] or value
    return None


def _shipped_home(script: Script, path: str) -> Path | None:
    # It changes into its home and lies in bin/ there; started through a shebang
    # by a relative path, only its work directory tells.
    if script.directory:
        return script.directory
    return Path(path).parent.parent if path.startswith("/") else None


def _same(watched: Path | None, home: Path | None) -> bool:
    """Both are the same directory, or one is unknown: then better to reckon with a watchdog."""
    if watched is None or home is None or watched == home:
        return True
    try:
        return watched.samefile(home)
    except OSError:
        return False


def _is_own_unit(names: Sequence[str]) -> bool:
    """A service of the system itself: not of a user's manager, a session, or a mere launcher."""
    unit = names[-1]
    if not _SERVICE.fullmatch(unit) or any(name.startswith("user@") for name in names):
        return False
    return _INSTANCE.sub("@.service", unit) not in _LAUNCHERS


def _restart_settings(text: str) -> Iterable[str]:
    section = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped
        elif section == "[Service]" and re.match(r"Restart\s*=", stripped):
            yield stripped.partition("=")[2].strip()


def _drop_ins(names: Sequence[str], directories: Sequence[Path]) -> list[Path]:
    """Drop-in files in the order in which they apply: by name, an earlier directory hiding later ones."""
    found: dict[str, Path] = {}
    for directory in directories:
        for name in names:
            try:
                paths = sorted((directory / f"{name}.d").glob("*.conf"))[:_MAX_DROP_INS]
            except OSError:
                continue
            for path in paths:
                found.setdefault(path.name, path)
    return [found[name] for name in sorted(found)]


def _text(path: Path) -> str:
    return files.read(path, limit=_MAX_UNIT_BYTES).content.decode(errors="replace")
