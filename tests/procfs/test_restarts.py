from __future__ import annotations

from dataclasses import dataclass, field, replace

import hypothesis.strategies as st
from hypothesis import given
from odp_exporter.observations import Cause, Identity
from odp_exporter.procfs.ledger_file import Ledger, Record, decode, encode
from odp_exporter.procfs.restarts import MAX_WAITING, Account, Life, Look, Start, account, is_same

INIT = 1


def life(pid: int, ticks: int, *, parent: int = INIT, boot: str = "boot-1", logged_pid: int | None = None) -> Life:
    return Life(Identity(boot, pid, ticks, "/opt/obproxy/bin/obproxy"), parent, logged_pid or pid)


def start(pid: int, *, parent: int = INIT, at: str = "") -> Start:
    return Start(at or f"at {pid}", pid, parent)


def story(*looks: Look) -> dict[Cause, int]:
    known = Account()
    for look in looks:
        known = account(known, look)
    return dict(known.counts)


A, B, C = life(100, 10), life(200, 20), life(300, 30)


def test_the_first_sight_of_an_odp_counts_nothing() -> None:
    assert {} == story(Look(), Look((A,), starts=(start(7), start(100))), Look((A,)))


def test_a_life_that_follows_an_ended_one_counts_once_with_the_reason_of_the_end() -> None:
    assert {Cause.CRASH: 1} == story(Look((A,)), Look(ended=Cause.CRASH), Look((B,)), Look((B,)))
    assert {Cause.CRASH: 1} == story(Look((A,)), Look((B,), ended=Cause.CRASH))


def test_the_end_counts_only_when_another_life_follows() -> None:
    assert {} == story(Look((A,)), Look(ended=Cause.STOP), Look())


def test_what_was_found_out_first_stays_unless_it_was_nothing() -> None:
    assert {Cause.OOM: 1} == story(Look((A,)), Look(ended=Cause.OOM), Look((B,), ended=Cause.CRASH))
    assert {Cause.CRASH: 1} == story(Look((A,)), Look(ended=Cause.UNKNOWN), Look((B,), ended=Cause.CRASH))


def test_without_a_reason_the_cause_is_unknown() -> None:
    assert {Cause.UNKNOWN: 1} == story(Look((A,)), Look((B,)))


def test_a_reused_pid_is_another_life() -> None:
    reborn = life(A.identity.pid, 999)

    assert {Cause.SIGNAL: 1} == story(Look((A,)), Look((reborn,), ended=Cause.SIGNAL))


def test_the_same_pid_at_the_same_tick_of_another_boot_is_another_life() -> None:
    rebooted = life(A.identity.pid, A.identity.start_ticks, boot="boot-2")

    assert {Cause.HOST_BOOT: 1} == story(Look((A,)), Look((rebooted,), ended=Cause.HOST_BOOT))


def test_an_executable_known_only_by_its_name_is_the_same_life() -> None:
    by_name = replace(A, identity=replace(A.identity, executable="obproxy"))

    assert is_same(A.identity, by_name.identity)
    assert {} == story(Look((A,)), Look((by_name,)))


def test_a_child_beside_its_parent_is_a_hot_restart_and_counts_once() -> None:
    child = life(200, 20, parent=100)

    assert {Cause.HOT_RESTART: 1} == story(
        Look((A,)), Look((A, child)), Look((A, child)), Look((replace(child, parent=INIT),), ended=Cause.STOP)
    )


def test_a_hot_restart_that_nobody_saw_is_told_by_the_parent_that_its_start_line_names() -> None:
    assert {Cause.HOT_RESTART: 1} == story(
        Look((A,), starts=(start(100),)), Look((B,), starts=(start(200, parent=100),), ended=Cause.STOP)
    )


def test_init_is_nobodys_hot_restart() -> None:
    container = life(5000, 10, logged_pid=1)
    again = life(6000, 20, logged_pid=1)

    assert {Cause.STOP: 1} == story(
        Look((container,), starts=(start(1, at="a"),)), Look((again,), starts=(start(1, at="b"),), ended=Cause.STOP)
    )


def test_a_hot_restart_whose_child_dies_leaves_its_parent_and_counts_no_more() -> None:
    child = life(200, 20, parent=100)

    assert {Cause.HOT_RESTART: 1} == story(Look((A,)), Look((A, child)), Look((A,), ended=Cause.CRASH), Look((A,)))


def test_a_duplicate_beside_a_living_odp_counts_nothing_until_it_takes_over() -> None:
    assert {} == story(Look((A,)), Look((A, B)), Look((A,)))
    assert {Cause.SIGNAL: 1} == story(Look((A,)), Look((A, B)), Look((B,), ended=Cause.SIGNAL))


def test_lives_that_came_and_went_are_counted_by_their_start_lines() -> None:
    lines = (start(150), start(160), start(200))

    assert {Cause.CRASH: 1, Cause.UNKNOWN: 1, Cause.STOP: 1} == story(
        Look((A,), starts=(start(100),)), Look((B,), starts=lines, ended=Cause.CRASH, between=(Cause.STOP,))
    )


def test_without_a_diagnosis_log_they_are_counted_as_the_main_log_shows_them() -> None:
    assert {Cause.CRASH: 1, Cause.STOP: 1} == story(
        Look((A,)), Look((B,), ended=Cause.CRASH, between=(Cause.STOP,), unseen=1)
    )


def test_a_start_line_that_comes_late_counts_nothing_twice() -> None:
    assert {Cause.CRASH: 1} == story(
        Look((A,), starts=(start(100),)),
        Look((B,), ended=Cause.CRASH),
        Look((B,), starts=(start(200),)),
        Look((B,), starts=(start(100), start(200))),
    )


def test_a_late_start_line_shows_who_came_before() -> None:
    assert {Cause.CRASH: 1, Cause.UNKNOWN: 1} == story(
        Look((A,), starts=(start(100),)),
        Look((B,), starts=(start(150),), ended=Cause.CRASH),
        Look((B,), starts=(start(200),)),
    )


def test_pids_that_the_log_names_otherwise_never_count_twice() -> None:
    """A container whose inner pids cannot be seen: no line is ever anybody's."""
    lives = [life(5000 + index, 10 * index) for index in range(1, 5)]
    looks = [Look((each,), starts=(start(7, at=f"at {index}"),), ended=Cause.STOP) for index, each in enumerate(lives)]
    inside = Look((life(7, 99),), starts=(start(7, at="at last"),), ended=Cause.STOP)

    assert {Cause.STOP: 3} == story(*looks)
    assert {Cause.STOP: 4} == story(*looks, inside)


def test_start_lines_that_wait_are_bounded() -> None:
    known = account(Account(), Look((A,), starts=(start(100),)))

    known = account(known, Look((A,), starts=tuple(start(1000 + index) for index in range(2 * MAX_WAITING))))

    assert MAX_WAITING == len(known.waiting)


@dataclass
class World:
    """ODPs that come and go, a log, and an exporter that looks now and then."""

    lives: list[Life] = field(default_factory=list)
    living: list[Life] = field(default_factory=list)
    log: list[Start] = field(default_factory=list)
    hot: list[int] = field(default_factory=list)
    known: Account = field(default_factory=Account)
    position: int = 0
    saved: int = 0
    first_seen: int | None = None

    def begin(self, *, pid: int | None = None, parent: int = INIT, is_logged: bool = True) -> None:
        number = len(self.lives) + 1
        new = life(pid or 1000 + number, 10 * number, parent=parent)
        self.lives.append(new)
        self.living.append(new)
        if is_logged:
            self.write(new)

    def write(self, of: Life) -> None:
        self.log.append(Start(f"at {len(self.log)}", of.logged_pid, of.parent))

    def hand_over(self) -> None:
        if self.living:
            self.hot.append(len(self.lives))
            self.begin(parent=self.living[-1].identity.pid)

    def end_all(self) -> None:
        self.living = []

    def look(self) -> None:
        look = Look(tuple(self.living), tuple(self.log[self.position :]), ended=Cause.SIGNAL)
        before = self.known
        self.known = account(before, look)
        assert self.known == account(self.known, look)
        self.position = len(self.log)
        if self.known != before:
            self.saved = self.position
        if self.first_seen is None and self.living:
            self.first_seen = len(self.lives) - 1

    def restart_exporter(self) -> None:
        record = Record(self.known)
        self.known = decode(encode(Ledger(odps={"odp": record}))).odps["odp"].account
        self.position = self.saved

    @property
    def total(self) -> int:
        return sum(self.known.counts.values())


STEPS = ["begin anew", "die", "hand over", "parent dies", "look", "exporter restarts"]


@given(st.lists(st.sampled_from(STEPS)))
def test_restarts_are_one_less_than_lives_whenever_one_looks(steps: list[str]) -> None:
    world = World()
    for step in steps:
        match step:
            case "begin anew":
                world.end_all()
                world.begin()
            case "die":
                world.end_all()
            case "hand over":
                world.hand_over()
            case "parent dies":
                world.living = world.living[-1:]
            case "look":
                world.look()
            case _:
                world.restart_exporter()
    world.end_all()
    world.begin()
    world.look()

    first = world.first_seen
    assert first is not None
    assert len(world.lives) - 1 - first == world.total
    assert sum(index > first for index in world.hot) == world.known.counts.get(Cause.HOT_RESTART, 0)


PIDS = st.sampled_from([7, 8, 9])
WILD_STEPS = st.one_of(
    st.tuples(st.just("begin"), PIDS, st.booleans()),
    st.tuples(st.just("late line"), PIDS, st.booleans()),
    st.tuples(st.just("die"), PIDS, st.booleans()),
    st.tuples(st.just("look"), PIDS, st.booleans()),
    st.tuples(st.just("exporter restarts"), PIDS, st.booleans()),
)


@given(st.lists(WILD_STEPS, max_size=60))
def test_never_are_more_restarts_counted_than_lives_began(steps: list[tuple[str, int, bool]]) -> None:
    """Reused pids, duplicates, children of anyone, lines that never come: too few perhaps, too many never."""
    world = World()
    unwritten: list[Life] = []
    for name, pid, flag in steps:
        match name:
            case "begin" if pid not in {each.identity.pid for each in world.living}:
                parent = world.living[0].identity.pid if world.living and flag else INIT
                world.begin(pid=pid, parent=parent, is_logged=flag)
                unwritten += [] if flag else [world.lives[-1]]
            case "late line" if unwritten and unwritten[-1] in world.living:
                world.write(unwritten.pop())
            case "die":
                world.living = world.living[1:] if flag else world.living[:-1]
            case "look":
                world.look()
            case "exporter restarts":
                world.restart_exporter()
            case _:
                pass
        assert world.total <= max(0, len(world.lives) - 1)


@given(
    st.lists(
        st.builds(
            Life,
            st.builds(Identity, st.sampled_from("ab"), st.integers(1, 4), st.integers(1, 4), st.just("x")),
            st.integers(0, 4),
            st.integers(1, 4),
        ),
        max_size=5,
    ),
    st.lists(st.builds(Start, st.sampled_from("abcd"), st.integers(1, 4), st.integers(1, 4)), max_size=5),
    st.lists(st.lists(st.integers(0, 4), max_size=4)),
)
def test_looks_at_impossible_worlds_end(lives: list[Life], starts: list[Start], looks: list[list[int]]) -> None:
    known = Account()
    for look in looks:
        living = tuple(lives[index] for index in look if index < len(lives))
        known = account(known, Look(living, tuple(starts), ended=Cause.CRASH))

    assert all(count > 0 for count in known.counts.values())
