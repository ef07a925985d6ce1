"""What came back: the facts that probes hand to the store, as values.

A probe answers with facts or with a reason out of a closed set; it knows no
metric names. Nothing here can wait, read a clock or log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from .odp_values import boolean

_EPOCH = datetime.fromtimestamp(0, UTC)


def _moment(at: datetime, tick: timedelta | None) -> timedelta:
    """By a clock that nobody sets; without one of its ticks the wall clock must do."""
    return at - _EPOCH if tick is None else tick


class ProbeResult(StrEnum):
    """How one greeting probe ended; the `result` label of odp_probes_total."""

    OK = "ok"
    """The whole greeting came: event loop and accept threads are alive (odp-facts 4.3)."""
    REFUSED = "refused"
    """No process listens there."""
    CONNECT_TIMEOUT = "connect_timeout"
    """No answer to the SYN: host gone, packets dropped, or the accept queue is full."""
    GREETING_TIMEOUT = "greeting_timeout"
    """The kernel accepted and ODP stayed silent: hung, stopped or draining (odp-facts 4.5)."""
    RESET = "reset"
    """The connection was reset before the greeting was whole."""
    CLOSED = "closed"
    """The connection was closed before the greeting was whole."""
    MALFORMED = "malformed"
    """Something came that is no MySQL greeting."""
    ERROR_PACKET = "error_packet"
    """A MySQL error packet came in place of the greeting."""
    UNREACHABLE = "unreachable"
    """The name does not resolve, or the network knows no way there."""
    INTERNAL_ERROR = "internal_error"
    """The exporter's own fault; its log says more."""


class Phase(StrEnum):
    """The part of a greeting probe that a duration is of."""

    CONNECT = "connect"
    GREETING = "greeting"


@dataclass(frozen=True, slots=True)
class GreetingObservation:
    """One greeting probe of an ODP, or of a pool's address."""

    target: str
    """Name of the ODP or pool."""
    at: datetime
    result: ProbeResult
    durations: Mapping[Phase, float] = field(default_factory=dict)
    """Seconds of each phase that was completed."""
    detail: str = ""
    """What exactly was wrong, for a person; no secret, one line."""
    server_version: str | None = None
    peer: str | None = None
    """The IP address and port that answered or failed last."""
    tick: timedelta | None = field(default=None, compare=False)
    """When it was made, by a clock that nobody sets."""

    @property
    def moment(self) -> timedelta:
        """When it was made, for telling how long something lasted."""
        return _moment(self.at, self.tick)

    @property
    def is_ok(self) -> bool:
        """The whole greeting came."""
        return self.result is ProbeResult.OK

    @property
    def ended(self) -> datetime:
        """When the last phase that was completed ended."""
        return self.at + timedelta(seconds=sum(self.durations.values()))


class PingResult(StrEnum):
    """How `ping proxy` ended for a logged-in inspector@proxysys (odp-facts 4.6)."""

    OK = "ok"
    DENIED = "denied"
    """1045: the password is wrong, or ODP does not take this source address (odp-facts 5.1)."""
    TOO_MANY_CONNECTIONS = "too_many_connections"
    """1203 or 1040: a limit of ODP is reached (odp-facts 4.4)."""
    CLOSED = "closed"
    """Closed without an answer: ODP is draining (odp-facts 4.6)."""
    TIMEOUT = "timeout"
    ERROR = "error"
    """Another MySQL error, or no greeting at all."""


@dataclass(frozen=True, slots=True)
class PingObservation:
    """One login, `ping proxy` and COM_QUIT."""

    target: str
    at: datetime
    result: PingResult
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Names one life of one process; a reused pid or a new boot gives another one."""

    boot_id: str
    pid: int
    start_ticks: int
    """Clock ticks from boot to start: field 22 of /proc/PID/stat."""
    executable: str
    """/proc/PID/exe, or comm where that may not be read."""


@dataclass(frozen=True, slots=True)
class Process:
    """An ODP process as /proc shows it; None where this user may not look."""

    identity: Identity
    started: datetime
    parent: int
    state: str
    """One letter of /proc/PID/stat: R, S, D, T, Z."""
    arguments: tuple[str, ...]
    home: Path | None
    resident_bytes: int
    cpu_seconds: float
    threads: int
    open_fds: int | None
    max_fds: int | None


@dataclass(frozen=True, slots=True)
class Parameters:
    """The ODP parameters that matter here; None where no source could be read."""

    values: Mapping[str, str]
    """Every known value by name; command line before stored value (odp-facts 3.3)."""
    source: str
    """Where they come from, for a person: 'command line', 'etc/proxyconfig_v1.db', ..."""
    is_stored: bool | None = True
    """A start finds stored parameters; None where that cannot be seen."""

    def flag(self, name: str) -> bool | None:
        """A boolean parameter; None where it is not known."""
        return boolean(self.values.get(name))


class Watchdog(StrEnum):
    """What restarts a dead ODP on this host without our doing."""

    OBPROXYD = "obproxyd"
    """obproxyd.sh as ODP ships it."""
    OBD = "obd"
    """The obproxyd.sh of OceanBase Deployer."""
    SYSTEMD = "systemd"
    """A systemd unit with a Restart= other than no."""


class Cause(StrEnum):
    """Why an ODP process came to an end; the `cause` label of odp_restarts_total."""

    CRASH = "crash"
    OOM = "oom"
    SIGNAL = "signal"
    STOP = "stop"
    HOT_RESTART = "hot_restart"
    REMEDIATION = "remediation"
    HOST_BOOT = "host_boot"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cores:
    """Core files of ODP that lie where cores of this host go."""

    total: int
    """How many appeared since the exporter keeps its state directory."""
    latest: datetime | None
    """mtime of the newest one."""


MIN_STALE = timedelta(seconds=30)
"""However short the interval, a pause of this length is no sign of a scheduler that died."""


def oldest(now: datetime, interval: timedelta) -> datetime:
    """When it must have been seen, to be called the present: the scheduler has not died since."""
    return now - validity(interval)


def validity(interval: timedelta) -> timedelta:
    """For how long what is looked at once an *interval* says something of the present."""
    return max(3 * interval, MIN_STALE)


@dataclass(frozen=True, slots=True)
class HostObservation:
    """What this host shows of one ODP without asking it."""

    target: str
    at: datetime
    is_local: bool
    """The target's address belongs to this host; if not, the rest says nothing."""
    processes: tuple[Process, ...] = ()
    """Every process that owns or claims the SQL port; oldest first."""
    is_listening: bool | None = False
    """Some socket listens on the SQL port; None where the socket tables could not be read."""
    accept_queue: int | None = None
    """Connections the kernel holds that ODP has not accepted."""
    client_connections: int | None = None
    """Established connections on the SQL port, the exporter's own probes included."""
    home: Path | None = None
    version: str | None = None
    parameters: Parameters | None = None
    watchdogs: frozenset[Watchdog] = frozenset()
    is_told_to_stop: bool = False
    """Its log says that a signal asked the present process to end (odp-facts 7.1)."""
    drain_timeout: timedelta = timedelta(seconds=30)
    """How long ODP itself goes on after it was told to stop: hot_upgrade_exit_timeout (odp-facts 3.2)."""
    is_hot_restarting: bool = False
    """A child that took over the sockets runs beside its parent (odp-facts 7.6)."""
    is_memory_frozen: bool = False
    """Its log says that it stopped taking memory from the OS (odp-facts 7.5)."""
    restarts: Mapping[Cause, int] = field(default_factory=dict)
    """Restarts since the state directory was begun, by cause."""
    cores: Cores | None = None
    unseen: tuple[str, ...] = ()
    """What could not be seen, each with its reason, for a person."""
    interval: timedelta = timedelta()
    """From this look to the next one."""
    tick: timedelta | None = field(default=None, compare=False)
    """When it was made, by the clock of a greeting's tick."""

    @property
    def moment(self) -> timedelta:
        """When it was made, for telling how long something lasts."""
        return _moment(self.at, self.tick)

    def began(self, process: Process) -> timedelta:
        """When *process* started, as such a moment; its time of start moves with the wall clock."""
        return self.moment - (self.at - process.started)

    def is_present(self, now: datetime) -> bool:
        """It still says something of the present."""
        return self.at >= oldest(now, self.interval)


class Endpoint(StrEnum):
    """The three things that ODP asks OCP (odp-facts 1.1)."""

    VERSION = "version"
    CONFIG = "config"
    RS_LIST = "rs_list"


class OcpResult(StrEnum):
    """What ODP would have made of one reply; the `result` label of ocp_requests_total."""

    OK = "ok"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    """Not whole within the 5 s that ODP gives it (odp-facts 1.2)."""
    UNREACHABLE = "unreachable"
    """No way there, the name does not resolve, or the connection broke."""
    TLS = "tls"
    HTTP_STATUS = "http_status"
    """Not 2xx."""
    REDIRECTS = "redirects"
    """More than three."""
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    NOT_JSON = "not_json"
    MESSAGE = "message"
    """`Message` is not `successful`."""
    SUCCESS = "success"
    """`Success` is not the literal true."""
    CODE = "code"
    """`Code` is not a number from 200 to 299."""
    DATA = "data"
    """`Data` is absent, of the wrong shape, or lacks what ODP needs."""
    VERSION = "version"
    """`Version` is absent, empty or longer than 32 characters."""
    NO_CLUSTERS = "no_clusters"
    DUPLICATE_CLUSTER = "duplicate_cluster"
    CLUSTER_MISMATCH = "cluster_mismatch"
    """The RS list is of another cluster than the one asked for."""
    ROLE = "role"
    """A server is neither LEADER nor FOLLOWER."""
    NO_SERVERS = "no_servers"
    """The RS list holds no server that ODP could use."""
    NOT_ASKED = "not_asked"
    """No URL to ask: the config did not give one."""
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """An OBServer's SQL address, as it stands in a root service list."""

    ip: str
    sql_port: int


@dataclass(frozen=True, slots=True)
class ClusterServers:
    """The servers of one OceanBase cluster id; order and role mean nothing (odp-facts 2.3)."""

    cluster: str
    cluster_id: int | None
    servers: frozenset[Server]
    is_primary: bool = True
    """Logins that name no cluster id go here; a standby's servers do not serve them."""


@dataclass(frozen=True, slots=True)
class EndpointObservation:
    """One request to one endpoint, redirects included."""

    endpoint: Endpoint
    result: OcpResult
    status: int
    """The HTTP status; 0 when there was no HTTP reply."""
    seconds: float
    detail: str = ""
    """What exactly was wrong, for a person; never a password."""
    cluster: str | None = None
    """The cluster whose RS list was asked for."""
    is_overlooked: bool = False
    """ODP takes the reply all the same: of the version's envelope it looks at nothing (odp-facts 1.3)."""
    is_carried: bool = False
    """Taken over from the round before: all was well, and the version is the same."""


@dataclass(frozen=True, slots=True)
class OcpObservation:
    """One round of questions to one OCP."""

    ocp: str
    at: datetime
    endpoints: tuple[EndpointObservation, ...]
    """One for version, one for config, one per cluster (or one `not_asked`) for RS lists."""
    version: str | None = None
    """The configuration's version, a hash that OCP chooses."""
    clusters: tuple[str, ...] = ()
    """Names that the configuration lists; the meta database is not among them."""
    rs_lists: tuple[ClusterServers, ...] = ()
    """The root services that OCP gives, where it gave them."""
    rs_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Where they are asked for, by cluster; hidden because URLs may carry credentials."""
    number: int = 0
    """Rounds since one that asked for everything."""


class CacheFile(StrEnum):
    """A file by which ODP survives OCP's absence; the `file` label."""

    RSLIST = "rslist"
    CONFIG_SERVER = "config_server"
    IDC_LIST = "idc_list"


class CacheResult(StrEnum):
    """What ODP would make of a cache file at its next start (odp-facts 2.6)."""

    OK = "ok"
    MISSING = "missing"
    FORBIDDEN = "forbidden"
    """This user may not read it, so nothing is known of it."""
    UNREADABLE = "unreadable"
    """It is no regular file, or too large, or its disk fails."""
    SHORT = "short"
    MAGIC = "magic"
    LENGTH = "length"
    HEADER_CHECKSUM = "header_checksum"
    PAYLOAD_CHECKSUM = "payload_checksum"
    COMPRESSION = "compression"
    NOT_JSON = "not_json"
    CONTENT = "content"
    """JSON of another shape than ODP writes."""


@dataclass(frozen=True, slots=True)
class CacheFileObservation:
    """One cache file, read and judged as ODP would at its next start."""

    file: CacheFile
    result: CacheResult
    path: Path | None = None
    """The copy that was read: etc/X, .conf/X, etc/X.old or .conf/X.old (odp-facts 2.6)."""
    modified: datetime | None = None
    """Its mtime: the last write, which is neither the last check nor the last success (odp-facts 2.4)."""
    size: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CacheObservation:
    """All cache files of one ODP."""

    target: str
    at: datetime
    files: tuple[CacheFileObservation, ...]
    clusters: tuple[ClusterServers, ...] = ()
    """What the RS-list cache knows, the meta database excluded."""
    config_version: str | None = None
    """`Version` of the cached OCP configuration."""
    config_clusters: tuple[str, ...] = ()
    """Clusters that the cached OCP configuration lists."""
    rs_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Where it has their root services asked for; hidden because URLs may carry credentials."""


@dataclass(frozen=True, slots=True)
class ServerObservation:
    """One TCP connection to the SQL port of a cached server."""

    server: Server
    at: datetime
    is_reachable: bool
    detail: str = ""
    """Why not, for a person."""


Observation = (
    GreetingObservation | PingObservation | HostObservation | OcpObservation | CacheObservation | ServerObservation
)
"""Whatever a probe may hand to the store."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A span during which an ODP did not serve, from the first failed greeting to the first whole one."""

    began: datetime
    """In the time of its end: setting the clock meanwhile makes it no longer and no shorter."""
    ended: datetime

    @property
    def duration(self) -> timedelta:
        """How long it lasted."""
        return self.ended - self.began
