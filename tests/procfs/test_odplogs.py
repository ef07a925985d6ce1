import hypothesis.strategies as st
import pytest
from hypothesis import given
from odp_exporter.procfs import odplogs
from odp_exporter.procfs.causes import LogEnding
from odp_exporter.procfs.odplogs import Endings, Kind, Present
from odp_exporter.procfs.restarts import Start

PREFIX = (
    "[2026-11-22 19:00:00.123456] {level} [PROXY] start (ob_proxy_main.cpp:507) [4711][Y0-0] [lt=7] [dc=0] {text}\n"
)
ENOUGH = odplogs.ENOUGH_BYTES


def line(text: str, level: str = "INFO ") -> bytes:
    return PREFIX.format(level=level, text=text).encode()


CHATTER = line('client session born(cs_id=5, client_addr="127.0.0.1:57034")')
START = line("has no inherited sockets, start new obproxy((info={is_inherited:false, upgrade_version:-1})")
HOT_START = line("obproxy will start by hot upgrade(info={is_inherited:true})")
STARTED = line("obproxy start up successful and can provide normal service(cost time(us)=66000)")
TERM = line("receive signal(sig=15)", "ERROR")
EXIT = line("graceful exit, it will cancel DEDICATED thread and exit")
USR1 = line("recv SIGUSR1 signal, will graceful exit")
FROZEN = line("obproxy's memory is out of limit, will disable alloc memory from the OS", "ERROR")
SUICIDE = line("obproxy's memroy is out of limit, will be going to commit suicide(mem_limited=2147483648)", "ERROR")
UP = START + CHATTER + STARTED


def kinds(text: bytes) -> list[Kind]:
    return [event.kind for event in odplogs.events(text)]


def present(text: bytes) -> Present:
    return odplogs.present(odplogs.events(text))


def endings(text: bytes, *, is_whole: bool = True) -> Endings:
    return odplogs.endings(odplogs.events(text), length=len(text), is_whole=is_whole)


def test_a_life_is_told_by_its_lines_in_their_order() -> None:
    assert [Kind.START, Kind.STARTED, Kind.STOP, Kind.EXIT] == kinds(UP + CHATTER + TERM + EXIT)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("receive signal(sig=2)", Kind.STOP),
        ("receive signal(sig=10)", Kind.DRAIN),
        ("obproxy's memory is out of limit's 90% !!!", Kind.NEARLY_FULL),
        ("obproxy's memory is out of limit, will be going to commit suicide", Kind.SUICIDE),
        ("obproxy will kill itself in seconds", Kind.SUICIDE),
        ("obproxy's memroy is out of limit, will disable alloc memory", Kind.FREEZE),
    ],
)
def test_every_spelling_is_known(text: str, kind: Kind) -> None:
    assert [kind] == kinds(line(text))


@pytest.mark.parametrize("text", ["receive signal(sig=41)", "receive signal(sig=150)", "receive signal(sig=25)"])
def test_signals_that_end_nothing_are_no_orders_to_stop(text: str) -> None:
    assert [] == kinds(line(text))


def test_the_sql_of_a_client_is_no_word_of_odps() -> None:
    assert [] == kinds(line("request(sql=select 'receive signal(sig=15)')") + b"receive signal(sig=15)\n")


def test_half_lines_nuls_and_megabytes_do_no_harm() -> None:
    text = b"art up successful\n\0\0\xff\xfe" + b"x" * (1 << 20) + b"\n" + TERM + TERM[:-40]

    assert [Kind.STOP] == kinds(text)


def test_only_successful_starts_count() -> None:
    log = (
        b'[2026-11-22 19:00:00.1] [9][Y0-1] [REBOOT](info="obproxy version: 4.3.1.0, revision: 81ee, '
        b'pid: 9, ppid: 1, result: reboot success")\n'
        b'[2026-11-22 19:00:01.1] [10][Y0-1] [REBOOT](info="obproxy version: 4.3.1.0, revision: 81ee, '
        b'pid: 10, ppid: 1, result: reboot failed")\n'
        b'[2026-11-22 19:00:02.1] [11][Y0-1] [LOGIN](user="[REBOOT](info="obproxy version: 4, revision: x, '
        b'pid: 11, ppid: 1, result: reboot success")\n'
        b"[2026-11-22 19:00:03.1] INFO  [PROXY] start (ob_proxy.cpp:1200) [12][Y0-1] [lt=1] [dc=0] [REBOOT]"
        b'(info="obproxy version: 4.3.1.0, revision: 81ee, pid: 12, ppid: 9, result: reboot success")\n'
    )

    assert (Start("2026-11-22 19:00:00.1", 9, 1), Start("2026-11-22 19:00:03.1", 12, 9)) == odplogs.starts(log)


def test_the_release_stands_in_the_last_start_line_of_either_log() -> None:
    main = line("ObProxy-OceanBase 4.2.1.0-1.deb12-105") + line("ObProxy-OceanBase 4.3.1.0-1.deb12-105-local-81eeae9")
    diagnosis = b'[2026-11-22 19:00:00.1] [9][Y0-1] [REBOOT](info="obproxy version: 4.2.3.2-1, revision: 81ee, '
    diagnosis += b'pid: 9, ppid: 1, result: reboot success")\n'

    assert "4.3.1.0" == odplogs.version(main)
    assert "4.2.3.2" == odplogs.version(diagnosis)
    assert odplogs.version(CHATTER) is None


def test_an_order_to_stop_holds_until_the_next_start_that_succeeds() -> None:
    assert present(UP + TERM).is_told_to_stop
    assert present(UP + TERM + START).is_told_to_stop
    assert not present(UP + TERM + UP).is_told_to_stop


def test_a_hot_restarts_child_sends_its_parent_away_and_not_itself() -> None:
    handed_over = UP + HOT_START + STARTED + USR1 + EXIT

    assert present(handed_over) == Present(is_hot=True)
    assert present(handed_over + TERM).is_told_to_stop


def test_frozen_at_the_memory_limit() -> None:
    assert present(UP + FROZEN).is_frozen
    assert not present(UP + FROZEN + UP).is_frozen


@pytest.mark.parametrize(
    ("said", "ending"),
    [
        (CHATTER, LogEnding.SILENCE),
        (TERM + EXIT, LogEnding.STOP),
        (USR1, LogEnding.STOP),
        (SUICIDE, LogEnding.SUICIDE),
        (FROZEN, LogEnding.SILENCE),
    ],
)
def test_a_life_ends_as_its_last_lines_say(said: bytes, ending: LogEnding) -> None:
    assert Endings(ending, ()) == endings(said)
    assert Endings(ending, ()) == endings(said + UP)


def test_a_child_that_took_over_ends_its_parents_life() -> None:
    assert Endings(LogEnding.HOT_RESTART, ()) == endings(CHATTER + HOT_START + STARTED + USR1 + EXIT)


def test_lives_that_came_and_went_have_endings_of_their_own() -> None:
    log = TERM + EXIT + UP + CHATTER + UP + SUICIDE + UP

    assert Endings(LogEnding.STOP, (LogEnding.SILENCE, LogEnding.SUICIDE)) == endings(log)


def test_a_second_odp_that_could_not_bind_is_no_life() -> None:
    assert Endings(LogEnding.STOP, ()) == endings(CHATTER + START + CHATTER + TERM + UP)


def test_a_log_that_does_not_reach_back_proves_no_silence() -> None:
    assert Endings(None, ()) == endings(CHATTER + UP, is_whole=False)
    assert Endings(None, ()) == endings(b"")
    assert Endings(LogEnding.SILENCE, ()) == endings(CHATTER * (ENOUGH // len(CHATTER) + 1) + UP, is_whole=False)
    assert Endings(LogEnding.STOP, ()) == endings(CHATTER + TERM + UP, is_whole=False)


def test_of_several_lives_a_log_that_does_not_reach_back_shows_only_the_later_ones() -> None:
    assert Endings(None, (LogEnding.STOP,)) == endings(CHATTER + TERM + UP + TERM + UP, is_whole=False)


LINES = [CHATTER, START, HOT_START, STARTED, TERM, EXIT, USR1, FROZEN, SUICIDE, b"\0\xff\n", b"half"]


@given(st.lists(st.sampled_from(LINES)), st.integers(0), st.integers(0), st.booleans())
def test_any_stretch_of_any_log_is_read(lines: list[bytes], start: int, end: int, is_whole: bool) -> None:  # noqa: FBT001 - Hypothesis gives it
    log = b"".join(lines)
    text = log[start % (len(log) + 1) :][: end % (len(log) + 1)]

    read = endings(text, is_whole=is_whole)

    assert len(read.between) < max(1, text.count(b"start up successful"))
    assert isinstance(present(text), Present)


@given(st.binary())
def test_any_bytes_are_read(text: bytes) -> None:
    assert () == odplogs.events(text)
    assert () == odplogs.starts(text)
    assert odplogs.version(text) is None
