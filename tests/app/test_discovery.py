"""Without a configuration: the ODPs of this host are found, and kept while they are dead."""

from pathlib import Path

from odp_exporter.simulator.exporter import Metrics, exporter
from odp_exporter.simulator.fleet import Fleet, Odp


def name(odp: Odp) -> str:
    return f"{odp.address[0]}:{odp.address[1]}"


def is_known(odp: Odp, metrics: Metrics) -> bool:
    return metrics.state(name(odp)) == "serving"


async def test_finds_odps_with_their_home_parameters_version_and_ocp(fleet: Fleet, tmp_path: Path) -> None:
    """Other tests' ODPs live on the same host and are found as well."""
    ocp = await fleet.start_ocp({"ob1": ["127.0.0.1:2881"]})
    old = await fleet.start_odp("old", ocp=ocp, release="4.2.3", options={"ignore_local_config": "false"})
    new = await fleet.start_odp("new", ocp=ocp, host="127.0.0.2", options={"enable_get_rslist_remote": "true"})
    async with exporter(tmp_path) as it:
        await it.until(lambda metrics: is_known(old, metrics) and is_known(new, metrics))
        await it.until(lambda metrics: all(metrics.by("name", "odp_parameter", odp=name(odp)) for odp in (old, new)))
        await it.until(lambda metrics: metrics.value("odp_cache_valid", odp=name(new), file="config_server") == 1)
        metrics = await it.until(
            lambda metrics: ocp.base.removeprefix("http://") in metrics.by("ocp", "ocp_up", endpoint="config")
        )

    assert 0 == metrics.value("odp_parameter", odp=name(old), name="ignore_local_config")
    assert 1 == metrics.value("odp_parameter", odp=name(new), name="enable_get_rslist_remote")
    assert {2 * 1024**3} == {metrics.value("odp_memory_limit_bytes", odp=name(odp)) for odp in (old, new)}


async def test_keeps_finding_them_as_they_come_and_keeps_those_that_die(fleet: Fleet, tmp_path: Path) -> None:
    config = "discovery: {interval: 200ms}\nprobe: {interval: 200ms, timeout: 150ms}\n"
    first = await fleet.start_odp("first")
    async with exporter(tmp_path, config) as it:
        await it.until(lambda metrics: is_known(first, metrics))
        second = await fleet.start_odp("second")
        await it.until(lambda metrics: is_known(second, metrics))
        first.kill()
        metrics = await it.until_state(name(first), "down")

    assert 0 == metrics.value("odp_processes", odp=name(first))


async def test_forgets_what_was_looked_for_in_vain_for_long_enough(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, "discovery: {interval: 200ms, forget_after: 2s}\n") as it:
        await it.until(lambda metrics: is_known(odp, metrics))
        odp.kill()

        await it.until(lambda metrics: metrics.state(name(odp)) is None)


async def test_remembers_a_dead_odp_over_a_restart_of_the_exporter(fleet: Fleet, tmp_path: Path) -> None:
    config = f"probe: {{interval: 200ms, timeout: 150ms}}\nstate_directory: {tmp_path / 'state'}\n"
    odp = await fleet.start_odp("odp-1")
    async with exporter(tmp_path, config) as it:
        await it.until(lambda metrics: is_known(odp, metrics))
    odp.kill()
    await odp.wait_gone()
    async with exporter(tmp_path, config) as it:
        await it.until_state(name(odp), "down")


async def test_target_files_come_and_go(fleet: Fleet, tmp_path: Path) -> None:
    odp = await fleet.start_odp("odp-1")
    targets = tmp_path / "targets"
    targets.mkdir()
    config = f"file_sd_configs: [{{files: ['{targets}/*.yml'], refresh_interval: 200ms}}]\n"
    async with exporter(tmp_path, config) as it:
        assert None is (await it.metrics()).state("from-file")
        (targets / "a.yml").write_text(f"- targets: ['{name(odp)}']\n  labels: {{odp: from-file, idc: hz1}}\n")
        await it.until_state("from-file", "serving")
        (targets / "a.yml").write_text("- nonsense\n")
        await it.until(lambda _: "target files have mistakes" in it.log)
        assert "serving" == (await it.metrics()).state("from-file")
        (targets / "a.yml").unlink()

        await it.until(lambda metrics: metrics.state("from-file") is None)
