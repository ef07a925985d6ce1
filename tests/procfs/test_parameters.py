import sqlite3
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.odp_values import boolean
from odp_exporter.procfs import parameters
from odp_exporter.procfs.parameters import DEFAULTS, ParametersUnreadable, from_arguments, from_database, from_text

RECORDED = (
    "./bin/obproxy", "-N", "-p", "2883", "-l", "2884", "-n", "odptest", "-o",
    ("obproxy_config_server_url=http://127.0.0.1:8080/services?Action=GetObProxyConfig&User_ID=odp&uid=ocpmaster,"
    "local_bound_ip=127.0.0.1,enable_strict_kernel_release=false,enable_obproxy_rpc_service=false,"
    "obproxy_sys_password=e3fd448c516073714189b57233c9cf428ccb1bed,config_server_refresh_interval=10s,"
    "ignore_local_config=false,enable_metadb_used=false,proxy_mem_limited=2G,syslog_level=WDIAG,"
    "prometheus_sync_interval=1s,enable_extra_prometheus_metric=true"),
)  # fmt: skip
DATABASE = Path(__file__).parents[1] / "testdata/captures/proxyconfig_v1.db"
COLUMNS = "vid, vip, vport, tenant_name, cluster_name, name, value, config_level"


def database(*statements: str) -> bytes:
    with sqlite3.connect(":memory:") as made:
        for statement in statements:
            made.execute(statement)
        made.commit()
        content = made.serialize()
    made.close()
    return content


def test_the_command_line_of_a_real_odp() -> None:
    assert {
        "listen_port": "2883",
        "prometheus_listen_port": "2884",
        "app_name": "odptest",
        "obproxy_config_server_url": "http://127.0.0.1:8080/services?Action=GetObProxyConfig&User_ID=odp&uid=ocpmaster",
        "local_bound_ip": "127.0.0.1",
        "enable_obproxy_rpc_service": "false",
        "config_server_refresh_interval": "10s",
        "ignore_local_config": "false",
        "enable_metadb_used": "false",
        "proxy_mem_limited": "2G",
        "syslog_level": "WDIAG",
    } == from_arguments(RECORDED)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-p2883"], {"listen_port": "2883"}),
        (["-p", "2883"], {"listen_port": "2883"}),
        (["-Np2883"], {"listen_port": "2883"}),
        (["-Np", "2883"], {"listen_port": "2883"}),
        (["--listen_port=2883"], {"listen_port": "2883"}),
        (["--listen_port", "2883"], {"listen_port": "2883"}),
        (["--listen", "2883"], {"listen_port": "2883"}),
        (["--prom=2884", "--rpc", "2885"], {"prometheus_listen_port": "2884", "rpc_listen_port": "2885"}),
        (["-l2884", "-s", "2885"], {"prometheus_listen_port": "2884", "rpc_listen_port": "2885"}),
        (["-p", "1", "-p", "2"], {"listen_port": "2"}),
        (["-p", "2883", "-o", "listen_port=6688"], {"listen_port": "6688"}),
        (["stray", "-p2883"], {"listen_port": "2883"}),
        (["--", "-p2883"], {}),
        (["--unheard_of", "-p2883"], {"listen_port": "2883"}),
        (["--re", "x"], {}),
        (["-t", "-p2883"], {}),
        (["-u", "3", "-e", "-p", "2883"], {"listen_port": "2883"}),
        (["-p"], {"listen_port": ""}),
        (["-"], {}),
        (["--"], {}),
        ([""], {}),
        (["-cob", "-rh:2881;i:2881"], {"rootservice_cluster_name": "ob", "rootservice_list": "h:2881;i:2881"}),
        (["-oproxy_mem_limited='2G',app_name = x"], {"proxy_mem_limited": "2G", "app_name": "x"}),
        (["-o", "obproxy_config_server_url=''"], {"obproxy_config_server_url": ""}),
        (["-o", "obproxy_config_server_url=h?a=b=c&d=e"], {"obproxy_config_server_url": "h?a=b=c&d=e"}),
        (["-o", ",,=,x,ignore_local_config"], {"ignore_local_config": ""}),
        (["--optstr=IGNORE_LOCAL_CONFIG=1"], {"ignore_local_config": "1"}),
    ],
)  # fmt: skip
def test_options_are_read_as_getopt_long_reads_them(arguments: list[str], expected: Mapping[str, str]) -> None:
    assert expected == from_arguments(["obproxy", *arguments])


@given(st.lists(st.text()))
def test_no_command_line_breaks_the_parser(arguments: list[str]) -> None:
    assert from_arguments(arguments).keys() <= DEFAULTS.keys()


WORD = st.text(st.characters(categories=["L", "N"]), min_size=1)


@given(values=st.dictionaries(st.sampled_from(sorted(DEFAULTS)), WORD), in_one=st.booleans())
def test_every_value_given_with_o_comes_back(values: dict[str, str], in_one: bool) -> None:  # noqa: FBT001 - Hypothesis gives it
    text = ",".join(f"{name}={value}" for name, value in values.items())
    arguments = [f"-o{text}"] if in_one and text else ["-o", text]

    assert values == from_arguments(["obproxy", "-N", *arguments, "-V"])


def test_no_password_is_kept_from_any_source() -> None:
    assert not [name for name in DEFAULTS if "password" in name or "passwd" in name]
    secret = "e3fd448c516073714189b57233c9cf428ccb1bed"
    sources = (
        from_arguments(RECORDED),
        from_database(DATABASE.read_bytes()),
        from_text(f"obproxy_sys_password={secret}\n".encode()),
    )

    assert not [source for source in sources if secret in repr(source)]


def test_the_database_of_a_real_odp() -> None:
    values = from_database(DATABASE.read_bytes())

    assert {
        **DEFAULTS,
        "app_name": "odptest",
        "config_server_refresh_interval": "10s",
        "enable_metadb_used": "False",
        "enable_obproxy_rpc_service": "False",
        "ignore_local_config": "False",
        "listen_port": "5883",
        "local_bound_ip": "127.0.0.1",
        "obproxy_config_server_url": (
            "http://127.0.0.1:8280/services?Action=GetObProxyConfig&User_ID=odp&uid=ocpmaster"
        ),
        "prometheus_listen_port": "5884",
    } == values


def test_only_global_values_count() -> None:
    content = database(
        f"create table proxy_config({COLUMNS})",
        "insert into proxy_config values (-1, '', 0, '', '', 'ignore_local_config', 'False', 'LEVEL_GLOBAL')",
        "insert into proxy_config values (1, '192.0.2.9', 0, '', '', 'ignore_local_config', 'True', 'LEVEL_GLOBAL')",
        "insert into proxy_config values (-1, '', 0, 't', '', 'ignore_local_config', 'True', 'LEVEL_GLOBAL')",
        "insert into proxy_config values (-1, '', 0, '', '', 'ignore_local_config', 'True', 'LEVEL_VIP')",
    )

    assert {"ignore_local_config": "False"} == from_database(content)


@pytest.mark.parametrize(
    "content", [b"", database("create table other(x)"), database(f"create table proxy_config({COLUMNS})")]
)
def test_the_database_of_an_older_release_has_no_values(content: bytes) -> None:
    assert {} == from_database(content)


ENDLESS = """
create view proxy_config as with recursive r(n) as (select 1 union all select n + 1 from r)
select -1 as vid, '' as vip, 0 as vport, '' as tenant_name, '' as cluster_name, 'x' as name, 'y' as value,
'LEVEL_GLOBAL' as config_level from r where n < 0
"""


@pytest.mark.parametrize(
    "content",
    [
        b"not a database",
        b"SQLite format 3\0" + bytes(1000),
        DATABASE.read_bytes()[:5000],
        database("create table proxy_config(name)"),
        database(ENDLESS),
    ],
    ids=["text", "header", "torn", "columns", "endless"],
)
def test_what_is_no_parameter_database_is_one_error(content: bytes) -> None:
    with pytest.raises(ParametersUnreadable, match="not a parameter database"):
        from_database(content)


def test_an_sqlite_that_cannot_open_bytes_reads_a_private_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with parameters._opened_from_disk(DATABASE.read_bytes()) as opened:  # noqa: SLF001 - this Python's sqlite can
        rows = opened.execute("select count(*) from proxy_config").fetchone()

    assert (299,) == rows
    assert [] == list(tmp_path.iterdir())


def test_the_lines_of_the_older_file() -> None:
    text = b"listen_port=2883\nobproxy_config_server_url=http://h/s?A=b&c=d\n\nunknown=1\nnonsense\n"
    text += b" ignore_local_config = True \n\xff=\xff\n"

    assert {
        "listen_port": "2883",
        "obproxy_config_server_url": "http://h/s?A=b&c=d",
        "ignore_local_config": "True",
    } == from_text(text)


@given(st.binary())
def test_no_text_breaks_the_parser(payload: bytes) -> None:
    assert from_text(payload).keys() <= DEFAULTS.keys()


def test_the_command_line_wins_over_stored_values_and_these_over_defaults() -> None:
    known = parameters.merged({"listen_port": "1"}, {"listen_port": "2", "syslog_level": "INFO"}, "etc/x")

    assert known is not None
    assert "command line, etc/x" == known.source
    assert dict(DEFAULTS) | {"listen_port": "1", "syslog_level": "INFO"} == known.values


def test_a_default_is_no_value_where_the_stored_ones_are_not_to_be_seen() -> None:
    known = parameters.merged({"listen_port": "1"}, None, "")

    assert known is not None
    assert ({"listen_port": "1"}, "command line") == (known.values, known.source)
    assert None is parameters.merged({}, None, "")


def test_credentials_in_the_url_are_not_shown() -> None:
    known = parameters.merged({"obproxy_config_server_url": "http://u:5ec2e7@h/s?A=b"}, None, "")

    assert known is not None
    assert "http://***@h/s?A=b" == known.values["obproxy_config_server_url"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("2G", 2 << 30), ("100MB", 100 << 20), ("'2G'", 2 << 30), ("1 tb", 1 << 40), ("512k", 512 << 10), ("7b", 7),
     ("2048", 2048 << 20), ("", None), ("G", None), ("-1G", None), ("2X", None), ("0x10", None), (None, None)],
)  # fmt: skip
def test_sizes(text: str | None, size: int | None) -> None:
    assert size == parameters.size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("30000000", 30.0), ("100ms", 0.1), ("2h", 7200.0), ("1d", 86400.0), ("1m", 60.0), ("5us", 5e-6),
     ("soon", None), ("", None), (None, None), ("1w", None)],
)  # fmt: skip
def test_times(text: str | None, seconds: float | None) -> None:
    assert pytest.approx(seconds) == parameters.seconds(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("True", True), ("true", True), ("1", True), ("ON", True), ("False", False), ("0", False), ("no", False),
     ("", None), ("2", None), (None, None)],
)  # fmt: skip
def test_booleans(text: str | None, value: bool | None) -> None:  # noqa: FBT001 - a table of values
    assert value is boolean(text)


@pytest.mark.parametrize(
    ("text", "port"), [("2883", 2883), ("65536", None), ("0", None), ("", None), ("x", None), ("²", None), (None, None)]
)
def test_ports(text: str | None, port: int | None) -> None:
    assert port == parameters.port(text)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(None, 30), ("60s", 60), ("5000000", 5), ("0", 0), ("soon", 30), ("9" * 400, 30), (f"{10**17}d", 365 * 86400)],
)
def test_how_long_a_drain_may_last(said: str | None, seconds: int) -> None:
    known = parameters.merged({}, {"hot_upgrade_exit_timeout": said} if said else {}, "etc/x")

    assert timedelta(seconds=seconds) == parameters.drain_timeout(known)
    assert timedelta(seconds=30) == parameters.drain_timeout(None)
