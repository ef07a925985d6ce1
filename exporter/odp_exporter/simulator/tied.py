"""`python tied.py OWNER PROGRAM ARGUMENT...`: becomes PROGRAM, which the kernel kills as soon as its parent OWNER ends.

For programs that are not ours to change, such as the real exporter; those of
the simulator tie themselves (odp/process.py). The tie is to the thread that
started this, so that must live as long as its process does.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process, and become the program."""
    owner, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == int(owner):
        os.execv(command[0], command)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
