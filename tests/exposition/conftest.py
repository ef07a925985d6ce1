"""A store in which every metric family has something to say, and an authority for certificates."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from odp_exporter.exposition.collector import Collector, Situation
from odp_exporter.observations import (
    CacheFile,
    CacheFileObservation,
    CacheObservation,
    CacheResult,
    Cause,
    ClusterServers,
    Cores,
    Endpoint,
    EndpointObservation,
    GreetingObservation,
    HostObservation,
    Identity,
    OcpObservation,
    OcpResult,
    Parameters,
    Phase,
    PingObservation,
    PingResult,
    ProbeResult,
    Process,
    Server,
    Watchdog,
)
from odp_exporter.store import Store
from odp_exporter.targets import Address, Ocp, Pool, Target

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
"""When the tests scrape."""


def _ago(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


def _process(pid: int, age: float) -> Process:
    return Process(
        identity=Identity("f3a1", pid, 4711, "/home/admin/obproxy/bin/obproxy"),
        started=_ago(age),
        parent=1,
        state="S",
        arguments=("bin/obproxy", "-p", "2883"),
        home=Path("/home/admin/obproxy"),
        resident_bytes=157_286_400,
        cpu_seconds=12.25,
        threads=32,
        open_fds=101,
        max_fds=655_350,
    )


def _host() -> HostObservation:
    return HostObservation(
        "odp-1",
        _ago(1),
        is_local=True,
        processes=(_process(100, 86_400), _process(102, 4)),
        is_listening=True,
        accept_queue=0,
        client_connections=17,
        home=Path("/home/admin/obproxy"),
        version="4.3.1.0",
        parameters=Parameters(
            {
                "proxy_mem_limited": "2G",
                "client_max_connections": "8192",
                "ignore_local_config": "True",
                "enable_get_rslist_remote": "False",
            },
            "etc/proxyconfig_v1.db",
        ),
        watchdogs=frozenset({Watchdog.OBPROXYD}),
        restarts={Cause.CRASH: 2, Cause.STOP: 1},
        cores=Cores(2, _ago(600)),
        unseen=("open files of 102: permission denied",),
    )


def _cache() -> CacheObservation:
    server = Server("10.0.0.1", 2881)
    return CacheObservation(
        "odp-1",
        _ago(2),
        files=(
            CacheFileObservation(CacheFile.RSLIST, CacheResult.OK, modified=_ago(3600)),
            CacheFileObservation(CacheFile.CONFIG_SERVER, CacheResult.PAYLOAD_CHECKSUM, modified=_ago(7200.5)),
            CacheFileObservation(CacheFile.IDC_LIST, CacheResult.MISSING),
        ),
        clusters=(
            ClusterServers("trade", 1, frozenset({server, Server("10.0.0.2", 2881)})),
            ClusterServers("trade", 2, frozenset({server})),
            ClusterServers('a "quoted"\\\nname', None, frozenset()),
        ),
    )


def _ocp_round() -> OcpObservation:
    return OcpObservation(
        "ocp",
        _ago(30),
        endpoints=(
            EndpointObservation(Endpoint.VERSION, OcpResult.OK, 200, 0.004),
            EndpointObservation(Endpoint.CONFIG, OcpResult.OK, 200, 0.02),
            EndpointObservation(Endpoint.RS_LIST, OcpResult.OK, 200, 0.03, cluster="trade"),
            EndpointObservation(Endpoint.RS_LIST, OcpResult.HTTP_STATUS, 500, 0.1, "500", cluster="pay"),
        ),
        clusters=("trade", "pay"),
    )


@pytest.fixture
def store() -> Store:
    """Two ODPs (one of this host, one elsewhere and not probed yet), a pool and an OCP."""
    odps = (
        Target("odp-1", Address("192.0.2.11", 2883), pool="trade", labels={"idc": "hz1"}),
        Target("odp-2", Address("2001:db8::2", 2883)),
    )
    pools = (Pool("trade", Address("192.0.2.100", 2883)), Pool("without address"))
    it = Store()
    it.keep(
        odps=odps, pools=pools, ocps=[Ocp("ocp", "http://user:hunter2@192.0.2.10/services?Action=GetObProxyConfig")]
    )
    whole = {Phase.CONNECT: 0.00025, Phase.GREETING: 0.0015}
    it.record(GreetingObservation("odp-1", _ago(20), ProbeResult.REFUSED))
    it.record(GreetingObservation("odp-1", _ago(12), ProbeResult.OK, whole))
    it.record(_host())
    it.record(GreetingObservation("odp-1", _ago(2.5), ProbeResult.CLOSED, {Phase.CONNECT: 0.00025}, "closed <early>"))
    it.record(_cache())
    it.record(PingObservation("odp-1", _ago(3), PingResult.OK, 0.01))
    it.record_pool(GreetingObservation("trade", _ago(1), ProbeResult.OK, whole))
    it.record(_ocp_round())
    it.overruns["greeting"] += 1
    return it


@pytest.fixture
def collector(store: Store) -> Collector:
    """Scrapes the store at noon."""
    build = {"version": "1.2.3", "python_version": "3.11.2"}
    situation = Situation(
        timedelta(seconds=5),
        host_interval=timedelta(seconds=1),
        cache_interval=timedelta(seconds=15),
        reloaded_at=_ago(3600),
        ping_interval=timedelta(seconds=15),
        build=build,
    )
    return Collector(store, situation, lambda: NOON)


@dataclass(frozen=True)
class Authority:
    """A certificate authority that lives for one test, and writes what it issues into a folder."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def certificate(self) -> Path:
        """Its own certificate."""
        return self._written(self.name, self._sign(self.name, self.key.public_key(), is_authority=True))

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        path = self.folder / f"{name}.key"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return self._written(name, self._sign(name, key.public_key(), is_authority=False)), path

    def _sign(self, name: str, key: ec.EllipticCurvePublicKey, *, is_authority: bool) -> x509.Certificate:
        address = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(_common_name(name))
            .issuer_name(_common_name(self.name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
            .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def _written(self, name: str, certificate: x509.Certificate) -> Path:
        path = self.folder / f"{name}.crt"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Issues the certificates of a test."""
    return Authority(tmp_path, "authority")
