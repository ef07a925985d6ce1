"""How fast the webhook answers while everything that could act hangs: `python -m benchmarks.webhook`.

A remediator is a process of its own, with a real journal; its one load
balancer accepts connections and never says a word, its ODPs neither. What a
disk takes to sync is part of every figure.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import page

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - guards nothing
NOTIFICATIONS = int(os.environ.get("NOTIFICATIONS", "500"))
ODPS = 50
ALERTS = 10_000


def main() -> None:
    said = f"{page.table(('answer', 'measured', 'limit'), measured())}\n\n{page.machine()}\n"
    print(said)
    page.write("webhook", said)


def measured() -> list[list[str]]:
    """Rows of figure, measured, limit."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        directory = Path(folder)
        lb, odp = (stack.enter_context(mute()) for _ in range(2))
        port = free_port()
        (directory / "token").write_text(TOKEN, encoding="ascii")
        (directory / "odp.yml").write_text(configuration(lb, odp, port), encoding="utf-8")
        stack.enter_context(remediator(directory / "odp.yml", port))
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        for number in range(ODPS):
            post(connection, body([(f"odp-{number}", "Hung")]))
        time.sleep(1)  # by now every worker waits for something that does not answer
        took = sorted(post(connection, body([(f"odp-{n % ODPS}", f"Hung{n}")])) for n in range(NOTIFICATIONS))
        same = body([("odp-0", "Hung")])
        again = statistics.median(post(connection, same) for _ in range(NOTIFICATIONS))
        large = body([(f"odp-{n % ODPS}", f"Large{n}") for n in range(ALERTS)])
        whole = post(connection, large)
        meanwhile = sorted(post(connection, same) for _ in range(100))
    return [
        [f"one alert, median of {NOTIFICATIONS}", spent(took[len(took) // 2]), ""],
        ["one alert, 99th percentile", spent(took[int(len(took) * 0.99)]), "20 ms"],
        ["one alert, worst", spent(took[-1]), ""],
        ["one that is known already, median", spent(again), ""],
        [f"{ALERTS:,} alerts in one body of {len(large) / 2**20:.1f} MiB", spent(whole), "1000 ms"],
        ["one alert while those are worked through, 99th percentile of 100", spent(meanwhile[98]), ""],
    ]


def body(alerts: list[tuple[str, str]]) -> bytes:
    summary = "the ODP accepts connections and does not greet; clients see connects that hang " * 2
    items = [
        {
            "status": "firing",
            "labels": {
                "alertname": name,
                "odp": odp,
                "remediation": "restart",
                "severity": "page",
                "instance": "192.0.2.11:9888",
                "job": "odp-exporter",
                "odp_cluster": "trade",
                "replica": "prometheus-0",
            },
            "annotations": {"summary": summary, "runbook_url": "https://runbooks.example/ODPHung"},
            "startsAt": "2026-05-04T11:59:30.123456789Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://192.0.2.20:9090/graph?g0.expr=odp_state%7Bstate%3D%22hung%22%7D+%3D%3D+1",
            "fingerprint": "5ef77f1f8a3ecfe1",
        }
        for odp, name in alerts
    ]
    return json.dumps({"version": "4", "receiver": "remediator", "status": "firing", "alerts": items}).encode()


def post(connection: HTTPConnection, text: bytes) -> float:
    """Seconds until the answer, which must be 200."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    began = time.perf_counter()
    connection.request("POST", "/v1/alertmanager", text, headers)
    reply = connection.getresponse()
    said = reply.read()
    took = time.perf_counter() - began
    if reply.status != 200:  # noqa: PLR2004 - HTTP's own number
        sys.exit(f"{reply.status}: {said.decode()}")
    return took


@contextmanager
def mute() -> Iterator[int]:
    """The port of a socket that the kernel accepts for and nobody serves."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield listener.getsockname()[1]


@contextmanager
def remediator(config: Path, port: int) -> Iterator[None]:
    command = [
        sys.executable,
        "-m",
        "odp_exporter.remediator_cli",
        "run",
        f"--config.file={config}",
        "--log.level=ERROR",
    ]
    process = os.spawnv(os.P_NOWAIT, command[0], command)  # noqa: S606 - our own program
    try:
        for _ in range(200):
            if ready(port):
                break
            time.sleep(0.05)
        yield
    finally:
        os.kill(process, 9)
        os.waitpid(process, 0)


def ready(port: int) -> bool:
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200  # noqa: PLR2004 - HTTP's own number
    except OSError:
        return False


def configuration(lb: int, odp: int, port: int) -> str:
    odps = "\n".join(f"  - {{name: odp-{n}, address: '127.0.{n}.1:{odp}', pool: trade}}" for n in range(ODPS))
    return (
        f"odps:\n{odps}\n"
        "pools: {trade: {lb: edge}}\n"
        f"alertmanagers: ['http://127.0.0.1:{lb}']\n"
        "remediation:\n"
        f"  listen_address: 127.0.0.1:{port}\n"
        "  token_file: token\n"
        "  journal: journal.db\n"
        f"  lbs: {{edge: {{type: haproxy, sockets: ['127.0.0.1:{lb}'], backend: odp}}}}\n"
        f"  exporters: {{default: 'http://127.0.0.1:{lb}'}}\n"
        "  actuators: {default: {type: exec, look: [/bin/sleep, '3600'], restart: [/bin/sleep, '3600']}}\n"
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def spent(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main()
