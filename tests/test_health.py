import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.health import Health, State, after_greeting, after_host
from odp_exporter.observations import GreetingObservation, HostObservation, Identity, Outage, ProbeResult, Process

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATE = ProbeResult.GREETING_TIMEOUT


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def greeting(result: ProbeResult, seconds: float = 0) -> GreetingObservation:
    return GreetingObservation("odp-1", at(seconds), result)


def process(age: float = 3600, state: str = "S", pid: int = 4711) -> Process:
    return Process(
        identity=Identity("boot", pid, 1, "/opt/obproxy/bin/obproxy"),
        started=at(-age),
        parent=1,
        state=state,
        arguments=("./bin/obproxy",),
        home=Path("/opt/obproxy"),
        resident_bytes=1,
        cpu_seconds=0,
        threads=11,
        open_fds=None,
        max_fds=None,
    )


def host(
    *processes: Process,
    told: bool = False,
    hot: bool = False,
    local: bool = True,
    listening: bool = False,
    seconds: float = 0,
    drain_timeout: timedelta = timedelta(seconds=30),
) -> HostObservation:
    return HostObservation(
        "odp-1",
        at(seconds),
        is_local=local,
        processes=processes,
        is_listening=listening,
        is_told_to_stop=told,
        is_hot_restarting=hot,
        drain_timeout=drain_timeout,
    )


def state_after(*results: ProbeResult, seen: HostObservation | None = None) -> State:
    health = Health()
    for seconds, result in enumerate(results):
        health, _ = after_greeting(health, greeting(result, seconds), seen)
    return health.state


def test_nothing_is_known_before_the_first_probe() -> None:
    assert State.UNKNOWN is Health().state


def test_a_greeting_is_serving_even_beside_a_stop_signal() -> None:
    assert State.SERVING is state_after(ProbeResult.OK, seen=host(process(), told=True))


def test_one_silent_greeting_is_weather_the_second_is_climate() -> None:
    assert State.SERVING is state_after(ProbeResult.OK, LATE)
    assert State.HUNG is state_after(ProbeResult.OK, LATE, LATE)
    assert State.SERVING is state_after(ProbeResult.OK, LATE, LATE, ProbeResult.OK)


def test_a_greeting_in_between_starts_the_count_anew() -> None:
    assert State.SERVING is state_after(LATE, ProbeResult.OK, LATE)


@pytest.mark.parametrize(
    ("result", "seen", "state"),
    [
        (ProbeResult.REFUSED, None, State.DOWN),
        (ProbeResult.REFUSED, host(), State.DOWN),
        (ProbeResult.REFUSED, host(process(age=3600)), State.DOWN),
        (ProbeResult.REFUSED, host(process(age=5)), State.STARTING),
        (ProbeResult.REFUSED, host(process(), told=True), State.DRAINING),
        (ProbeResult.REFUSED, host(told=True), State.DOWN),
        (ProbeResult.REFUSED, host(process(age=5), local=False), State.DOWN),
        (LATE, host(process(), told=True), State.DRAINING),
        (LATE, host(process(), process(age=1), hot=True), State.DRAINING),
        (ProbeResult.RESET, host(process(), told=True), State.DRAINING),
        (ProbeResult.RESET, host(), State.DOWN),
        (ProbeResult.RESET, host(process()), State.UNKNOWN),
        (ProbeResult.CLOSED, None, State.UNKNOWN),
        (ProbeResult.CONNECT_TIMEOUT, None, State.UNKNOWN),
        (ProbeResult.CONNECT_TIMEOUT, host(), State.DOWN),
        (LATE, host(), State.UNKNOWN),
        (ProbeResult.UNREACHABLE, None, State.UNKNOWN),
        (ProbeResult.MALFORMED, host(process()), State.UNKNOWN),
        (ProbeResult.ERROR_PACKET, host(process()), State.UNKNOWN),
        (ProbeResult.INTERNAL_ERROR, host(process()), State.UNKNOWN),
    ],
)
def test_one_probe_and_what_the_host_shows(result: ProbeResult, seen: HostObservation | None, state: State) -> None:
    assert state is state_after(result, seen=seen)


def test_a_full_accept_queue_of_a_living_process_is_hung() -> None:
    """The kernel drops further SYNs once 1025 connections wait (signals-1.txt of the captures)."""
    silent = ProbeResult.CONNECT_TIMEOUT

    assert State.HUNG is state_after(ProbeResult.OK, LATE, silent, seen=host(process(state="T")))
    assert State.HUNG is state_after(ProbeResult.OK, silent, silent, seen=host(listening=True))


def test_silence_of_one_that_this_host_does_not_show_is_weather_too() -> None:
    """Behind a translated address, as of a container: somebody accepted, and no process and no listener is here."""
    assert State.SERVING is state_after(ProbeResult.OK, LATE, seen=host())
    assert State.HUNG is state_after(ProbeResult.OK, LATE, LATE, seen=host())


def test_a_silent_process_that_is_gone_is_down() -> None:
    health = Health()
    for seconds in (0, 1):
        health, _ = after_greeting(health, greeting(LATE, seconds), host(process()))

    assert State.HUNG is health.state
    assert State.DOWN is after_host(health, greeting(LATE, 1), host(seconds=2)).state


def test_one_lost_syn_is_weather_too() -> None:
    """It is sent again after 1 s, the default deadline."""
    silent = ProbeResult.CONNECT_TIMEOUT

    assert State.SERVING is state_after(ProbeResult.OK, silent)
    assert State.DOWN is state_after(ProbeResult.OK, silent, silent)


def test_the_silence_of_one_process_does_not_count_against_the_next() -> None:
    """Else a fresh ODP would be killed for what its predecessor did not say."""
    health, _ = after_greeting(Health(), greeting(LATE, 0), host(process(pid=1)))
    health, _ = after_greeting(health, greeting(LATE, 1), host(process(age=5, pid=2)))

    assert State.HUNG is not health.state


def test_a_successor_of_a_hung_process_is_starting_before_it_was_probed() -> None:
    health = Health()
    for seconds in (0, 1):
        health, _ = after_greeting(health, greeting(LATE, seconds), host(process(pid=1)))
    assert State.HUNG is health.state

    assert State.STARTING is after_host(health, greeting(LATE, 1), host(process(age=-2, pid=2), seconds=3)).state
    assert State.DOWN is after_host(health, greeting(LATE, 1), host(seconds=3)).state


def test_draining_ends_with_odps_own_timeout() -> None:
    """One that was told to stop and deadlocks is hung, and must not be left alone for ever."""
    health, told = Health(), timedelta(seconds=30)
    states = []
    for seconds in (0, 20, 39, 41, 42):
        seen = host(process(), told=True, seconds=seconds, drain_timeout=told)
        health, _ = after_greeting(health, greeting(LATE, seconds), seen)
        states.append(health.state)

    assert [State.DRAINING] * 3 + [State.HUNG] * 2 == states


def test_setting_the_clock_neither_lengthens_nor_ends_draining() -> None:
    """A hung ODP would be left alone for an hour, one that drains be killed at once."""
    for step in (-3600, 60, 3600):
        health, states = Health(), []
        for real, wall in ((0, 0), (20, 20), (25, 25 + step), (39, 39 + step), (41, 41 + step), (42, 42 + step)):
            tick = timedelta(seconds=real)
            seen = replace(host(process(age=90_000), told=True, seconds=wall), tick=tick)
            health, _ = after_greeting(health, replace(greeting(LATE, wall), tick=tick), seen)
            states.append(health.state)

        assert [State.DRAINING] * 4 + [State.HUNG] * 2 == states


@pytest.mark.parametrize("step", [-3600, 60, 3600])
def test_a_process_is_as_old_as_it_is_whatever_the_clock_is_set_to(step: float) -> None:
    """The host tells its start by the wall clock of the moment; the latest greeting is of before the step."""

    def seen(real: float, age: float) -> HostObservation:
        return replace(host(process(age - real - step), seconds=real + step), tick=timedelta(seconds=real))

    def heard(result: ProbeResult, real: float) -> GreetingObservation:
        return replace(greeting(result, real), tick=timedelta(seconds=real))

    young, _ = after_greeting(Health(), heard(ProbeResult.REFUSED, 0), replace(host(process(age=2)), tick=timedelta()))
    hung = Health()
    for real in (0, 1):
        hung, _ = after_greeting(hung, heard(LATE, real), replace(host(process(age=1800)), tick=timedelta()))

    assert State.STARTING is after_host(young, heard(ProbeResult.REFUSED, 0), seen(1, 3)).state
    assert State.HUNG is after_host(hung, heard(LATE, 1), seen(2, 1802)).state


def test_a_hang_counts_on_although_a_watchdog_starts_vain_processes_beside_it() -> None:
    """As obproxyd.sh does with local_bound_ip set: one each second, none of which serves."""
    health, states = Health(), []
    for seconds in range(3):
        vain = process(age=-seconds, pid=5000 + seconds)
        health, _ = after_greeting(health, greeting(LATE, seconds), host(process(), vain, seconds=seconds))
        states.append(health.state)

    assert [State.UNKNOWN, State.HUNG, State.HUNG] == states


def test_two_silent_greetings_with_our_own_failure_between_are_weather_each() -> None:
    assert State.HUNG is not state_after(ProbeResult.OK, LATE, ProbeResult.INTERNAL_ERROR, LATE)


def test_a_clock_that_is_set_back_does_not_let_a_crash_loop_start_for_as_long() -> None:
    health, states = Health(), []
    for real, wall in ((0, 0), (10, 10), (20, -3580), (35, -3565)):
        looping = host(process(age=1 - wall), seconds=wall)
        seen = replace(greeting(ProbeResult.REFUSED, wall), tick=timedelta(seconds=real))
        health, _ = after_greeting(health, seen, looping)
        states.append(health.state)

    assert [State.STARTING] * 3 + [State.DOWN] == states


def test_an_outage_begins_at_one_moment_although_two_clocks_are_read() -> None:
    """Alertmanager would take another beginning for another alert."""
    health = Health()
    for wall, tick in ((0, 0.0), (1, 0.999), (2, 2.0005)):
        seen = replace(greeting(ProbeResult.REFUSED, wall), tick=timedelta(seconds=tick))
        health, _ = after_greeting(health, seen, None)

    assert at(0) == health.outage_began


def test_a_crash_loop_is_not_starting_for_ever() -> None:
    """Under a watchdog there is always a young process."""
    health = Health()
    for seconds in range(0, 60, 5):
        health, _ = after_greeting(health, greeting(ProbeResult.REFUSED, seconds), host(process(age=-seconds + 1)))

    assert State.DOWN is health.state


def test_what_the_host_showed_long_ago_is_not_believed() -> None:
    seen = host(process(age=-599), told=True)

    assert State.DOWN is after_greeting(Health(), greeting(ProbeResult.REFUSED, 600), seen)[0].state


def test_a_host_that_is_looked_at_rarely_is_believed_until_the_next_look() -> None:
    """Else the verdict would change twice from one look to the next."""
    told = host(process(), told=True, drain_timeout=timedelta(minutes=10))
    health, states = Health(), set()
    for seconds in range(1, 60, 5):
        health, _ = after_greeting(health, greeting(LATE, seconds), replace(told, interval=timedelta(minutes=1)))
        states.add(health.state)

    assert {State.DRAINING} == states


def test_our_own_failure_is_unknown_and_no_outage() -> None:
    """Out of file descriptors, we know nothing; whoever repairs ODPs must not take it for an outage."""
    served, _ = after_greeting(Health(), greeting(ProbeResult.OK), None)
    health, outage = after_greeting(served, greeting(ProbeResult.INTERNAL_ERROR, 1), None)

    assert (State.UNKNOWN, None, None) == (health.state, health.outage_began, outage)


def test_an_outage_is_never_negative() -> None:
    """The wall clock was set back meanwhile."""
    health, _ = after_greeting(Health(), greeting(ProbeResult.REFUSED, 7200), None)
    _, outage = after_greeting(health, greeting(ProbeResult.OK, 0), None)

    assert outage is not None
    assert timedelta() == outage.duration


def test_news_from_the_host_changes_the_verdict_without_a_new_probe() -> None:
    health, _ = after_greeting(Health(), greeting(ProbeResult.REFUSED), host(process(age=2)))

    assert State.STARTING is health.state
    assert State.DOWN is after_host(health, greeting(ProbeResult.REFUSED), host()).state


def test_an_outage_lasts_from_the_first_failed_greeting_to_the_next_whole_one() -> None:
    health, none = after_greeting(Health(), greeting(ProbeResult.REFUSED, 1), None)
    health, still_none = after_greeting(health, greeting(LATE, 2), None)
    health, outage = after_greeting(health, greeting(ProbeResult.OK, 3.5), None)

    assert (None, None, Outage(at(1), at(3.5))) == (none, still_none, outage)
    assert (State.SERVING, None) == (health.state, health.outage_began)


SILENT = {LATE, ProbeResult.CONNECT_TIMEOUT}


@given(st.lists(st.sampled_from(ProbeResult)))
def test_serving_means_that_the_last_greeting_was_whole_or_the_first_silent_one_after_that(
    results: list[ProbeResult],
) -> None:
    heard = results[-2:]
    serves = heard[-1:] == [ProbeResult.OK] or (heard[0:1] == [ProbeResult.OK] and heard[-1] in SILENT)

    assert serves == (state_after(*results) is State.SERVING)


@given(st.lists(st.tuples(st.sampled_from(ProbeResult), st.floats(0.001, 100)), max_size=50))
def test_outages_never_overlap_and_cover_every_failed_greeting(steps: list[tuple[ProbeResult, float]]) -> None:
    health, now, outages, failed = Health(), 0.0, [], []
    for result, seconds in steps:
        now += seconds
        health, outage = after_greeting(health, greeting(result, now), None)
        failed += [at(now)] if result not in {ProbeResult.OK, ProbeResult.INTERNAL_ERROR} else []
        outages += [outage] if outage else []

    assert all(earlier.ended <= later.began for earlier, later in itertools.pairwise(outages))
    covered = [when for when in failed if any(outage.began <= when < outage.ended for outage in outages)]
    assert [when for when in failed if health.outage_began is None or when < health.outage_began] == covered
