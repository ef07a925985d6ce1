"""A web configuration made ready for use: the TLS context, and how to tell that its files changed."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from odp_exporter import files
from odp_exporter.yamlfiles.problems import ConfigError, Problem

from . import web_config
from .web_config import ClientAuth, TlsSettings, TlsVersion, WebConfig

_VERSIONS = {TlsVersion.TLS12: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS13: ssl.TLSVersion.TLSv1_3}
_VERIFY_MODES = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.REQUEST: ssl.CERT_NONE,
    ClientAuth.VERIFY_IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRE_AND_VERIFY: ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in, and how."""

    config: WebConfig = field(default_factory=WebConfig)
    tls: ssl.SSLContext | None = None
    """None: connections are not encrypted."""
    paths: tuple[Path, ...] = ()
    """All files that this was made of."""
    fingerprint: bytes = b""
    """Of the contents of these files."""


def load(path: Path) -> Access:
    """The web configuration file at *path* and what it names; ConfigError if any of it cannot be used."""
    config = web_config.load(path)
    tls = config.tls_server_config
    named = (tls.cert_file, tls.key_file, tls.client_ca_file) if tls else ()
    paths = (path, *(each for each in named if each))
    before = fingerprint(paths)
    return Access(config, _context(tls, path) if tls else None, paths, before)


def fingerprint(paths: Iterable[Path]) -> bytes:
    """Changes whenever the contents of a file do, or one comes or goes."""
    digest = hashlib.blake2b()
    for path in paths:
        try:
            content = files.read(path, limit=web_config.MAX_FILE_BYTES).content
        except files.FileError as error:
            content = f"\0{error}".encode(errors="replace")
        digest.update(hashlib.blake2b(content).digest())
    return digest.digest()


def _context(settings: TlsSettings, path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.min_version]
    context.maximum_version = _VERSIONS[settings.max_version]
    if settings.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    _load_certificate(context, settings, path)
    try:
        if settings.openssl_ciphers:
            context.set_ciphers(":".join(settings.openssl_ciphers))
    except ssl.SSLError as error:
        raise _problem(path, "cipher_suites", "none of them is known to this OpenSSL") from error
    if settings.client_ca_file:
        _load_authority(context, settings.client_ca_file, path)
    context.verify_mode = _VERIFY_MODES[settings.client_auth_type]
    return context


def _load_certificate(context: ssl.SSLContext, settings: TlsSettings, path: Path) -> None:
    _require(settings.cert_file, "cert_file", path)
    _require(settings.key_file, "key_file", path)
    try:
        # Without a password of ours OpenSSL would ask for one at the terminal.
        context.load_cert_chain(settings.cert_file, settings.key_file, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        message = f"no certificate with its unencrypted key: {settings.cert_file}, {settings.key_file}{_reason(error)}"
        raise _problem(path, "cert_file", message) from error


def _load_authority(context: ssl.SSLContext, authority: Path, path: Path) -> None:
    _require(authority, "client_ca_file", path)
    try:
        context.load_verify_locations(cafile=authority)
    except (ssl.SSLError, OSError) as error:
        raise _problem(path, "client_ca_file", f"no certificates: {authority}{_reason(error)}") from error


def _require(named: Path, key: str, path: Path) -> None:
    # OpenSSL would wait for a FIFO's writer, and says of a missing file only that one is missing.
    try:
        files.read(named, limit=web_config.MAX_FILE_BYTES)
    except files.FileError as error:
        raise _problem(path, key, str(error)) from error


def _reason(error: Exception) -> str:
    name = error.reason if isinstance(error, ssl.SSLError) else None
    return f" ({name.lower().replace('_', ' ')})" if name else ""


def _problem(path: Path, key: str, message: str) -> ConfigError:
    return ConfigError([Problem(str(path), message, where=f"tls_server_config.{key}")])
