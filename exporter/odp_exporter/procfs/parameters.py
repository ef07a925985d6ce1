"""ODP's parameters as they are known from outside: command line, stored values, defaults.

Pure: argument lists, payloads and database bytes in, values out; stored.py
reads the files. Only parameters of the literal table below are kept, and no
password is in it, so that none can ever be shown.

    ParametersUnreadable    the stored values cannot be understood; the message says why
"""

from __future__ import annotations

import functools
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from odp_exporter.observations import Parameters
from odp_exporter.odp_values import unquoted
from odp_exporter.settings import MAX_DURATION, redacted

DEFAULTS: Mapping[str, str] = {
    "app_name": "undefined",
    "client_max_connections": "8192",
    "cluster_expire_time": "1d",
    "config_server_refresh_interval": "60s",
    "delay_exit_time": "100ms",
    "enable_auto_restart": "False",
    "enable_get_rslist_remote": "False",
    "enable_metadb_used": "True",
    "enable_obproxy_rpc_service": "True",
    "enable_prometheus": "True",
    "enable_proxy_scramble": "False",
    "hot_upgrade_exit_timeout": "30000000",
    "idc_list_refresh_interval": "2h",
    "ignore_local_config": "True",
    "ip_listen_mode": "1",
    "listen_port": "6688",
    "local_bound_ip": "0.0.0.0",
    "local_bound_ipv6_ip": "::",
    "mysql_version": "5.6.25",
    "obproxy_config_server_url": "",
    "prometheus_listen_port": "2884",
    "proxy_local_cmd": "0",
    "proxy_mem_limited": "2G",
    "refresh_json_config": "False",
    "refresh_rslist": "False",
    "rootservice_cluster_name": "undefined",
    "rootservice_list": "",
    "rpc_listen_port": "2885",
    "server_state_refresh_interval": "20s",
    "syslog_level": "WDIAG",
}
"""The parameters that are kept, with the defaults of 4.3.1 (odp-facts 3.2)."""

CONFIG_SERVER_URL = "obproxy_config_server_url"

_WITH_VALUE = {
    "listen_port": "p",
    "prometheus_listen_port": "l",
    "rpc_listen_port": "s",
    "appname": "n",
    "rs_list": "r",
    "cluster_name": "c",
    "optstr": "o",
    "upgrade_ver": "u",
    "test_mysql_port": "P",
    "test_mysql_ip": "H",
    "regression_test": "t",
}
_WITHOUT_VALUE = ("help", "dump_config_sql", "execute_config_sql", "nodaemon", "version", "releaseid", "config_yaml")
_PARAMETERS = {
    "p": "listen_port",
    "l": "prometheus_listen_port",
    "s": "rpc_listen_port",
    "n": "app_name",
    "r": "rootservice_list",
    "c": "rootservice_cluster_name",
}
"""What each start option sets (odp-facts 3.3)."""

_HAS_TABLE = "select 1 from sqlite_master where name = 'proxy_config'"
_GLOBAL_ROWS = """
select name, value from proxy_config
where config_level = 'LEVEL_GLOBAL' and vid = -1 and vip = '' and vport = 0 and tenant_name = '' and cluster_name = ''
limit 5000
"""
_MAX_SQLITE_STEPS = 1_000_000
"""The rows of a real file take some 5000; a hostile file must not keep us."""

_SPELLINGS = 64
"""So many are remembered: the limits of a fleet are asked for at each scrape, and are spelt in a few ways."""
_NUMBER = re.compile(r"([0-9]{1,18})\s*([a-z]*)")
_SIZES = {"": 20, "b": 0, "byte": 0, **{u + b: 10 * (i + 1) for i, u in enumerate("kmgtp") for b in ("", "b")}}
_SECONDS = {"": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class ParametersUnreadable(Exception):
    """Stored values that cannot be understood; the message says why."""


def merged(options: Mapping[str, str], stored: Mapping[str, str] | None, source: str) -> Parameters | None:
    """Command line before stored value before default (odp-facts 3.3).

    Where the stored values could not be read (None), a default would be a
    guess: then only what the command line says is known.
    """
    if stored is None and not options:
        return None
    values = dict(options) if stored is None else {**DEFAULTS, **stored, **options}
    shown = {name: redacted(value) for name, value in values.items()}
    sources = ", ".join(filter(None, ("command line" if options else "", source)))
    return Parameters(shown, sources, is_stored=None if stored is None else bool(stored))


def from_arguments(arguments: Sequence[str]) -> dict[str, str]:
    """What the command line sets, read as getopt_long reads it; the last one of each counts."""
    found: dict[str, str] = {}
    for option, value in _options(iter(arguments[1:])):
        if option == "o":
            found.update(_known(item.partition("=")[::2] for item in value.split(",")))
        elif option in _PARAMETERS:
            found[_PARAMETERS[option]] = unquoted(value)
    return found


def from_text(payload: bytes) -> dict[str, str]:
    """The payload of obproxy_config.bin: a line `name=value` for each (odp-facts 3.4)."""
    return _known(line.partition("=")[::2] for line in payload.decode(errors="replace").splitlines())


def from_database(content: bytes) -> dict[str, str]:
    """The global values in proxyconfig_v1.db; none in the file of a release before 4.3 (odp-facts 3.4)."""
    if not content:
        return {}  # sqlite's own idea of a database without tables
    try:
        with _opened(content) as database:
            database.text_factory = _text
            database.set_progress_handler(lambda: 1, _MAX_SQLITE_STEPS)
            if not database.execute(_HAS_TABLE).fetchone():
                return {}
            return _known((str(name), str(value)) for name, value in database.execute(_GLOBAL_ROWS))
    except (sqlite3.Error, OSError) as error:
        message = f"not a parameter database: {error}"
        raise ParametersUnreadable(message) from error


@functools.lru_cache(_SPELLINGS)
def size(text: str | None) -> int | None:
    """`2G`, `100MB` or, in megabytes, `2048`: bytes."""
    match = _NUMBER.fullmatch(unquoted(text or "").lower())
    return int(match[1]) << _SIZES[match[2]] if match and match[2] in _SIZES else None


def seconds(text: str | None) -> float | None:
    """`30s`, `100ms` or, in microseconds, `30000000`: seconds."""
    match = _NUMBER.fullmatch(unquoted(text or "").lower())
    return int(match[1]) * _SECONDS[match[2]] if match and match[2] in _SECONDS else None


def drain_timeout(known: Parameters | None) -> timedelta:
    """How long an ODP with these parameters goes on after SIGUSR1; its own default where they do not tell."""
    name = "hot_upgrade_exit_timeout"
    said = seconds(known.values.get(name)) if known else None
    lasting = seconds(DEFAULTS[name]) or 0.0 if said is None else said
    return timedelta(seconds=min(lasting, MAX_DURATION.total_seconds()))


def port(text: str | None) -> int | None:
    """A TCP port."""
    digits = unquoted(text or "")
    return int(digits) if re.fullmatch(r"[0-9]{1,5}", digits) and 0 < int(digits) <= 65535 else None  # noqa: PLR2004 - the range of a TCP port


def _options(arguments: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Each option that takes a value, by its letter; whatever makes no sense is passed over."""
    for argument in arguments:
        if argument == "--":
            return
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            if letter := _letter(name):
                yield letter, value if equals else next(arguments, "")
        elif argument.startswith("-"):
            letter, value = _bundle(argument[1:])
            if letter:
                yield letter, value or next(arguments, "")


def _bundle(letters: str) -> tuple[str, str]:
    """The letter that takes a value, if any, and what is attached to it: `p` and `2883` of `Np2883`."""
    for index, letter in enumerate(letters):
        if letter in _WITH_VALUE.values():
            return letter, letters[index + 1 :]
    return "", ""


def _letter(name: str) -> str | None:
    """The letter of a long option that takes a value; any unambiguous beginning of its name will do."""
    if name in _WITH_VALUE:
        return _WITH_VALUE[name]
    candidates = [long for long in (*_WITH_VALUE, *_WITHOUT_VALUE) if long.startswith(name)]
    return _WITH_VALUE.get(candidates[0]) if len(candidates) == 1 else None


def _known(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    found = ((name.strip().lower(), unquoted(value)) for name, value in pairs)
    return {name: value for name, value in found if name in DEFAULTS}


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


@contextmanager
def _opened(content: bytes) -> Iterator[sqlite3.Connection]:
    """A database of a copy, so that no lock of ours can ever be in ODP's way (odp-facts 3.4)."""
    if not hasattr(sqlite3.Connection, "deserialize"):
        with _opened_from_disk(content) as database:
            yield database
        return
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(content)
        yield database


@contextmanager
def _opened_from_disk(content: bytes) -> Iterator[sqlite3.Connection]:
    """As above where sqlite cannot open bytes (RHEL 8 builds it without): a private file, gone at once."""
    with tempfile.TemporaryDirectory(prefix="odp-exporter-") as directory:
        path = Path(directory) / "copy.db"
        path.write_bytes(content)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            yield database
