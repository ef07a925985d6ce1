"""ODP's parameters: defaults, and how they are kept between starts (odp-facts 3.2 to 3.4).

Command line before stored value before default. Only the parameters that
this look-alike or an observer of it needs are known.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from odp_exporter.cache import container

from .release import Release

DATABASE = "proxyconfig_v1.db"
BINARY = "obproxy_config.bin"

_LOCK_TRIES = 10
_LOCK_PAUSE_SECONDS = 0.1
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNKNOWN_PASSWORD = "9d2a1c5f7be04386a1d3e95b60c4f7182ab3d5e6"  # noqa: S105 - a hash that no password has, as ODP ships one

_DEFAULTS = {
    "app_name": "undefined",
    "client_max_connections": "8192",
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
    "inspector_password": "de6d44e0bb589f8044f6dde47d870569c31dbcec",
    "ip_listen_mode": "1",
    "listen_port": "6688",
    "local_bound_ip": "0.0.0.0",
    "local_bound_ipv6_ip": "::",
    "log_dir_size_threshold": "64GB",
    "max_log_file_size": "256MB",
    "mysql_version": "5.6.25",
    "obproxy_config_server_url": "",
    "obproxy_sys_password": _UNKNOWN_PASSWORD,
    "observer_sys_password": "ee0e5138c912aed80b683c05303684be347ce81d",
    "prometheus_listen_port": "2884",
    "prometheus_sync_interval": "1m",
    "proxy_local_cmd": "0",
    "proxy_mem_limited": "2G",
    "rootservice_cluster_name": "undefined",
    "rootservice_list": "",
    "rpc_listen_port": "2885",
    "server_detect_mode": "1",
    "server_state_refresh_interval": "20s",
    "skip_proxy_sys_private_check": "False",
    "syslog_level": "WDIAG",
    "work_thread_num": "128",
}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS all_table_version(gmt_created date default (datetime('now', 'localtime')),
  gmt_modified date, table_name varchar(1000), version int default 0, primary key(table_name));
CREATE TABLE IF NOT EXISTS white_list(gmt_created date default (datetime('now', 'localtime')), gmt_modified date,
  cluster_name varchar(256) collate nocase, tenant_name varchar(256) collate nocase,
  name varchar(256) collate nocase, value text collate nocase, primary key(cluster_name, tenant_name));
CREATE TABLE IF NOT EXISTS resource_unit(gmt_created date default (datetime('now', 'localtime')), gmt_modified date,
  cluster_name varchar(256) collate nocase, tenant_name varchar(256) collate nocase,
  name varchar(256) collate nocase, value text collate nocase, primary key(cluster_name, tenant_name, name));
CREATE TABLE IF NOT EXISTS ssl_config(gmt_created date default (datetime('now', 'localtime')), gmt_modified date,
  cluster_name varchar(256) collate nocase, tenant_name varchar(256) collate nocase,
  name varchar(256) collate nocase,  value text collate nocase, primary key(cluster_name, tenant_name, name));
CREATE TABLE IF NOT EXISTS proxy_config(vid int NOT NULL default -1, vip varchar(100) NOT NULL default '',
  vport int NOT NULL default 0, tenant_name varchar(128) collate nocase NOT NULL default '',
  cluster_name varchar(260) collate nocase NOT NULL default '', name varchar(130) collate nocase NOT NULL,
  value varchar(4100) NOT NULL, info varchar(1024), range varchar(64), need_reboot bool,
  visible_level varchar(20), config_level varchar(20) NOT NULL,
  primary key(vid, vip, vport, tenant_name, cluster_name, name))
"""


class ParametersLocked(Exception):
    """Someone holds a lock on the sqlite file; ODP refuses to start (odp-facts 3.4)."""


class Parameters:
    """The values of one life of the process."""

    def __init__(self, values: Mapping[str, str], *, were_loaded: bool = True) -> None:
        self._values = dict(values)
        self.were_loaded = were_loaded
        """There was something to load; a new sqlite file counts, as captured."""

    def text(self, name: str) -> str:
        """The value as it was given."""
        return self._values[name]

    def flag(self, name: str) -> bool:
        """A BOOL, in any of the spellings that ODP takes."""
        return self._values[name].lower() in {"true", "1", "yes", "on", "t"}

    def number(self, name: str) -> int:
        """An INT."""
        return int(self._values[name])

    def seconds(self, name: str) -> float:
        """A TIME, such as 60s or 100ms; a bare number counts in seconds."""
        match = re.fullmatch(r"(\d+)(us|ms|s|m|h|d)?", self._values[name])
        if match is None:
            message = f"not a time: {name}={self._values[name]!r}"
            raise ValueError(message)
        return int(match[1]) * _UNITS[match[2] or "s"]


def load(etc: Path, given: Mapping[str, str], release: Release) -> Parameters:
    """Join defaults, stored and *given* values, and store the result for the next start."""
    if release.has_sqlite_file:
        with _locked(etc / DATABASE) as database:
            _create_tables(database)
            if release.stores_parameters_in_sqlite:
                values = defaults(release) | _stored_in(database) | dict(given)
                _store_in(database, values)
                return Parameters(values)
    stored = _stored_binary(etc / BINARY)
    values = defaults(release) | stored | dict(given)
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    (etc / BINARY).write_bytes(container.encode(text.encode(), magic=container.BCDE))
    return Parameters(values, were_loaded=bool(stored))


def defaults(release: Release) -> dict[str, str]:
    """Every parameter of *release* that this look-alike knows."""
    values = dict(_DEFAULTS)
    if not release.has_diagnosis_log:
        values["syslog_level"] = "INFO"
    if not release.stores_parameters_in_sqlite:
        values["obproxy_sys_password"] = ""
    if not release.has_rpc_port:
        del values["rpc_listen_port"], values["enable_obproxy_rpc_service"]
    return values


@contextmanager
def _locked(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as database:
        for _ in range(_LOCK_TRIES):
            try:
                database.execute("BEGIN EXCLUSIVE")
                break
            except sqlite3.OperationalError:
                time.sleep(_LOCK_PAUSE_SECONDS)
        else:
            message = f"{path}: locked by someone else"
            raise ParametersLocked(message)
        yield database
        database.execute("COMMIT")


def _create_tables(database: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        database.execute(statement)


def _stored_in(database: sqlite3.Connection) -> dict[str, str]:
    rows = database.execute("SELECT name, value FROM proxy_config WHERE config_level = 'LEVEL_GLOBAL'")
    return {str(name): str(value) for name, value in rows}


def _store_in(database: sqlite3.Connection, values: Mapping[str, str]) -> None:
    database.executemany(
        "REPLACE INTO proxy_config(name, value, config_level) VALUES (?, ?, 'LEVEL_GLOBAL')", values.items()
    )


def _stored_binary(path: Path) -> dict[str, str]:
    try:
        payload = container.decode(path.read_bytes(), magic=container.BCDE)
    except (OSError, container.ContainerError):
        return {}
    pairs = (line.partition("=") for line in payload.decode().splitlines())
    return {name: value for name, _, value in pairs}
