"""The web configuration file, in the format of Prometheus' exporter-toolkit.

It says with which certificate the pages are served, to whom, and with which
extra headers. What Python's TLS cannot do is refused by name rather than
passed over. Hashes of passwords stay out of every message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, model_validator
from pydantic.dataclasses import dataclass

from odp_exporter import files
from odp_exporter.settings import STRICT, Boolean, Duration, parse_count, quoted
from odp_exporter.yamlfiles.positions import compose
from odp_exporter.yamlfiles.problems import ConfigError, Fault, Problem
from odp_exporter.yamlfiles.schema import validated

MAX_FILE_BYTES = 1024 * 1024
MAX_COST = 16
"""bcrypt's work factor doubles the time with each step; 16 takes seconds, and anybody may make us check."""
CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""Go's names of the suites that it thinks well of, and OpenSSL's. Those of TLS 1.3 are not for choosing."""

_TLS13_CIPHERS = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
_HASH = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_HEADERS: Mapping[str, frozenset[str]] = {
    "Content-Security-Policy": frozenset(),
    "Strict-Transport-Security": frozenset(),
    "X-Content-Type-Options": frozenset({"nosniff"}),
    "X-Frame-Options": frozenset({"deny", "sameorigin"}),
    "X-XSS-Protection": frozenset(),
}
"""The headers that may be set, and the only values they may have, if there are such."""
_UNSUPPORTED = {
    "cert": "not supported (write the certificate to a file and name it in cert_file)",
    "key": "not supported (write the key to a file and name it in key_file)",
    "client_ca": "not supported (write the certificate to a file and name it in client_ca_file)",
    "client_allowed_sans": "not supported (have a CA of its own for those clients, and name it in client_ca_file)",
    "curve_preferences": "not supported by Python's TLS (leave it out)",
}


class ClientAuth(StrEnum):
    """What is asked of a client's certificate, in Go's words."""

    NONE = "NoClientCert"
    REQUEST = "RequestClientCert"
    """Asked for, and whatever comes is ignored: the same as not asking."""
    REQUIRE_ANY = "RequireAnyClientCert"
    """Refused: Python's TLS cannot take a certificate without verifying it."""
    VERIFY_IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRE_AND_VERIFY = "RequireAndVerifyClientCert"


class TlsVersion(StrEnum):
    """The versions of TLS that are still spoken (RFC 8996)."""

    TLS12 = "TLS12"
    TLS13 = "TLS13"


def _parse_client_auth(value: object) -> object:
    if value == "RequireClientCert":  # the toolkit's older name
        value = ClientAuth.REQUIRE_ANY.value
    if value == ClientAuth.REQUIRE_ANY.value:
        message = f"not supported by Python's TLS: {quoted(value)} (try 'RequireAndVerifyClientCert')"
        raise ValueError(message)
    return _one_of(tuple(ClientAuth), value)


def _parse_version(value: object) -> object:
    if value in ("TLS10", "TLS11"):
        message = f"not supported: {quoted(value)} is no longer safe, RFC 8996 (try 'TLS12')"
        raise ValueError(message)
    return _one_of(tuple(TlsVersion), value)


def _parse_cipher(value: object) -> object:
    return _one_of((*CIPHERS, *_TLS13_CIPHERS), value)


def _one_of(known: tuple[str, ...], value: object) -> object:
    if value not in known:
        message = f"not known: {quoted(value)} (there are: {', '.join(known)})"
        raise ValueError(message)
    return value


def _parse_burst(value: object) -> int:
    burst = parse_count(value)
    if burst < 1:
        raise ValueError("out of range: 0 would let nobody in (leave rate_limit out for no limit)")
    return burst


def _parse_hash(value: object) -> object:
    match = _HASH.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not a bcrypt hash (make one with: htpasswd -nBC 10 '')")
    if not 4 <= int(match[1]) <= MAX_COST:  # noqa: PLR2004 - bcrypt's own least
        message = f"bcrypt cost {int(match[1])} is out of range (4 to {MAX_COST}; 10 is usual)"
        raise ValueError(message)
    return value


def _check_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        allowed = _HEADERS.get(name)
        if allowed is None:
            message = f"header that may not be set: {quoted(name)} (there are: {', '.join(_HEADERS)})"
            raise ValueError(message)
        if (allowed and value not in allowed) or not value.isprintable():
            message = (
                f"{name}: wrong value: {quoted(value)} (try {' or '.join(map(repr, sorted(allowed))) or 'another'})"
            )
            raise ValueError(message)
    return headers


@dataclass(frozen=True, slots=True, config=STRICT)
class TlsSettings:
    """How connections are encrypted, and which clients may make them."""

    cert_file: Path
    key_file: Path
    client_auth_type: Annotated[ClientAuth, BeforeValidator(_parse_client_auth)] = ClientAuth.NONE
    client_ca_file: Path | None = None
    min_version: Annotated[TlsVersion, BeforeValidator(_parse_version)] = TlsVersion.TLS12
    max_version: Annotated[TlsVersion, BeforeValidator(_parse_version)] = TlsVersion.TLS13
    cipher_suites: tuple[Annotated[str, BeforeValidator(_parse_cipher)], ...] = ()
    prefer_server_cipher_suites: Boolean = True

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> TlsSettings:
        verifies = self.client_auth_type in {ClientAuth.VERIFY_IF_GIVEN, ClientAuth.REQUIRE_AND_VERIFY}
        if verifies and self.client_ca_file is None:
            message = f"client_auth_type: '{self.client_auth_type}' needs a client_ca_file"
            raise ValueError(message)
        if self.client_ca_file and not verifies:
            raise ValueError("client_ca_file: of no use without client_auth_type: RequireAndVerifyClientCert")
        if self.min_version > self.max_version:
            raise ValueError("min_version: above max_version")
        if self.cipher_suites and not self.openssl_ciphers and self.min_version is not TlsVersion.TLS13:
            raise ValueError("cipher_suites: names none of TLS 1.2 (say min_version: TLS13 instead)")
        return self

    @property
    def openssl_ciphers(self) -> tuple[str, ...]:
        """The chosen suites of TLS 1.2, in OpenSSL's words."""
        return tuple(CIPHERS[name] for name in self.cipher_suites if name in CIPHERS)


@dataclass(frozen=True, slots=True, config=STRICT)
class HttpSettings:
    """How pages are served."""

    http2: Boolean = True
    """Taken, as in every such file; HTTP/1.1 is what is spoken."""
    headers: Annotated[Mapping[str, str], AfterValidator(_check_headers)] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, config=STRICT)
class RateLimit:
    """A token bucket for all requests together."""

    interval: Duration
    """A request more is allowed each time this has passed."""
    burst: Annotated[int, BeforeValidator(_parse_burst)]
    """So many requests may come at once."""


@dataclass(frozen=True, slots=True, config=STRICT)
class WebConfig:
    """The whole file."""

    tls_server_config: TlsSettings | None = None
    http_server_config: HttpSettings = field(default_factory=HttpSettings)
    basic_auth_users: Mapping[str, Annotated[str, BeforeValidator(_parse_hash)]] = field(
        default_factory=dict, repr=False
    )
    """bcrypt hashes by user; nobody else is let in if there is any."""
    rate_limit: RateLimit | None = None


def load(path: Path) -> WebConfig:
    """The configuration in *path*; ConfigError with all its mistakes."""
    try:
        content = files.read(path, limit=MAX_FILE_BYTES).content
    except files.FileError as error:
        raise ConfigError([Problem(str(path), str(error).removeprefix(f"{path}: "))]) from error
    return parse(content, path)


def parse(content: bytes, path: Path) -> WebConfig:
    """The configuration that stands in *content*; relative paths are relative to *path*."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), f"not UTF-8 text: byte {error.start}")]) from error
    document = compose(text, name=str(path))
    value = {} if document.value is None else document.value
    config, faults = validated(WebConfig, value)
    if config is None or document.problems:
        raise ConfigError([*document.problems, *(document.problem(_explained(fault)) for fault in faults)])
    return replace(config, tls_server_config=_located(config.tls_server_config, path.parent))


def _explained(fault: Fault) -> Fault:
    """*fault* in better words, if its key is one that the toolkit knows and we do not."""
    match fault.location:
        case "tls_server_config", str(key) if fault.at_key and key in _UNSUPPORTED:
            return Fault(fault.location, _UNSUPPORTED[key], at_key=True)
        case _:
            return fault


def _located(tls: TlsSettings | None, directory: Path) -> TlsSettings | None:
    if tls is None:
        return None
    ca = directory / tls.client_ca_file if tls.client_ca_file else None
    return replace(tls, cert_file=directory / tls.cert_file, key_file=directory / tls.key_file, client_ca_file=ca)
