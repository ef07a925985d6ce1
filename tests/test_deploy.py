"""The compose file and the manifests of deploy/, as far as they can be held to us and each other without an engine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from odp_exporter import cli, remediator_cli
from odp_exporter.remediator_loading import load_all

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yml"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yml"))
PROGRAMS: dict[str, click.Group] = {"odp-exporter": cli.main, "odp-remediator": remediator_cli.main}
MADE_BY_HAND = {"./odp-remediator.token"}
"""What the comment of the compose file tells people to make."""

Yaml = dict[str, Any]


def documents(path: Path) -> list[Yaml]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def services() -> dict[str, Yaml]:
    found: dict[str, Yaml] = documents(COMPOSE)[0]["services"]
    return found


def mounts() -> Iterator[str]:
    """What compose mounts out of the checkout."""
    for service in services().values():
        yield from (volume.partition(":")[0] for volume in service.get("volumes", []) if volume[0] == ".")


def pods() -> Iterator[Yaml]:
    for path in MANIFESTS:
        yield from (each["spec"]["template"] for each in documents(path) if each["kind"] == "StatefulSet")


def containers() -> Iterator[Yaml]:
    for pod in pods():
        yield from pod["spec"]["containers"]


def labels_of_services() -> dict[str, str]:
    """The name and the port of each Service, by the label that a ServiceMonitor selects."""
    every = [each for path in MANIFESTS for each in documents(path) if each["kind"] == "Service"]
    return {each["metadata"]["labels"]["app.kubernetes.io/name"]: each["spec"]["ports"][0]["name"] for each in every}


@pytest.mark.parametrize("path", [COMPOSE, *MANIFESTS], ids=lambda path: path.stem)
def test_it_says_at_its_top_that_it_has_not_been_run(path: Path) -> None:
    assert "# It has not been run: no " in "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:4])


def test_all_that_compose_mounts_exists() -> None:
    missing = {path for path in mounts() if not (DEPLOY / path).exists()}

    assert missing <= MADE_BY_HAND
    assert all(f"deploy/{Path(path).name}" in COMPOSE.read_text(encoding="utf-8") for path in MADE_BY_HAND)
    assert "/deploy/odp-remediator.token" in (ROOT / ".gitignore").read_text(encoding="ascii").splitlines()


def test_every_volume_of_compose_is_declared_and_used() -> None:
    named = {
        volume.partition(":")[0]
        for service in services().values()
        for volume in service.get("volumes", [])
        if volume[0] not in "./"
    }

    assert named == documents(COMPOSE)[0]["volumes"].keys()


def test_what_is_ours_is_built_and_what_is_not_is_pinned() -> None:
    """The stages are those of the Dockerfile."""
    stages = set(re.findall(r"^FROM .* AS (\w+)$", (ROOT / "Dockerfile").read_text(encoding="ascii"), re.MULTILINE))
    built = {name: service["build"]["target"] for name, service in services().items() if "build" in service}
    others = [service["image"] for name, service in services().items() if name not in built]

    assert PROGRAMS.keys() == built.keys()
    assert set(built.values()) < stages
    assert [] == [image for image in others if not re.search(r":v?\d+\.\d+\.\d+$", image)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_our_programs_take_the_arguments_that_they_are_given(name: str) -> None:
    compose = services()[name]["command"]
    (kubernetes,) = [each["args"] for each in containers() if each["name"] == name]

    for command, *rest in (compose, kubernetes):
        assert PROGRAMS[name].commands[command].make_context(command, [*rest]).params


def test_every_configuration_is_mounted_where_it_is_looked_for() -> None:
    for service in services().values():
        inside = {volume.split(":")[1] for volume in service.get("volumes", [])}
        named = [word.partition("=")[2] for word in service.get("command", []) if word.startswith("--config.file=")]

        assert inside.issuperset(named)


def test_every_container_mounts_volumes_that_its_pod_has() -> None:
    for path in MANIFESTS:
        for each in documents(path):
            if each["kind"] == "StatefulSet":
                spec = each["spec"]
                volumes = {volume["name"] for volume in spec["template"]["spec"]["volumes"]}
                claims = {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
                mounted = {
                    mount["name"] for it in spec["template"]["spec"]["containers"] for mount in it["volumeMounts"]
                }

                assert volumes | claims == mounted


def test_nothing_of_ours_is_root_or_may_become_it() -> None:
    ours = [each["securityContext"] for each in containers() if each["name"] in PROGRAMS]

    assert [True] * len(MANIFESTS) == [pod["spec"]["securityContext"]["runAsNonRoot"] for pod in pods()]
    assert [False] * 2 == [context["allowPrivilegeEscalation"] for context in ours]
    assert [["ALL"]] * 2 == [context["capabilities"]["drop"] for context in ours]


def test_the_service_monitors_find_the_services() -> None:
    monitors = documents(ROOT / "rules/kubernetes/servicemonitor.yml")
    wanted = {
        each["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]: each["spec"]["endpoints"][0]["port"]
        for each in monitors
    }

    assert wanted == labels_of_services()


def test_every_service_selects_a_pod_with_its_port() -> None:
    for path in MANIFESTS:
        service, workload = documents(path)
        template = workload["spec"]["template"]
        ports = {port["name"]: port["containerPort"] for it in template["spec"]["containers"] for port in it["ports"]}
        (port,) = service["spec"]["ports"]

        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        assert port["port"] == ports[port["targetPort"]]


def test_promtool_takes_the_configuration_of_compose(debian: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text((DEPLOY / "compose/prometheus.yml").read_text(encoding="utf-8"))
    (tmp_path / "rules").symlink_to(ROOT / "rules/default")
    done = subprocess.run(  # noqa: S603 - the promtool of this machine
        [debian("promtool"), "check", "config", tmp_path / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert "6 rule files found" in done.stdout


def test_prometheus_and_alertmanager_find_whom_they_are_to_tell() -> None:
    """By the names that compose gives to services."""
    prometheus = documents(DEPLOY / "compose/prometheus.yml")[0]
    jobs = {job["job_name"]: job["static_configs"][0]["targets"][0] for job in prometheus["scrape_configs"]}
    told = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    aliases = services()["odp-remediator"]["networks"]["default"]["aliases"]

    assert {"odp-exporter": "odp-exporter:9888", "odp-remediator": "odp-remediator:9889"} == jobs
    assert ["alertmanager:9093"] == told
    assert all(re.search(rf"http://{alias}:9889/", sample()) for alias in aliases)


def test_grafana_finds_its_dashboards_and_prometheus() -> None:
    """Where and by the name that the files say with which it is provisioned."""
    provisioning = ROOT / "dashboards/provisioning"
    (provider,) = documents(provisioning / "dashboards/odp.yml")[0]["providers"]
    (source,) = documents(provisioning / "datasources/prometheus.yml")[0]["datasources"]
    (alias,) = services()["prometheus"]["networks"]["default"]["aliases"]

    assert f"../dashboards/json:{provider['options']['path']}:ro" in services()["grafana"]["volumes"]
    assert f"http://{alias}:9090" == source["url"]


def test_haproxy_and_the_remediator_speak_of_the_same() -> None:
    """Backend, servers and the way to them; a server has the ODP's name."""
    haproxy = (DEPLOY / "haproxy.cfg").read_text(encoding="ascii")
    (remediator,) = documents(DEPLOY / "odp-remediator.yml")
    edge = remediator["remediation"]["lbs"]["edge"]
    servers = dict(re.findall(r"^    server (\S+) (\S+) ", haproxy, re.MULTILINE))

    assert {odp["name"]: odp["address"] for odp in remediator["odps"]} == servers
    assert [edge["backend"]] == re.findall(r"^backend (\S+)$", haproxy, re.MULTILINE)
    assert edge["sockets"][:1] == re.findall(r"stats socket ipv4@(\S+)", haproxy)
    assert [f'"{name}\\n"' for name in servers] == re.findall(r"agent-send (\S+)$", haproxy, re.MULTILINE)


def sample() -> str:
    return (ROOT / "rules/alertmanager.yml").read_text(encoding="utf-8")


def test_the_remediator_takes_what_the_sample_of_alertmanager_sends(tmp_path: Path) -> None:
    """Its receivers go by the names that the remediator's own sample knows."""
    text = (DEPLOY / "odp-remediator.yml").read_text(encoding="utf-8").replace("/etc/odp-remediator/token", "token")
    (tmp_path / "token").write_text("0123456789abcdef", encoding="ascii")
    (tmp_path / "odp.yml").write_text(text, encoding="utf-8")
    receivers = [
        receiver["name"]
        for receiver in yaml.safe_load(sample())["receivers"]
        if any(webhook["url"].endswith("/v1/alertmanager") for webhook in receiver["webhook_configs"])
    ]

    assert receivers == list(load_all(tmp_path / "odp.yml").settings.receivers)
