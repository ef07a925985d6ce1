"""Who may log in, and what becomes of a login to a cluster (odp-facts 1.7, 3.1, 4.4, 5.1)."""

from __future__ import annotations

from dataclasses import dataclass

from .clusters import Clusters
from .config_server import ConfigServer
from .logs import Logs
from .packets import Login, proves
from .parameters import Parameters
from .replies import RsServer

ROOT = "root@proxysys"
"""Logs in to ODP itself, also at the connection limit."""
INSPECTOR = "inspector@proxysys"
"""May say `ping proxy` and nothing else."""

_PASSWORDS = {ROOT: "obproxy_sys_password", INSPECTOR: "inspector_password"}
_CLUSTER_NOT_SET = "undefined"


@dataclass(frozen=True, slots=True)
class Welcome:
    """The login worked."""

    user: str


@dataclass(frozen=True, slots=True)
class Denied:
    """The login is answered with an ERR packet."""

    code: int
    state: str
    message: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection is closed without a word to the client."""


Verdict = Welcome | Denied | Dropped

_NO_CLUSTER = Denied(4669, "HY000", "cluster not exist")


class Doorkeeper:
    """Judges logins."""

    def __init__(self, parameters: Parameters, clusters: Clusters, config_server: ConfigServer, logs: Logs) -> None:
        self._parameters = parameters
        self._clusters = clusters
        self._config_server = config_server
        self._logs = logs

    async def judge(self, login: Login, salt: bytes, open_connections: int) -> Verdict:
        """Weigh a *login*, with *open_connections* of all clients, this one included."""
        limit = self._parameters.number("client_max_connections")
        if login.user != ROOT and 0 < limit < open_connections:
            return Denied(1203, "42000", "Too many sessions")
        if login.user in _PASSWORDS:
            stored = self._parameters.text(_PASSWORDS[login.user])
            if proves(login.token, salt, stored):
                return Welcome(login.user)
            self._logs.diagnose(
                "LOGIN", 'trace_type="PROXY_INTERNAL_TRACE", error_code:-4042, error_msg:"password error"'
            )
            message = (
                f"Access denied for user '{login.user}'@'127.0.0.1' (using password: {'YES' if login.token else 'NO'})"
            )
            return Denied(1045, "28000", message)
        return await self._judge_cluster(login.user)

    async def _judge_cluster(self, user: str) -> Verdict:
        name, _, cluster = user.partition("#")
        if not self._config_server.is_used:
            return await self._judge_static(user)
        config = self._clusters.config
        if config is None:
            return self._refuse(user, -4669, "all cluster info is empty, please check the config server", _NO_CLUSTER)
        cluster = cluster or next(iter(config.urls))
        if cluster not in config.urls:
            return self._refuse(user, -4669, "cluster not exist", _NO_CLUSTER)
        return await self._build(cluster, f"{name}#{cluster}")

    async def _judge_static(self, user: str) -> Verdict:
        """Without OCP: the servers of rootservice_list stand for the one cluster that there is."""
        given = self._parameters.text("rootservice_cluster_name")
        asked = user.partition("#")[2] or given
        servers = tuple(_servers(self._parameters.text("rootservice_list")))
        if not servers or given not in {_CLUSTER_NOT_SET, asked}:
            return self._refuse(user, -4669, "cluster not exist", _NO_CLUSTER)
        if await self._config_server.reachable(servers):
            return Welcome(user)
        return self._refuse(user, -10018, "fail to check observer version, empty result", Dropped())

    async def _build(self, cluster: str, user: str) -> Verdict:
        """Find a server of *cluster*: from memory if that is allowed, else with OCP's help (odp-facts 2.4)."""
        clusters, config_server = self._clusters, self._config_server
        must_ask = self._parameters.flag("enable_get_rslist_remote") and cluster not in clusters.built
        if must_ask or not clusters.servers(cluster):
            is_known = await config_server.fetch_rs_list(cluster) and bool(clusters.servers(cluster))
            if not is_known:
                return self._refuse(user, -10101, "fail to fetch rootserver list from config server", Dropped())
        is_reachable = await config_server.reachable(clusters.servers(cluster))
        if not is_reachable and not must_ask and await config_server.fetch_rs_list(cluster):
            is_reachable = await config_server.reachable(clusters.servers(cluster))
        if not is_reachable:
            return self._refuse(user, -10018, "fail to check observer version, empty result", Dropped())
        if cluster not in clusters.built:
            clusters.built.add(cluster)
            await config_server.fetch_idc_list(cluster)
        return Welcome(user)

    def _refuse(self, user: str, code: int, reason: str, verdict: Denied | Dropped) -> Denied | Dropped:
        name, _, cluster = user.partition("#")
        who, _, tenant = name.partition("@")
        self._logs.diagnose(
            "LOGIN",
            f'trace_type="LOGIN_TRACE", connection_diagnosis={{cluster_name:"{cluster}", tenant_name:"{tenant}", '
            f'user_name:"{who}", error_code:{code}, error_msg:"{reason}", request_cmd:"COM_SLEEP", '
            f'sql_cmd:"COM_LOGIN"}}{{internal_sql:""}}',
        )
        return verdict


def _servers(rootservice_list: str) -> list[RsServer]:
    """`ip:sql_port;ip:sql_port`."""
    addresses = (item.rpartition(":") for item in rootservice_list.split(";") if item)
    return [RsServer(ip.strip("[]"), int(port), "LEADER") for ip, _, port in addresses]
