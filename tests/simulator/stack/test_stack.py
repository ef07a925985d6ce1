"""The real servers: what their contexts promise, on a small rule."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from odp_exporter.simulator.exporter import exporter
from odp_exporter.simulator.fleet.processes import eventually
from odp_exporter.simulator.stack import server
from odp_exporter.simulator.stack.alertmanager import alertmanager
from odp_exporter.simulator.stack.prometheus import Job, prometheus, watching
from odp_exporter.simulator.stack.receiver import NotTold, receiver
from odp_exporter.simulator.stack.server import ServerFailed

Debian = Callable[[str], str]
RULES = """
groups:
  - name: test
    rules:
      - {alert: Seen, expr: 'odp_exporter_build_info > 0', labels: {severity: info}, annotations: {summary: It is.}}
"""


def routing(url: str, *, token_file: Path | None = None) -> str:
    """An Alertmanager configuration: everything to *url*, at once."""
    webhook: dict[str, object] = {"url": url}
    if token_file is not None:
        webhook["http_config"] = {"authorization": {"credentials_file": str(token_file)}}
    route = {"receiver": "all", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
    return json.dumps({"route": route, "receivers": [{"name": "all", "webhook_configs": [webhook]}]})


async def test_what_an_exporter_says_arrives_at_a_receiver(debian: Debian, tmp_path: Path) -> None:
    """Through two Prometheus rule files and two Alertmanagers, each of which tells it."""
    prometheus_program, alertmanager_program = debian("prometheus"), debian("prometheus-alertmanager")
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "more.yml").write_text(RULES.replace("Seen", "SeenToo").replace("name: test", "name: more"))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    async with (
        receiver() as a,
        receiver() as b,
        exporter(tmp_path, "discovery: {enabled: false}\n") as scraped,
        alertmanager(tmp_path / "a", routing(a.url + "/people"), program=alertmanager_program) as am_a,
        alertmanager(tmp_path / "b", routing(b.url), program=alertmanager_program) as am_b,
        prometheus(
            tmp_path,
            watching(
                Job("odp-exporter", [scraped.url]),
                rules=[tmp_path / "rules.yml", tmp_path / "more.yml"],
                alertmanagers=[am_a.url, am_b.url],
            ),
            program=prometheus_program,
        ) as it,
    ):
        told = await a.until(lambda told: told.name == "Seen")
        await a.until(lambda told: told.name == "SeenToo")
        await b.until(lambda told: told.name == "SeenToo")
        # Once, at least: where a machine stalls for more than its second, a scrape fails.
        up = await it.query("max_over_time(up[5m])")
        alerts: dict[str, str] = {}
        async with asyncio.timeout(20):
            while alerts != {"Seen": "firing", "SeenToo": "firing"}:
                await asyncio.sleep(0.1)
                alerts = {alert.name: alert.state for alert in await it.alerts()}

    assert ("people", "firing", "info") == (told.receiver, told.status, told.labels["severity"])
    assert {"summary": "It is."} == told.annotations
    assert [("odp-exporter", 1)] == [(labels["job"], value) for labels, value in up]


async def test_a_receiver_wants_its_token(debian: Debian, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("right")
    program = debian("prometheus-alertmanager")
    async with receiver(token="right") as it, receiver(token="another") as other:
        async with alertmanager(tmp_path, routing(it.url, token_file=tmp_path / "token"), program=program) as running:
            await running.push({"alertname": "A"})
            await it.until(lambda told: told.name == "A")
        async with alertmanager(
            tmp_path, routing(other.url, token_file=tmp_path / "token"), program=program
        ) as running:
            await running.push({"alertname": "B"})
            await eventually(lambda: other.unauthorized > 0, "an attempt", within_seconds=20)
            with pytest.raises(NotTold, match="told: \\[\\]"):
                await other.until(lambda told: told.name == "B", within_seconds=1)

    assert 0 == it.unauthorized


async def test_a_configuration_that_it_refuses_is_told_with_its_log(debian: Debian, tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="undefined receiver"):
        async with alertmanager(tmp_path, "route: {receiver: nobody}", program=debian("prometheus-alertmanager")):
            pass
    with pytest.raises(ServerFailed, match="never ready, exit status 2"):
        async with prometheus(tmp_path, "rule_files: 5", program=debian("prometheus")):
            pass


async def test_a_question_that_it_cannot_answer_is_told(debian: Debian, tmp_path: Path) -> None:
    async with prometheus(tmp_path, watching(), program=debian("prometheus")) as it:
        scalar = await it.query("scalar(vector(3))")
        with pytest.raises(ServerFailed, match=r"answered 400: .*parse error"):
            await it.query("1 +")

    assert [({}, 3)] == scalar
    with pytest.raises(ServerFailed, match="did not answer"):
        await it.query("1")


async def test_a_server_that_does_not_heed_sigterm_is_killed() -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", deaf, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(10):
        await process.stdout.readline()
    await server.end(process, within_seconds=0.2)

    assert -signal.SIGKILL == process.returncode
