"""How commands for people talk to the running remediator; what fails ends them. Its configuration says where it is."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import click

from .config import load
from .listening import ANY_HOST
from .remediation.authentication import TokenError, read_token
from .remediation.checks import faults
from .remediation.settings import Remediation
from .targets import Address
from .yamlfiles.problems import ConfigError
from .yamlfiles.schema import validated

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Client:
    """Talks to the running remediator."""

    url: str
    token: str
    context: ssl.SSLContext | None

    def get(self, path: str, **query: str) -> Mapping[str, object]:
        """What is said at *path*."""
        given = urlencode({name: value for name, value in query.items() if value})
        return self._ask(Request(f"{self.url}{path}?{given}"))  # noqa: S310 - http or https, by construction

    def post(self, path: str, order: Mapping[str, object]) -> Mapping[str, object]:
        """Give an *order*."""
        body = json.dumps({name: value for name, value in order.items() if value is not None}).encode()
        return self._ask(Request(f"{self.url}{path}", body, {"Content-Type": "application/json"}))  # noqa: S310 - as above

    def _ask(self, request: Request) -> Mapping[str, object]:
        request.add_header("Authorization", f"Bearer {self.token}")
        # No proxy of the environment: the token goes nowhere else.
        opener = build_opener(ProxyHandler({}), HTTPSHandler(context=self.context))
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as reply:
                answer = json.load(reply)
        except HTTPError as error:
            fail(error.read(1000).decode(errors="replace").strip() or str(error))
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            fail(f"{self.url}: {reason} (does the remediator run? journalctl -u odp-remediator)")
        except ValueError:
            fail(f"{self.url}: not the remediator's answer (what else listens there?)")
        return answer if isinstance(answer, dict) else {}


def client(config_file: Path, url: str | None, ca_file: Path | None) -> Client:
    """For the remediator that *config_file* tells of; ends the program if that cannot be told."""
    try:
        settings, _ = validated(Remediation, load(config_file, also=faults).remediation)
        if settings is None:
            fail(f"{config_file}: no remediation block")
        settings = settings.based_on(config_file.parent)
        token = read_token(settings.token_file).decode(errors="replace") if settings.token_file else ""
    except (ConfigError, TokenError) as error:
        fail(str(error))
    address = settings.listen_address
    host = {ANY_HOST: "127.0.0.1", "::": "::1"}.get(address.host, address.host)
    scheme = "https" if settings.web_config_file else "http"
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        fail(f"{ca_file}: {error.strerror or error}")
    return Client((url or f"{scheme}://{Address(host, address.port)}").rstrip("/"), token, context)


def fail(message: str) -> NoReturn:
    """Say why, and end the program."""
    click.echo(message, err=True)
    sys.exit(1)
