"""A new configuration replaces the old one wholly or not at all."""

import asyncio
import signal
from pathlib import Path

from odp_exporter.simulator.exporter import Exporter, Metrics, exporter, naming
from odp_exporter.simulator.fleet import Fleet

GOOD = "odps: [{name: a, address: '127.0.0.1:1'}]\n"
BETTER = "odps: [{name: a, address: '127.0.0.1:1'}, {name: b, address: '127.0.0.1:2'}]\n"
BAD = "odps:\n  - {name: a, hots: x}\nprobe: {interval: 5 parsecs}\n"


def names(metrics: Metrics) -> set[str]:
    return set(metrics.by("odp", "odp_up"))


async def reloaded(it: Exporter, directory: Path, config: str) -> tuple[int, str]:
    (directory / "odp.yml").write_text(config)
    return await it.request("/-/reload", method="POST")


async def test_a_good_one_is_taken_up_at_once(tmp_path: Path) -> None:
    async with exporter(tmp_path, GOOD) as it:
        assert (200, "configuration reloaded\n") == await reloaded(it, tmp_path, BETTER)
        metrics = await it.until(lambda metrics: names(metrics) == {"a", "b"})

    assert 1 == metrics.value("odp_exporter_config_last_reload_successful")


async def test_of_a_bad_one_every_mistake_is_told_and_the_old_one_stays(tmp_path: Path) -> None:
    async with exporter(tmp_path, GOOD) as it:
        before = await it.metrics()
        status, body = await reloaded(it, tmp_path, BAD)
        after = await it.metrics()

    assert 500 == status
    assert [f"{tmp_path}/odp.yml:{place}" for place in ("2:5", "2:15", "3:19")] == [
        ":".join(line.split(":")[:3]) for line in body.splitlines()[1:]
    ]
    assert ({"a"}, 0) == (names(after), after.value("odp_exporter_config_last_reload_successful"))
    timestamp = "odp_exporter_config_last_reload_success_timestamp_seconds"
    assert before.value(timestamp) == after.value(timestamp)


async def test_sighup_reloads_and_a_mistake_does_not_end_the_exporter(tmp_path: Path) -> None:
    async with exporter(tmp_path, GOOD) as it:
        (tmp_path / "odp.yml").write_text(BAD)
        it.process.send_signal(signal.SIGHUP)
        await it.until(lambda metrics: metrics.value("odp_exporter_config_last_reload_successful") == 0)
        (tmp_path / "odp.yml").write_text(BETTER)
        it.process.send_signal(signal.SIGHUP)

        await it.until(lambda metrics: names(metrics) == {"a", "b"})


async def test_counts_of_targets_that_stay_go_on(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    fast = "probe: {interval: 200ms, timeout: 150ms}\n"
    async with exporter(tmp_path, naming(odp, more=fast)) as it:
        before = await it.until(lambda metrics: (metrics.value("odp_probes_total", odp="odp-1", result="ok") or 0) > 3)
        await reloaded(it, tmp_path, naming(odp, more=fast + "cache: {interval: 1s}\n"))
        after = await it.metrics()

    count = {"metric": "odp_probes_total", "odp": "odp-1", "result": "ok"}
    assert (after.value(**count) or 0) >= (before.value(**count) or 0)


async def test_sigterm_ends_it_with_status_0(tmp_path: Path) -> None:
    async with exporter(tmp_path, GOOD) as it:
        assert 0 == await it.stop()


async def test_reload_is_for_post_and_put_only(tmp_path: Path) -> None:
    async with exporter(tmp_path, GOOD) as it:
        assert 405 == (await it.request("/-/reload"))[0]


async def test_a_storm_of_reloads_is_a_few_reloads(tmp_path: Path) -> None:
    """Whoever asks while one is under way shares the next."""
    async with exporter(tmp_path, GOOD) as it:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(it.request("/-/reload", method="POST")) for _ in range(50)]
            for _ in range(50):
                it.process.send_signal(signal.SIGHUP)
        done = it.log.count("configuration reloaded")

    assert {(200, "configuration reloaded\n")} == {task.result() for task in asked}
    assert done < 50


async def test_a_dead_discovered_odp_survives_a_reload(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    name = f"{odp.address[0]}:{odp.address[1]}"
    async with exporter(tmp_path, "probe: {interval: 200ms, timeout: 150ms}\n") as it:
        await it.until_state(name, "serving")
        odp.kill()
        await it.until_state(name, "down")
        await it.request("/-/reload", method="POST")

        await it.until_state(name, "down")


async def test_settings_that_need_a_restart_are_named(tmp_path: Path) -> None:
    async with exporter(tmp_path, GOOD) as it:
        await reloaded(it, tmp_path, GOOD + "web: {listen_address: '127.0.0.1:1'}\n")

        await it.until(lambda _: "changes that need a restart" in it.log)
        assert "web.listen_address" in it.log
