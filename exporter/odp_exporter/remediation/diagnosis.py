"""What ails an ODP, and what would cure it: from evidence to a plan, or to a reason for none.

The first rule that applies decides:

1. Crash looping (its alert asks for a drain): out of the load balancer. That
   it greets at this moment does not disprove that it dies again and again.
2. A greeting is *serving*: the alert is stale. A fault of our own, or an
   exporter that sees it serve while we do not, is *unclear* (S8). Of one whose
   memory is frozen, say its alert and its exporter, a greeting proves nothing.
3. A host that cannot be asked: only if all connections time out, the exporter
   is gone too, the load balancer does not say that it is up, and we can greet
   others of its pool (so that our own network works, S9), is the host gone.
4. Nobody listens and no process exists: *start* it, whatever else is broken
   (unless its exporter says that it is starting already).
5. Told to stop, or handing over to its successor: *draining*, for as long as
   its exporter says so; if that calls it hung, its time is over (odp-facts 7.1).
6. Starting; then several processes; then one that cannot be told.
7. Alive, and silent twice: hung. Or its memory is frozen (odp-facts 7.5), and
   one greeting is silent, or its alert says so too. *Replace* exactly the
   process that owns the port.
8. Anything else is *unclear*.
"""

from __future__ import annotations

from odp_exporter.actuators.actuator import HostView
from odp_exporter.health import SILENT_PROBES, State
from odp_exporter.lb.driver import Health
from odp_exporter.observations import Identity, ProbeResult

from .case import Case
from .model import Hold, Plan, Reason, Refusal, Replace, Start, TakeOut, Wish


def diagnose(case: Case) -> Plan | Refusal:
    """What would cure it, limits aside."""
    if case.wish is Wish.DRAIN:
        return TakeOut(Hold.CRASH_LOOP)
    if refusal := _not_failing(case):
        return refusal
    if case.evidence.host is None:
        return _unseen(case)
    return _seen(case, case.evidence.host)


def _not_failing(case: Case) -> Refusal | None:
    if case.is_serving and not case.is_frozen:
        return Refusal(Reason.SERVES, "it greets: the alert is stale")
    if not case.results or ProbeResult.INTERNAL_ERROR in case.results:
        return Refusal(Reason.UNCLEAR, "it could not be greeted, by a fault of our own")
    if case.report and case.report.state is State.SERVING and not case.is_frozen:
        return Refusal(Reason.UNCLEAR, f"its exporter sees it serve; from here: {_heard(case)}")
    return None


def _unseen(case: Case) -> Plan | Refusal:
    is_mute = case.results == {ProbeResult.CONNECT_TIMEOUT} and case.report is None
    if not is_mute:
        return Refusal(Reason.HOST_UNREACHABLE, f"its processes cannot be seen; its greeting: {_heard(case)}")
    if case.member and case.member.health is Health.UP:
        return Refusal(Reason.UNCLEAR, "its host does not answer us, but its load balancer sees it up")
    if ProbeResult.OK not in case.evidence.peers.values():
        return Refusal(Reason.UNCLEAR, "its host does not answer us, and nor does any other of its pool")
    return TakeOut(Hold.HOST_GONE)


def _seen(case: Case, host: HostView) -> Plan | Refusal:
    if refusal := _on_its_way(case, host):
        return refusal
    if case.is_dead:
        return Start()
    process = _identified(host)
    if isinstance(process, Refusal):
        return process
    if case.is_frozen or (case.is_silent and len(case.evidence.greetings) >= _silent_probes(case)):
        return Replace(process, is_frozen=case.is_frozen, is_stopped=host.is_stopped)
    return Refusal(Reason.UNCLEAR, f"alive, and not proven to be hung: {_heard(case)}")


def _on_its_way(case: Case, host: HostView) -> Refusal | None:
    """It will serve, or end, without our doing."""
    says = case.report.state if case.report else None
    is_told = bool(host.processes) and (host.is_told_to_stop or host.is_hot_restarting)
    if says is State.DRAINING or (is_told and says is not State.HUNG):
        return Refusal(Reason.DRAINING, "told to stop, or hot-restarting: it ends by itself")
    if says is State.STARTING:
        return Refusal(Reason.STARTING, "its exporter sees it start")
    return None


def _identified(host: HostView) -> Identity | Refusal:
    if len(host.processes) > 1:
        pids = ", ".join(str(process.pid) for process in host.processes)
        return Refusal(Reason.DUPLICATE, f"several processes claim its port: {pids}")
    if host.owner is None or host.processes != (host.owner,):
        return Refusal(Reason.UNIDENTIFIED, "no process is seen to own its port")
    return host.owner


def _silent_probes(case: Case) -> int:
    return 1 if case.report and case.report.is_memory_frozen else SILENT_PROBES


def _heard(case: Case) -> str:
    return ", ".join(case.evidence.greetings)
