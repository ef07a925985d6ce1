"""One HTTP exchange with OCP, the way ODP has it (odp-facts 1.2), and why it failed.

Every request has a connection of its own and is one attempt, as those of a
running ODP are. Nothing is retried, cached or decompressed, and no environment
variable counts. What a reply means is not decided here.
"""

from __future__ import annotations

import errno
import os
import ssl
from urllib.parse import urljoin

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from .observations import OcpResult
from .ocp.envelope import OcpError
from .settings import parse_http_url

MAX_REDIRECTS = 3


def open_session() -> aiohttp.ClientSession:
    """A session that sends what ODP sends; to be called within the event loop, and closed by the caller."""
    return aiohttp.ClientSession(
        # Connection: close, which force_close adds, is the one header more than ODP's own.
        connector=aiohttp.TCPConnector(force_close=True, use_dns_cache=False),
        headers={"Accept": "*/*"},
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
    )


class Exchange:
    """One request with its redirects; knows the latest HTTP status even when the rest fails."""

    def __init__(self, session: aiohttp.ClientSession, proxy: str | None) -> None:
        self._session = session
        self._proxy = proxy
        self.status = 0

    async def body(self, url: str, limit: int) -> bytes:
        """The body of a 2xx reply, as it came over the wire; OcpError for what HTTP itself says no to."""
        for _ in range(MAX_REDIRECTS + 1):
            async with self._session.get(_requested(url), proxy=self._proxy, allow_redirects=False) as response:
                self.status = response.status
                location = response.headers.get("Location", "") if response.status // 100 == 3 else ""  # noqa: PLR2004 - any 3xx that says where to, as curl has it
                if not location:
                    return await _read(response, limit)
                url = _redirected(url, location)
        raise OcpError(OcpResult.REDIRECTS, f"more than {MAX_REDIRECTS} redirects")


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    if response.status // 100 != 2:  # noqa: PLR2004 - ODP takes any 2xx
        raise OcpError(OcpResult.HTTP_STATUS, f"HTTP status {response.status}")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise OcpError(OcpResult.TOO_LARGE, f"more than the {limit} bytes that ODP takes")
    return bytes(body)


def _requested(url: str) -> URL:
    """*url* as it stands: ODP encodes nothing."""
    try:
        return URL(parse_http_url(url), encoded=True)
    except ValueError:
        problem = "no URL that http or https could reach"
    raise OcpError(OcpResult.UNREACHABLE, problem)


def _redirected(url: str, location: str) -> str:
    try:
        return parse_http_url(urljoin(url, location))
    except ValueError:
        problem = "redirected to what is neither http nor https"
    raise OcpError(OcpResult.REDIRECTS, problem)


def explained(error: Exception) -> tuple[OcpResult, str]:
    """What *error* means; its own text is not used because it may quote the URL or the reply."""
    result = OcpResult.UNREACHABLE
    match error:
        case aiohttp.ClientSSLError() | ssl.SSLError():
            result, detail = OcpResult.TLS, _explained_tls(error.__cause__ or error)
        case aiohttp.ClientConnectorDNSError():
            detail = "the name does not resolve"
        case aiohttp.ClientConnectorError():
            if error.errno == errno.ECONNREFUSED:
                result = OcpResult.REFUSED
            where = "the proxy" if isinstance(error, aiohttp.ClientProxyConnectionError) else "OCP"
            reason = os.strerror(error.errno).lower() if error.errno else "no address could be reached"
            detail = f"no connection to {where}: {reason}"
        case aiohttp.ClientPayloadError() | HttpProcessingError():
            detail = "the reply broke off"
        case aiohttp.ClientResponseError():
            detail = "what came is no HTTP reply"
        case aiohttp.ServerDisconnectedError():
            detail = "closed without a reply"
        case OSError(errno=int(number)):
            detail = f"the connection broke: {os.strerror(number).lower()}"
        case _:
            detail = f"no request could be made ({type(error).__name__})"
    return result, detail


def _explained_tls(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate is not trusted: {error.verify_message}"
        case ssl.SSLError(reason=str(reason)):
            return f"TLS failed: {reason.lower().replace('_', ' ')}"
        case _:
            return "TLS failed"
