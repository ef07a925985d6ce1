"""A program of its own: starts an ODP as nobody's child, the way that standard input says (launch.py).

Run as `python -I -S launcher.py`, with nothing but the standard library, of
which it imports what takes no time (a dead ODP waits for this), and without
threads, for it forks. Twice: ODP signals its parent when it ends, and
that must not be us (odp-facts 7.4). Exit status 0 once the program has been
executed; else 1, and one line on standard error.
"""

import _signal as signal  # type: ignore[import-not-found]  # `signal` imports enum, which takes as long as all else
import marshal
import os
import resource
import sys

_STANDARD_STREAMS = 3


def main() -> None:
    """Start what is asked for, and tell whether it came to that."""
    launch = marshal.loads(sys.stdin.buffer.read())  # noqa: S302 - of our own parent, and of the same Python
    readable, writable = os.pipe()  # closed by a successful exec, so that its end means success
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            _become(launch, writable)
        os._exit(0)
    os.close(writable)
    os.wait()
    with os.fdopen(readable) as pipe:
        problem = pipe.read()
    if problem:
        sys.exit(problem)


def _become(launch: dict, problems: int) -> None:  # type: ignore[type-arg]  # as launch.py says it
    try:
        _leave_behind(problems)
        _join(launch["cgroup"])
        _apply(launch)
        os.execve(launch["program"], launch["argv"], launch["environment"])  # noqa: S606 - no shell wanted
    except OSError as error:
        name = error.filename or launch["program"]
        os.write(problems, f"{name}: {error.strerror}".encode(errors="replace"))
    os._exit(1)


def _leave_behind(kept: int) -> None:
    """No descriptor, signal handler or mask of ours."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(_STANDARD_STREAMS):
        os.dup2(null, standard)
    os.closerange(_STANDARD_STREAMS, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue  # two that the C library keeps for itself
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _join(cgroup: str) -> None:
    """The former process's cgroup and its limits; where that is gone or not ours to change, our own."""
    try:
        with open(cgroup, "w", encoding="ascii") as members:  # noqa: PTH123 - quick to start is the point
            members.write("0")
    except OSError:
        return


def _apply(launch: dict) -> None:  # type: ignore[type-arg]  # as launch.py says it
    for name, (soft, hard) in launch["limits"].items():
        _limit(getattr(resource, name), soft, hard)
    os.umask(launch["umask"])
    if os.geteuid() == 0:
        os.setgroups(launch["groups"])
        os.setgid(launch["gid"])
        os.setuid(launch["uid"])
    os.chdir(launch["cwd"])


def _limit(which: int, soft: int, hard: int) -> None:
    try:
        resource.setrlimit(which, (soft, hard))
    except (OSError, ValueError):
        # Only root may go beyond its own hard limit: then as near as can be.
        _, ours = resource.getrlimit(which)
        resource.setrlimit(which, (soft if ours == resource.RLIM_INFINITY else min(soft, ours), ours))


if __name__ == "__main__":
    main()
