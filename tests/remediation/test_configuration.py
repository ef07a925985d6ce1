"""Mistakes in the `remediation:` block, each with its line and its way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from odp_exporter.remediator_loading import StartError, load_all

RIGHT = """\
odps:
  - {name: odp-1, address: '192.0.2.11:2883', pool: trade}
  - {name: odp-2, address: '192.0.2.12:2883', pool: trade}
  - {name: odp-3, address: '192.0.2.13:2883'}
pools:
  trade: {lb: edge}
remediation:
  token_file: token
  journal: state/journal.db
  lbs: {edge: {type: none}}
  actuators: {default: {type: local}}
"""


GOOD = "0123456789abcdef"


def written(folder: Path, text: str, token: str = GOOD) -> Path:
    (folder / "token").write_text(token, encoding="ascii")
    (folder / "odp.yml").write_text(text, encoding="utf-8")
    return folder / "odp.yml"


def problems(folder: Path, text: str) -> list[str]:
    path = written(folder, text)
    with pytest.raises(StartError) as caught:
        load_all(path)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_only_members_of_steered_pools_may_be_repaired(tmp_path: Path) -> None:
    """odp-3 is in no pool, so nobody could take it out (S15)."""
    loaded = load_all(written(tmp_path, RIGHT))

    assert ["odp-1", "odp-2"] == list(loaded.inventory.targets)
    assert {"odp-1", "odp-2"} == set(loaded.world.actuators)
    assert frozenset({"trade"}) == loaded.inventory.undrainable
    assert tmp_path / "state/journal.db" == loaded.settings.journal


def test_target_files_count_too(tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text(
        "- targets: ['192.0.2.14:2883']\n  labels: {odp: odp-4, pool: trade}\n", encoding="ascii"
    )
    loaded = load_all(written(tmp_path, "file_sd_configs: [{files: [more.yml]}]\n" + RIGHT))

    assert 3 == len(loaded.inventory.targets)


def test_an_actuator_may_be_an_odps_own_or_its_pools(tmp_path: Path) -> None:
    own = RIGHT.replace("{default: {type: local}}", "{odp-1: {type: local}, trade: {type: local}}")
    loaded = load_all(written(tmp_path, own))

    assert {"odp-1": "odp-1", "odp-2": "trade"} == dict(loaded.inventory.actuators)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("lb: edge", "lb: egde", "odp.yml:6:15: pools.trade.lb: unknown load balancer: 'egde'; did you mean 'edge'?"),
        (
            "actuators: {default: {type: local}}",
            "actuators: {}",
            "odp.yml:2:5: odps.0: 'odp-1' has a load balancer and no actuator (add remediation.actuators.default)",
        ),
        (
            "{default: {type: local}}",
            "{default: {type: local}, odp-9: {type: local}}",
            (
                "odp.yml:11:39: remediation.actuators.odp-9: neither an ODP nor a pool nor 'default': 'odp-9'; "
                "did you mean 'odp-3'?"
            ),
        ),
        (
            "{lb: edge}",
            "{lb: edge, min_serving: 2}",
            "odp.yml:6:34: pools.trade.min_serving: with 2 ODPs none could ever be taken out (at most '1')",
        ),
        (
            "type: local",
            "type: lcoal",
            "odp.yml:11:31: remediation.actuators.default.type: unknown type: 'lcoal'; did you mean 'local'?",
        ),
        (
            "token_file",
            "tokenfile",
            "odp.yml:8:3: remediation.tokenfile: unknown key; did you mean 'token_file'?",
        ),
        (
            "  token_file: token\n",
            "",
            "remediation.token_file: missing (only where every client needs a certificate it may be)",
        ),
        (
            "token_file: token",
            "token_file: tokne",
            "tokne: no such file or directory",
        ),
        (
            "remediation:",
            "remediations:",
            "odp.yml:7:1: remediations: unknown key; did you mean 'remediation'?",
        ),
    ],
)
def test_each_mistake_is_told_with_its_place(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert message in problems(tmp_path, RIGHT.replace(right, wrong))


def test_without_its_block_the_remediator_does_not_start(tmp_path: Path) -> None:
    told = problems(tmp_path, RIGHT.partition("remediation:")[0])

    assert ["odp.yml:1:1: no remediation block (the remediator needs one)"] == told


@pytest.mark.parametrize("token", ["", "short", " " * 40, "123456789012345\n"])
def test_a_token_that_can_be_guessed_is_refused_and_not_shown(tmp_path: Path, token: str) -> None:
    path = written(tmp_path, RIGHT, token)
    with pytest.raises(StartError) as caught:
        load_all(path)

    assert f"{tmp_path}/token: {len(token.strip())} bytes, too short for a token (try: openssl rand -hex 32)" == str(
        caught.value
    )


def test_basic_auth_users_are_not_for_the_remediator(tmp_path: Path) -> None:
    """Their gate would stand before the token, and Alertmanager could not pass both."""
    hashed = "$2b$10$abcdefghijklmnopqrstuuWm1sqHqDXRG9qSgGvQ6dlqOcYmD8Xme"
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{ann: '{hashed}'}}\n", encoding="ascii")
    told = problems(tmp_path, RIGHT + "  web_config_file: web.yml\n")

    assert ["web.yml: basic_auth_users: not for the remediator (use its token_file)"] == told


def test_the_exporter_takes_the_file_and_loads_none_of_this() -> None:
    """Its memory and its start are its own: no driver, no decision."""
    program = "import sys, odp_exporter.cli; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - our own program

    ours = ("odp_exporter.lb", "odp_exporter.actuators", "odp_exporter.remediation")

    assert [] == [name for name in loaded if name.startswith(ours)]
