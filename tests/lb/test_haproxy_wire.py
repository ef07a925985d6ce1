"""Whatever answers in HAProxy's place, the driver says so in time, and does nothing wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.lb import haproxy_cli, haproxy_pages
from odp_exporter.lb.driver import LbError, LbRefused, LbUnconfirmed, LbUnreachable
from odp_exporter.lb.haproxy import Haproxy, HaproxySettings
from odp_exporter.targets import Address, Target

STATE = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_check_status"
    " srv_check_state\n1 odp 1 odp-1 127.0.0.1 2 0 1 15 6\n\n"
)
STAT = "# pxname,svname,scur,tracked,\nodp,odp-1,0,,\n\n"
TARGETS = [Target("odp-1", Address("127.0.0.1", 2883))]

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def saying(*parts: bytes) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return answer


async def silence(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def drip(writer: asyncio.StreamWriter) -> None:
    for _ in range(1000):
        writer.write(b"1\n")
        await writer.drain()
        await asyncio.sleep(0.03)


async def flood(writer: asyncio.StreamWriter) -> None:
    for _ in range(1000):
        writer.write(b"x" * 1024 * 1024)
        await writer.drain()


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@contextlib.asynccontextmanager
async def answering(path: Path, answers: Mapping[str, Answer], otherwise: Answer) -> AsyncIterator[None]:
    """A socket that answers commands by their beginnings."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        command = (await reader.readline()).decode()
        chosen = next((answer for beginning, answer in answers.items() if command.startswith(beginning)), otherwise)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await chosen(writer)
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        yield
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


LITTLE_PATIENCE = 0.3
"""Seconds, for those that never answer."""
PATIENCE = 20.0


def driver(*sockets: Path, seconds: float = PATIENCE) -> Haproxy:
    return Haproxy(HaproxySettings(sockets=sockets, backend="odp", timeout=timedelta(seconds=seconds)), TARGETS)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (saying(), "broke off"),
        (saying(b"1\n# be_id be_na"), "broke off"),
        (saying(STATE.encode()[:-1]), "none that HAProxy gives"),
        (saying(STATE.encode().replace(b" 2 0 1 15 6", b" 2 0")), "none that HAProxy gives"),
        (saying(STATE.encode().replace(b" 2 0 1 15 6", b" 2 x 1 15 6")), "none that HAProxy gives"),
        (saying(b"1\n# be_id srv_name\n1 odp-1\n\n"), "none that HAProxy gives"),
        (saying(b"2\n# be_id of another version\n\n"), "was refused"),
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "was refused: 'HTTP/1.1 400 Bad Request'"),
        (saying(bytes(range(256)), b"\n"), "was refused"),
        (saying(b"\0" * 200_000, b"\n"), "was refused"),
        (silence, "no answer to 'show servers state odp' within 0.3s"),
        (drip, "no answer to 'show servers state odp' within 0.3s"),
        (reset, "broke off|connection reset"),
    ],
)
async def test_a_hostile_answer_is_an_error_in_time(tmp_path: Path, answer: Answer, words: str) -> None:
    steered = driver(tmp_path / "s", seconds=LITTLE_PATIENCE if answer in {silence, drip} else PATIENCE)
    async with answering(tmp_path / "s", {"show servers": answer, "show stat": saying(STAT.encode())}, silence):
        async with asyncio.timeout(PATIENCE / 2):
            with pytest.raises(LbError, match=words) as caught:
                await steered.members()
            with pytest.raises(LbError):
                await steered.drain("odp-1")

    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


async def test_a_flood_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy_cli, "MAX_REPLY_BYTES", 1_000_000)
    async with answering(tmp_path / "s", {}, flood):
        with pytest.raises(LbUnreachable, match="more than 1000000 bytes"):
            await driver(tmp_path / "s").members()


@pytest.mark.parametrize("verb", ["started", "check"])
async def test_other_questions_fail_as_well(tmp_path: Path, verb: str) -> None:
    steered = driver(tmp_path / "s")
    async with answering(tmp_path / "s", {}, saying(b"Name: HAProxy\nStart_time_sec: 9999999999999999\n\n")):
        with pytest.raises(LbError):
            await getattr(steered, verb)()


async def test_an_order_that_changes_nothing_is_not_believed(tmp_path: Path) -> None:
    """An empty line means success; reading back decides (S19)."""
    answers = {"show servers": saying(STATE.encode()), "show stat": saying(STAT.encode()), "set": saying(b"\n")}
    async with answering(tmp_path / "s", answers, silence):
        with pytest.raises(LbUnconfirmed, match="took the order to drain, and is ready"):
            await driver(tmp_path / "s").drain("odp-1")


async def test_an_instance_that_hangs_in_the_middle_is_told_with_what_was_not_put_back(tmp_path: Path) -> None:
    good = {"show servers": saying(STATE.encode()), "show stat": saying(STAT.encode())}
    drained = STATE.replace(" 2 0 1 15 6", " 2 8 1 15 6").encode()
    looks: list[str] = []

    async def changing(writer: asyncio.StreamWriter) -> None:
        """Ready at two looks, drained from then on."""
        looks.append("one more")
        await saying(STATE.encode() if len(looks) <= 2 else drained)(writer)

    async with (
        answering(tmp_path / "a", {**good, "set": saying(b"\n"), "show servers": changing}, silence),
        answering(tmp_path / "b", {**good, "set": silence}, silence),
    ):
        with pytest.raises(LbUnconfirmed, match=r"no answer to 'set server odp/odp-1 state drain'.*not put back: .*/a"):
            await driver(tmp_path / "a", tmp_path / "b", seconds=4).drain("odp-1")


async def test_a_refusal_shows_haproxys_words_on_one_line(tmp_path: Path) -> None:
    answers = {"show servers": saying(STATE.encode()), "show stat": saying(STAT.encode())}
    async with answering(tmp_path / "s", answers, saying(b"Permission denied\nor so\n\n")):
        with pytest.raises(LbRefused, match=r"refused: 'Permission denied\\nor so' \(its socket needs 'level admin'\)"):
            await driver(tmp_path / "s").drain("odp-1")


async def test_a_socket_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(LbUnreachable, match="s: no such file or directory"):
        await driver(tmp_path / "s").members()


PAGES = st.one_of(
    st.text(),
    st.builds(lambda text: f"1\n# be_id {text}\n\n", st.text()),
    st.builds(lambda text: f"# pxname,svname,{text}\n\n", st.text()),
    st.builds(lambda text: f"{STATE[:-1]}{text}\n\n", st.text()),
    st.builds(lambda text: f"#<PID>\n{text}", st.text()),
)


@given(state=PAGES, stat=PAGES)
def test_any_text_is_a_page_or_no_page(state: str, stat: str) -> None:
    """Nothing else comes out than values, ValueError and KeyError, which the driver expects."""
    for read in (
        lambda: haproxy_pages.servers(state, stat, "odp"),
        lambda: haproxy_pages.sessions(stat, "odp"),
        lambda: haproxy_pages.workers(state),
        lambda: list(haproxy_pages.pointers(state, "odp", "odp-1")),
        lambda: haproxy_pages.info(state),
    ):
        with contextlib.suppress(ValueError, KeyError):
            assert read() is not None
