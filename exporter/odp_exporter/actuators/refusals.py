"""What speaks against carrying out an order, and what a failed start looks like: judged on one look."""

from __future__ import annotations

from pathlib import Path

from odp_exporter import files
from odp_exporter.observations import Process
from odp_exporter.settings import format_duration

from .actuator import HostView, NotIdentified, NotPermitted, Order
from .looking import Sight, identities
from .stopping import lives


def refuse(order: Order, sight: Sight, victim: Process | None, proc: Path) -> None:
    """Raise what speaks against carrying out *order*."""
    refuse_handover(sight)
    if len(sight.processes) > 1:
        message = f"{len(sight.processes)} processes claim the port: {identities(sight.view.processes)}"
        raise NotIdentified(message)
    if victim is None and sight.processes:
        message = f"{identities(sight.view.processes)} lives, and the order does not name it"
        raise NotIdentified(message)
    if victim is None and order.kill and lives(order.kill, proc=proc):
        message = f"pid {order.kill.pid} lives, and does not hold the port of {order.target.address}"
        raise NotIdentified(message)
    if sight.view.obstacles:
        raise NotPermitted("; ".join(sight.view.obstacles))


def refuse_handover(sight: Sight) -> None:
    """Raise NotPermitted for an ODP that ends by itself: it must not be disturbed."""
    if sight.view.is_hot_restarting:
        message = f"hot restart under way: {identities(sight.view.processes)} (it ends by itself)"
        raise NotPermitted(message)
    if sight.view.is_told_to_stop:
        message = f"{identities(sight.view.processes)} was told to stop, and still may (it ends by itself)"
        raise NotPermitted(message)


def overdue(order: Order, by: str, view: HostView) -> str:
    """A start that has not come to a greeting in time, for a person."""
    waited = format_duration(order.start_timeout)
    if not view.processes:
        return f"{by} has started none within {waited}"
    return f"{identities(view.processes)} has not greeted within {waited} of its start by {by}"


def last_words(sight: Sight) -> str:
    """The last line of ODP's log, which says why it failed to start."""
    try:
        text = files.read_tail(sight.home / "log" / "obproxy.log", limit=4096).content if sight.home else b""
    except files.FileError:
        return ""
    lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
    return f"; its log ends with: {lines[-1][-200:]}" if lines else ""
