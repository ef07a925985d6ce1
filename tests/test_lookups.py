import threading
from concurrent.futures import wait

from odp_exporter.lookups import Lookups, NoLongerWanted

PATIENCE_SECONDS = 20


def test_one_look_up_is_for_all_who_ask_meanwhile_and_the_next_one_is_new() -> None:
    may_answer, asked = threading.Event(), []

    def look_up(name: str) -> int:
        asked.append(name)
        assert may_answer.wait(PATIENCE_SECONDS)
        return len(asked)

    lookups = Lookups(look_up, at_a_time=2)
    first = [lookups.of("a") for _ in range(10)]
    may_answer.set()

    assert [1] * 10 == [lookup.result(PATIENCE_SECONDS) for lookup in first]
    assert 2 == lookups.of("a").result(PATIENCE_SECONDS)


def test_whoever_waits_gets_what_went_wrong_and_others_are_looked_up_all_the_same() -> None:
    lookups = Lookups(lambda name: 1 // len(name), at_a_time=1)
    broken, fine = lookups.of(""), lookups.of("a")

    assert isinstance(broken.exception(PATIENCE_SECONDS), ZeroDivisionError)
    assert 1 == fine.result(PATIENCE_SECONDS)


def test_nobody_can_cancel_a_look_up_for_the_others() -> None:
    may_answer = threading.Event()
    lookups = Lookups(lambda _: may_answer.wait(PATIENCE_SECONDS), at_a_time=1)
    under_way, queued = lookups.of("a"), lookups.of("b")

    assert [False, False] == [under_way.cancel(), queued.cancel()]
    may_answer.set()
    assert {under_way, queued} == wait([under_way, queued], PATIENCE_SECONDS).done


def test_what_is_let_go_of_before_its_turn_is_never_looked_up() -> None:
    may_answer, is_asked, asked = threading.Event(), threading.Event(), []

    def look_up(name: str) -> None:
        asked.append(name)
        is_asked.set()
        assert may_answer.wait(PATIENCE_SECONDS)

    lookups = Lookups(look_up, at_a_time=1)
    every = [lookups.of(name) for name in "abc"]
    assert is_asked.wait(PATIENCE_SECONDS)
    lookups.keep({"c"})
    may_answer.set()
    wait(every, PATIENCE_SECONDS)

    assert isinstance(every[1].exception(), NoLongerWanted)
    assert ["a", "c"] == asked
