"""What ssh and exec have in common: a command somewhere that answers as `odp-remediator restart --json` does.

NotAnswered    it ended without an answer; the actuator knows what that means for its way there
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import timedelta

from . import commands, wire
from .actuator import HostUnreachable, HostView, NotPermitted, Order, Restarted, Unfinished

LOOK_WITHIN = timedelta(seconds=30)
"""For a look, the way there included."""


class NotAnswered(Exception):
    """What the command said instead of an answer."""

    def __init__(self, done: commands.Done) -> None:
        super().__init__(done.complaint)
        self.done = done


async def look(argv: Sequence[str]) -> HostView:
    """The look that *argv* gives; HostUnreachable if it comes to none, for then nothing was done."""
    try:
        done = await commands.run(argv, within=LOOK_WITHIN)
    except commands.NotStarted as error:
        raise NotPermitted(str(error)) from error
    except commands.TookTooLong as error:
        raise HostUnreachable(str(error)) from error
    if not wire.is_answer(done.output):
        raise NotAnswered(done)
    return wire.look_of(done.output)


async def restart(argv: Sequence[str], order: Order, within: timedelta | None) -> Restarted:
    """The restart that *argv* carries out; Unfinished if no answer comes *within* that time, or what it may take."""
    try:
        done = await commands.run(argv, within=within or wire.deadline(order))
    except commands.NotStarted as error:
        raise NotPermitted(str(error)) from error
    except commands.TookTooLong as error:
        raise Unfinished(str(error)) from error
    if not wire.is_answer(done.output):
        raise NotAnswered(done)
    return wire.restart_of(done.output)


def require(program: str) -> None:
    """NotPermitted unless *program* can be run here."""
    if shutil.which(program) is None:
        message = f"{program}: not found, or may not be executed"
        raise NotPermitted(message)
