"""One client connection on the SQL port: greeting, login, and the few commands that ODP answers itself."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass

from . import packets, session_log
from .conduct import Conduct
from .faults import Fault
from .login import INSPECTOR, ROOT, Denied, Doorkeeper, Dropped, Welcome
from .logs import Logs
from .metrics import Metrics
from .parameters import Parameters

LOGIN_TIMEOUT_SECONDS = 10.0
"""From accept to the login packet (odp-facts 4.4)."""

_COM_QUIT, _COM_QUERY, _COM_PING = b"\x01", b"\x03", b"\x0e"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Left(Exception):
    """The client is to be left without another word."""


@dataclass(frozen=True, slots=True)
class Office:
    """What all sessions of an ODP share."""

    parameters: Parameters
    doorkeeper: Doorkeeper
    conduct: Conduct
    logs: Logs
    metrics: Metrics


class Session:
    """One client, from accept to close."""

    def __init__(
        self, office: Office, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, thread_id: int
    ) -> None:
        self._office = office
        self._reader = reader
        self._writer = writer
        self._thread_id = thread_id
        scrambles = office.parameters.flag("enable_proxy_scramble")
        self._salt = packets.new_salt() if scrambles else packets.CONSTANT_SALT
        self._has_said_something = False
        self.user: str | None = None
        """Who is logged in; None until then."""

    async def run(self, open_connections: int) -> None:
        """Serve the client; *open_connections* counts those of all clients, this one included."""
        self._log(session_log.BORN)
        try:
            if await self._greet():
                await self._converse(open_connections)
        except TimeoutError:
            self._diagnose("TIMEOUT", "TIMEOUT_TRACE", -10022, "CLIENT_CONNECT_TIMEOUT")
        except (EOFError, OSError, packets.NotALogin):
            self._log_departure()
        except _Left:
            pass
        finally:
            self._log(session_log.ENDED)
            self._writer.close()

    async def _greet(self) -> bool:
        """Send the greeting, or whatever a fault puts in its place; False where nothing may follow."""
        if self._office.conduct.is_frozen:
            await self._reader.read()
            return False
        version = self._office.parameters.text("mysql_version")
        greeting = packets.greeting(self._thread_id, version=version, salt=self._salt)
        if self._office.conduct.greeting is None:
            self._writer.write(greeting)
            return True
        fault, seconds = self._office.conduct.greeting
        return await self._greet_faultily(fault, seconds, greeting)

    async def _greet_faultily(self, fault: Fault, seconds: float, greeting: bytes) -> bool:
        match fault:
            case Fault.ERROR_PACKET:
                self._writer.write(packets.error(0, 1040, "08004", "Too many connections"))
            case Fault.RESET:
                self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                self._writer.transport.abort()
            case Fault.SHORT:
                self._writer.write(greeting[: len(greeting) // 2])
            case Fault.GARBAGE:
                self._writer.write(b"\x9e\x81\x0f\x7f" * 32)
            case Fault.HTTP:
                self._writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            case Fault.TRICKLE:
                await self._trickle(greeting, seconds)
                return True
            case _:
                pass
        return False

    async def _trickle(self, content: bytes, seconds: float) -> None:
        for position in range(len(content)):
            self._writer.write(content[position : position + 1])
            await asyncio.sleep(seconds / len(content))

    async def _converse(self, open_connections: int) -> None:
        async with asyncio.timeout(LOGIN_TIMEOUT_SECONDS):
            sequence, payload = await self._packet()
        login = packets.parse_login(payload)
        match await self._office.doorkeeper.judge(login, self._salt, open_connections):
            case Welcome(user):
                self.user = user
                self._writer.write(packets.ok(sequence + 1))
                await self._obey(user)
            case Denied(code, state, message):
                self._log(session_log.DENIED)
                self._writer.write(packets.error(sequence + 1, code, state, message))
            case Dropped():
                pass

    async def _obey(self, user: str) -> None:
        with self._office.metrics.session(user):
            while True:
                _, payload = await self._packet()
                if payload[:1] == _COM_QUIT:
                    self._log(session_log.QUIT)
                    return
                self._writer.write(self._answer(user, payload))

    def _answer(self, user: str, payload: bytes) -> bytes:
        statement = payload[1:].decode(errors="replace").strip().rstrip(";").lower()
        is_ping = payload[:1] == _COM_QUERY and " ".join(statement.split()) == "ping proxy"
        if is_ping and self._office.conduct.is_draining:
            raise _Left
        is_setting = user == ROOT and payload[:1] == _COM_QUERY and statement.startswith("set ")
        if is_ping or is_setting or payload[:1] == _COM_PING or user not in {ROOT, INSPECTOR}:
            return packets.ok(1)
        return packets.error(1, 1235, "0A000", "Not supported feature or function")

    async def _packet(self) -> tuple[int, bytes]:
        header = await self._reader.readexactly(4)
        self._has_said_something = True
        return header[3], await self._reader.readexactly(int.from_bytes(header[:3], "little"))

    def _log_departure(self) -> None:
        """A client that came and went in silence is a probe, and no case for the diagnosis log (odp-facts 4.7)."""
        if self._has_said_something:
            self._diagnose("CONNECTION", "CLIENT_VC_TRACE", -10010, "unexpected connection event from client")
        else:
            self._log(session_log.LEFT)

    def _diagnose(self, kind: str, trace: str, code: int, reason: str) -> None:
        text = (
            f'trace_type="{trace}", connection_diagnosis={{cs_id:{self._thread_id}, user_name:"{self.user or ""}", '
            f'error_code:{code}, error_msg:"{reason}"}}'
        )
        self._office.logs.diagnose(kind, text)

    def _log(self, lines: session_log.Lines) -> None:
        client = _text(self._writer.get_extra_info("peername"))
        server = _text(self._writer.get_extra_info("sockname"))
        fields = {"client": client, "server": server, "id": self._thread_id}
        session_log.write(self._office.logs, lines, fields)


def _text(address: tuple[str, int] | None) -> str:
    return f"{address[0]}:{address[1]}" if address else "*Not IP address [0]*:0"
