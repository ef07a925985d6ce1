import signal
from itertools import product

import pytest
from odp_exporter.observations import Cause
from odp_exporter.procfs.causes import Evidence, LogEnding, classify

EXIT_1 = 1 << 8
CORE_DUMPED = 0x80


def test_the_remediators_word_explains_whatever_else_is_found() -> None:
    evidence = Evidence(is_remediated=True, status=signal.SIGKILL, log=LogEnding.STOP, is_oom_killed=True)

    assert Cause.REMEDIATION == classify(evidence)


def test_a_boot_of_the_host_ends_all_lives() -> None:
    assert Cause.HOST_BOOT == classify(Evidence(is_other_boot=True, log=LogEnding.STOP))


def test_a_child_that_took_over_is_a_hot_restart_though_its_parent_was_told_to_stop() -> None:
    assert Cause.HOT_RESTART == classify(Evidence(status=EXIT_1, log=LogEnding.HOT_RESTART))


@pytest.mark.parametrize("status", [None, signal.SIGKILL, EXIT_1])
def test_suicide_at_the_memory_limit_is_oom(status: int | None) -> None:
    assert Cause.OOM == classify(Evidence(status=status, log=LogEnding.SUICIDE))


@pytest.mark.parametrize("number", ["SEGV", "ABRT", "BUS", "FPE", "ILL", "TRAP", "SYS"])
def test_a_signal_that_a_program_brings_upon_itself_is_a_crash(number: str) -> None:
    status = signal.Signals[f"SIG{number}"] | CORE_DUMPED

    assert Cause.CRASH == classify(Evidence(status=status, log=LogEnding.SILENCE))


def test_a_sigkill_is_oom_only_with_evidence_of_it() -> None:
    assert Cause.OOM == classify(Evidence(status=signal.SIGKILL, log=LogEnding.SILENCE, is_oom_killed=True))
    assert Cause.SIGNAL == classify(Evidence(status=signal.SIGKILL, log=LogEnding.SILENCE))


def test_other_signals_that_nobody_handles_are_a_signal() -> None:
    assert Cause.SIGNAL == classify(Evidence(status=signal.SIGQUIT, log=LogEnding.SILENCE))


def test_exit_status_1_after_a_logged_signal_is_a_stop() -> None:
    assert Cause.STOP == classify(Evidence(status=EXIT_1, log=LogEnding.STOP))


def test_a_sigkill_that_completes_a_stop_is_a_stop() -> None:
    assert Cause.STOP == classify(Evidence(status=signal.SIGKILL, log=LogEnding.STOP))


@pytest.mark.parametrize("status", [0, EXIT_1, 3 << 8])
def test_an_exit_of_which_the_log_says_nothing_is_unknown(status: int) -> None:
    assert Cause.UNKNOWN == classify(Evidence(status=status, log=LogEnding.SILENCE))
    assert Cause.UNKNOWN == classify(Evidence(status=status))


def test_without_an_exit_status_the_traces_are_believed() -> None:
    assert Cause.CRASH == classify(Evidence(log=LogEnding.SILENCE))
    assert Cause.CRASH == classify(Evidence(has_core=True))
    assert Cause.STOP == classify(Evidence(log=LogEnding.STOP, is_oom_killed=True))
    assert Cause.OOM == classify(Evidence(log=LogEnding.SILENCE, is_oom_killed=True))


def test_without_any_evidence_the_cause_is_unknown() -> None:
    assert Cause.UNKNOWN == classify(Evidence())


def test_every_wait_status_of_every_kernel_has_a_cause() -> None:
    for status, log, is_oom_killed in product([*range(0, 0xFFFF, 7), -1, 1 << 31], [None, *LogEnding], [True, False]):
        assert classify(Evidence(status=status, log=log, is_oom_killed=is_oom_killed)) in Cause
