"""Who comes in."""

from __future__ import annotations

import asyncio
import base64
import itertools
import threading
from collections.abc import AsyncIterator

import bcrypt
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.httpd import gate
from odp_exporter.httpd.gate import Gate
from odp_exporter.httpd.web_config import HttpSettings, RateLimit, WebConfig


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()


CONFIG = WebConfig(basic_auth_users={"alice": hashed("s3cret"), "bob": hashed("ünïcode" * 20)})


class House:
    """An application of one page, behind a gate."""

    def __init__(self, config: WebConfig) -> None:
        self.gate = Gate(config)
        app = web.Application()
        app.router.add_get("/", self._page)
        self.gate.guard(app)
        self.server = TestServer(app)

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text="in")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    it = House(CONFIG)
    with it.gate:
        async with it.server:
            yield it


def basic(credentials: bytes) -> str:
    return f"Basic {base64.b64encode(credentials).decode()}"


async def status(house: House, user: str | None = None, password: str = "", path: str = "/") -> int:
    headers = {} if user is None else {"Authorization": basic(f"{user}:{password}".encode())}
    async with ClientSession() as session, session.get(house.server.make_url(path), headers=headers) as reply:
        assert ("WWW-Authenticate" in reply.headers) == (401 == reply.status)
        return reply.status


@pytest.mark.parametrize(
    ("user", "password", "expected"),
    [
        ("alice", "s3cret", 200),
        ("bob", "ünïcode" * 20, 200),
        ("alice", "s3cret ", 401),
        ("alice", "", 401),
        ("alice", "s3cret\0", 401),
        ("Alice", "s3cret", 401),
        ("bob", "s3cret", 401),
        ("mallory", "s3cret", 401),
        ("", "", 401),
        (None, "", 401),
    ],
)
async def test_only_the_right_password_of_the_right_user_opens(
    house: House, user: str | None, password: str, expected: int
) -> None:
    for _ in range(2):
        assert expected == await status(house, user, password)


@pytest.mark.parametrize("path", ["/nowhere", "/-/healthy", "/-/reload"])
async def test_no_path_is_outside(house: House, path: str) -> None:
    """Not even one that does not exist."""
    assert 401 == await status(house, path=path)
    assert 404 == await status(house, "alice", "s3cret", path)


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        basic(b"alice"),
        basic(b"\xff:s3cret"),
        basic(b"alice:s3cret").replace("Basic", "Bearer"),
    ],
)
async def test_a_header_that_is_none_opens_nothing(house: House, header: str) -> None:
    async with ClientSession() as session:
        reply = await session.get(house.server.make_url("/"), headers={"Authorization": header})
        assert 401 == reply.status


async def test_a_new_configuration_counts_at_once(house: House) -> None:
    """Who was remembered under the old one is not."""
    assert 200 == await status(house, "alice", "s3cret")

    house.gate.replace(WebConfig(basic_auth_users={"alice": hashed("other")}))
    assert 401 == await status(house, "alice", "s3cret")
    assert 200 == await status(house, "alice", "other")

    house.gate.replace(WebConfig())
    assert 200 == await status(house)


async def test_a_crowd_with_wrong_passwords_is_turned_away(house: House) -> None:
    """At cost 12 each takes a quarter of a second, and they must not pile up."""
    house.gate.replace(WebConfig(basic_auth_users={"alice": bcrypt.hashpw(b"s3cret", bcrypt.gensalt(12)).decode()}))
    crowd = [status(house, "alice", f"guess {n}") for n in range(gate.MAX_WAITING + 4)]
    found = [await each for each in asyncio.as_completed(crowd)]

    assert {401, 503} == set(found)
    assert 200 == await status(house, "alice", "s3cret")


async def test_a_crowd_does_not_keep_out_who_is_known(house: House) -> None:
    house.gate.replace(WebConfig(basic_auth_users={"alice": bcrypt.hashpw(b"s3cret", bcrypt.gensalt(12)).decode()}))
    assert 200 == await status(house, "alice", "s3cret")

    async with asyncio.TaskGroup() as crowd:
        guesses = [crowd.create_task(status(house, "alice", f"guess {n}")) for n in range(gate.MAX_WAITING + 4)]
        # Somebody is turned away already: all places are taken.
        await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        found = [await status(house, "alice", "s3cret") for _ in range(3)]
        waiting = [guess for guess in guesses if not guess.done()]

    assert [200] * 3 == found
    assert waiting
    assert {401, 503} == {guess.result() for guess in guesses}


async def test_the_loop_goes_on_while_a_password_is_checked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check does not end before the loop has had its turn."""
    begun, may_end = threading.Event(), threading.Event()

    def check(password: bytes, hashed: bytes) -> bool:
        begun.set()
        return may_end.wait(20) and checked(password, hashed)

    checked = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", check)
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(status(house, "alice", "s3cret"))
        assert await asyncio.to_thread(begun.wait, 20)
        may_end.set()

    assert 200 == asked.result()


@given(costs=st.lists(st.integers(4, 16), min_size=1))
def test_an_unknown_user_costs_as_much_as_a_known_one(costs: list[int]) -> None:
    """And the hash that is checked then is one that bcrypt takes seriously."""
    nobody = gate.nobodys_hash(f"$2y${cost:02}${'.' * 53}" for cost in costs)

    assert f"$2b${max(costs):02}$" == nobody[:7]


def test_nobodys_hash_is_checked_like_any_other() -> None:
    assert not bcrypt.checkpw(b"s3cret", gate.nobodys_hash([hashed("x")]).encode())


async def test_a_rate_limit_lets_a_burst_in_and_then_some() -> None:
    limited = House(WebConfig(rate_limit=RateLimit("1h", "2")))  # type: ignore[arg-type]  # as the file has it
    with limited.gate:
        async with limited.server:
            assert [200, 200, 429, 429] == [await status(limited) for _ in range(4)]

            limited.gate.replace(WebConfig(rate_limit=RateLimit("10ms", "1")))  # type: ignore[arg-type]  # as above
            async with asyncio.timeout(30):
                served = [await status(limited) for _ in itertools.repeat(None, 40)]
            assert served.count(200) > 1


async def test_the_headers_of_the_configuration_are_on_every_reply() -> None:
    strict = HttpSettings(headers={"Strict-Transport-Security": "max-age=60"})
    house = House(WebConfig(http_server_config=strict))
    with house.gate:
        async with house.server, ClientSession() as session:
            for path in ("/", "/nowhere"):
                reply = await session.get(house.server.make_url(path))
                assert "max-age=60" == reply.headers["Strict-Transport-Security"]
