import shutil
from pathlib import Path

import pytest
from odp_exporter.files import FileMissing, FileUnusable
from odp_exporter.observations import Watchdog
from odp_exporter.procfs.survey import Script
from odp_exporter.procfs.watchdogs import is_restarted_by, restarts, unit_of, watching

HOME = Path("/home/admin/obproxy")
SHIPPED = "/bin/bash ./bin/obproxyd.sh -c checkalive -p 2883 -n obpay -u http://192.0.2.10/s?Action=GetObProxyConfig"
OBD = "bash /home/admin/obproxy/obproxyd.sh /home/admin/obproxy 192.0.2.11 2883 daemon"


def script(command: str, directory: Path | None = None) -> Script:
    return Script(7, tuple(command.split()), directory)


@pytest.mark.parametrize(
    ("command", "directory", "expected"),
    [
        (SHIPPED, HOME, Watchdog.OBPROXYD),
        (SHIPPED, None, Watchdog.OBPROXYD),
        (SHIPPED, Path("/home/other/obproxy"), None),
        (SHIPPED.replace("2883", "3306"), HOME, None),
        (SHIPPED.replace("-p 2883", "-p2883"), HOME, Watchdog.OBPROXYD),
        (SHIPPED.replace("-p 2883", ""), HOME, Watchdog.OBPROXYD),
        ("bash /home/admin/obproxy/bin/obproxyd.sh -c checkalive", None, Watchdog.OBPROXYD),
        ("bash /home/other/bin/obproxyd.sh -c checkalive", None, None),
        ("bash ./bin/obproxyd.sh -c start", HOME, None),
        ("bash ./bin/obproxyd.sh -c stop", HOME, None),
        ("bash ./bin/obproxyd.sh", HOME, None),
        ("vi obproxyd.sh", HOME, None),
        (OBD, HOME, Watchdog.OBD),
        (OBD, None, Watchdog.OBD),
        (OBD.replace("2883", "2893"), None, None),
        (OBD.replace("/home/admin/obproxy 1", "/home/other 1"), None, None),
        (OBD.replace(" daemon", ""), HOME, None),
        ("", None, None),
    ],
)
def test_which_script_watches_this_odp(command: str, directory: Path | None, expected: Watchdog | None) -> None:
    assert expected is watching(script(command, directory), home=HOME, port=2883)


def test_a_home_that_is_not_known_may_be_the_watched_one() -> None:
    """Better to wait for a watchdog in vain than to race one."""
    assert Watchdog.OBD is watching(script(OBD), home=None, port=2883)


def test_a_home_by_another_name_is_the_same_home(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    command = f"bash {tmp_path}/link/obproxyd.sh {tmp_path}/link 192.0.2.11 2883 daemon"

    assert Watchdog.OBD is watching(script(command), home=tmp_path / "real", port=2883)


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/odp.service\n", "odp.service"),
        ("0::/system.slice/system-odp.slice/odp@2883.service\n", "odp@2883.service"),
        ("9:name=systemd:/system.slice/odp.service\n8:pids:/x\n4:memory:/y.service\n0::/\n", "odp.service"),
        ("8:pids:/system.slice/odp.service\n0::/\n", None),
        ("0::/user.slice/user-0.slice/session-3.scope\n", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/odp.service\n", None),
        ("0::/system.slice/sshd.service\n", None),
        ("0::/system.slice/sshd@12-192.0.2.1:22-192.0.2.9:5001.service\n", None),
        ("0::/system.slice/crond.service\n", None),
        ("0::/system.slice/docker-0a1b.scope\n", None),
        ("0::/system.slice/odp.service/../../etc.service.d\n", None),
        ("0::/\n", None),
        ("", None),
        ("nonsense\n::\n0:\n", None),
    ],
)
def test_which_unit_a_cgroup_belongs_to(cgroup: str, unit: str | None) -> None:
    assert unit == unit_of(cgroup)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], False),
        (["[Service]\nExecStart=/x\n"], False),
        (["[Service]\nRestart=no\n"], False),
        (["[Service]\nRestart=always\n"], True),
        (["[Service]\n Restart = on-failure \n"], True),
        (["[Unit]\nRestart=always\n[Service]\nRestartSec=1\n"], False),
        (["[Service]\n#Restart=always\n;Restart=always\n"], False),
        (["[Service]\nRestart=no\n", "[Service]\nRestart=always\n"], True),
        (["[Service]\nRestart=always\n", "[Service]\nRestart=no\n"], False),
        (["[Service]\nRestart=always\n", "[Service]\nRestart=\n"], False),
    ],
)
def test_what_unit_files_say(texts: list[str], expected: bool) -> None:  # noqa: FBT001 - a table of values
    assert expected is restarts(texts)


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("etc", "lib"):
        (tmp_path / name).mkdir()
    return tmp_path / "etc", tmp_path / "lib"


def written(path: Path, setting: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"[Service]\nRestart={setting}\n", encoding="utf-8")


def test_the_administrators_file_hides_the_packages(directories: tuple[Path, Path]) -> None:
    etc, lib = directories
    written(lib / "odp.service", "always")
    before = is_restarted_by("odp.service", directories)
    written(etc / "odp.service", "no")

    assert (True, False) == (before, is_restarted_by("odp.service", directories))


def test_drop_ins_come_last_and_in_the_order_of_their_names(directories: tuple[Path, Path]) -> None:
    etc, lib = directories
    written(lib / "odp.service", "no")
    written(lib / "odp.service.d/90-a.conf", "always")
    written(etc / "odp.service.d/50-b.conf", "no")
    last = is_restarted_by("odp.service", directories)
    written(etc / "odp.service.d/90-a.conf", "no")

    assert (True, False) == (last, is_restarted_by("odp.service", directories))


def test_an_instance_has_the_file_of_its_template(directories: tuple[Path, Path]) -> None:
    etc, lib = directories
    written(lib / "odp@.service", "no")
    before = is_restarted_by("odp@2883.service", directories)
    written(etc / "odp@2883.service.d/restart.conf", "always")

    assert (False, True) == (before, is_restarted_by("odp@2883.service", directories))


def test_a_unit_without_files_is_an_error(directories: tuple[Path, Path]) -> None:
    with pytest.raises(FileMissing, match=r"odp\.service: no such unit file"):
        is_restarted_by("odp.service", directories)


def test_a_unit_file_that_is_a_directory_is_an_error(directories: tuple[Path, Path]) -> None:
    (directories[0] / "odp.service").mkdir()

    with pytest.raises(FileUnusable):
        is_restarted_by("odp.service", directories)


def test_directories_that_are_not_there_do_no_harm(directories: tuple[Path, Path]) -> None:
    etc, lib = directories
    written(lib / "odp.service", "always")
    shutil.rmtree(etc)

    assert is_restarted_by("odp.service", directories)
