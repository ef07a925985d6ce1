"""The lines that one client connection leaves in obproxy.log: about a dozen for a probe (odp-facts 4.7)."""

from __future__ import annotations

from collections.abc import Mapping

from .logs import Logs

Lines = tuple[tuple[str, str, str, str], ...]
"""Level, module, `function (file:line)` and text of each line."""

BORN: Lines = (
    (
        "INFO",
        "PROXY.NET",
        "accept (ob_mysql_session_accept.cpp:36)",
        "[ObMysqlSessionAccept:main_event] accepted connection(netvc=0x7f32b8c1bc60, client_ip={%(client)s})",
    ),
    (
        "INFO",
        "PROXY.NET",
        "do_set_virtual_addr (ob_unix_net_vconnection.cpp:1259)",
        "vip connect(protocol=6, fd=30, vid=0, vaddr={%(server)s}, caddr={%(client)s}, daddr={%(server)s})",
    ),
    (
        "INFO",
        "PROXY.CS",
        "new_connection (ob_mysql_client_session.cpp:379)",
        (
            "client session born(cs_id=%(id)s, proxy_sessid=0, is_local_connection=true, client_vc=0x7f32b8c1bc60, "
            'client_fd=30, client_addr="%(client)s", is_proxy_client=false)'
        ),
    ),
    (
        "INFO",
        "PROXY.CS",
        "new_transaction (ob_mysql_client_session.cpp:249)",
        "Starting new transaction using sm(cs_id=%(id)s, get_transact_count()=0, sm_id=%(id)s)",
    ),
)
"""A connection was accepted."""

LEFT: Lines = (
    (
        "INFO",
        "PROXY.SM",
        "state_client_request_read (ob_mysql_sm.cpp:596)",
        'ObMysqlSM::state_client_request_read(event="VC_EVENT_EOS", sm_id=%(id)s, client_vc=0x7f32b8c1bc60)',
    ),
    (
        "INFO",
        "PROXY.TXN",
        "bad_request (ob_mysql_transact.cpp:148)",
        "[ObMysqlTransact::bad_request] parser marked request bad",
    ),
    (
        "WDIAG",
        "PROXY.SM",
        "handle_obproxy_error_transfer (ob_mysql_sm.cpp:9718)",
        (
            "[setup_error_transfer] Now closing connection(sm_id=%(id)s, client_ip={%(client)s}, "
            'request_cmd="Sleep", sql_cmd="Handshake", sql=OB_MYSQL_COM_HANDSHAKE)'
        ),
    ),
    (
        "INFO",
        "PROXY.SM",
        "setup_error_transfer (ob_mysql_sm.cpp:9616)",
        "setup_error_transfer, transfer internal buffer and try to disconnect(sql_cmd=241, internal_state=9)",
    ),
)
"""The client went away before it said anything, as a probe does."""

DENIED: Lines = (
    (
        "WDIAG",
        "PROXY.SM",
        "analyze_login_request (ob_mysql_sm.cpp:2770)",
        "fail to check user identity(sm_id=%(id)s, ret=-4042)",
    ),
    (
        "INFO",
        "PROXY.SM",
        "setup_internal_transfer (ob_mysql_sm.cpp:9786)",
        "INTERNAL_ERROR, will disconnect(sm_id=%(id)s)",
    ),
)
"""A login was answered with an error."""

QUIT: Lines = (
    (
        "INFO",
        "PROXY.SM",
        "handle_obproxy_error_transfer (ob_mysql_sm.cpp:9709)",
        (
            "[setup_error_transfer] Now closing connection caused by COM_QUIT(sm_id=%(id)s, "
            'request_cmd="Quit", sql_cmd="Quit", sql=)'
        ),
    ),
)
"""The client took its leave with COM_QUIT."""

ENDED: Lines = (
    (
        "INFO",
        "PROXY.SM",
        "kill_this (ob_mysql_sm.cpp:10288)",
        (
            "will deallocate sm(sm_id=%(id)s, pending_action=NULL, api_.callout_state=0, "
            "trans_state_.trace_log= | dropped=0)"
        ),
    ),
    (
        "INFO",
        "PROXY.SS",
        "do_io_close (ob_mysql_client_session.cpp:821)",
        (
            "client session do_io_close((*this={this:0x7f32b9b7d360, is_proxy_mysql_client:false, "
            "is_waiting_trans_first_request:false, need_delete_cluster:false, is_first_dml_sql_got:false, "
            "vc_ready_killed:false, active:true, magic:19132429, conn_decrease:true}))"
        ),
    ),
    (
        "INFO",
        "PROXY.CS",
        "destroy (ob_mysql_client_session.cpp:98)",
        "client session destroy(cs_id=%(id)s, proxy_sessid=0, client_vc=NULL)",
    ),
    ("INFO", "PROXY.SM", "kill_this (ob_mysql_sm.cpp:10407)", "deallocating sm(sm_id=%(id)s)"),
)
"""The connection is gone, however it went."""


def write(logs: Logs, lines: Lines, fields: Mapping[str, object]) -> None:
    """Write *lines* with the connection's own *fields* in them."""
    for level, module, where, text in lines:
        logs.write(level, module, where, text % fields)
