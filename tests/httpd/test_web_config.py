"""The exporter-toolkit's file: what is taken from it, and what is said of its mistakes."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.httpd.web_config import ClientAuth, TlsVersion, WebConfig, load, parse
from odp_exporter.yamlfiles.problems import ConfigError

PATH = Path("/etc/odp-exporter/web.yml")
HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
TLS = "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n"
WHOLE = f"""\
tls_server_config:
  cert_file: tls/odp.crt
  key_file: /etc/keys/odp.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: clients.crt
  min_version: TLS12
  max_version: TLS13
  prefer_server_cipher_suites: false
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]
http_server_config:
  http2: true
  headers:
    Strict-Transport-Security: max-age=3600
    X-Frame-Options: sameorigin
basic_auth_users:
  alice: {HASH}
rate_limit:
  interval: 100ms
  burst: 5
"""


def test_the_whole_format_is_understood() -> None:
    config = parse(WHOLE.encode(), PATH)
    tls = config.tls_server_config

    assert tls is not None
    assert (PATH.parent / "tls/odp.crt", Path("/etc/keys/odp.key"), PATH.parent / "clients.crt") == (
        tls.cert_file,
        tls.key_file,
        tls.client_ca_file,
    )
    assert ClientAuth.REQUIRE_AND_VERIFY is tls.client_auth_type
    assert (TlsVersion.TLS12, TlsVersion.TLS13) == (tls.min_version, tls.max_version)
    assert ("ECDHE-RSA-AES256-GCM-SHA384",) == tls.openssl_ciphers
    assert not tls.prefer_server_cipher_suites
    assert {"Strict-Transport-Security": "max-age=3600", "X-Frame-Options": "sameorigin"} == (
        config.http_server_config.headers
    )
    assert {"alice": HASH} == config.basic_auth_users
    assert config.rate_limit is not None
    assert (timedelta(milliseconds=100), 5) == (config.rate_limit.interval, config.rate_limit.burst)


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_asks_for_nothing(text: str) -> None:
    """As with every exporter that has the toolkit."""
    assert WebConfig() == parse(text.encode(), PATH)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "tls_server_confg: {}",
            ["1:1: tls_server_confg: unknown key; did you mean 'tls_server_config'?"],
        ),
        (
            "tls_server_config:\n  cert_file: a.crt\n",
            ["2:3: tls_server_config.key_file: missing"],
        ),
        (
            TLS + "  cert: secret\n  curve_preferences: [X25519]\n",
            [
                "4:3: tls_server_config.cert: not supported (write the certificate to a file and name it in cert_file)",
                "5:3: tls_server_config.curve_preferences: not supported by Python's TLS (leave it out)",
            ],
        ),
        (
            TLS + "  client_auth_type: RequireAnyClientCert\n",
            [
                (
                    "4:21: tls_server_config.client_auth_type: not supported by Python's TLS: 'RequireAnyClientCert' "
                    "(try 'RequireAndVerifyClientCert')"
                )
            ],
        ),
        (
            TLS + "  client_auth_type: Maybe\n",
            [
                (
                    "4:21: tls_server_config.client_auth_type: not known: 'Maybe' (there are: NoClientCert, "
                    "RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert)"
                )
            ],
        ),
        (
            TLS + "  client_auth_type: VerifyClientCertIfGiven\n",
            ["2:3: tls_server_config: client_auth_type: 'VerifyClientCertIfGiven' needs a client_ca_file"],
        ),
        (
            TLS + "  client_ca_file: ca.crt\n",
            ["2:3: tls_server_config: client_ca_file: of no use without client_auth_type: RequireAndVerifyClientCert"],
        ),
        (
            TLS + "  min_version: TLS10\n",
            ["4:16: tls_server_config.min_version: not supported: 'TLS10' is no longer safe, RFC 8996 (try 'TLS12')"],
        ),
        (
            TLS + "  min_version: TLS13\n  max_version: TLS12\n",
            ["2:3: tls_server_config: min_version: above max_version"],
        ),
        (
            TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
            ["2:3: tls_server_config: cipher_suites: names none of TLS 1.2 (say min_version: TLS13 instead)"],
        ),
        (
            "http_server_config:\n  headers:\n    Server: me\n",
            [
                (
                    "3:5: http_server_config.headers: header that may not be set: 'Server' (there are: "
                    "Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, "
                    "X-XSS-Protection)"
                )
            ],
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: ALLOWALL\n",
            ["3:5: http_server_config.headers: X-Frame-Options: wrong value: 'ALLOWALL' (try 'deny' or 'sameorigin')"],
        ),
        (
            "basic_auth_users:\n  alice: hunter2\n  bob: $2y$31$" + "x" * 53 + "\n",
            [
                "2:10: basic_auth_users.alice: not a bcrypt hash (make one with: htpasswd -nBC 10 '')",
                "3:8: basic_auth_users.bob: bcrypt cost 31 is out of range (4 to 16; 10 is usual)",
            ],
        ),
        (
            "rate_limit: {interval: 5 parsecs, burst: 0}",
            [
                "1:24: rate_limit.interval: not a duration: '5 parsecs' (try '500ms', '5s', '1m')",
                "1:42: rate_limit.burst: out of range: 0 would let nobody in (leave rate_limit out for no limit)",
            ],
        ),
        ("- a list", ["1:1: not a mapping: a list"]),
        (
            "rate_limit: &b {interval: 5s, burst: 1}",
            ["1:13: rate_limit: an anchor (write the value out where it is needed)"],
        ),
    ],
)
def test_each_mistake_has_its_place_and_its_way_out(text: str, problems: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text.encode(), PATH)

    assert [f"{PATH}:{problem}" for problem in problems] == str(caught.value).splitlines()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [("web.yml", "no such file or directory"), (".", "not a regular file")],
)
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, name: str, words: str) -> None:
    path = tmp_path / name

    with pytest.raises(ConfigError) as caught:
        load(path)
    assert f"{path}: {words}" == str(caught.value)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_whatever_the_file_holds_is_taken_or_explained(content: bytes) -> None:
    with suppress(ConfigError):
        assert isinstance(parse(content, PATH), WebConfig)
